// What Engine::on_answered is told of every answer, also of those that no handler made.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Context;

/// Why an answer is what it is.
enum class AnswerCause : std::uint8_t {
    handler,        // a handler or middleware made it
    error,          // it was made of what they threw
    no_route,       // no route takes the request: 404, 405, 501, OPTIONS
    refused,        // the request could not be read: 400, 413, 414, 417, 421, 431, 501, 505
    timeout,        // the client was too slow, 408, or the handler, 504
    overload,       // no memory or no worker was free: 503
    stop,           // the server stops: a 503, or a stream that a graceful stop has ended early
    cut,            // it was sent in pieces and has no end: the handler threw, or the client was too slow
    client_closed,  // the client left before its answer was made, or before the end of one in pieces
};

/// The name of a cause: "handler", "error", ...
[[nodiscard]] constexpr std::string_view to_string(AnswerCause cause) noexcept {
    constexpr std::string_view names[] = {"handler",  "error", "no_route", "refused",      "timeout",
                                          "overload", "stop",  "cut",      "client_closed"};
    return names[static_cast<std::uint8_t>(cause)];
}

namespace detail {

/// The status of a request that had no answer, as nginx writes it.
inline constexpr int no_answer = 499;

}  // namespace detail

/// An answer that is about to leave; one that is sent in pieces has left. Or a request that has none, since
/// its client has left: status 499. Valid during the call.
struct Answered {
    std::string_view method;  // "" if the request was refused before it was known
    std::string_view target;  // as it was sent; "" likewise
    std::string_view route;   // the pattern that matched, or "unmatched"
    int status = 0;
    std::uint64_t bytes = 0;              // of the body that is sent
    std::chrono::nanoseconds duration{};  // since the first byte of the request came
    AnswerCause cause = AnswerCause::handler;
    Context& ctx;  // for what else there is to know of the request; setting an answer in it has no effect
};

}  // namespace SAKE_ABI
}  // namespace sake
