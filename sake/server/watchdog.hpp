// Watchdog: ends the process that was told by a signal to stop and cannot: since work in the background does
// not return, or a handler holds the loop. Its thread is there as soon as the loop hears of the first signal.
// While a handler holds the loop, it does not: then the next signal ends the process (SignalRelay). A thread
// from the start of the engine would cost every program the shortcuts of one with a single thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/base/log.hpp"
#include "sake/base/start_thread.hpp"
#include "sake/server/signals.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// One that is destroyed in time does nothing.
class Watchdog {
  public:
    Watchdog(const LogSink& log, const SignalRelay& relay) noexcept : log_(log), signals_(relay) {}
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
    ~Watchdog() {
        {
            const std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        changed_.notify_one();
        if (thread_.joinable()) thread_.join();
    }

    /// Ends the process after this time, or a second after a signal that the loop does not take notice of.
    void end_in(Clock::duration time) noexcept {
        {
            const std::lock_guard lock(mutex_);
            left_ = time;
        }
        if (thread_.joinable()) return;
        try {
            thread_ = start_thread([](void* self) { static_cast<Watchdog*>(self)->watch(); }, this);
        } catch (const std::exception& error) {
            log_quietly(log_, LogLevel::error,
                        "a stop that hangs will not end the process, because its watchdog cannot start: ",
                        error.what());
        }
    }
    /// What the last line of the log is to name.
    void set_waits(std::string waits) noexcept {
        const std::lock_guard lock(mutex_);
        waits_ = std::move(waits);
    }

  private:
    void watch() {
        constexpr std::chrono::milliseconds grain(20);
        constexpr std::chrono::seconds patience(1);
        Clock::duration unheard{};
        std::unique_lock lock(mutex_);
        while (!changed_.wait_for(lock, grain, [this] { return is_over_; })) {
            left_ -= grain;
            unheard = signals_.has_unheard() ? unheard + grain : Clock::duration::zero();
            if (left_ <= Clock::duration::zero() || unheard >= patience)
                end_process(lock, unheard >= patience);
        }
    }

    // Without destructors, of which one could wait for the same. So could the sink, which is the program's:
    // it has a moment, and then the line goes to standard error, which never waits.
    [[noreturn]] void end_process(std::unique_lock<std::mutex>& lock, bool is_held) noexcept {
        constexpr std::chrono::milliseconds moment(200);
        constexpr std::string_view what = "the stop does not end, so the process exits now: ";
        const std::string why = !waits_.empty() ? std::move(waits_)
                                : is_held       ? std::string(signals_.what_holds_the_loop().view())
                                                : "work that Sake cannot name still runs";
        bool is_logged = false;
        auto log = [&] {  // lives as long as the process, like all that its thread uses
            log_quietly(log_, LogLevel::error, what, why);
            const std::lock_guard again(mutex_);
            is_logged = true;
            changed_.notify_all();
        };
        try {
            start_thread([](void* with) { (*static_cast<decltype(log)*>(with))(); }, &log).detach();
            changed_.wait_for(lock, moment, [&] { return is_logged; });
        } catch (const std::exception&) {
            // No thread: there is standard error.
        }
        if (!is_logged) log_quietly(log_to_stderr, LogLevel::error, what, why);
        std::_Exit(1);
    }

    const LogSink& log_;
    const SignalRelay& signals_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Clock::duration left_ = Clock::duration::max();
    std::string waits_;
    bool is_over_ = false;
    std::thread thread_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
