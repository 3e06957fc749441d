// ClientWait: a coroutine waits for its client to send more of the request or to accept more of the answer.
// Answerer and BodySource move the bytes.
#pragma once

#include <coroutine>
#include <exception>

#include "sake/async/timer.hpp"
#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Tries at once, and again whenever its signal is woken. Exceptions of a derived class are thrown at the
/// await.
class ClientWait : public Wait, private Timer {
    /// Woken when another try may succeed. It lives as long as the wait. If the coroutine is cancelled while
    /// a signal is on its way, it is resumed after that signal, so that no signal arrives too late.
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
    /// The handlers have ended while a task that they left behind waits here.
    void call_has_ended() noexcept;

  protected:
    ~ClientWait() = default;

    /// Goes as far as possible without waiting. Returns whether it is finished.
    virtual bool try_now() = 0;
    /// Wakes the signal when another try is worthwhile. Returns the time by which the client must have acted.
    virtual TimePoint wake_later() = 0;
    /// The signal is no longer expected. Called once at most.
    virtual void stop_waiting() noexcept = 0;
    /// The wait ends unfinished: it is cancelled, it fails, or the handlers have ended.
    virtual void give_up_rest() noexcept {}
    /// The client has not acted in time. Returns its new deadline. Without one, returns {} and has the fiber
    /// cancelled, or throws.
    virtual TimePoint be_late() = 0;

    /// For await_resume.
    void throw_failure();

  private:
    void go_on() noexcept;
    bool attempt() noexcept;
    void listen() noexcept;
    /// Called in a catch block while it listens.
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
