// ClientWait: a coroutine waits for the client of its call, to send more of the request or to take more of
// the answer. How the bytes travel is behind Answerer and BodySource.
#pragma once

#include <coroutine>
#include <exception>

#include "sake/async/timer.hpp"
#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Tries at once, and again whenever its signal is woken. What a derived class throws is thrown where it is
/// awaited.
class ClientWait : public Wait, private Timer {
    /// Is woken when another try may succeed. It lives as long as the wait. If the coroutine is cancelled
    /// while a signal is on its way, the coroutine is resumed after that signal, so no signal arrives too
    /// late.
    class Signal final : public Resumable {
      public:
        explicit Signal(ClientWait& wait) noexcept : wait_(wait) {}
        void resume() override {
            if (wait_.is_waiting()) wait_.go_on();
        }
        void expect() noexcept { begin_waiting(); }

      private:
        ClientWait& wait_;
    };

  public:
    ClientWait() noexcept : Timer(&time_is_up), signal_(*this) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        const bool is_cancelled = coroutine.promise().fiber->has_cancellation();
        if (!is_cancelled && attempt()) return give_way(coroutine);
        if (!suspend(coroutine)) {
            if (!is_cancelled) give_up_rest();  // the attempt has cancelled its own fiber
            return false;
        }
        listen();
        return true;
    }

    [[nodiscard]] Resumable& signal() noexcept { return signal_; }
    /// The handlers have ended, and a task that they left behind waits here.
    void call_has_ended() noexcept;

  protected:
    ~ClientWait() = default;

    /// Goes as far as it gets without waiting. Returns whether that is all.
    virtual bool try_now() = 0;
    /// Has the signal woken when it is worth another try. Returns when the client must have done its part.
    virtual TimePoint wake_later() = 0;
    /// The signal is not expected any more. Not called twice.
    virtual void stop_waiting() noexcept = 0;
    /// It ends without having gone all the way: it is cancelled, it fails, or the handlers have ended.
    virtual void give_up_rest() noexcept {}
    /// The client has not done its part in time. Returns until when it has more of it. If it has none,
    /// returns {} and arranges that the fiber is cancelled, or throws.
    virtual TimePoint be_late() = 0;

    /// For await_resume.
    void throw_failure();

  private:
    void go_on() noexcept;
    bool attempt() noexcept;
    void listen() noexcept;
    /// In a handler of what was thrown while it listens.
    void end_by_failure() noexcept;
    void unlisten() noexcept;
    void give_up() noexcept;
    bool withdraw() noexcept override {
        give_up();
        return true;
    }
    static void time_is_up(Timer& timer) noexcept;

    Signal signal_;
    std::exception_ptr failure_;
    bool is_listening_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
