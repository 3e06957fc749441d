// Sessions that are kept elsewhere than in the memory of the server, such as in a database.
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

/// Where a program keeps sessions: texts, each under an id. What a function throws is answered by 500. It may
/// be in the midst of one of them for several requests at a time.
class SessionStore {
  public:
    SessionStore() = default;
    SessionStore(const SessionStore&) = delete;
    SessionStore& operator=(const SessionStore&) = delete;
    virtual ~SessionStore() = default;

    /// The text of a session; nothing if there is none, or its time is over, which the store decides. The id
    /// is the secret of a visitor: where others may read what is stored, keep a hash of it.
    [[nodiscard]] virtual Task<std::optional<std::string>> load(std::string id) = 0;
    /// Keeps a session under an id that is new.
    [[nodiscard]] virtual Task<> add(std::string id, std::string text) = 0;
    /// Keeps another text under an id, if there is a session; false if not. This must be one step: a session
    /// that ends meanwhile is not to come back.
    [[nodiscard]] virtual Task<bool> replace(std::string id, std::string text) = 0;
    /// Ends a session; false if there was none.
    [[nodiscard]] virtual Task<bool> erase(std::string id) = 0;
};

namespace detail {
class SessionCookie;
}  // namespace detail

namespace middleware {

/// What sessions() with a store returns: middleware that is a coroutine.
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

/// The same as sessions(options), with sessions in a store of the program's, which must outlive the engine.
/// The answer leaves when its session is saved; an answer in pieces is not held up. The store decides when
/// sessions end and how many there are: idle_time and max_sessions do not count, and lifetime is the
/// cookie's.
[[nodiscard]] StoredSessions sessions(SessionOptions options, SessionStore& store);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
