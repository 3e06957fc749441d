// Pool<T>: things that are dear to make and can be used again, such as connections, lent to one coroutine at
// a time.
#pragma once

#include <chrono>
#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/async/combinators.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/sync.hpp"
#include "sake/async/task.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"

namespace sake {
inline namespace v0 {

/// How many things a Pool has, and for how long.
struct PoolOptions {
    int max_size = 10;                                 // lent or under construction at a time
    std::chrono::milliseconds acquire_timeout{5'000};  // a longer wait for one throws TimedOut
    std::chrono::milliseconds idle_timeout{60'000};    // one that was not used for so long is destroyed
};

/// Lends things of type T. For one reactor at a time; it must outlive its leases and whoever waits for one.
/// When the reactor ends, what is idle goes, so that a pool may be made before an Engine runs and live on
/// after it.
///
///     Pool<Connection> pool({.max_size = 20}, [] { return connect_to_database(); });
///     auto connection = co_await pool.acquire();
///     co_await connection->query("select 1");
template <class T>
class Pool final : detail::ReactorEndListener {
    struct Idle {
        std::unique_ptr<T> item;
        detail::TimePoint until;
    };

  public:
    class Lease;

    /// `make()` gives a new T, as a Task<T>. `is_healthy(T&)`, which gives a bool or a Task<bool>, is asked
    /// before a T is lent again; one that is not, or of which it throws, goes. Throws std::invalid_argument
    /// for a size that is not at least 1, or a time limit that is negative.
    template <class Make>
    Pool(PoolOptions options, Make make) : Pool(options, std::move(make), [](T&) { return true; }) {}
    template <class Make, class Check>
    Pool(PoolOptions options, Make make, Check is_healthy);
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() { reactor_ends(); }

    /// Waits for its turn, first come, first served, and gives the T that was used last, or else a new one.
    /// Throws TimedOut if its turn does not come in time, Cancelled, and what `make` throws.
    [[nodiscard]] Task<Lease> acquire() { return lend(*this); }

    /// Drops all that nobody uses.
    void clear() noexcept { idle_.clear(); }

    [[nodiscard]] int idle() const noexcept { return static_cast<int>(idle_.size()); }
    [[nodiscard]] int in_use() const noexcept { return options_.max_size - turns_.available(); }

  private:
    // What closes the idle in time; set while there are any.
    struct Sweep : detail::Timer {
        explicit Sweep(Pool& owner) noexcept : Timer(&pass), pool(owner) {}
        static void pass(Timer& timer) noexcept { static_cast<Sweep&>(timer).pool.sweep(); }
        Pool& pool;
    };

    static const PoolOptions& checked(const PoolOptions& options) {
        detail::demand_at_least(1, options.max_size, "PoolOptions::max_size");
        detail::demand_at_least(0, options.acquire_timeout, "PoolOptions::acquire_timeout");
        detail::demand_at_least(0, options.idle_timeout, "PoolOptions::idle_timeout");
        return options;
    }
    // A template: see task.hpp.
    template <class Self>
    static Task<Lease> lend(Self& self);
    void take_back(std::unique_ptr<T> item) noexcept;
    void sweep() noexcept;
    void settle_on(Reactor& reactor);
    void reactor_ends() noexcept override {
        if (reactor_ != nullptr) reactor_->timers().cancel(sweep_);
        reactor_ = nullptr;
        idle_.clear();
    }

    const PoolOptions options_;
    detail::UniqueFunction<Task<T>()> make_;
    detail::UniqueFunction<Task<bool>(T&)> is_healthy_;
    Semaphore turns_;
    std::vector<Idle> idle_;  // the one used last is the last
    Sweep sweep_{*this};
    Reactor* reactor_ = nullptr;  // of whoever asked first
};

/// A T for as long as this lives. Then it goes back to the pool, unless an exception, Cancelled included,
/// ends the scope: what state it is in nobody knows then, so it is destroyed. Moves only.
template <class T>
class [[nodiscard("it goes back to the pool at once")]] Pool<T>::Lease {
  public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept {
        if (this != &other) {
            give_back();
            pool_ = other.pool_;
            turn_ = std::move(other.turn_);
            item_ = std::move(other.item_);
            is_used_ = other.is_used_;
            exceptions_ = other.exceptions_;
        }
        return *this;
    }
    ~Lease() { give_back(); }

    /// False when it was discarded or moved from.
    explicit operator bool() const noexcept { return item_ != nullptr; }
    [[nodiscard]] T& operator*() const noexcept { return *item_; }
    [[nodiscard]] T* operator->() const noexcept { return item_.get(); }

    /// Whether it was lent before.
    [[nodiscard]] bool is_used() const noexcept { return is_used_; }

    /// Destroys it now: it does not go back. The lease is empty afterwards.
    void discard() noexcept {
        item_.reset();
        turn_.release();
    }

  private:
    friend class Pool;
    Lease(Pool& pool, Semaphore::Permit turn, std::unique_ptr<T> item, bool is_used) noexcept
        : pool_(&pool), turn_(std::move(turn)), item_(std::move(item)), is_used_(is_used) {}

    void give_back() noexcept {
        if (item_ != nullptr && std::uncaught_exceptions() == exceptions_) pool_->take_back(std::move(item_));
        discard();
    }

    Pool* pool_;
    Semaphore::Permit turn_;
    std::unique_ptr<T> item_;
    bool is_used_;
    int exceptions_ = std::uncaught_exceptions();
};

template <class T>
template <class Make, class Check>
Pool<T>::Pool(PoolOptions options, Make make, Check is_healthy)
    : options_(checked(options)), make_(std::move(make)), turns_(options.max_size) {
    if constexpr (std::same_as<std::invoke_result_t<Check&, T&>, Task<bool>>) {
        is_healthy_ = std::move(is_healthy);
    } else {
        is_healthy_ = [check = std::move(is_healthy)](T& item) mutable -> Task<bool> {
            co_return check(item);
        };
    }
}

template <class T>
template <class Self>
auto Pool<T>::lend(Self& self) -> Task<Lease> {
    detail::Fiber& fiber = co_await detail::current_fiber();
    self.settle_on(fiber.reactor());
    std::optional<Semaphore::Permit> turn = self.turns_.try_acquire();
    if (!turn) {
        auto later = co_await timeout(self.turns_.acquire(), self.options_.acquire_timeout);
        turn = std::move(later);
    }
    while (!self.idle_.empty()) {
        std::unique_ptr<T> item = std::move(self.idle_.back().item);
        self.idle_.pop_back();
        bool is_healthy = false;
        try {
            is_healthy = co_await self.is_healthy_(*item);
        } catch (const std::exception&) {
            is_healthy = false;  // the next one, or a new one, will tell if there is a lasting reason
        }
        if (is_healthy) co_return Lease(self, *std::move(turn), std::move(item), true);
    }
    T made = co_await self.make_();
    auto item = std::make_unique<T>(std::move(made));
    co_return Lease(self, *std::move(turn), std::move(item), false);
}

template <class T>
void Pool<T>::settle_on(Reactor& reactor) {
    if (reactor_ == &reactor) return;
    if (reactor_ != nullptr)
        throw std::logic_error(
            "a Pool is used by two loops at a time, such as that of the server and one of a .worker() route");
    reactor_ = &reactor;
    reactor.tell_at_end(*this);
}

template <class T>
void Pool<T>::take_back(std::unique_ptr<T> item) noexcept {
    if (reactor_ == nullptr) return;  // the loop that it was made on has ended
    try {
        const auto until = reactor_->deadline_in(detail::to_clock(options_.idle_timeout));
        idle_.push_back({std::move(item), until});
        if (!sweep_.is_set()) reactor_->timers().set(sweep_, until);
    } catch (const std::exception&) {
        idle_.clear();  // no memory to look after them
    }
}

// Those that have waited longest are in front.
template <class T>
void Pool<T>::sweep() noexcept {
    const detail::TimePoint present = reactor_->now();
    auto first = idle_.begin();
    while (first != idle_.end() && first->until <= present) ++first;
    idle_.erase(idle_.begin(), first);
    if (idle_.empty()) return;
    try {
        reactor_->timers().set(sweep_, idle_.front().until);
    } catch (const std::exception&) {
        idle_.clear();
    }
}

}  // namespace v0
}  // namespace sake
