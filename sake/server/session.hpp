// Session: one connection, over any protocol, as the accepting, shedding and stopping parts of the server see
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sake/async/timer.hpp"
#include "sake/async/wait.hpp"
#include "sake/async/watch.hpp"
#include "sake/base/maybe.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The phase of a session, for statistics.
enum class SessionPhase : std::uint8_t { idle, reading, handling, writing, streaming, websocket, closing };

/// Owns itself: created with its socket, listed in its shard, and deletes itself when it closes.
class Session : public ListNode, public HangupListener {
  public:
    Session() = default;
    virtual ~Session() = default;

    /// Whether a request or its answer is under way; a stop waits for it.
    [[nodiscard]] virtual bool is_busy() const noexcept = 0;
    [[nodiscard]] virtual SessionPhase phase() const noexcept = 0;
    /// The server drains. An idle session waits a moment for a request that is on its way, then closes.
    virtual void begin_drain() noexcept = 0;

    /// When the session became idle: between two requests, or after the last one. Empty while it is busy, and
    /// before its first request.
    [[nodiscard]] virtual Maybe<TimePoint> idle_since() const noexcept = 0;
    /// Whether the client has not received all of its answers yet.
    [[nodiscard]] virtual bool is_read_slowly() const noexcept = 0;
    /// Closes as soon as the client has received its last answer. Call it while the session is idle.
    virtual void make_room() noexcept = 0;

    /// Ends at once. If a handler is running, answers with `status` and cancels the handler.
    virtual void abandon(int status, std::string_view detail) noexcept = 0;
    /// Ends at its next turn without an answer. A running handler is cancelled and ends first.
    virtual void drop() noexcept = 0;
    /// For an abandoned reactor: ends now, unless a handler is running.
    virtual void end_if_free() noexcept = 0;
};

/// The sessions of a shard.
class SessionList {
  public:
    class Walk;

    void add(Session& session) noexcept {
        session.insert_before(head_);
        ++count_;
    }
    void remove(Session& session) noexcept {
        if (walks_.is_linked()) [[unlikely]]
            tell_walks(session);
        session.unlink();
        --count_;
    }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    /// Calls f(session) for each; that one may end meanwhile.
    template <class F>
    void for_each(F f) {
        for (ListNode* node = head_.next(); node != &head_;) {
            ListNode* const next = node->next();
            f(static_cast<Session&>(*node));
            node = next;
        }
    }

  private:
    inline void tell_walks(const Session& gone) noexcept;

    ListNode head_;
    ListNode walks_;
    std::size_t count_ = 0;
};

/// Goes from session to session with pauses, in which sessions may come and go.
class SessionList::Walk : private ListNode {
  public:
    explicit Walk(SessionList& sessions) noexcept
        : sessions_(sessions), at_(sessions.head_.next()), left_(sessions.count_) {
        insert_before(sessions.walks_);
    }

    /// Calls f(session) for at most so many. False if there are no more.
    template <class F>
    bool go_on(std::size_t most, F f) {
        for (; most > 0; --most, --left_) {
            if (left_ == 0 || at_ == &sessions_.head_) return false;
            ListNode* const node = std::exchange(at_, at_->next());
            f(static_cast<const Session&>(*node));
        }
        return true;
    }

  private:
    friend class SessionList;
    SessionList& sessions_;
    ListNode* at_;      // the next
    std::size_t left_;  // those that come meanwhile do not prolong it
};

inline void SessionList::tell_walks(const Session& gone) noexcept {
    for (ListNode* node = walks_.next(); node != &walks_; node = node->next()) {
        auto& walk = static_cast<Walk&>(*node);
        if (walk.at_ == &gone) walk.at_ = walk.at_->next();
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
