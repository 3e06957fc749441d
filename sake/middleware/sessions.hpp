// What a server keeps of a visitor from one request to the next, under an id that the visitor has in a
// cookie.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "sake/http/cookie.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr StepRule session_rules[] = {
    {"sessions", "ctx.session() is one of them"},
    {"cache", "the cache answers before it knows whose session it is"},
    {nullptr, nullptr}};
inline constexpr StepInfo session_info{"sessions", session_rules};

}  // namespace detail

namespace middleware {

/// For sessions.
struct SessionOptions {
    /// The name of the cookie. Over https it is sent as "__Host-session", which no other host can set.
    std::string cookie = "session";
    /// A session ends when its visitor has sent no request for so long; at most 400 days.
    std::chrono::seconds idle_time = std::chrono::hours(2);
    /// And it ends so long after it began, or was renewed; at most 400 days.
    std::chrono::seconds lifetime = std::chrono::hours(7 * 24);
    /// How many there are at most. If there are so many, a new one takes the place of the one that was idle
    /// the longest among those that were never renewed; if all were, among those that were idle for 15
    /// minutes; if none was, the answer is 503.
    std::size_t max_sessions = 65536;
    /// The size of a session as JSON text. One that is larger is not kept, and the answer is 500.
    std::size_t max_bytes = 4096;
    /// `none` counts over https only; over http it is `lax`.
    http::SameSite same_site = http::SameSite::lax;
};

/// Gives what follows ctx.session(), ctx.renew_session() and ctx.end_session(). Sessions are in the memory of
/// this process, and of this step: copies share them. The cookie has a random id of 128 bits and nothing
/// else, is HttpOnly, is Secure where ctx.scheme() is "https", and is only sent when a session begins, is
/// renewed or ends. An empty session is not kept. Throws std::invalid_argument for options that make no
/// sense.
[[nodiscard]] Step sessions(SessionOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
