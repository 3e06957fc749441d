// rate_limit: limits how often a client may send requests.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The options of rate_limit. All numbers are at most 10 million.
struct RateLimitOptions {
    /// How many requests an allowance regains per second or per minute. Set one of the two.
    int per_second = 0;
    int per_minute = 0;
    /// How many requests may arrive at once, after a pause. 0 means the allowance of one second, or of one
    /// minute.
    int burst = 0;
    /// Requests with the same text share an allowance: a user, an API key. By default, requests from the same
    /// address share one; for IPv6, from the same /64, which is what one subscriber gets.
    std::function<std::string(Context&)> key = {};
    /// How many keys are remembered while their allowance is not full; at least 16, rounded up to a power of
    /// two. Each uses 32 bytes. A remembered key is never dropped early. When the table is full, about one
    /// key in a thousand finds no place. It shares an allowance with a small part of the other such keys.
    std::size_t max_keys = 65536;
    /// The name of the limit in the fields: at most 64 bytes of ASCII without quotes, backslashes and control
    /// characters.
    std::string name = "default";
};

/// Throws HttpError 429 with Retry-After when the key of the request has used up its allowance. Sets
/// RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers) on every answer. Each call of
/// rate_limit makes its own limit; routes that use the same step share it. Counted by GCRA, without a lock.
/// Throws std::invalid_argument for invalid options.
[[nodiscard]] Step rate_limit(RateLimitOptions options);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
