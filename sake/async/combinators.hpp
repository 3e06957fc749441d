// Waiting for several operations at once: when_all, when_any, timeout, and TaskGroup for a number of tasks
// that is not known in advance. All are structured: what they start has ended when they end, and cancelling
// them cancels it. They accept every movable awaitable: tasks, handles, `sleep(...)`, `event.wait()`,
// `channel.receive()`. A TaskHandle stands for a task that was started before: when the wait for it is given
// up, that task is detached.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sake/async/children.hpp"
#include "sake/async/spawn.hpp"
#include "sake/base/maybe.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Runs all operations concurrently and returns their results in order, std::monostate for void:
///
///     auto both = co_await when_all(read_user(id), read_orders(id));
///     auto& [user, orders] = both;
///
/// If one throws, the others still run to their end; then the first exception, in time, is rethrown. When the
/// caller is cancelled, all of them are.
template <detail::Awaitable... Awaitables>
Task<std::tuple<detail::ResultOf<Awaitables>...>> when_all(Awaitables... awaitables);

/// The same for a vector; an empty vector gives an empty vector.
template <detail::Awaitable A>
Task<std::vector<detail::ResultOf<A>>> when_all(std::vector<A> awaitables);

/// Runs all operations concurrently until the first has ended. Then cancels the others and waits for their
/// end. Returns the result of the first at its index (std::monostate for void), or throws its exception. The
/// results of the others are dropped.
///
///     auto first = co_await when_any(channel.receive(), stop.wait(), sleep(1s));
///     if (first.index() == 0) use(std::get<0>(first));
///
/// They start in order. If one ends without waiting, those behind it are not started. When the caller is
/// cancelled, all of them are.
template <detail::Awaitable... Awaitables>
    requires(sizeof...(Awaitables) > 0)
Task<std::variant<detail::ResultOf<Awaitables>...>> when_any(Awaitables... awaitables);

/// The index and the result of the operation that ended first: std::monostate for void.
template <class T>
struct First {
    std::size_t index;
    T value;
};

/// The same for a vector. Throws std::invalid_argument if it is empty.
template <detail::Awaitable A>
Task<First<detail::ResultOf<A>>> when_any(std::vector<A> awaitables);

/// Runs an operation for at most `limit`, with a precision of some milliseconds. Then cancels it, waits for
/// its end, and throws TimedOut. If it still returns or throws in spite of the cancellation, that outcome is
/// passed on, as if it had come in time. With a limit of zero it runs until its first wait.
template <detail::Awaitable A, class Rep, class Period>
[[nodiscard]] auto timeout(A awaitable, std::chrono::duration<Rep, Period> limit);

/// Tasks that are started one by one and are all awaited:
///
///     co_await TaskGroup::run([&](TaskGroup& group) -> Task<> {
///         while (auto job = co_await jobs.receive()) group.spawn(work(std::move(*job)));
///     });
///
/// The first failure, of a task or of the body, cancels the others. For the thread of one reactor.
class TaskGroup {
  public:
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Runs `body(group)`, a coroutine, and the tasks that it spawns to their end. Then throws the first
    /// exception of any of them. When the caller is cancelled, all of them are.
    template <class Body>
        requires std::same_as<std::invoke_result_t<std::decay_t<Body>&, TaskGroup&>, Task<>>
    [[nodiscard]] static Task<> run(Body&& body);

    /// Starts a task when the caller next waits. Only the body and the tasks of the group may call it. In a
    /// group that was already cancelled the task never begins; if the group is cancelled before it starts, it
    /// runs to its first wait.
    void spawn(Task<> task) { children_.spawn(std::move(task)); }

    /// Starts `function(args...)`, a coroutine that returns Task<>. The function, with its captures, and the
    /// arguments are moved into the new task.
    template <class F, class... Args>
        requires std::same_as<std::invoke_result_t<std::decay_t<F>&, Args...>, Task<>>
    void spawn(F&& function, Args... args) {
        spawn(detail::call_owned<std::decay_t<F>, Args...>(std::forward<F>(function), std::move(args)...));
    }

    /// Cancels every task of the group and the body. Their Cancelled does not count as a failure: `run`
    /// returns normally.
    void cancel() noexcept { children_.cancel(); }

  private:
    explicit TaskGroup(detail::Fiber& parent) noexcept : children_(parent, detail::CancelRest::on_failure) {}
    template <class Body>
    static Task<> run_owned(Body body);

    detail::Children children_;
};

namespace detail {

template <class... Results, class... Awaitables>
void add_each(Children& children, std::tuple<Results...>& results, Awaitables&... awaitables) {
    std::apply([&](Results&... result) { (children.add(std::move(awaitables), result), ...); }, results);
}

template <class A>
void add_each(Children& children, std::vector<Maybe<ResultOf<A>>>& results, std::vector<A>& awaitables) {
    for (std::size_t i = 0; i < awaitables.size(); ++i) children.add(std::move(awaitables[i]), results[i]);
}

template <class... Ts>
std::tuple<Ts...> unwrap(std::tuple<Maybe<Ts>...>& results) {
    return std::apply([](Maybe<Ts>&... result) { return std::tuple<Ts...>(std::move(*result)...); }, results);
}

/// Of a Maybe or a std::optional for each.
template <template <class> class Slot, class T>
std::vector<T> unwrap(std::vector<Slot<T>>& results) {
    std::vector<T> all;
    all.reserve(results.size());
    for (Slot<T>& result : results) all.push_back(std::move(*result));
    return all;
}

template <std::size_t index = 0, class... Ts>
std::variant<Ts...> unwrap_one(std::tuple<Maybe<Ts>...>& results, std::size_t wanted) {
    if constexpr (index + 1 < sizeof...(Ts)) {
        if (index != wanted) return unwrap_one<index + 1>(results, wanted);
    }
    return std::variant<Ts...>(std::in_place_index<index>, std::move(*std::get<index>(results)));
}

/// Cancels the children at a deadline.
class TimeLimit : private Timer {
  public:
    TimeLimit(Children& children, Reactor& reactor, Clock::duration limit)
        : Timer(&pass), children_(children), timers_(reactor.deadlines()) {
        timers_.set(*this, reactor.deadline_in(limit));
    }
    TimeLimit(const TimeLimit&) = delete;
    TimeLimit& operator=(const TimeLimit&) = delete;
    ~TimeLimit() { timers_.cancel(*this); }

