// Life: functions that a program runs beside its requests: at the start and the stop of the engine,
// periodically, or during the whole run. Engine fills in this interface when a program uses them, so that
// others do not compile it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "sake/async/flag.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/spawn.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/task.hpp"
#include "sake/async/this_task.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/log.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/start_thread.hpp"
#include "sake/compute/background.hpp"
#include "sake/compute/signals.hpp"
#include "sake/server/life_hook.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE std::string LifeHook::name() const {
    constexpr const char* kinds[] = {"on_start", "on_stop", "every", "background"};
    return std::string(kinds[static_cast<std::uint8_t>(kind)])
        .append(" at ")
        .append(place.file)
        .append(":")
        .append(std::to_string(place.line));
}

/// The functions of one run of an engine. For the reactor's thread.
class Life {
  public:
    Life() = default;
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;
    /// Waits for functions that run on other threads.
    virtual ~Life() = default;

    /// Begins, with the functions of on_start.
    virtual void begin() = 0;
    /// Whether these have ended or failed.
    [[nodiscard]] virtual bool has_begun() const = 0;
    /// Throws their failure.
    virtual void throw_failure() = 0;

    /// A stop has begun, and the token reports it: wakes resting functions and begins those of on_stop.
    virtual void begin_stop() noexcept = 0;
    /// Cancels the functions that still run.
    virtual void cut_off() noexcept = 0;
    [[nodiscard]] virtual bool is_over() const noexcept = 0;
    /// How many functions run, and how many of them on other threads, where they cannot be cancelled.
    [[nodiscard]] virtual std::size_t running() const noexcept = 0;
    [[nodiscard]] virtual std::size_t threads() const noexcept = 0;
    /// Appends their names: "every at main.cpp:12, background at main.cpp:15".
    virtual void describe_running(std::string& out) const = 0;
};

/// The functions that a program has registered.
struct LifeHooks {
    OwningList<LifeHook> list;
    OwningPtr<Life> (*make_life)(Reactor& reactor, const LifeHooks& hooks, const LogSink& log) = nullptr;
};

template <class Hooks>
class LifeOf final : public Life {
    using Kind = LifeHook::Kind;

  public:
    LifeOf(Reactor& reactor, const Hooks& hooks, const LogSink& log)
        : reactor_(reactor), hooks_(hooks), log_(log), stop_(reactor.stop_token()) {}
    ~LifeOf() override {
        for (Beside* each = threads_.first(); each != nullptr; each = each->next) each->thread.join();
    }

    void begin() override { starting_.emplace(spawn_on(reactor_, start(*this))); }
    [[nodiscard]] bool has_begun() const override { return starting_->is_done(); }
    void throw_failure() override { starting_->take(); }

    void begin_stop() noexcept override {
        stop_began_.set();
        if (starting_) starting_->cancel();
        for (Running* each = tasks_.first(); each != nullptr; each = each->next) {
            if (each->rests) each->handle->cancel();
        }
        for (Beside* each = threads_.first(); each != nullptr; each = each->next) {
            if (!each->has_ended) each->outside.emplace(reactor_);
        }
    }
    void cut_off() noexcept override {
        for (Running* each = tasks_.first(); each != nullptr; each = each->next) each->handle->cancel();
        if (at_stop_) at_stop_->cancel();
    }
    [[nodiscard]] bool is_over() const noexcept override {
        if (starting_ && !starting_->is_done()) return false;
        for (const Running* each = tasks_.first(); each != nullptr; each = each->next) {
            if (!each->handle->is_done()) return false;
        }
        return threads() == 0 && (!at_stop_ || at_stop_->is_done());
    }
    [[nodiscard]] std::size_t running() const noexcept override {
        std::size_t count = 0;
        for_each_running([&](const LifeHook*) { ++count; });
        return count;
    }
    void describe_running(std::string& out) const override {
        constexpr std::size_t most = 8;
        std::size_t count = 0;
        for_each_running([&](const LifeHook* hook) {
            if (++count > most + 1) return;
            if (count > 1) out += ", ";
            out += count > most ? "..." : hook == nullptr ? "on_stop" : hook->name();
        });
    }
    [[nodiscard]] std::size_t threads() const noexcept override {
        std::size_t count = 0;
        for (const Beside* each = threads_.first(); each != nullptr; each = each->next) {
            if (!each->has_ended) ++count;
        }
        return count;
    }

  private:
    struct Running {
        explicit Running(const LifeHook& of) noexcept : hook(of) {}
        const LifeHook& hook;
        Maybe<TaskHandle<void>> handle;
        bool rests = false;  // until its next period
        Running* next = nullptr;
    };
    /// A plain function on a thread of its own.
    struct Beside final : PostedCall {
        Beside(LifeOf& of_life, LifeHook& of) noexcept : life(of_life), hook(of) {}
        // When it has ended, on the loop.
        void run() noexcept override {
            has_ended = true;
            outside.reset();
        }
        LifeOf& life;
        LifeHook& hook;
        std::thread thread;
        Maybe<Reactor::OutsideWork> outside;  // from the stop on, since from then on its end is awaited
        bool has_ended = false;               // as the loop knows
        Beside* next = nullptr;               // in the list; that of a PostedCall is the reactor's
    };

    /// Calls f with what is at work: its hook, or null if on_stop is about to begin.
    template <class F>
    void for_each_running(F f) const {
        for (const Beside* each = threads_.first(); each != nullptr; each = each->next) {
            if (!each->has_ended) f(&each->hook);
        }
        for (const Running* each = tasks_.first(); each != nullptr; each = each->next) {
            if (!each->rests && !each->handle->is_done()) f(&each->hook);
        }
        if (at_stop_ && stop_began_.is_set() && !at_stop_->is_done()) f(stopping_);
    }

