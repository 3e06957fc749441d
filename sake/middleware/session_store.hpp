// SessionStore: sessions outside the server's memory, such as in a database.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "sake/app/context.hpp"
#include "sake/async/task.hpp"
#include "sake/middleware/sessions.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The program's storage for sessions: a text for each id. An exception from a function is answered
/// with 500. Several requests may be inside these functions at a time.
class SessionStore {
  public:
    SessionStore() = default;
    SessionStore(const SessionStore&) = delete;
    SessionStore& operator=(const SessionStore&) = delete;
    virtual ~SessionStore() = default;

    /// The text of a session; std::nullopt if there is none or it has expired, which the store decides. The
    /// id is the visitor's secret: if others can read the storage, store a hash of it.
    [[nodiscard]] virtual Task<std::optional<std::string>> load(std::string id) = 0;
    /// Stores a session under a new id.
    [[nodiscard]] virtual Task<> add(std::string id, std::string text) = 0;
    /// Replaces the text of a session, if it exists; false if not. This must be one atomic step, so that a
    /// session that ended meanwhile does not come back.
    [[nodiscard]] virtual Task<bool> replace(std::string id, std::string text) = 0;
    /// Removes a session; false if there was none.
    [[nodiscard]] virtual Task<bool> erase(std::string id) = 0;
};

namespace detail {
class SessionCookie;
}  // namespace detail

namespace middleware {

/// What sessions() with a store returns: coroutine middleware.
class StoredSessions {
  public:
    template <class Unused = void>
    Task<> operator()(Context& ctx) const;

  private:
    friend struct detail::StepAccess;
    friend StoredSessions sessions(SessionOptions options, SessionStore& store);
    static constexpr const detail::StepInfo* info_ = &detail::session_info;
    StoredSessions(const SessionOptions& options, SessionStore& store);
    std::shared_ptr<const detail::SessionCookie> cookie_;
    std::size_t max_bytes_;
    SessionStore* store_;
};

/// The same as sessions(options), with sessions in the program's store, which must outlive the engine. An
/// answer leaves after its session is saved; a streamed answer does not wait. The store decides when sessions
/// end and how many exist: idle_time and max_sessions have no effect, and lifetime is that of the cookie.
[[nodiscard]] StoredSessions sessions(SessionOptions options, SessionStore& store);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
