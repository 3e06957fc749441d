// Task<T>: a coroutine that computes a T for whoever awaits it. Lazy (it starts when it is awaited),
// move-only, and its exceptions arrive at the await. It runs on the thread of its reactor only.
//
// Coroutines that only some programs use are templates, if need be with a parameter that says nothing: GCC
// compiles every other inline coroutine, and all that it instantiates, in each file that includes it. The
// five of connect.hpp as plain functions would make the object file of hello world 29 % larger at -O0.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "sake/async/wait.hpp"
#include "sake/base/maybe.hpp"

namespace sake {
inline namespace SAKE_ABI {

template <class T = void>
class Task;

namespace detail {

/// A fiber whose top is a task, in an object that lives longer and is told of its end: it needs no frame, as
/// a Root does. The owner is resumed a turn after the end; until then the task counts as running.
class TaskFiber : public Fiber {
  public:
    TaskFiber(Reactor& reactor, Resumable& owner) noexcept : Fiber(reactor), owner_(owner) {}

    /// Takes the task. Throws std::logic_error if it is empty.
    void take(Task<> task);
    /// Runs the task until it waits or ends. After `take`.
    void start() const { top.resume(); }
    /// Whether it has one, up to take_failure.
    [[nodiscard]] bool has_task() const noexcept { return top != nullptr; }
    [[nodiscard]] bool has_ended() const noexcept { return top && top.done(); }
    /// Of the task that has ended: what it threw, or null. Frees its frame.
    [[nodiscard]] std::exception_ptr take_failure() noexcept;

    void tell_owner() noexcept { owner_.wake(reactor()); }

  private:
    Resumable& owner_;
};

/// What every promise of Sake has: its fiber.
struct PromiseBase {
    Fiber* fiber = nullptr;
};

struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
        return ended.promise().next(ended);
    }
    void await_resume() const noexcept {}
};

/// The part of a promise that does not depend on how the result is kept.
struct TaskPromiseBase : PromiseBase {
    // The parent, set when the task has waited. A task that ends before that returns to its parent, which is
    // still inside the await that starts it: symmetric transfer would not be a tail call on GCC 12 at -O0 or
    // under sanitizers, and a loop of awaits would overflow the stack.
    std::coroutine_handle<> awaiting;
    std::exception_ptr exception;

    /// What goes on at its end.
    [[nodiscard]] std::coroutine_handle<> next(std::coroutine_handle<> ended) const noexcept {
        if (awaiting) return awaiting;
        if (fiber->top == ended) static_cast<TaskFiber*>(fiber)->tell_owner();
        return std::noop_coroutine();
    }

    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() { exception = caught_exception(); }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
    Maybe<T> value;

    Task<T> get_return_object() noexcept;
    template <class U = T>  // the default is for `co_return {...}`
        requires std::constructible_from<T, U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() {
        if (exception) std::rethrow_exception(exception);
        return std::move(*value);
    }
};

/// Of a task that gives a reference.
template <class T>
struct TaskPromise<T&> : TaskPromiseBase {
    T* value = nullptr;

    Task<T&> get_return_object() noexcept;
    void return_value(T& result) noexcept { value = &result; }
    T& take() const {
        if (exception) std::rethrow_exception(exception);
        return *value;
    }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
    Task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() const {
        if (exception) std::rethrow_exception(exception);
    }
};

/// Awaits a task: starts it inline, and suspends only if the task does. The task goes with the await, so that
/// what it was given goes while its exception passes.
template <class T>
class TaskAwaiter {
  public:
    using Promise = TaskPromise<T>;
    explicit TaskAwaiter(std::coroutine_handle<Promise> task) noexcept : task_(task) {}
    TaskAwaiter(const TaskAwaiter&) = delete;
    TaskAwaiter& operator=(const TaskAwaiter&) = delete;
    ~TaskAwaiter() { task_.destroy(); }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Parent>
    bool await_suspend(std::coroutine_handle<Parent> parent) const {
        Promise& promise = task_.promise();
        promise.fiber = parent.promise().fiber;
        task_.resume();
        if (task_.done()) return false;
        promise.awaiting = parent;
        return true;
    }
    T await_resume() const { return task_.promise().take(); }

  private:
    std::coroutine_handle<Promise> task_;
};

}  // namespace detail

/// A coroutine that gives a T. `co_await std::move(task)` or `co_await function()` runs it once.
template <class T>
class [[nodiscard("a Task does nothing until it is awaited: co_await it")]] Task {
  public:
    using promise_type = detail::TaskPromise<T>;
    using value_type = T;

    Task(const Task&) = delete;  // it runs once, so it is moved: std::move(task)
    Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
    Task& operator=(const Task&) = delete;
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            destroy();
            coroutine_ = std::exchange(other.coroutine_, {});
        }
        return *this;
    }
    ~Task() { destroy(); }

    /// Runs the task; its result or its exception comes out. The task is empty afterwards; awaiting it again
    /// throws std::logic_error.
    detail::TaskAwaiter<T> operator co_await() && { return detail::TaskAwaiter<T>(release()); }
    template <class Self = Task>
    detail::TaskAwaiter<T> operator co_await() & {
        static_assert(!std::is_same_v<Self, Task>,
                      "a Task is awaited once, and ends with that: write co_await std::move(task)");
        return std::move(*this).operator co_await();
    }

  private:
    friend promise_type;
    friend detail::TaskFiber;
    explicit Task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}
    std::coroutine_handle<promise_type> release() {
        if (!coroutine_) throw std::logic_error("a Task is awaited twice, or after it was moved from");
        return std::exchange(coroutine_, {});
    }
    void destroy() noexcept {
        if (coroutine_) coroutine_.destroy();
    }

    std::coroutine_handle<promise_type> coroutine_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
    return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}

template <class T>
Task<T&> TaskPromise<T&>::get_return_object() noexcept {
    return Task<T&>(std::coroutine_handle<TaskPromise<T&>>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() noexcept {
    return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

inline void TaskFiber::take(Task<> task) {
    const auto coroutine = task.release();
    coroutine.promise().fiber = this;
    top = coroutine;
}

inline std::exception_ptr TaskFiber::take_failure() noexcept {
    unlink();
    const auto task =
        std::coroutine_handle<TaskPromise<void>>::from_address(std::exchange(top, {}).address());
    std::exception_ptr failure = std::move(task.promise().exception);
    task.destroy();
    return failure;
}

/// Awaits nothing and gives the fiber that the coroutine runs in.
class CurrentFiber {
  public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        fiber_ = coroutine.promise().fiber;
        return false;
    }
    [[nodiscard]] Fiber& await_resume() const noexcept { return *fiber_; }

  private:
    Fiber* fiber_ = nullptr;
};

inline CurrentFiber current_fiber() noexcept { return {}; }

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;

/// A coroutine at the top of a fiber. It belongs to nobody: it starts when told, and its frame goes when it
/// ends. Its first parameter is the reactor; it must not let an exception out.
class Root {
  public:
    struct promise_type : PromiseBase, Fiber {
        template <class... Args>
        explicit promise_type(Reactor& reactor, Args&...) noexcept : Fiber(reactor) {
            fiber = this;
            top = std::coroutine_handle<promise_type>::from_promise(*this);
        }
        Root get_return_object() noexcept {
            return Root(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
        [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() {
            static_cast<void>(caught_exception());
            std::terminate();
        }
    };

    /// The chain that begins here; valid until the coroutine ends.
    [[nodiscard]] Fiber& fiber() const noexcept { return coroutine_.promise(); }
    void start() const { coroutine_.resume(); }

  private:
    friend promise_type;
    explicit Root(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}
    std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