    static Task<> start(LifeOf& self) {
        for (LifeHook* each = self.hooks_.list.first(); each != nullptr; each = each->next) {
            if (each->kind != Kind::start) continue;
            if (each->is_coroutine()) {
                Task<> running = each->begin(self.stop_);
                co_await std::move(running);
            } else {
                each->run(self.stop_);
            }
        }
        if (!self.stop_.stop_requested()) self.start_the_rest();
    }

    void start_the_rest() {
        bool has_stop_hooks = false;
        for (LifeHook* each = hooks_.list.first(); each != nullptr; each = each->next) {
            has_stop_hooks = has_stop_hooks || each->kind == Kind::stop;
            if (each->kind == Kind::every) {
                add(*each, [&](Running& place) { return repeat(*this, *each, place); });
            }
            if (each->kind != Kind::background) continue;
            if (each->is_coroutine()) {
                add(*each, [&](Running&) { return run_one(*this, *each); });
            } else {
                run_beside(*each);
            }
        }
        if (has_stop_hooks) at_stop_.emplace(spawn_on(reactor_, run_at_stop(*this)));
    }
    template <class Make>
    void add(const LifeHook& hook, Make make) {
        OwningPtr<Running> place(new Running(hook));
        place->handle.emplace(spawn_on(reactor_, make(*place)));
        tasks_.push_back(place.release());
    }

    void run_beside(LifeHook& hook) {
        const PipeSignalBlocked no_pipe_signal;
        OwningPtr<Beside> place(new Beside(*this, hook));
        place->thread = start_thread(&run_on_thread, place.get());
        threads_.push_back(place.release());
    }
    static void run_on_thread(void* beside) {
        Beside& place = *static_cast<Beside*>(beside);
        LifeOf& self = place.life;
        const AtExit at_end([&]() noexcept { self.reactor_.post(place); });
        sys::set_thread_name("sake-background");
        try {
            place.hook.run(self.stop_);
        } catch (...) {
            log_failure_of(place.hook, self.log_, caught_exception());
        }
    }

    static void log_failure_of(const LifeHook& hook, const LogSink& log,
                               const std::exception_ptr& failure) noexcept {
        try {
            log_failure(log, (hook.name() + " failed: ").c_str(), failure);
        } catch (const std::bad_alloc&) {
            log_failure(log, "a function of every, background or on_stop failed: ", failure);
        }
    }

    // What it throws is logged, and only a cancellation goes on.
    static Task<> run_one(LifeOf& self, LifeHook& hook) {
        try {
            if (hook.is_coroutine()) {
                Task<> running = hook.begin(self.stop_);
                co_await std::move(running);
            } else {
                hook.run(self.stop_);
            }
        } catch (const Cancelled&) {
            throw;
        } catch (...) {
            log_failure_of(hook, self.log_, caught_exception());
        }
    }

    // At the multiples of the period. One that is missed, since the last call took so long, is left out.
    static Task<> repeat(LifeOf& self, LifeHook& hook, Running& place) {
        TimePoint due = self.reactor_.present();
        for (;;) {
            due = moment_after(due, hook.period);
            const TimePoint present = self.reactor_.present();
            if (due <= present) due = moment_after(present, hook.period - (present - due) % hook.period);
            place.rests = true;
            co_await sleep(due - present);
            place.rests = false;
            if (self.stop_.stop_requested()) co_return;
            Task<> call = run_one(self, hook);
            co_await std::move(call);
            if (self.stop_.stop_requested()) co_return;
        }
    }

    static Task<> run_at_stop(LifeOf& self) {
        co_await self.stop_began_.wait();
        for (LifeHook* each = self.hooks_.list.first(); each != nullptr; each = each->next) {
            if (each->kind != Kind::stop) continue;
            self.stopping_ = each;
            Task<> call = run_one(self, *each);
            co_await std::move(call);
        }
    }

    Reactor& reactor_;
    const Hooks& hooks_;
    const LogSink& log_;
    const std::stop_token stop_;
    Flag stop_began_;
    Maybe<TaskHandle<void>> starting_;
    Maybe<TaskHandle<void>> at_stop_;
    const LifeHook* stopping_ = nullptr;  // that of on_stop which runs
    OwningList<Running> tasks_;
    OwningList<Beside> threads_;
};

/// One that a program adds while the engine runs. What it throws is logged, and only a cancellation goes on.
template <class Hook>
Task<> run_beside_requests(OwningPtr<Hook> hook) {
    try {
        if (hook->is_coroutine()) {
            const std::stop_token stop = this_task::stop_token();
            Task<> running = hook->begin(stop);
            co_await std::move(running);
        } else {
            auto call = [&function = *hook](std::stop_token stop) { function.run(stop); };
            Task<> running = background(call);
            co_await std::move(running);
        }
    } catch (const Cancelled&) {
        throw;
    } catch (...) {
        report_failure((hook->name() + " failed: ").c_str(), caught_exception());
    }
}

/// Begins it. From any thread.
template <class Hook>
void run_for_this_run(Reactor& reactor, OwningPtr<Hook> hook) {
    reactor.post(
        [begun = std::move(hook)]() mutable { spawn(run_beside_requests(std::move(begun))).detach(); });
}

/// Adds one to what a program has asked for.
template <class Hooks>
void add_life_hook(Hooks& hooks, OwningPtr<LifeHook> hook) {
    hooks.list.push_back(hook.release());
    hooks.make_life = [](Reactor& reactor, const Hooks& all, const LogSink& log) -> OwningPtr<Life> {
        return OwningPtr<LifeOf<Hooks>>(new LifeOf<Hooks>(reactor, all, log));
    };
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
