// The habits that a client may have: it repeats requests that failed, spares a server that fails all the
// time, and keeps answers. Each is off until its options turn it on.
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

/// Sends a request again after a failure of the connection, a time limit of the client, or a 429, 502, 503 or
/// 504: if its method is idempotent or it is marked `idempotent()`, and its body is no stream. What comes of
/// the last attempt is the result.
struct RetryOptions {
    int attempts = 1;  // at most, the first included; 1 is off, 10 the most
    // The pause before the second attempt is a random time up to this, before the third up to twice as much,
    // and so on.
    std::chrono::milliseconds first_delay{100};
    // No pause is longer. If a Retry-After asks for more, there is no further attempt.
    std::chrono::milliseconds max_delay{5'000};
    std::chrono::milliseconds max_total{30'000};  // no attempt begins later than this after the first began
    // So many retries for each 100 requests of the client, whatever their origin, so that an outage is not
    // multiplied; 0 to 100.
    int budget_percent = 20;
    int budget_reserve = 10;  // retries that a client has at its start, and can save at most
};

/// Refuses requests to an origin that fails all the time, so that they fail at once and the origin can
/// recover. A 5xx, a failure of the connection, a time limit of the client and an answer that is not HTTP as
/// it should be count. A 4xx is a success, and so is an answer that is only longer than `max_body`.
struct BreakerOptions {
    int failures = 0;  // in a row, which open the circuit; 0 is off
    // Requests are refused for so long. Then one is let through: its success closes the circuit, and its
    // failure opens it again.
    std::chrono::milliseconds open_time{10'000};
    int max_origins = 256;  // whose failures are remembered; the one that failed least recently is forgotten
};

/// Keeps answers to GET in memory, as RFC 9111 allows: for as long as they say themselves, then asks whether
/// they have changed. For `get` and `send`; `open` passes it by.
struct CacheOptions {
    std::size_t max_bytes = 0;  // of all that is kept; 0 is off. What was used least recently is dropped
    std::size_t max_response = 1024 * 1024;  // of one body
    // For so long after its time, an answer stands in for one that failed or is a 500, 502, 503 or 504,
    // unless it says otherwise.
    std::chrono::milliseconds stale_if_error{0};
    // All requests speak for one user. Without it, answers for one user alone are not kept: those marked
    // private or with Set-Cookie and, unless they say that they may be shared, those to requests with
    // Authorization or Cookie.
    bool is_private = false;
};

/// Thrown for a request that the breaker refuses: nothing was sent.
class CircuitOpen : public std::runtime_error {
  public:
    CircuitOpen(const std::string& what, const std::string& origin, std::chrono::milliseconds retry_after)
        : std::runtime_error(what), origin_(origin), retry_after_(retry_after) {}

    /// "http://host:port".
    [[nodiscard]] std::string_view origin() const noexcept { return origin_.what(); }
    /// When the next request is let through.
    [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }

  private:
    std::runtime_error origin_;  // a text whose copies cannot fail
    std::chrono::milliseconds retry_after_;
};

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
