// Session: one connection, whatever protocol it speaks, as the server sees it that accepts, sheds and stops.
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

/// What a session is at, for those who count.
enum class SessionPhase : std::uint8_t { idle, reading, handling, writing, streaming, websocket, closing };

/// Owns itself: it is made with its socket, is in its shard's list, and deletes itself when it closes.
class Session : public ListNode, public HangupListener {
  public:
    Session() = default;
    virtual ~Session() = default;

    /// Whether a request or its answer is under way, for which a stop waits.
    [[nodiscard]] virtual bool is_busy() const noexcept = 0;
    [[nodiscard]] virtual SessionPhase phase() const noexcept = 0;
    /// The server stops: an idle session gets a moment for a request that is on its way, then closes.
    virtual void begin_drain() noexcept = 0;

    /// Since when it has been between two requests, or done with all of them; empty while it is busy, and
    /// before its first request.
    [[nodiscard]] virtual Maybe<TimePoint> idle_since() const noexcept = 0;
    /// Whether the client has yet to receive some of its answers.
    [[nodiscard]] virtual bool is_read_slowly() const noexcept = 0;
    /// Closes as soon as the client has received its last answer; to be called while the session is idle.
    virtual void make_room() noexcept = 0;

    /// Ends at once: answers with `status` if a handler is at work, which is cancelled.
    virtual void abandon(int status, std::string_view detail) noexcept = 0;
    /// Ends at its next turn without an answer; a handler that is at work is cancelled, and ends first.
    virtual void drop() noexcept = 0;
    /// For when the reactor is abandoned: ends now, unless a handler is at work.
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
