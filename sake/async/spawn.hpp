// Starting tasks: `spawn` runs one concurrently with the caller, `run_until_complete` runs one from main or a
// test.
#pragma once

#include <concepts>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "sake/async/reactor.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/platform.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a spawned task leaves for whoever asks. The task, its handle and an await on it hold it; the last of
/// them deletes it. One thread only.
template <class T>
struct SpawnState {
    std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>> value{};
    std::exception_ptr exception;
    Fiber* fiber = nullptr;  // while the task runs
    Wait* joiner = nullptr;
    int holders = 1;

    [[nodiscard]] bool is_done() const noexcept { return fiber == nullptr; }

    T take() {
        if (exception) std::rethrow_exception(std::exchange(exception, nullptr));
        if constexpr (!std::is_void_v<T>) {
            if (!value) throw std::logic_error("the result of a spawned task was taken before");
            T result = *std::move(value);
            value.reset();
            return result;
        }
    }

    /// An exception that nobody has seen by the end goes to the log.
    void let_go() noexcept {
        if (--holders != 0) return;
        if (exception) report_failure("a detached task failed: ", exception);
        delete this;
    }
};

template <class T>
class [[nodiscard]] JoinWait final : public Wait {
  public:
    explicit JoinWait(SpawnState<T>& state) noexcept : state_(state) { ++state_.holders; }
    ~JoinWait() {
        if (state_.joiner == this) state_.joiner = nullptr;
        state_.let_go();
    }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (state_.is_done()) return give_way(coroutine);
        if (state_.joiner != nullptr) throw std::logic_error("a spawned task is awaited twice at a time");
        if (!suspend(coroutine)) return false;
        state_.joiner = this;
        return true;
    }
    T await_resume() const {
        throw_if_cancelled();
        return state_.take();
    }
    void describe(std::string& out) const override { out += "a spawned task"; }

  private:
    bool withdraw() noexcept override {
        state_.joiner = nullptr;
        return true;
    }
    SpawnState<T>& state_;
};

template <class T>
auto spawn_on(Reactor& reactor, Task<T> task);

}  // namespace detail

/// A spawned task: await it for its result, cancel it, or detach it. Destroying the handle detaches the task
/// (a ThreadHandle joins its thread instead). On an empty handle, after a move or detach(), every function
/// except `cancel` and `detach` throws std::logic_error.
template <class T>
class [[nodiscard("dropping the handle detaches the task: say so with .detach()")]] TaskHandle {
  public:
    TaskHandle(TaskHandle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    TaskHandle& operator=(TaskHandle&& other) noexcept {
        if (this != &other) {
            detach();
            state_ = std::exchange(other.state_, nullptr);
        }
        return *this;
    }
    ~TaskHandle() { detach(); }

    /// Whether the task has ended.
    [[nodiscard]] bool is_done() const { return state().is_done(); }

    /// Makes the current or next wait of the task throw Cancelled. No effect once it has ended.
    void cancel() noexcept {
        if (state_ != nullptr && !state_->is_done()) state_->fiber->cancel();
    }

    /// Lets the task run on by itself. The handle is empty afterwards.
    void detach() noexcept {
        if (state_ != nullptr) std::exchange(state_, nullptr)->let_go();
    }

    /// Waits for the end of the task. Returns its result, or throws what it threw. May be awaited once.
    detail::JoinWait<T> operator co_await() const { return detail::JoinWait<T>(state()); }

    /// The result of a task that is done, or its exception. Throws std::logic_error if the task still runs.
    T take() const {
        if (!is_done()) throw std::logic_error("TaskHandle::take: the task still runs");
        return state().take();
    }

  private:
    template <class U>
    friend auto detail::spawn_on(Reactor& reactor, Task<U> task);
    explicit TaskHandle(detail::SpawnState<T>* state) noexcept : state_(state) {}

    detail::SpawnState<T>& state() const {
        if (state_ == nullptr) throw std::logic_error("the TaskHandle is empty");
        return *state_;
    }

    detail::SpawnState<T>* state_;
};

/// The same under the name that other libraries use.
template <class T>
using JoinHandle = TaskHandle<T>;

namespace detail {

/// The hold of a task on its state, to the end of its frame.
template <class T>
class SpawnHold {
  public:
    explicit SpawnHold(SpawnState<T>& state) noexcept : state_(state) {}
    SpawnHold(const SpawnHold&) = delete;
    SpawnHold& operator=(const SpawnHold&) = delete;
    ~SpawnHold() {
        state_.fiber = nullptr;
        if (state_.joiner != nullptr) std::exchange(state_.joiner, nullptr)->finish();
        state_.let_go();
    }