  private:
    static void pass(Timer& timer) noexcept { static_cast<TimeLimit&>(timer).children_.cancel(); }
    Children& children_;
    TimerQueue& timers_;
};

template <class A>
Task<std::remove_cvref_t<AwaitedType<A>>> run_with_limit(A awaitable, Clock::duration limit) {
    Fiber& fiber = co_await current_fiber();
    fiber.throw_if_cancelled();
    Maybe<ResultOf<A>> result;
    Children children(fiber, CancelRest::never);
    children.add(std::move(awaitable), result);
    const TimeLimit time_limit(children, fiber.reactor(), limit);
    children.start();
    co_await children.all_ended();
    children.throw_failure();
    if (!result) throw TimedOut();
    if constexpr (!std::is_void_v<AwaitedType<A>>) co_return std::move(*result);
}

}  // namespace detail

template <detail::Awaitable... Awaitables>
Task<std::tuple<detail::ResultOf<Awaitables>...>> when_all(Awaitables... awaitables) {
    detail::Fiber& fiber = co_await detail::current_fiber();
    fiber.throw_if_cancelled();
    std::tuple<detail::Maybe<detail::ResultOf<Awaitables>>...> results;
    detail::Children children(fiber, detail::CancelRest::never);
    detail::add_each(children, results, awaitables...);
    children.start();
    co_await children.all_ended();
    children.throw_failure();
    co_return detail::unwrap(results);
}

template <detail::Awaitable A>
Task<std::vector<detail::ResultOf<A>>> when_all(std::vector<A> awaitables) {
    detail::Fiber& fiber = co_await detail::current_fiber();
    fiber.throw_if_cancelled();
    std::vector<detail::Maybe<detail::ResultOf<A>>> results(awaitables.size());
    detail::Children children(fiber, detail::CancelRest::never);
    detail::add_each(children, results, awaitables);
    children.start();
    co_await children.all_ended();
    children.throw_failure();
    co_return detail::unwrap(results);
}

template <detail::Awaitable... Awaitables>
    requires(sizeof...(Awaitables) > 0)
Task<std::variant<detail::ResultOf<Awaitables>...>> when_any(Awaitables... awaitables) {
    detail::Fiber& fiber = co_await detail::current_fiber();
    fiber.throw_if_cancelled();
    std::tuple<detail::Maybe<detail::ResultOf<Awaitables>>...> results;
    detail::Children children(fiber, detail::CancelRest::on_end);
    detail::add_each(children, results, awaitables...);
    children.start();
    co_await children.all_ended();
    children.throw_failure();
    co_return detail::unwrap_one(results, children.first());
}

template <detail::Awaitable A>
Task<First<detail::ResultOf<A>>> when_any(std::vector<A> awaitables) {
    if (awaitables.empty()) throw std::invalid_argument("when_any: the vector is empty");
    detail::Fiber& fiber = co_await detail::current_fiber();
    fiber.throw_if_cancelled();
    std::vector<detail::Maybe<detail::ResultOf<A>>> results(awaitables.size());
    detail::Children children(fiber, detail::CancelRest::on_end);
    detail::add_each(children, results, awaitables);
    children.start();
    co_await children.all_ended();
    children.throw_failure();
    const std::size_t index = children.first();
    co_return First<detail::ResultOf<A>>{index, std::move(*results[index])};
}

template <detail::Awaitable A, class Rep, class Period>
auto timeout(A awaitable, std::chrono::duration<Rep, Period> limit) {
    return detail::run_with_limit(std::move(awaitable), detail::to_clock(limit));
}
template <detail::Awaitable A, detail::Unitless T>
[[nodiscard]] A timeout(A awaitable, T) {
    detail::refuse_number<T>();
    return awaitable;
}

template <class Body>
    requires std::same_as<std::invoke_result_t<std::decay_t<Body>&, TaskGroup&>, Task<>>
Task<> TaskGroup::run(Body&& body) {
    static_assert(detail::is_safe_to_await<Body>,
                  "GCC before 13 destroys the captures of this lambda twice: name the lambda first, "
                  "`auto body = [...](TaskGroup& group) -> Task<> {...}; co_await TaskGroup::run(body);`");
    return run_owned<std::decay_t<Body>>(std::forward<Body>(body));
}

template <class Body>
Task<> TaskGroup::run_owned(Body body) {
    detail::Fiber& fiber = co_await detail::current_fiber();
    fiber.throw_if_cancelled();
    detail::NoResult result;
    TaskGroup group(fiber);
    group.children_.add(body(group), result);
    group.children_.start();
    co_await group.children_.all_ended();
    group.children_.throw_failure();
}

}  // namespace SAKE_ABI
}  // namespace sake
