// Watchdog: ends the process that was told by a signal to stop and cannot: since work in the background does
// not return, or a handler holds the loop. Its thread is there from the first signal on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/base/log.hpp"
#include "sake/server/signals.hpp"

namespace sake {
inline namespace v0 {
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
            thread_ = std::thread([this] { watch(); });
        } catch (const std::exception& error) {
            log_quietly(log_, LogLevel::error, "nothing ends the process if it cannot stop: ", error.what());
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
            if (left_ <= Clock::duration::zero() || unheard >= patience) end_process(unheard >= patience);
        }
    }

    // Without destructors, of which one could wait for the same.
    [[noreturn]] void end_process(bool is_held) noexcept {
        log_quietly(log_, LogLevel::error, "the process ends, it cannot stop: ",
                    !waits_.empty() ? waits_
                    : is_held       ? "a handler holds the event loop"
                                    : "something does not end");
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
}  // namespace v0
}  // namespace sake
