// The waiting of a Channel, which knows nothing of its items: who may go through, who waits in which line, as
// a coroutine or as a blocked thread, and who is woken.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "sake/async/reactor.hpp"
#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class ChannelWaiter;

/// Who goes through a channel, who waits, and in which cell each item is; knows nothing of the items. Whoever
/// is woken has a claim, on an item or on room, and makes use of it when it runs: a cancellation that comes
/// in between gives the claim back, and no item has moved. Under the channel's lock.
class ChannelGate {
  public:
    struct Line {
        ListNode waiters;
        std::size_t claims = 0;
    };

    explicit ChannelGate(std::size_t capacity) noexcept
        : capacity_(capacity), cells_(std::min(capacity, cells_at_first)) {}

    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    void close() noexcept {
        is_closed_ = true;
        wake_who_may_go();
    }

    /// Whether a sender need not wait: there is room, or never will be.
    [[nodiscard]] bool may_send() const noexcept { return is_closed_ || size_ + senders.claims < capacity_; }
    /// Whether a receiver need not wait: there is an item, or never will be.
    [[nodiscard]] bool may_receive() const noexcept {
        return size_ > receivers.claims || (is_closed_ && size_ == 0);
    }

    /// How many cells there are, and how many there are to be when they are full.
    [[nodiscard]] std::size_t cells() const noexcept { return cells_; }
    [[nodiscard]] std::size_t more_cells() const noexcept {
        return cells_ < capacity_ / 2 ? 2 * cells_ : capacity_;
    }
    /// The items were moved to the first of so many cells.
    void set_cells(std::size_t count) noexcept {
        cells_ = count;
        first_ = 0;
    }

    /// The cell of an item that is there, by its place in line.
    [[nodiscard]] std::size_t cell(std::size_t place) const noexcept {
        const std::size_t to_the_end = cells_ - first_;
        return place < to_the_end ? first_ + place : place - to_the_end;
    }
    /// The cell that the next item goes to, or comes from.
    std::size_t enter() noexcept;
    std::size_t leave() noexcept;

    void wake_who_may_go() noexcept;

    Line senders;
    Line receivers;

  private:
    static constexpr std::size_t cells_at_first = 1024;

    const std::size_t capacity_;
    std::size_t cells_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    bool is_closed_ = false;
};

/// A coroutine or a thread that waits in line.
class ChannelWaiter : public ListNode {
  public:
    explicit ChannelWaiter(Wait& coroutine) noexcept : coroutine_(&coroutine) {}
    explicit ChannelWaiter(std::condition_variable& thread) noexcept : thread_(&thread) {}

    [[nodiscard]] bool is_awake() const noexcept { return is_awake_; }

    /// With a claim, unless there is nothing to wait for any more.
    void wake(ChannelGate::Line& line, bool has_claim) noexcept;
    /// Makes use of the claim, or gives it up together with the place in line.
    void leave(ChannelGate::Line& line) noexcept {
        unlink();
        if (std::exchange(has_claim_, false)) --line.claims;
    }

  private:
    Wait* coroutine_ = nullptr;
    std::condition_variable* thread_ = nullptr;
    bool is_awake_ = false;
    bool has_claim_ = false;
};

/// What the two awaits of a channel have in common: a place in line, and how it is given up.
class ChannelWait : public Wait {
  public:
    ChannelWait(std::mutex& mutex, ChannelGate& gate, ChannelGate::Line& line) noexcept
        : mutex_(mutex), gate_(gate), line_(line), waiter_(*this) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        is_suspended_ = true;
        const std::lock_guard lock(mutex_);
        waiter_.insert_before(line_.waiters);
        gate_.wake_who_may_go();  // this one, if another thread has come in between
        return true;
    }
    void describe(std::string& out) const override {
        out += &line_ == &gate_.senders ? "room in a Channel" : "an item of a Channel";
    }

  protected:
    // Still suspended only where a thread ends in the middle of it.
    ~ChannelWait();

    /// At the end of the wait, under the lock: now it need not wait. Throws Cancelled.
    void end();

    std::mutex& mutex_;

  private:
    // Once it is awake the word of it is on its way, and the cancellation is seen when it comes.
    bool withdraw() noexcept override {
        const std::lock_guard lock(mutex_);
        if (waiter_.is_awake()) return false;
        waiter_.unlink();
        return true;
    }
    void abandon() noexcept override {
        const std::lock_guard lock(mutex_);
        is_suspended_ = false;
        give_up();
    }
    void give_up() noexcept {
        waiter_.leave(line_);
        gate_.wake_who_may_go();
    }

    ChannelGate& gate_;
    ChannelGate::Line& line_;
    ChannelWaiter waiter_;
    bool is_suspended_ = false;
};

/// Blocks the thread until it need not wait.
template <class MayGo>
void wait_in_line(std::unique_lock<std::mutex>& lock, ChannelGate::Line& line, MayGo may_go) {
    if (Reactor::current() != nullptr) {
        throw std::logic_error("Channel: blocking on a reactor's thread; co_await instead");
    }
    if (may_go()) return;
    std::condition_variable woken;
    ChannelWaiter waiter(woken);
    waiter.insert_before(line.waiters);
    woken.wait(lock, [&] { return waiter.is_awake(); });
    waiter.leave(line);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
