// sessions: data that a server keeps for a visitor between requests, under an id in a cookie.
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
    {"sessions", "ctx.session() can be the session of one of them only"},
    {"cache", "the cache answers before it knows whose session it is"},
    {nullptr, nullptr}};
inline constexpr StepInfo session_info{"sessions", session_rules};

}  // namespace detail

namespace middleware {

/// The options of sessions.
struct SessionOptions {
    /// The name of the cookie. Over https it is sent as "__Host-session", which no other host can set.
    std::string cookie = "session";
    /// A session ends when its visitor has sent no request for this long; at most 400 days.
    std::chrono::seconds idle_time = std::chrono::hours(2);
    /// A session ends this long after it began or was renewed; at most 400 days.
    std::chrono::seconds lifetime = std::chrono::hours(7 * 24);
    /// The largest number of sessions. Beyond it, a new session replaces the one that was idle for longest
    /// among those that were never renewed. If all were renewed, the one that was idle for longest is
    /// replaced, if that was at least 15 minutes. Otherwise the answer is 503.
    std::size_t max_sessions = 65536;
    /// The largest size of a session as JSON text, in bytes. A larger session is not stored, and the answer
    /// is 500.
    std::size_t max_bytes = 4096;
    /// `none` applies over https only; over http it becomes `lax`.
    http::SameSite same_site = http::SameSite::lax;
};

/// Provides ctx.session(), ctx.renew_session() and ctx.end_session() to the handlers that follow. Sessions
/// live in the memory of this process and belong to this step; copies of it share them. The cookie holds only
/// a random id of 128 bits. It is HttpOnly, and Secure if ctx.scheme() is "https". It is sent only when a
/// session begins, is renewed or ends. An empty session is not stored. Throws std::invalid_argument for
/// invalid options.
[[nodiscard]] Step sessions(SessionOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