  private:
    SpawnState<T>& state_;
};

template <class T>
Root run_spawned(Reactor&, Task<T> task, SpawnState<T>* state) {
    const SpawnHold<T> hold(*state);
    try {
        // The spawner goes on first, so that a loop of spawns does not nest.
        co_await yield();
        if constexpr (std::is_void_v<T>) {
            co_await std::move(task);
        } else {
            T result = co_await std::move(task);
            state->value.emplace(std::move(result));
        }
    } catch (...) {
        state->exception = caught_exception();
    }
}

template <class T>
auto spawn_on(Reactor& reactor, Task<T> task) {
    auto* const state = new SpawnState<T>;
    TaskHandle<T> handle(state);
    // If memory for the frame is missing, the handle deletes the state: it has no fiber yet.
    const Root root = run_spawned<T>(reactor, std::move(task), state);
    state->fiber = &root.fiber();
    state->fiber->work = reactor.work();
    ++state->holders;
    reactor.adopt(root.fiber());
    root.start();
    return handle;
}

template <class F, class... Args>
using SpawnedTask = std::invoke_result_t<F&, Args...>;

// The callable and its arguments live in this frame for as long as the task that they make.
template <class F, class... Args>
SpawnedTask<F, Args...> call_owned(F function, Args... args) {
    co_return co_await function(std::move(args)...);
}

/// The handle of a callable that was moved into its task or thread: awaited in the expression that spawns it,
/// GCC 12 would destroy that callable twice.
template <class Handle>
class [[nodiscard]] CalledHandle : public Handle {
  public:
    explicit CalledHandle(Handle handle) noexcept : Handle(std::move(handle)) {}
    auto operator co_await() const& { return Handle::operator co_await(); }
    template <class Self = Handle>
    auto operator co_await() && {
        static_assert(!std::is_same_v<Self, Handle>,
                      "GCC before 13 destroys the captures of this lambda twice: name the handle first, "
                      "`auto task = spawn(...); co_await task;`");
        return Handle::operator co_await();
    }
};

template <class F, class... Args>
concept SpawnsTask =
    std::invocable<std::decay_t<F>&, Args...> && is_task<std::invoke_result_t<std::decay_t<F>&, Args...>>;

template <class F>
inline constexpr bool is_safe_to_await = SAKE_HAS_SAFE_AWAIT_TEMPORARIES == 1 ||
                                         std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<F>;

}  // namespace detail

/// Starts a task concurrently with the caller, on the reactor of this thread. Throws std::logic_error if no
/// reactor runs on this thread.
template <class T>
TaskHandle<T> spawn(Task<T> task) {
    Reactor* const reactor = Reactor::current();
    if (reactor == nullptr) throw std::logic_error("spawn needs a running reactor: call it in a coroutine");
    return detail::spawn_on(*reactor, std::move(task));
}

/// Starts `function(args...)`, a coroutine, concurrently with the caller. The function, with its captures,
/// and the arguments are moved into the new task, so they live as long as it does.
template <class F, class... Args>
    requires detail::SpawnsTask<F, Args...>
auto spawn(F&& function, Args... args) {
    auto handle =
        spawn(detail::call_owned<std::decay_t<F>, Args...>(std::forward<F>(function), std::move(args)...));
    if constexpr (detail::is_safe_to_await<F>)
        return handle;
    else
        return detail::CalledHandle(std::move(handle));
}

/// Anything else stops the compiler.
template <class F, class... Args>
    requires(!detail::is_task<std::decay_t<F>> && !detail::SpawnsTask<F, Args...>)
TaskHandle<void> spawn(F&&, Args...) {
    static_assert(
        detail::always_false<F>,
        "spawn takes a task, spawn(f(x)), or a coroutine with its arguments, spawn(f, x): let f return "
        "sake::Task<>, and take them by value");
    std::terminate();
}

/// Runs a task on a reactor made for it, to the end, and gives its result or throws what it threw. Tasks that
/// it spawned and that still run are then cancelled and waited for. Throws std::logic_error inside a
/// coroutine.
template <class T>
T run_until_complete(Task<T> task, PollerKind poller = PollerKind::automatic) {
    if (Reactor::current() != nullptr)
        throw std::logic_error("run_until_complete inside a coroutine: use co_await");
    Reactor reactor(poller);
    TaskHandle<T> handle = detail::spawn_on(reactor, std::move(task));
    reactor.run_until([&] { return handle.is_done(); });
    reactor.cancel_all();
    return handle.take();
}
/// Anything else stops the compiler.
template <class F>
    requires(!detail::is_task<std::decay_t<F>>)
void run_until_complete(F&&) {
    static_assert(detail::always_false<F>,
                  "run_until_complete takes a sake::Task: call the coroutine, run_until_complete(f())");
}

}  // namespace SAKE_ABI
}  // namespace sake
