// Mutex and Semaphore for coroutines of one reactor. Waiting blocks no thread, and waiters are served in the
// order of arrival. Between threads, use Channel. (Event is the third of this kind, in app/event.hpp.)
#pragma once

#include <concepts>
#include <optional>
#include <utility>

#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Lets a limited number of coroutines through at a time. For the thread of one reactor. It must outlive its
/// permits and its waiters.
class Semaphore {
    class AcquireWait;

  public:
    class Permit;

    /// The largest value of its type means "no limit". Throws std::invalid_argument unless `permits` is at
    /// least 1: otherwise no coroutine could ever get through.
    template <std::integral Number>
    explicit Semaphore(Number permits)
        : available_(detail::limit_of<int>(1, permits, "Semaphore: permits")) {}
    Semaphore(const Semaphore&) = delete;
    Semaphore& operator=(const Semaphore&) = delete;

    /// Waits for a permit, first come, first served. An object holds the permit, so that no exception and no
    /// Cancelled can lose it: `auto permit = co_await semaphore.acquire();`. Throws Cancelled.
    detail::Operation<AcquireWait, Semaphore&> acquire() noexcept;

    /// A permit if one is free. Never overtakes waiters.
    [[nodiscard]] std::optional<Permit> try_acquire() noexcept;

    /// The number of free permits.
    [[nodiscard]] int available() const noexcept { return available_; }

  private:
    bool take() noexcept;
    void give_back() noexcept;

    int available_;  // above 0 only while no coroutine waits
    detail::ListNode waiters_;
};

/// Holds a permit until its destruction or `release`. Movable, not copyable.
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

    /// Returns the permit early; the longest waiter gets it. A second call has no effect.
    void release() noexcept {
        if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->give_back();
    }

  private:
    friend class Semaphore;
    explicit Permit(Semaphore& semaphore) noexcept : semaphore_(&semaphore) {}
    Semaphore* semaphore_;
};

/// Lets one coroutine at a time through. Needed only if the protected object is used across an await: between
/// two awaits a coroutine has its reactor's thread to itself. For the thread of one reactor. It must outlive
/// its guards and its waiters.
class Mutex {
  public:
    /// Holds the lock until its destruction or `release`.
    using Guard = Semaphore::Permit;

    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    /// Waits for the lock, first come, first served: `auto guard = co_await mutex.lock();`. Not recursive:
    /// locking twice deadlocks. Throws Cancelled.
    [[nodiscard]] auto lock() noexcept { return semaphore_.acquire(); }

    /// A guard if the mutex is free.
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
