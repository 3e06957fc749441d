// Mutex and Semaphore: turns for coroutines of one reactor. Whoever waits holds no thread, and is served in
// the order of coming. Between threads, use Channel. (Event is the third of the kind, in app/event.hpp.)
#pragma once

#include <concepts>
#include <optional>
#include <utility>

#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Lets at most so many coroutines at a time through. For one reactor's thread; it must outlive its permits
/// and its waiters.
class Semaphore {
    class AcquireWait;

  public:
    class Permit;

    /// The largest value of its type means no limit. Throws std::invalid_argument if `permits` is not at
    /// least 1: no coroutine could ever get through.
    template <std::integral Number>
    explicit Semaphore(Number permits)
        : available_(detail::limit_of<int>(1, permits, "Semaphore: permits")) {}
    Semaphore(const Semaphore&) = delete;
    Semaphore& operator=(const Semaphore&) = delete;

    /// Waits for a permit, first come, first served. It is held by an object, and not given back by a call,
    /// so that no exception and no Cancelled loses one: `auto permit = co_await semaphore.acquire();`. Throws
    /// Cancelled.
    detail::Operation<AcquireWait, Semaphore&> acquire() noexcept;

    /// A permit if there is one now. Never goes before those who wait.
    [[nodiscard]] std::optional<Permit> try_acquire() noexcept;

    /// How many permits could be had now.
    [[nodiscard]] int available() const noexcept { return available_; }

  private:
    bool take() noexcept;
    void give_back() noexcept;

    int available_;  // above 0 only while nobody waits
    detail::ListNode waiters_;
};

/// Holds a permit until it goes, or `release` is called. Moves only.
class [[nodiscard("the permit is given back at once")]] Semaphore::Permit {
  public:
    Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
        if (this != &other) {
            release();
            semaphore_ = std::exchange(other.semaphore_, nullptr);
        }
        return *this;
    }
    ~Permit() { release(); }

    /// Gives the permit back early; whoever waits longest has it. No effect the second time.
    void release() noexcept {
        if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->give_back();
    }

  private:
    friend class Semaphore;
    explicit Permit(Semaphore& semaphore) noexcept : semaphore_(&semaphore) {}
    Semaphore* semaphore_;
};

/// One coroutine at a time. Needed only where what it protects is used across an await: between two awaits a
/// coroutine has its reactor's thread to itself. For one reactor's thread; it must outlive its guards and its
/// waiters.
class Mutex {
  public:
    /// Has the mutex locked until it goes, or `release` is called.
    using Guard = Semaphore::Permit;

    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    /// Waits until it is the caller's turn, first come, first served: `auto guard = co_await mutex.lock();`.
    /// Not recursive: locking it twice deadlocks. Throws Cancelled.
    [[nodiscard]] auto lock() noexcept { return semaphore_.acquire(); }

    /// A guard if nobody has the mutex.
    [[nodiscard]] std::optional<Guard> try_lock() noexcept { return semaphore_.try_acquire(); }

    [[nodiscard]] bool is_locked() const noexcept { return semaphore_.available() == 0; }

  private:
    Semaphore semaphore_{1};
};

class [[nodiscard]] Semaphore::AcquireWait final : public detail::Wait, public detail::ListNode {
  public:
    explicit AcquireWait(Semaphore& semaphore) noexcept : semaphore_(semaphore) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (semaphore_.take()) {
            const bool waits = give_way(coroutine);
            if (was_cancelled()) semaphore_.give_back();
            return waits;
        }
        if (!suspend(coroutine)) return false;
        insert_before(semaphore_.waiters_);
        return true;
    }
    [[nodiscard]] Permit await_resume() const {
        throw_if_cancelled();
        return Permit(semaphore_);
    }
    void describe(std::string& out) const override { out += "a Semaphore or a Mutex"; }

  private:
    bool withdraw() noexcept override {
        unlink();
        return true;
    }
    void abandon() noexcept override {
        const bool has_permit = !is_linked() && !was_cancelled();
        unlink();
        if (has_permit) semaphore_.give_back();
    }
    Semaphore& semaphore_;
};

inline auto Semaphore::acquire() noexcept -> detail::Operation<AcquireWait, Semaphore&> {
    return detail::Operation<AcquireWait, Semaphore&>(*this);
}

inline std::optional<Semaphore::Permit> Semaphore::try_acquire() noexcept {
    if (!take()) return std::nullopt;
    return Permit(*this);
}

inline bool Semaphore::take() noexcept {
    if (available_ == 0) return false;
    --available_;
    return true;
}

// A permit passes from hand to hand, so that nobody who comes later can take it in between.
inline void Semaphore::give_back() noexcept {
    if (!waiters_.is_linked()) {
        ++available_;
        return;
    }
    auto& waiter = static_cast<AcquireWait&>(*waiters_.next());
    waiter.unlink();
    waiter.finish();
}

}  // namespace SAKE_ABI
}  // namespace sake
