// The answers of HTTP/1 connections as bytes: the head, with the fields that the server adds, and the report
// of each answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/app/file_body.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/response.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/writer.hpp"
#include "sake/server/h1_exchange.hpp"
#include "sake/server/output.hpp"
#include "sake/server/shard.hpp"
#include "sake/server/turn.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What the head contains in addition to the handler's fields.
struct AnswerTerms {
    bool close = false;
    bool is_head_request = false;
    bool is_http_1_0 = false;
    std::string_view date_line;
};

/// Appends the head of an answer with this many bytes in its body. Returns whether the body follows.
[[gnu::always_inline]] inline bool append_head(ByteBuffer& out, const Response& answer,
                                               const AnswerTerms& terms, std::uint64_t size) {
    const bool no_content = has_no_body(answer.status);
    const bool sends_body = !no_content && answer.status != 205;
    http1::ResponseHead head;
    head.status = answer.status;
    head.content_type = sends_body ? answer.content_type() : std::string_view{};
    head.body = no_content ? http1::BodyLine::none : http1::BodyLine::length;
    head.content_length = sends_body ? size : 0;
    head.date_line = terms.date_line;
    if (terms.close) {
        head.connection = http1::ConnectionLine::close;
    } else if (terms.is_http_1_0) {
        head.connection = http1::ConnectionLine::keep_alive;
    }
    http1::append_response_head(out, head, answer.headers);
    return sends_body && !terms.is_head_request;
}

/// Appends the head, and the body too unless it is so large that copying it would cost more than a second
/// piece in the send. Returns false then: the body is still to be sent.
[[gnu::always_inline]] inline bool append_answer(ByteBuffer& out, const Response& answer,
                                                 const AnswerTerms& terms) {
    constexpr std::size_t worth_copying = 16 * 1024;
    if (!append_head(out, answer, terms, answer.body.size())) return true;
    if (answer.body.size() > worth_copying) return false;
    out.append(answer.body);
    return true;
}

/// Reports an answer that is about to leave to the program's observers.
[[gnu::noinline]] inline void tell_observers(Shard& shard, H1Exchange& exchange, std::uint64_t sent,
                                             Clock::duration duration) {
    Call& call = exchange.call;
    const bool has_route = call.route != nullptr && !call.route->pattern().empty();
    shard.observers.tell({.method = call.request.method(),
                          .target = call.request.target(),
                          .route = has_route ? call.route->pattern() : "unmatched",
                          .status = call.response.status,
                          .bytes = sent,
                          .duration = duration,
                          .cause = call.cause,
                          .ctx = call.context});
}

/// Counts and reports an answer that is about to leave.
[[gnu::noinline]] inline void note_answer(Shard& shard, H1Exchange& exchange, std::uint64_t body_size) {
    const Call& call = exchange.call;
    const bool sends_body = call.request.known_method != Method::head && has_body(call.response.status);
    const std::uint64_t sent = sends_body ? body_size : 0;
    const Clock::duration duration = shard.reactor.present() - exchange.begun;
    if (AnswerCounter* const counter = shard.observers.counter()) {
        counter->count(call, sent, exchange.body_received(), duration, exchange.answer.has_begun());
    }
    if (shard.observers.has_any_to_tell()) tell_observers(shard, exchange, sent, duration);
}

/// Sends an answer whose body is a file.
[[gnu::noinline]] inline bool send_file_answer(Shard& shard, Turn& turn, H1Exchange& exchange,
                                               const AnswerTerms& terms, FileBody& file) {
    const Response& response = exchange.call.response;
    const bool sends_body = append_head(turn.gathered(), response, terms, file.length);
    OwningList<OutputPiece> pieces;
    for (BodyPiece& each : file.pieces) pieces.push_back(new OutputPiece(std::move(each)));
    if (!shard.observers.empty()) note_answer(shard, exchange, file.length);
    if (!sends_body) return true;
    return turn.send_with(pieces.first()) != Output::Result::failed;
}

/// The one place that every answer passes. Gathers it, or sends it at once if it is large. False if the
/// connection is broken. A large body is moved from.
inline bool send_answer(Shard& shard, Turn& turn, H1Exchange& exchange, bool close) {
    Response& response = exchange.call.response;
    AnswerTerms terms;
    terms.close = close;
    terms.is_head_request = exchange.call.request.known_method == Method::head;
    terms.is_http_1_0 = exchange.reader.is_http_1_0();
    terms.date_line = shard.date_line();
    if (FileBody* const file = response.file()) [[unlikely]] {
        return send_file_answer(shard, turn, exchange, terms, *file);
    }
    const std::size_t body_size = response.body.size();
    const bool is_whole = append_answer(turn.gathered(), response, terms);
    if (is_whole) [[likely]] {
        if (!shard.observers.empty()) note_answer(shard, exchange, body_size);
        return true;
    }
    // Taken out of the observers' reach, because the head has announced its length.
    std::string rest = std::move(response.body);
    if (!shard.observers.empty()) note_answer(shard, exchange, body_size);
    return turn.send_with(std::move(rest)) != Output::Result::failed;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
