// The machinery of when_all, when_any, timeout and TaskGroup: what a coroutine has started and waits for. A
// child is a fiber of its own that belongs to its parent, not to the reactor: cancelling the parent cancels
// its children, and the parent goes on when the last of them has ended.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/maybe.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
    if constexpr (requires { std::forward<A>(awaitable).operator co_await(); })
        return std::forward<A>(awaitable).operator co_await();
    else
        return std::forward<A>(awaitable);
}

/// What can be handed on and awaited later: a Task, a TaskHandle, `sleep(...)`, `event.wait()`, ...
template <class A>
concept Awaitable =
    std::move_constructible<A> && requires(A a) { detail::awaiter_of(std::move(a)).await_resume(); };

template <class A>
using AwaitedType = decltype(detail::awaiter_of(std::declval<A>()).await_resume());

/// What is kept of an await: std::monostate for void.
template <class A>
using ResultOf =
    std::conditional_t<std::is_void_v<AwaitedType<A>>, std::monostate, std::remove_cvref_t<AwaitedType<A>>>;

/// The slot of what gives nothing.
using NoResult = Maybe<std::monostate>;

/// Which end of a child cancels the others.
enum class CancelRest : std::uint8_t { never, on_failure, on_end };

/// The children of one await. Lives in the parent's frame, after what their results are written to.
class Children {
    class EndWait;

  public:
    Children(Fiber& parent, CancelRest cancel_rest) noexcept : parent_(parent), cancel_rest_(cancel_rest) {}
    Children(const Children&) = delete;
    Children& operator=(const Children&) = delete;
    /// Destroys those that were not started. Others are left only where a thread ends in the middle of them.
    ~Children();

    /// Makes a child that awaits `awaitable` and puts what comes of it into `result`.
    template <class A>
    void add(A awaitable, Maybe<ResultOf<A>>& result);
    /// Starts, in order, all that were added. With CancelRest::on_end not those behind one that ends at once.
    void start();
    /// Adds a child that starts when whoever runs now waits. If the children are cancelled, it never begins.
    void spawn(Task<> task);

    /// None goes on any more.
    void abandon() noexcept;

    /// Cancels all. That they then end by Cancelled does not count as a failure.
    void cancel() noexcept;

    /// Waits until all have ended; cannot be cut short. If the parent is cancelled meanwhile, the children
    /// are, and the first to end by Cancelled hands it back. If none does, the parent's next wait throws it.
    [[nodiscard]] EndWait all_ended() noexcept;

    /// Appends what they wait for, one by one.
    void describe_waits(std::string& out) const;

    /// Which child ended first.
    [[nodiscard]] std::size_t first() const noexcept { return first_; }
    /// Throws the first failure; with CancelRest::on_end only that of the first child to end.
    void throw_failure() const {
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    class Presence;
    enum class Start : std::uint8_t { inline_, later };
    template <Start start, class A>
    static Root run(Reactor&, Children& children, std::size_t index, A awaitable, Maybe<ResultOf<A>>& result);
    void take_in(Fiber& child) noexcept;
    void start(Fiber& child);
    void ended(const Presence& child) noexcept;

    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    Fiber& parent_;
    ListNode fibers_;
    std::size_t added_ = 0;
    std::size_t running_ = 0;
    std::size_t first_ = none;
    Wait* waiter_ = nullptr;
    std::exception_ptr failure_;
    NoResult ignored_;
    CancelRest cancel_rest_;
    bool is_cancelled_ = false;         // the children are
    bool is_parent_cancelled_ = false;  // and the parent too
    bool failed_by_cancelled_ = false;  // the failure is a Cancelled
};

/// In the frame of a child, from its start to its end.
class Children::Presence {
  public:
    Presence(Children& children, std::size_t number) noexcept : index(number), children_(children) {}
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;
    ~Presence() { children_.ended(*this); }

    const std::size_t index;
    std::exception_ptr failure;
    bool failed_by_cancelled = false;

  private:
    Children& children_;
};

template <Children::Start start, class A>
Root Children::run(Reactor&, Children& children, std::size_t index, A awaitable, Maybe<ResultOf<A>>& result) {
    Presence presence(children, index);
    try {
        if constexpr (start == Start::later) co_await yield();
        if constexpr (std::is_void_v<AwaitedType<A>>) {
            co_await std::move(awaitable);
            result.emplace();
        } else {
            ResultOf<A> value = co_await std::move(awaitable);
            result.emplace(std::move(value));
        }
    } catch (const Cancelled&) {
        presence.failure = std::current_exception();
        presence.failed_by_cancelled = true;
    } catch (...) {
        presence.failure = caught_exception();
    }
}

class [[nodiscard]] Children::EndWait final : public Wait {
  public:
    explicit EndWait(Children& children) noexcept : children_(children) {}
    ~EndWait() { children_.waiter_ = nullptr; }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        Fiber& fiber = children_.parent_;
        const bool is_over = children_.running_ == 0;
        if (is_over && !turn_is_up(fiber.reactor())) return false;
        const bool was_cancelled = fiber.take_cancellation();
        static_cast<void>(suspend(coroutine));
        children_.waiter_ = this;
        if (is_over) finish();  // and a cancellation is for the next wait: what they gave is not lost
        if (was_cancelled) fiber.cancel();
        return true;
    }
    void await_resume() const noexcept {
        if (children_.is_parent_cancelled_ && children_.failed_by_cancelled_) {
            static_cast<void>(children_.parent_.take_cancellation());
        }
    }
    void describe(std::string& out) const override { children_.describe_waits(out); }

  private:
    bool withdraw() noexcept override {
        children_.is_parent_cancelled_ = true;
        children_.cancel();
        return false;
    }
    void abandon() noexcept override { children_.abandon(); }
    Children& children_;
};

template <class A>
void Children::add(A awaitable, Maybe<ResultOf<A>>& result) {
    take_in(run<Start::inline_, A>(parent_.reactor(), *this, added_, std::move(awaitable), result).fiber());
}

inline auto Children::all_ended() noexcept -> EndWait { return EndWait(*this); }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
