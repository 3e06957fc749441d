// What Engine::on_answered receives for every answer, including answers that no handler made.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Context;

/// The reason for an answer.
enum class AnswerCause : std::uint8_t {
    handler,        // a handler or middleware made it
    error,          // it was made from an exception of theirs
    no_route,       // no route matches the request: 404, 405, 501, OPTIONS
    refused,        // the request could not be read: 400, 413, 414, 417, 421, 431, 501, 505
    timeout,        // the client was too slow, 408, or the handler, 504
    overload,       // no memory or no worker thread was free: 503
    stop,           // the server is stopping: a 503, or a stream that the stop ended early
    cut,            // a streamed answer without its end: the handler threw, or the client was too slow
    client_closed,  // the client disconnected before its answer was made, or before the end of a streamed one
};

/// The name of a cause: "handler", "error", "no_route", ...
[[nodiscard]] constexpr std::string_view to_string(AnswerCause cause) noexcept {
    constexpr std::string_view names[] = {"handler",  "error", "no_route", "refused",      "timeout",
                                          "overload", "stop",  "cut",      "client_closed"};
    return names[static_cast<std::uint8_t>(cause)];
}

namespace detail {

/// The status that is reported for a request without an answer, as nginx logs it.
inline constexpr int no_answer = 499;

}  // namespace detail

/// An answer that is about to leave. A streamed answer is reported after its end. A request whose client has
/// disconnected is reported with status 499. Valid during the call.
struct Answered {
    std::string_view method;  // "" if the request was refused before its method was known
    std::string_view target;  // as the client sent it; "" if the request was refused before it was known
    std::string_view route;   // the pattern that matched, or "unmatched"
    int status = 0;
    std::uint64_t bytes = 0;              // bytes of the body that is sent
    std::chrono::nanoseconds duration{};  // since the first byte of the request arrived
    AnswerCause cause = AnswerCause::handler;
    Context& ctx;  // everything else about the request; setting an answer here has no effect
};

}  // namespace SAKE_ABI
}  // namespace sake
