// How a coroutine waits: a Wait is one suspended operation, a Fiber is one chain of tasks that await each
// other, of which at most one Wait is open. Cancelling a fiber resumes its open wait, which then throws
// Cancelled; no suspended frame is ever destroyed under its code.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Reactor;

namespace detail {

class Fiber;
class Resumable;
class Wait;

/// Puts what is to go on into the reactor's queue. Defined with the Reactor.
void schedule(Reactor& reactor, Resumable& resumable) noexcept;

/// Names what is at work on a reactor's loop from now on. Defined with the Reactor.
void note_work(Reactor& reactor, const void* work) noexcept;

/// Whether a coroutine that need not wait should let the others have a turn. Defined with the Reactor.
bool turn_is_up(Reactor& reactor) noexcept;

/// Logs the failure of a task that nothing waits for. A cancellation is not logged. Defined with the Reactor.
void report_failure(const char* what, const std::exception_ptr& exception) noexcept;

/// A doubly linked list node that takes itself out when it goes.
class ListNode {
  public:
    ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;
    ~ListNode() { unlink(); }

    void insert_before(ListNode& position) noexcept {
        unlink();
        previous_ = std::exchange(position.previous_, this);
        next_ = &position;
        previous_->next_ = this;
    }
    void unlink() noexcept {
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = this;
    }
    [[nodiscard]] bool is_linked() const noexcept { return next_ != this; }
    [[nodiscard]] ListNode* next() const noexcept { return next_; }

  private:
    ListNode* next_ = this;
    ListNode* previous_ = this;
};

/// What a reactor's loop goes on with: a coroutine that waited, or an object that does without one.
class Resumable {
  public:
    Resumable() = default;
    Resumable(const Resumable&) = delete;
    Resumable& operator=(const Resumable&) = delete;

    /// Goes on. For the reactor's loop, once it was woken.
    virtual void resume() = 0;

    /// What it waited for is there: it is resumed in this or the next turn of the reactor. Idempotent.
    void wake(Reactor& reactor) noexcept {
        if (std::exchange(is_waiting_, false)) schedule(reactor, *this);
    }
    [[nodiscard]] bool is_waiting() const noexcept { return is_waiting_; }

    Resumable* next_ready = nullptr;  // the reactor's queue

  protected:
    ~Resumable() = default;
    void begin_waiting() noexcept { is_waiting_ = true; }
    /// It waits for nothing any more, and is not resumed.
    void end_waiting() noexcept { is_waiting_ = false; }

  private:
    bool is_waiting_ = false;
};

/// What is ready to go on, in the order in which it became so.
class ReadyList {
  public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    void add(Resumable& resumable) noexcept {
        resumable.next_ready = nullptr;
        (last_ != nullptr ? last_->next_ready : first_) = &resumable;
        last_ = &resumable;
    }
    /// All of them, linked by next_ready.
    [[nodiscard]] Resumable* take() noexcept {
        last_ = nullptr;
        return std::exchange(first_, nullptr);
    }
    void clear() noexcept { first_ = last_ = nullptr; }

  private:
    Resumable* first_ = nullptr;
    Resumable* last_ = nullptr;
};

/// A chain of tasks that await each other, from the one that was spawned down to the one that waits.
class Fiber : public ListNode {
  public:
    explicit Fiber(Reactor& reactor) noexcept : reactor_(&reactor) {}

    [[nodiscard]] Reactor& reactor() const noexcept { return *reactor_; }

    /// Resumes the open wait with Cancelled, or the next one if none is open. Calls that come before the
    /// first is seen are one with it.
    void cancel() noexcept;

    /// It never goes on: takes it off whatever it waits for, and gives back what it was given.
    void abandon() noexcept;

    /// Whether a wait is open and not over yet.
    [[nodiscard]] bool is_suspended() const noexcept;
    /// Appends what it waits for, such as "an event".
    void describe_wait(std::string& out) const;

    /// The frame at the top of the chain: of a Root, or of the task of a TaskFiber. For destroying it when
    /// its thread ends under it.
    std::coroutine_handle<> top;
    /// What it works for, to be named if it holds the loop for too long; see Reactor::watch_stalls.
    const void* work = nullptr;

    /// Whether the next wait is to throw Cancelled: a cancellation came while none was open.
    [[nodiscard]] bool has_cancellation() const noexcept { return cancellation_pending_; }
    /// For a wait that begins others: throws that Cancelled now, before any of them has begun.
    void throw_if_cancelled() {
        if (take_cancellation()) throw Cancelled();
    }
    /// True once if a cancellation came while no wait was open.
    [[nodiscard]] bool take_cancellation() noexcept { return std::exchange(cancellation_pending_, false); }

