// A response as a handler fills it and the connection writes it. Users set it through Context.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/app/problem.hpp"
#include "sake/http/headers.hpp"
#include "sake/http1/writer.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Response {
  public:
    int status = 200;
    http::Headers headers;
    std::string body;
    bool close = false;  // the handler wants the connection closed

    void clear() noexcept {
        status = 200;
        headers.clear();
        content_type_ = {};
        close = false;
        constexpr std::size_t kept = 16 * 1024;
        if (body.capacity() > kept) std::string().swap(body);
        body.clear();
    }

    [[nodiscard]] std::string_view content_type() const noexcept { return content_type_; }

    /// For a type that is a literal or lives as long as the response.
    void set_static_type(std::string_view type) noexcept { content_type_ = type; }

    /// Throws std::invalid_argument on a byte that may not stand in a field.
    void set_type(std::string_view type) {
        http::Headers check;
        check.set("Content-Type", type);
        type_storage_ = type;
        content_type_ = type_storage_;
    }

    void set_status(int code) {
        if (code < 200 || code > 599) {
            throw std::invalid_argument("status: " + std::to_string(code) + " is not in 200 to 599");
        }
        status = code;
    }

    /// Sets or adds a field. The fields that frame the message are the server's; of them only "Connection:
    /// close" can be asked for.
    template <class Store>
    void put_header(std::string_view name, std::string_view value, Store store) {
        if (!is_framing_field(name)) return store();
        if (!iequals(name, "connection") || !iequals(value, "close")) {
            throw std::invalid_argument("header " + std::string(name) + " is set by the server itself");
        }
        close = true;
    }

    /// The answer to an error. Fields that describe the answer that would have been go; others that
    /// middleware has set, such as those of CORS, stay.
    void set_problem(int code, std::string_view detail) {
        status = code;
        for (const std::string_view name :
             {"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition",
              "Content-Location", "Content-Range", "ETag", "Last-Modified", "Cache-Control", "Expires",
              "Location"}) {
            headers.remove(name);
        }
        content_type_ = problem_content_type;
        body = problem_body(code, detail);
    }

  private:
    std::string_view content_type_;
    std::string type_storage_;
};

/// What an answer's head says besides what the handler set.
struct AnswerTerms {
    bool close = false;
    bool is_head_request = false;
    bool is_http_1_0 = false;
    std::string_view date_line;
};

/// Appends the head, and the body too unless it is so large that copying it would cost more than a second
/// piece in the send: then returns false.
inline bool append_answer(std::string& out, const Response& answer, const AnswerTerms& terms) {
    const bool no_body = http::has_no_body(answer.status);
    const bool has_body =
        !no_body && answer.status != 205;  // 205 says so with a length of 0 (RFC 9110 section 15.3.6)
    http1::ResponseHead head;
    head.status = answer.status;
    head.content_type = has_body ? answer.content_type() : std::string_view{};
    head.body = no_body ? http1::BodyLine::none : http1::BodyLine::length;
    head.content_length = has_body ? answer.body.size() : 0;
    head.date_line = terms.date_line;
    if (terms.close) {
        head.connection = http1::ConnectionLine::close;
    } else if (terms.is_http_1_0) {
        head.connection = http1::ConnectionLine::keep_alive;
    }
    http1::append_response_head(out, head, answer.headers);
    constexpr std::size_t worth_copying = 16 * 1024;
    if (!has_body || terms.is_head_request) return true;
    if (answer.body.size() > worth_copying) return false;
    out.append(answer.body);
    return true;
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
