// Pool<T>: reusable objects that are expensive to make, such as connections. Each is lent to one coroutine at
// a time.
#pragma once

#include <chrono>
#include <concepts>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "sake/async/combinators.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/sync.hpp"
#include "sake/async/task.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/array.hpp"
#include "sake/base/closing_ptr.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// How many objects a Pool has, and for how long.
struct PoolOptions {
    int max_size = 10;                                 // lent or under construction at a time
    std::chrono::milliseconds acquire_timeout{5'000};  // a longer wait for an object throws TimedOut
    std::chrono::milliseconds idle_timeout{60'000};    // an object that is unused for this long is destroyed
    std::string name = "a turn in a pool";  // in messages: "timed out after 5 s waiting for <name>"
};

/// Lends objects of type T. For one reactor at a time. When the reactor ends, idle objects are destroyed, so
/// a pool may be made before an Engine runs and live on after it. When the pool is destroyed, its idle
/// objects are destroyed and its waiters are cancelled. A lease that outlives the pool destroys its T.
///
///     Pool<Connection> pool({.max_size = 20}, [] { return connect_to_database(); });
///     auto connection = co_await pool.acquire();
///     co_await connection->query("select 1");
template <class T>
class Pool {
    class State;

  public:
    class Lease;

    /// `make()` returns a new T, as a Task<T>. `is_healthy(T&)` returns a bool or a Task<bool>, and is called
    /// before a T is lent again. If it returns false or throws, that T is destroyed. Throws
    /// std::invalid_argument for a size below 1 or a negative time limit.
    template <class Make>
    Pool(PoolOptions options, Make make)
        : Pool(std::move(options), std::move(make), [](T&) { return true; }) {}
    template <class Make, class Check>
    Pool(PoolOptions options, Make make, Check is_healthy)
        : state_(new State(std::move(options), std::move(make), std::move(is_healthy))) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    /// Waits for its turn, first come, first served. Returns the T that was used last, or a new one. Throws
    /// TimedOut if the turn does not come in time; Cancelled, also if the pool is destroyed meanwhile; and
    /// what `make` throws.
    Task<Lease> acquire() { return State::lend(state_.share()); }

    /// Destroys all idle objects.
    void clear() noexcept { state_->clear(); }

    /// The number of idle objects.
    [[nodiscard]] int idle() const noexcept { return state_->idle(); }
    /// The number of objects that are lent or under construction.
    [[nodiscard]] int in_use() const noexcept { return state_->in_use(); }

  private:
    // Leases and those who wait share it.
    detail::ClosingPtr<State> state_;
};

/// What outlives the pool if a lease does, or whoever waits for one.
template <class T>
class Pool<T>::State final : public detail::Counted, detail::ReactorEndListener {
  public:
    template <class Make, class Check>
    State(PoolOptions options, Make make, Check is_healthy);
    ~State() { reactor_ends(); }

    // A template: see task.hpp.
    template <class Self>
    static Task<Lease> lend(detail::CountedPtr<Self> shared);
    void take_back(detail::OwningPtr<T> item) noexcept;
    void clear() noexcept { idle_.clear(); }
    /// The pool is destroyed: from here on nothing is made, kept or lent.
    void close() noexcept {
        is_closed_ = true;
        for (detail::ListNode* each = acquiring_.next(); each != &acquiring_; each = each->next()) {
            static_cast<Acquiring*>(each)->fiber.cancel();
        }
        reactor_ends();
    }

    [[nodiscard]] int idle() const noexcept { return static_cast<int>(idle_.size()); }
    [[nodiscard]] int in_use() const noexcept { return options_.max_size - turns_.available(); }

  private:
    struct Idle {
        detail::OwningPtr<T> item;
        detail::TimePoint until;
    };
    // In the frame of whoever waits.
    struct Acquiring : detail::ListNode {
        Acquiring(State& owner, detail::Fiber& waiting) noexcept : fiber(waiting), state(owner) {
            insert_before(owner.acquiring_);
        }
        /// After a wait: the pool may have been destroyed, and this be cancelled, when the wait was over
        /// already.
        void throw_if_closed() const {
            if (!state.is_closed_) return;
            static_cast<void>(fiber.take_cancellation());
            throw Cancelled();
        }
        detail::Fiber& fiber;
        State& state;
    };
    // What closes the idle in time; set while there are any.
    struct Sweep : detail::Timer {
        explicit Sweep(State& owner) noexcept : Timer(&pass), state(owner) {}
        static void pass(Timer& timer) noexcept { static_cast<Sweep&>(timer).state.sweep(); }
        State& state;
    };

    static PoolOptions checked(PoolOptions options) {
        detail::demand_at_least(1, options.max_size, "PoolOptions::max_size");
        detail::demand_at_least(0, options.acquire_timeout, "PoolOptions::acquire_timeout");
        detail::demand_at_least(0, options.idle_timeout, "PoolOptions::idle_timeout");
        return options;
    }
    template <class Self>
    static Task<Semaphore::Permit> wait_for_turn(Self& self);
    void sweep() noexcept;
    void settle_on(Reactor& reactor);
    void reactor_ends() noexcept override {
        if (reactor_ != nullptr) reactor_->timers().cancel(sweep_);
        reactor_ = nullptr;
        idle_.clear();
        while (acquiring_.is_linked()) acquiring_.next()->unlink();  // whoever is left here never goes on
    }

    const PoolOptions options_;
    detail::UniqueFunction<Task<T>()> make_;
    detail::UniqueFunction<Task<bool>(T&)> is_healthy_;
    Semaphore turns_;
    detail::Array<Idle> idle_;  // the one used last is the last
    detail::ListNode acquiring_;
    Sweep sweep_{*this};
    Reactor* reactor_ = nullptr;  // of whoever asked first
    bool is_closed_ = false;
};

/// A T on loan. The destructor returns it to the pool. If an exception ends the scope, Cancelled included,
/// the T is destroyed instead, because its state is unknown. Movable, not copyable.
template <class T>
class [[nodiscard("it goes back to the pool at once")]] Pool<T>::Lease {
  public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept {
        if (this != &other) {
            give_back();
            turn_ = std::move(other.turn_);
            item_ = std::move(other.item_);
            state_ = std::move(other.state_);
            is_used_ = other.is_used_;
            exceptions_ = other.exceptions_;
        }
        return *this;
    }
    ~Lease() { give_back(); }

    /// False after discard() or a move.
    explicit operator bool() const noexcept { return item_ != nullptr; }
    [[nodiscard]] T& operator*() const noexcept { return *item_; }
    [[nodiscard]] T* operator->() const noexcept { return item_.get(); }

    /// Whether this T was lent before.
    [[nodiscard]] bool is_used() const noexcept { return is_used_; }

    /// Destroys the T now instead of returning it. The lease is empty afterwards.
    void discard() noexcept {
        item_.reset();
        turn_.release();
    }

  private:
    friend State;
    Lease(detail::CountedPtr<State> state, Semaphore::Permit turn, detail::OwningPtr<T> item,
          bool is_used) noexcept
        : state_(std::move(state)), turn_(std::move(turn)), item_(std::move(item)), is_used_(is_used) {}

    void give_back() noexcept {
        if (item_ != nullptr && std::uncaught_exceptions() == exceptions_)
            state_->take_back(std::move(item_));
        discard();
    }

    detail::CountedPtr<State> state_;  // goes last: the turn belongs to it
    Semaphore::Permit turn_;
    detail::OwningPtr<T> item_;
    bool is_used_;
    int exceptions_ = std::uncaught_exceptions();
};

template <class T>
template <class Make, class Check>
Pool<T>::State::State(PoolOptions options, Make make, Check is_healthy)
    : options_(checked(std::move(options))), make_(std::move(make)), turns_(options_.max_size) {
    if constexpr (std::same_as<std::invoke_result_t<Check&, T&>, Task<bool>>) {
        is_healthy_ = std::move(is_healthy);
    } else {
        is_healthy_ = [asks = std::move(is_healthy)](T& item) mutable -> Task<bool> { co_return asks(item); };
    }
}

template <class T>
template <class Self>
Task<Semaphore::Permit> Pool<T>::State::wait_for_turn(Self& self) {
    try {
        co_return co_await timeout(self.turns_.acquire(), self.options_.acquire_timeout);
    } catch (const TimedOut&) {
        detail::throw_timed_out(self.options_.acquire_timeout, "waiting for", self.options_.name);
    }
}

template <class T>
template <class Self>
auto Pool<T>::State::lend(detail::CountedPtr<Self> shared) -> Task<Lease> {
    Self& self = *shared;
    detail::Fiber& fiber = co_await detail::current_fiber();
    const Acquiring acquiring(self, fiber);
    acquiring.throw_if_closed();
    self.settle_on(fiber.reactor());
    std::optional<Semaphore::Permit> turn = self.turns_.try_acquire();
    if (turn) {
        co_await detail::its_turn();
    } else {
        auto later = co_await wait_for_turn(self);
        turn = std::move(later);
    }
    acquiring.throw_if_closed();
    while (!self.idle_.empty()) {
        detail::OwningPtr<T> item = std::move(self.idle_.back().item);
        self.idle_.pop_back();
        bool is_healthy = false;
        try {
            is_healthy = co_await self.is_healthy_(*item);
        } catch (const std::exception&) {
            is_healthy = false;  // the next one, or a new one, will tell if there is a lasting reason
        }
        acquiring.throw_if_closed();
        if (is_healthy) co_return Lease(std::move(shared), *std::move(turn), std::move(item), true);
    }
    T made = co_await self.make_();
    acquiring.throw_if_closed();
    detail::OwningPtr<T> item(new T(std::move(made)));
    co_return Lease(std::move(shared), *std::move(turn), std::move(item), false);
}

template <class T>
void Pool<T>::State::settle_on(Reactor& reactor) {
    if (reactor_ == &reactor) return;
    if (reactor_ != nullptr)
        throw std::logic_error(
            "a Pool is used by two loops at a time, such as the server's and that of a .worker() route: make "
            "one for each loop");
    reactor_ = &reactor;
    reactor.tell_at_end(*this);
}

template <class T>
void Pool<T>::State::take_back(detail::OwningPtr<T> item) noexcept {
    if (reactor_ == nullptr) return;  // the pool has ended, or the loop that it was made on
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
void Pool<T>::State::sweep() noexcept {
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

}  // namespace SAKE_ABI
}  // namespace sake
