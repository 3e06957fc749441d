// thread::spawn: a thread of your own, for work that blocks or runs for long. Its handle gives the result:
// join it on another thread, or await it in a coroutine. No thread is ever detached.
#pragma once

#include <array>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

#include "sake/async/reactor.hpp"
#include "sake/async/spawn.hpp"
#include "sake/async/task.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/invoke.hpp"
#include "sake/compute/signals.hpp"

namespace sake {
inline namespace SAKE_ABI {

template <class T>
class ThreadHandle;

namespace detail {

template <class T>
class ThreadState;
template <class T>
class ThreadWait;

/// What a function gives on a thread of its own: called with a stop token before its arguments, if it takes
/// one.
struct NotCallable {};
template <class F, class... Args>
struct CalledOnThread {
    using type = NotCallable;
};
template <class F, class... Args>
    requires std::invocable<F, Args...> && (!std::invocable<F, std::stop_token, Args...>)
struct CalledOnThread<F, Args...> : std::invoke_result<F, Args...> {};
template <class F, class... Args>
    requires std::invocable<F, std::stop_token, Args...>
struct CalledOnThread<F, Args...> : std::invoke_result<F, std::stop_token, Args...> {};

template <class F, class... Args>
using ThreadResult = std::decay_t<typename CalledOnThread<std::decay_t<F>, std::decay_t<Args>...>::type>;

template <class T>
ThreadHandle<T> handle_of(OwningPtr<ThreadState<T>> state) noexcept;

}  // namespace detail

/// A spawned thread: join it, or await it in a coroutine, for its result. Destroying the handle requests a
/// stop and waits until the thread has ended, as std::jthread does; an exception that was not collected is
/// then logged. Not for use by several threads at once.
template <class T>
class [[nodiscard("dropping the handle cancels the thread and joins it")]] ThreadHandle {
  public:
    /// Whether the function has ended. Throws std::logic_error if the handle was moved from.
    [[nodiscard]] bool is_done() const { return state().is_over(); }

    /// Requests a stop by the token that the function received. No effect once it has ended.
    void cancel() noexcept {
        if (state_ != nullptr) state_->cancel();
    }

    /// Blocks until the thread has ended. Returns what the function returned, or throws what it threw;
    /// std::runtime_error if it ended its thread by pthread_exit. Call it once: later, or on a moved-from
    /// handle, it throws std::logic_error. In a coroutine use co_await, since join() blocks the loop.
    T join() { return state().join(); }

    /// The same for a coroutine, without blocking the loop. Throws Cancelled; the thread then runs on and can
    /// be joined or awaited again. Throws std::logic_error if the handle was destroyed meanwhile.
    [[nodiscard]] detail::ThreadWait<T> operator co_await() const { return detail::ThreadWait<T>(*this); }

    /// Whether the thread was not joined yet; it may have ended.
    [[nodiscard]] bool is_joinable() const noexcept { return state_ != nullptr && state_->is_joinable(); }

  private:
    friend class detail::ThreadWait<T>;
    template <class U>
    friend ThreadHandle<U> detail::handle_of(detail::OwningPtr<detail::ThreadState<U>> state) noexcept;
    explicit ThreadHandle(detail::OwningPtr<detail::ThreadState<T>> state) noexcept
        : state_(std::move(state)) {}

    [[nodiscard]] detail::ThreadState<T>& state() const {
        if (state_ == nullptr) throw std::logic_error("the ThreadHandle was moved from");
        return *state_;
    }
    detail::OwningPtr<detail::ThreadState<T>> state_;
};

namespace detail {

template <class T>
ThreadHandle<T> handle_of(OwningPtr<ThreadState<T>> state) noexcept {
    return ThreadHandle<T>(std::move(state));
}

}  // namespace detail

/// Threads of your own. With both `using namespace std` and `using namespace sake` the name is ambiguous.
namespace thread {

/// The result of `spawn`, under the name that other libraries use.
template <class T>
using JoinHandle = ThreadHandle<T>;

/// The name of a thread, as debuggers and `top -H` show it. They show 15 bytes; a longer name is cut between
/// two characters of UTF-8.
class Name {
  public:
    explicit Name(std::string_view text) noexcept;
    [[nodiscard]] const char* c_str() const noexcept { return text_.data(); }

  private:
    std::array<char, 16> text_{};
};

/// Runs `f(args...)` on a new thread of this name. If `f` accepts a std::stop_token first, it receives the
/// handle's. Function and arguments are moved or copied into the thread; share objects by std::ref. Signals
/// are blocked in the thread, except those of faults. Throws std::system_error if the thread cannot be
/// started.
///
///     auto read = [](std::string path) { return load(path); };
///     auto loader = thread::spawn(thread::Name("loader"), read, path);
///     const Model model = loader.join();  // in a coroutine: co_await loader
///
/// For plain functions. Run a coroutine by `run_until_complete` in one.
template <class F, class... Args>
    requires(!detail::is_task<detail::ThreadResult<F, Args...>>)
auto spawn(Name name, F&& f, Args&&... args) {
    using Result = detail::ThreadResult<F, Args...>;
    constexpr bool is_callable = !std::is_same_v<Result, detail::NotCallable>;
    static_assert(
        is_callable,
        "thread::spawn(f, args...): f does not take these arguments, which are moved or copied (share "
        "by std::ref), nor a std::stop_token before them");
    if constexpr (is_callable) {
        detail::OwningPtr<detail::ThreadState<Result>> state(new detail::ThreadState<Result>);
        state->start(name, std::forward<F>(f), std::forward<Args>(args)...);
        ThreadHandle<Result> handle = detail::handle_of(std::move(state));
        if constexpr (detail::is_safe_to_await<F>)
            return handle;
        else
            return detail::CalledHandle(std::move(handle));
    }
}

/// The same under the name of the calling thread.
template <class F, class... Args>
    requires(!std::is_same_v<std::decay_t<F>, Name> && !detail::is_task<std::decay_t<F>> &&
             !detail::is_task<detail::ThreadResult<F, Args...>>)
auto spawn(F&& f, Args&&... args) {
    return thread::spawn(Name(""), std::forward<F>(f), std::forward<Args>(args)...);
}

}  // namespace thread

namespace detail {

/// An empty name leaves it as it is.
void name_this_thread(const thread::Name& name) noexcept;

/// The thread and what comes of it. Its address is known to the thread, so it stays where it is.
template <class T>
class ThreadState {
    using Kept = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  public:
    ThreadState() = default;
    ThreadState(const ThreadState&) = delete;
    ThreadState& operator=(const ThreadState&) = delete;
    ~ThreadState() {
        for (ListNode* wait = waits_.next(); wait != &waits_; wait = wait->next())
            static_cast<ThreadWait<T>&>(*wait).forget();
        if (!thread_.joinable()) return;
        thread_.request_stop();
        thread_.join();
        if (failure_) report_failure("a thread failed, and its result was not taken: ", failure_);
    }

    template <class F, class... Args>
    void start(thread::Name name, F&& f, Args&&... args) {
        const auto body = [this, name](std::stop_token stop, auto&& function, auto&&... arguments) -> void {
            name_this_thread(name);
            this->run(std::move(stop), std::move(function), std::move(arguments)...);
        };
        const PipeSignalBlocked no_pipe_signal;
        thread_ = std::jthread(body, std::forward<F>(f), std::forward<Args>(args)...);
    }

    [[nodiscard]] bool is_joinable() const noexcept { return thread_.joinable(); }
    void cancel() noexcept { thread_.request_stop(); }

    T join() {
        if (!thread_.joinable()) throw std::logic_error("thread: it was joined before");
        thread_.join();
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
        if constexpr (!std::is_void_v<T>) return std::move(*result_);
    }

    [[nodiscard]] bool is_over() {
        const std::lock_guard lock(mutex_);
        return is_over_;
    }
    /// To be told when this goes.
    void add(ThreadWait<T>& wait) noexcept { wait.insert_before(waits_); }
    [[nodiscard]] bool is_awaited() {
        const std::lock_guard lock(mutex_);
        return waiter_ != nullptr;
    }
    /// Finishes the wait when the function has ended.
    void tell(Wait& waiter) noexcept {
        const std::lock_guard lock(mutex_);
        if (is_over_) return waiter.finish();
        waiter_ = &waiter;
    }
    /// False if the waiter has been told, or never was to be.
    bool leave(Wait& waiter) noexcept {
        const std::lock_guard lock(mutex_);
        if (waiter_ != &waiter) return false;
        waiter_ = nullptr;
        return true;
    }

  private:
    template <class F, class... Args>
    void run(std::stop_token stop, F&& function, Args&&... args) {
        const AtExit at_end([this]() noexcept { end(); });
        try {
            if constexpr (std::invocable<F, std::stop_token, Args...>) {
                keep(
                    [&]() -> T { return call<F>(std::move(function), std::move(stop), std::move(args)...); });
            } else {
                keep([&]() -> T { return call<F>(std::move(function), std::move(args)...); });
            }
        } catch (...) {
            failure_ = caught_exception();
        }
    }
    // Function and arguments go before the end is told, since their destructors may take long.
    template <class F, class... Args>
    static T call(F function, Args... args) {
        return detail::call(std::move(function), std::move(args)...);
    }
    template <class Call>
    void keep(Call call) {
        if constexpr (std::is_void_v<T>) {
            call();
            result_.emplace();
        } else {
            result_.emplace(call());
        }
    }
    void end() noexcept {
        const std::lock_guard lock(mutex_);
        if (!result_ && !failure_) failure_ = failure_of("thread: the function ended its thread");
        is_over_ = true;
        if (waiter_ == nullptr) return;
        Wait& waiter = *std::exchange(waiter_, nullptr);
        waiter.reactor().post(waiter);
    }

    ListNode waits_;    // used by the thread of the handle alone
    std::mutex mutex_;  // of these two; the others are the thread's until it was joined
    bool is_over_ = false;
    Wait* waiter_ = nullptr;
    std::exception_ptr failure_;
    Maybe<Kept> result_;
    std::jthread thread_;
};

/// What cancelling a wait does to the thread that it is for.
enum class ThreadOnCancel : std::uint8_t {
    leave,  // it runs on, and the wait ends
    stop,   // it is asked to stop, and the wait goes on until it has ended
};

template <class T>
class [[nodiscard]] ThreadWait final : public Wait, public ListNode {
  public:
    explicit ThreadWait(const ThreadHandle<T>& handle, ThreadOnCancel on_cancel = ThreadOnCancel::leave)
        : state_(&handle.state()), on_cancel_(on_cancel) {
        state_->add(*this);
    }
    ~ThreadWait() { static_cast<void>(leave()); }

    /// The handle goes, and the thread has ended by the time that this is resumed.
    void forget() noexcept { state_ = nullptr; }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        Fiber& fiber = *coroutine.promise().fiber;
        if (state_->is_over()) {
            const bool keeps_result = on_cancel_ == ThreadOnCancel::stop && fiber.has_cancellation();
            return keeps_result ? false : give_way(coroutine);
        }
        if (state_->is_awaited()) throw std::logic_error("thread: a handle is awaited twice at a time");
        const bool stops = on_cancel_ == ThreadOnCancel::stop && fiber.take_cancellation();
        if (!suspend(coroutine)) return false;
        if (stops) fiber.cancel();
        outside_.emplace(fiber.reactor());
        state_->tell(*this);
        return true;
    }
    T await_resume() {
        throw_if_cancelled();
        if (state_ == nullptr)
            throw std::logic_error("thread: the handle was destroyed while it was awaited");
        try {
            return state_->join();  // what is left of the thread is its end
        } catch (const Cancelled&) {
            if (was_told_to_stop_) static_cast<void>(take_late_cancellation());
            throw;
        }
    }
    void describe(std::string& out) const override { out += "the end of a thread"; }

  private:
    bool withdraw() noexcept override {
        if (on_cancel_ == ThreadOnCancel::leave) return leave();
        was_told_to_stop_ = true;
        if (state_ != nullptr) state_->cancel();
        return false;
    }
    void abandon() noexcept override {
        static_cast<void>(withdraw());
        static_cast<void>(leave());
    }
    bool leave() noexcept { return state_ != nullptr && state_->leave(*this); }

    ThreadState<T>* state_;
    Maybe<Reactor::OutsideWork> outside_;
    const ThreadOnCancel on_cancel_;
    bool was_told_to_stop_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
