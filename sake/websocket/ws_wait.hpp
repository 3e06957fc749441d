// What a WebSocket's functions wait for: a message, room to send, the end of a Close.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/async/wait.hpp"

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

    bool is_begun_ = false;
};

/// What WebSocket::send is about to send.
struct WsToSend {
    WsLink* link;
    std::string_view payload;
    bool is_text;
};

class [[nodiscard]] WsSendWait final : public WsWait {
  public:
    explicit WsSendWait(const WsToSend& what) noexcept
        : WsWait(*what.link), payload_(what.payload), is_text_(what.is_text) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (!coroutine.promise().fiber->has_cancellation()) begin();
        return wait(coroutine);
    }
    bool await_resume() const {
        throw_if_cancelled();
        return was_sent_;
    }
    [[nodiscard]] bool is_served() const noexcept override { return has_room(link_); }
    void describe(std::string& out) const override { out += "a client that reads a WebSocket"; }

  private:
    void begin();

    std::string_view payload_;
    bool is_text_;
    bool was_sent_ = false;
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

/// What WebSocket::close is about to say.
struct WsToClose {
    WsLink* link;
    int code;
    std::string_view reason;
};

class [[nodiscard]] WsCloseWait final : public WsWait {
  public:
    explicit WsCloseWait(const WsToClose& what) noexcept : WsWait(*what.link), what_(what) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (!coroutine.promise().fiber->has_cancellation()) begin();
        return wait(coroutine);
    }
    void await_resume() const { throw_if_cancelled(); }
    [[nodiscard]] bool is_served() const noexcept override { return has_ended(link_); }
    void describe(std::string& out) const override { out += "the other side of a WebSocket to close"; }

  private:
    void begin();

    WsToClose what_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
