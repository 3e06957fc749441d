// The optional habits of a client: repeating failed requests, sparing a server that keeps failing, and
// caching answers. Each is off until its options turn it on.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// Repeats a request after a failure of the connection, a time limit of the client, or an answer 429, 502,
/// 503 or 504. Only requests with an idempotent method, or marked `idempotent()`, are repeated, and never a
/// streamed body. The caller receives the outcome of the last attempt.
struct RetryOptions {
    int attempts = 1;  // including the first; 1 is off, 10 is the most
    // The pause before the second attempt is a random time up to this. The limit doubles with each attempt.
    std::chrono::milliseconds first_delay{100};
    // The longest pause. If Retry-After asks for more, there are no further attempts.
    std::chrono::milliseconds max_delay{5'000};
    std::chrono::milliseconds max_total{30'000};  // no attempt begins later than this after the first began
    // Retries per 100 requests of the client, over all origins, so that an outage does not multiply the load;
    // 0 to 100.
    int budget_percent = 20;
    int budget_reserve = 10;  // retries available at the start, and the most that can be saved
};

/// Refuses requests to an origin that keeps failing. They then fail at once, and the origin can recover.
/// Failures are a 5xx, a failure of the connection, a time limit of the client, and an answer that violates
/// HTTP. A 4xx counts as success, and so does an answer that is only longer than `max_body`.
struct BreakerOptions {
    int failures = 0;  // in a row, to open the circuit; 0 is off
    // How long requests are refused. Then one is sent: its success closes the circuit, its failure opens it
    // again.
    std::chrono::milliseconds open_time{10'000};
    int max_origins = 256;  // whose failures are remembered; the one that failed least recently is forgotten
};

/// Keeps answers to GET in memory as RFC 9111 allows: uses them for their stated lifetime, and asks
/// afterwards whether they have changed. Applies to `get` and `send`, not to `open`.
struct CacheOptions {
    std::size_t max_bytes = 0;               // of all answers; 0 is off. The least recently used is dropped
    std::size_t max_response = 1024 * 1024;  // bytes of one body; larger answers are not kept
    // How long after its lifetime an answer may replace a failure, or a 500, 502, 503 or 504, unless it
    // forbids that.
    std::chrono::milliseconds stale_if_error{0};
    // Set it if all requests are for one user. Without it, answers for a single user are not kept: those
    // marked private or with Set-Cookie, and answers to requests with Authorization or Cookie unless they
    // state that they may be shared.
    bool is_private = false;
};

/// Thrown for a request that the breaker refuses. Nothing was sent.
class CircuitOpen : public std::runtime_error {
  public:
    CircuitOpen(const std::string& what, const std::string& origin, std::chrono::milliseconds retry_after)
        : std::runtime_error(what), origin_(origin), retry_after_(retry_after) {}

    /// The origin: "http://host:port".
    [[nodiscard]] std::string_view origin() const noexcept { return origin_.what(); }
    /// How long until the next request is let through.
    [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }

  private:
    std::runtime_error origin_;  // a text whose copies cannot fail
    std::chrono::milliseconds retry_after_;
};

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
