// What a WebSocket's functions wait for: a message, room to send, the end of a Close.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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
        const bool is_over = is_served();
        has_suspended_ = is_over ? give_way(coroutine) : suspend(coroutine);
        if (has_suspended_ && !is_over) enter();
        return has_suspended_;
    }
    /// Whether its fiber was cancelled, even after the wait was over.
    [[nodiscard]] bool is_given_up() noexcept {
        return was_cancelled() || (has_suspended_ && take_late_cancellation());
    }

    WsLink& link_;

  private:
    bool has_suspended_ = false;

    void enter() noexcept;
    bool withdraw() noexcept final {
        unlink();
        return true;
    }
};

class [[nodiscard]] WsReceiveWait final : public WsWait {
  public:
    explicit WsReceiveWait(WsLink& link) noexcept : WsWait(link) {}
    ~WsReceiveWait() { end(); }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        begin();
        return wait(coroutine);
    }
    [[nodiscard]] std::optional<Message> await_resume();
    [[nodiscard]] bool is_served() const noexcept override { return has_news(link_); }
    void describe(std::string& out) const override { out += "a message of a WebSocket"; }

  private:
    void begin();
    void end() noexcept;

    bool has_begun_ = false;
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

/// What WebSocket::send is about to send.
struct WsToSend {
    WsLink* link;
    std::string_view payload;
    bool is_text;
};
/// What WebSocket::close is about to say.
struct WsToClose {
    WsLink* link;
    int code;
    std::string_view reason;
};
/// Sends it: false if nothing can be sent any more.
[[nodiscard]] bool send_at_once(const WsToSend& what);
void say_close_at_once(const WsToClose& what);

/// Sends, and waits if it must. That wait is made when it is needed: it is seldom, and the frame of a handler
/// has room for each of its sends as long as the connection lives.
class [[nodiscard]] WsSendWait {
  public:
    explicit WsSendWait(const WsToSend& what) noexcept : what_(what) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        coroutine.promise().fiber->throw_if_cancelled();
        was_sent_ = send_at_once(what_);
        if (has_room(*what_.link) && Wait::may_go_on(coroutine)) return false;
        wait_.reset(new WsRoomWait(*what_.link));
        return wait_->await_suspend(coroutine);
    }
    bool await_resume() const {
        if (wait_ != nullptr) wait_->await_resume();
        return was_sent_;
    }

  private:
    WsToSend what_;
    bool was_sent_ = false;
    OwningPtr<WsRoomWait> wait_;
};

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
