// Starting a chain of tasks of its own: `spawn` beside the caller, `run_until_complete` for main and for
// tests.
#pragma once

#include <concepts>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>

#include "sake/async/reactor.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// What a spawned task leaves for its handle. Both hold it and the last of the two deletes it; one thread
/// only.
template <class T>
struct SpawnState {
    std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>> value{};
    std::exception_ptr exception;
    Fiber* fiber = nullptr;  // while the task runs
    Wait* joiner = nullptr;
    bool has_handle = true;
};

/// Nobody will ask for the result: an exception that nobody has seen goes to the log.
template <class T>
void discard(SpawnState<T>* state) noexcept {
    if (state->exception) report_failure("a detached task failed: ", state->exception);
    delete state;
}

template <class T>
class JoinWait;
template <class T>
auto spawn_on(Reactor& reactor, Task<T> task);

}  // namespace detail

/// A spawned task: await it for its result, cancel it, or let it go. Dropping the handle detaches the task.
template <class T>
class [[nodiscard("dropping the handle detaches the task: say so with .detach()")]] JoinHandle {
  public:
    explicit JoinHandle(detail::SpawnState<T>* state) noexcept : state_(state) {}
    JoinHandle(JoinHandle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    JoinHandle& operator=(JoinHandle&& other) noexcept {
        if (this != &other) {
            detach();
            state_ = std::exchange(other.state_, nullptr);
        }
        return *this;
    }
    ~JoinHandle() { detach(); }

    /// Whether the task has ended.
    [[nodiscard]] bool done() const noexcept { return state_->fiber == nullptr; }

    /// Makes the task's current or next wait throw Cancelled. No effect once it has ended.
    void cancel() noexcept {
        if (!done()) state_->fiber->cancel();
    }

    /// Lets the task run on by itself; the handle is empty afterwards.
    void detach() noexcept {
        detail::SpawnState<T>* const state = std::exchange(state_, nullptr);
        if (state == nullptr) return;
        state->has_handle = false;
        if (state->fiber == nullptr) detail::discard(state);
    }

    /// Waits for the end of the task; gives its result or throws what it threw. Once.
    detail::JoinWait<T> operator co_await() const noexcept { return detail::JoinWait<T>(*state_); }

    /// The result of a task that is done; throws what it threw.
    T take() const {
        if (state_->exception) std::rethrow_exception(std::exchange(state_->exception, nullptr));
        if constexpr (!std::is_void_v<T>) return std::move(*state_->value);
    }

  private:
    detail::SpawnState<T>* state_;
};

namespace detail {

template <class T>
class JoinWait final : public Wait {
  public:
    explicit JoinWait(SpawnState<T>& state) noexcept : state_(state) {}
    [[nodiscard]] bool await_ready() const noexcept { return state_.fiber == nullptr; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        state_.joiner = this;
        return true;
    }
    T await_resume() const {
        throw_if_cancelled();
        if (state_.exception) std::rethrow_exception(std::exchange(state_.exception, nullptr));
        if constexpr (!std::is_void_v<T>) return std::move(*state_.value);
    }

  private:
    bool withdraw() noexcept override {
        state_.joiner = nullptr;
        return true;
    }
    SpawnState<T>& state_;
};

template <class T>
void leave_spawned(SpawnState<T>* state) noexcept {
    state->fiber = nullptr;
    if (state->joiner != nullptr) state->joiner->finish();
    if (!state->has_handle) discard(state);
}

template <class T>
Root run_spawned(Reactor&, Task<T> task, SpawnState<T>* state) {
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
        state->exception = std::current_exception();
    }
    leave_spawned(state);
}

template <class T>
auto spawn_on(Reactor& reactor, Task<T> task) {
    auto* const state = new SpawnState<T>;
    JoinHandle<T> handle(state);
    // If there is no memory for the frame, the handle deletes the state: it has no fiber yet.
    const Root root = run_spawned<T>(reactor, std::move(task), state);
    state->fiber = &root.fiber();
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

}  // namespace detail

/// Starts a task beside the caller, on the reactor that runs on this thread. Throws std::logic_error if none
/// does.
template <class T>
JoinHandle<T> spawn(Task<T> task) {
    Reactor* const reactor = Reactor::current();
    if (reactor == nullptr) throw std::logic_error("spawn needs a running reactor: call it in a coroutine");
    return detail::spawn_on(*reactor, std::move(task));
}

/// Starts `function(args...)`, a coroutine, beside the caller. The function, captures included, and the
/// arguments are moved into the new task, so they live as long as it does.
template <class F, class... Args>
    requires std::invocable<F&, Args...> && detail::is_task<std::invoke_result_t<F&, Args...>>
auto spawn(F function, Args... args) {
    return spawn(detail::call_owned<F, Args...>(std::move(function), std::move(args)...));
}

/// Runs a task on a reactor made for it, to the end, and gives its result or throws what it threw. Tasks that
/// it spawned and that still run are then cancelled and waited for. Throws std::logic_error inside a
/// coroutine.
template <class T>
T run_until_complete(Task<T> task, PollerKind poller = PollerKind::automatic) {
    if (Reactor::current() != nullptr)
        throw std::logic_error("run_until_complete inside a coroutine: use co_await");
    Reactor reactor(poller);
    JoinHandle<T> handle = detail::spawn_on(reactor, std::move(task));
    reactor.run_until([&] { return handle.done(); });
    reactor.cancel_all();
    return handle.take();
}

}  // namespace v0
}  // namespace sake
