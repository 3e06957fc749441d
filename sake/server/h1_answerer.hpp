// A whole answer as HTTP/1 bytes: what the head says besides the fields that the handler has set.
#pragma once

#include <string>
#include <string_view>

#include "sake/app/response.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/writer.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// What an answer's head says besides what the handler set.
struct AnswerTerms {
    bool close = false;
    bool is_head_request = false;
    bool is_http_1_0 = false;
    std::string_view date_line;
};

/// Whether an answer with this status has content; 205 says with a length of 0 that it has none (RFC 9110
/// section 15.3.6).
constexpr bool has_body(int status) noexcept { return !http::has_no_body(status) && status != 205; }

/// Appends the head, and the body too unless it is so large that copying it would cost more than a second
/// piece in the send: then returns false.
inline bool append_answer(ByteBuffer& out, const Response& answer, const AnswerTerms& terms) {
    const bool no_content = http::has_no_body(answer.status);
    const bool sends_body = !no_content && answer.status != 205;
    http1::ResponseHead head;
    head.status = answer.status;
    head.content_type = sends_body ? answer.content_type() : std::string_view{};
    head.body = no_content ? http1::BodyLine::none : http1::BodyLine::length;
    head.content_length = sends_body ? answer.body.size() : 0;
    head.date_line = terms.date_line;
    if (terms.close) {
        head.connection = http1::ConnectionLine::close;
    } else if (terms.is_http_1_0) {
        head.connection = http1::ConnectionLine::keep_alive;
    }
    http1::append_response_head(out, head, answer.headers);
    constexpr std::size_t worth_copying = 16 * 1024;
    if (!sends_body || terms.is_head_request) return true;
    if (answer.body.size() > worth_copying) return false;
    out.append(answer.body);
    return true;
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
