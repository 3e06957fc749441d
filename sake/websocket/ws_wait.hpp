// What a WebSocket's functions wait for: a message, room to send, the end of a Close.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/wait.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

struct Message;

namespace detail {

class WsLink;

/// Whether `receive` has something to give, or never will.
[[nodiscard]] bool has_news(const WsLink& link) noexcept;
/// Whether the other side has read enough to be sent more, or nothing more can be sent.
[[nodiscard]] bool has_room(const WsLink& link) noexcept;
/// Whether both sides have said Close, or it was lost.
[[nodiscard]] bool has_ended(const WsLink& link) noexcept;

/// A coroutine that waits for a message. Its link has one, used again and again: two cannot wait at a time.
class WsReceiveWait final : public Wait {
  public:
    /// Whether a coroutine waits, or has yet to go on after it has waited.
    [[nodiscard]] bool is_in_use() const noexcept { return is_in_use_; }
    void begin_use() noexcept { is_in_use_ = true; }
    /// Whether its fiber was cancelled, even after the wait was over.
    [[nodiscard]] bool end_use() noexcept {
        return std::exchange(is_in_use_, false) && (was_cancelled() || take_late_cancellation());
    }

    void abandon() noexcept override {
        end_waiting();
        is_in_use_ = false;
    }
    void describe(std::string& out) const override { out += "a message of a WebSocket"; }

  private:
    bool withdraw() noexcept override { return true; }

    bool is_in_use_ = false;
};

[[nodiscard]] WsReceiveWait& begin_receive(WsLink& link);

/// What WebSocket::receive returns. Small, because the frame of a handler has it as long as the connection
/// lives.
class [[nodiscard("nothing happens until it is awaited: co_await it")]] WsReceive {
  public:
    explicit WsReceive(WsLink& link) noexcept : link_(link) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) const {
        WsReceiveWait& wait = begin_receive(link_);
        const bool has_message = has_news(link_);
        if (has_message && Wait::may_go_on(coroutine)) return false;
        wait.begin_use();
        if (!wait.suspend(coroutine)) return false;
        if (has_message) wait.finish();  // after the others
        return true;
    }
    std::optional<Message> await_resume() const;

  private:
    WsLink& link_;
};

/// In the list of its link until it is served.
class WsWait : public Wait, public ListNode {
  public:
    explicit WsWait(WsLink& link) noexcept : link_(link) {}
    /// Whether it can go on.
    [[nodiscard]] virtual bool is_served() const noexcept = 0;

  protected:
    ~WsWait() = default;
    /// Suspends until it is served.
    template <class Promise>
    bool wait(std::coroutine_handle<Promise> coroutine) {
        if (is_served()) return give_way(coroutine);
        enter();  // first, since memory may be missing
        if (suspend(coroutine)) return true;
        unlink();
        return false;
    }

    WsLink& link_;

  private:
    void enter();
    bool withdraw() noexcept final {
        unlink();
        return true;
    }
};

/// For room to send more, or for its end.
class [[nodiscard]] WsRoomWait final : public WsWait {
  public:
    explicit WsRoomWait(WsLink& link) noexcept : WsWait(link) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        return wait(coroutine);
    }
    void await_resume() const { throw_if_cancelled(); }
    [[nodiscard]] bool is_served() const noexcept override { return has_room(link_); }
    void describe(std::string& out) const override { out += "a client that reads a WebSocket"; }
};

/// For the other side to say Close, or for its end.
class [[nodiscard]] WsEndWait final : public WsWait {
  public:
    explicit WsEndWait(WsLink& link) noexcept : WsWait(link) {}
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        return wait(coroutine);
    }
    void await_resume() const { throw_if_cancelled(); }
    [[nodiscard]] bool is_served() const noexcept override { return has_ended(link_); }
    void describe(std::string& out) const override { out += "the other side of a WebSocket to close"; }
};

/// Sends it: false if nothing can be sent any more.
[[nodiscard]] bool send_at_once(WsLink& link, bool is_text, std::string_view payload);

/// What WebSocket::send returns: sends, and waits if it must. That wait is made when it is needed: it is
/// seldom, and the frame of a handler has room for each of its sends as long as the connection lives.
class [[nodiscard("nothing happens until it is awaited: co_await it")]] WsSend {
  public:
    WsSend(WsLink& link, bool is_text, std::string_view payload) noexcept
        : link_(&link), payload_(payload), is_text_(is_text) {}
    /// May only be moved before it is awaited.
    WsSend(WsSend&& other) noexcept : WsSend(*other.link_, other.is_text_, other.payload_) {}
    WsSend& operator=(WsSend&&) = delete;
    ~WsSend() {
        if (waits_) delete wait_;
    }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (waits_) throw std::logic_error("ws.send: what it returned is awaited twice");
        coroutine.promise().fiber->throw_if_cancelled();
        was_sent_ = send_at_once(*link_, is_text_, payload_);
        if (has_room(*link_) && Wait::may_go_on(coroutine)) return false;
        wait_ = new WsRoomWait(*link_);
        waits_ = true;
        return wait_->await_suspend(coroutine);
    }
    bool await_resume() const {
        if (waits_) wait_->await_resume();
        return was_sent_;
    }

  private:
    union {
        WsLink* link_;      // up to the sending
        WsRoomWait* wait_;  // if waits_, and then owned
    };
    std::string_view payload_;
    bool is_text_;
    bool was_sent_ = false;
    bool waits_ = false;
};

/// What WebSocket::close is about to say.
struct WsToClose {
    WsLink* link;
    int code;
    std::string_view reason;
};
void say_close_at_once(const WsToClose& what);

/// Says Close, and waits.
class [[nodiscard]] WsCloseWait {
  public:
    explicit WsCloseWait(const WsToClose& what) noexcept : what_(what) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        coroutine.promise().fiber->throw_if_cancelled();
        say_close_at_once(what_);
        wait_.reset(new WsEndWait(*what_.link));
        return wait_->await_suspend(coroutine);
    }
    void await_resume() const { wait_->await_resume(); }

  private:
    WsToClose what_;
    OwningPtr<WsEndWait> wait_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
