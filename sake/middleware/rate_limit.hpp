// A limit on how often a client may send requests.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// For rate_limit. One of per_second and per_minute says how fast an allowance comes back; all numbers are 10
/// million at most.
struct RateLimitOptions {
    int per_second = 0;
    int per_minute = 0;
    /// How many requests may come at once, after a pause. 0 is as many as in a second, or in a minute.
    int burst = 0;
    /// Requests with the same text share an allowance: a user, an API key. Without it, those from the same
    /// address do; of IPv6, from the same /64, since that is what a subscriber gets.
    std::function<std::string(Context&)> key = {};
    /// How many keys are remembered, of those that are short of their whole allowance; at least 16, rounded
    /// up to a power of two. Each takes 32 bytes. A key that is remembered is never forgotten before its
    /// time. One for which there is no place, as happens to one in a thousand when all are taken, shares the
    /// allowance of a small part of those that have none.
    std::size_t max_keys = 65536;
    /// The name of the limit in the fields: 64 bytes of ASCII at most, without quotes, backslashes and
    /// controls.
    std::string name = "default";
};

/// Throws HttpError 429 with Retry-After when the allowance of the request's key is spent. Sets
/// RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers) on every answer. The limit is of
/// this step: each call makes one of its own, and where it is given to several routes, they share it. Counted
/// by GCRA, without a lock. Throws std::invalid_argument for options that make no sense.
[[nodiscard]] Step rate_limit(RateLimitOptions options);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