  private:
    friend class Wait;
    Reactor* reactor_;
    Wait* open_wait_ = nullptr;
    bool cancellation_pending_ = false;
};

/// Base of every awaiter that suspends until the reactor resumes it. A derived class starts its operation in
/// `await_suspend`, calls `finish` when it is done, and says in `withdraw` how it is given up.
class Wait : public Resumable {
  public:
    /// Suspends `coroutine` unless its fiber is cancelled already. Call from await_suspend.
    template <class Promise>
    bool suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        Fiber& fiber = *coroutine.promise().fiber;
        cancelled_ = fiber.take_cancellation();
        if (cancelled_) return false;
        coroutine_ = coroutine;
        fiber_ = &fiber;
        fiber.open_wait_ = this;
        begin_waiting();
        return true;
    }

    /// Whether a coroutine may go on at once if its operation is done before it begins: unless its fiber is
    /// cancelled, or it is time to let the others have a turn. Otherwise a loop over such operations would
    /// keep the thread to itself, and could not be cancelled.
    template <class Promise>
    [[nodiscard]] static bool may_go_on(std::coroutine_handle<Promise> coroutine) noexcept {
        Fiber& fiber = *coroutine.promise().fiber;
        return !fiber.has_cancellation() && !turn_is_up(fiber.reactor());
    }
    /// For such an operation: suspends `coroutine` until its next turn, unless it may go on. Call from
    /// await_suspend, and return what this returns.
    template <class Promise>
    bool give_way(std::coroutine_handle<Promise> coroutine) noexcept {
        if (may_go_on(coroutine) || !suspend(coroutine)) return false;
        finish();
        return true;
    }

    /// The operation is done: the coroutine is resumed in this or the next turn of the reactor. Idempotent.
    void finish() noexcept { wake(fiber_->reactor()); }

    /// Cuts it short: the coroutine is resumed and sees it. False if that cannot be; see `withdraw`.
    [[nodiscard]] bool cancel() noexcept {
        if (!withdraw()) return false;
        cancelled_ = true;
        finish();
        return true;
    }
    /// The coroutine never goes on: takes the operation off what it waits for, or gives back what it was
    /// given.
    virtual void abandon() noexcept { static_cast<void>(withdraw()); }

    [[nodiscard]] bool was_cancelled() const noexcept { return cancelled_; }
    void throw_if_cancelled() const {
        if (cancelled_) throw Cancelled();
    }
    [[nodiscard]] Reactor& reactor() const noexcept { return fiber_->reactor(); }

    /// Appends what it is that is waited for, with its article, for the message that a loop has come to a
    /// deadlock.
    virtual void describe(std::string& out) const { out += "something"; }

    void resume() final {
        note_work(fiber_->reactor(), fiber_->work);
        fiber_->open_wait_ = nullptr;
        coroutine_.resume();
    }

  protected:
    ~Wait() = default;

    /// Takes the operation off what it waits for. Returns false if it cannot be cut short: it will finish
    /// later, and the cancellation is seen by the next wait.
    virtual bool withdraw() noexcept = 0;
    /// For await_resume of a wait that can be undone even now: whether its fiber was cancelled after the wait
    /// was over. Then the next wait does not see it.
    [[nodiscard]] bool take_late_cancellation() noexcept { return fiber_->take_cancellation(); }

  private:
    bool cancelled_ = false;  // first, where Resumable has room for it
    std::coroutine_handle<> coroutine_;
    Fiber* fiber_ = nullptr;
};

/// A waiting operation that has not begun: what most verbs return, so that it can be handed on, to `when_any`
/// or `timeout`. Awaiting it makes its Wait. The subject is a reference or a small value.
template <class Awaiter, class Subject>
class [[nodiscard("nothing happens until it is awaited: co_await it")]] Operation {
  public:
    explicit Operation(Subject subject) noexcept : subject_(subject) {}
    [[nodiscard]] Awaiter operator co_await() const noexcept { return Awaiter(subject_); }

  private:
    Subject subject_;
};

inline bool Fiber::is_suspended() const noexcept { return open_wait_ != nullptr && open_wait_->is_waiting(); }

inline void Fiber::describe_wait(std::string& out) const {
    if (is_suspended()) return open_wait_->describe(out);
    out += "its turn";
}

inline void Fiber::abandon() noexcept {
    if (open_wait_ != nullptr) std::exchange(open_wait_, nullptr)->abandon();
}

inline void Fiber::cancel() noexcept {
    if (open_wait_ != nullptr && open_wait_->was_cancelled()) return;  // it is on its way
    if (!is_suspended() || !open_wait_->cancel()) cancellation_pending_ = true;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
