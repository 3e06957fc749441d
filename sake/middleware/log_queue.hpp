// The lines of the access log on their way to the writing thread, within a limit of bytes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "sake/async/sleep.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/start_thread.hpp"
#include "sake/middleware/log_target.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// For lines from any thread. The writing thread starts with the first line.
class LogQueue {
  public:
    LogQueue(OwningPtr<LogTarget> target, std::size_t max_queued) noexcept
        : target_(std::move(target)), max_queued_(max_queued) {}
    LogQueue(const LogQueue&) = delete;
    LogQueue& operator=(const LogQueue&) = delete;
    /// Writes what is left.
    ~LogQueue() {
        {
            const std::lock_guard lock(mutex_);
            is_ending_ = true;
        }
        changed_.notify_one();
        if (thread_.joinable()) thread_.join();
        if (!queued_.empty()) write_queued();  // no thread could be started
        tell_of_lost();
    }

    /// Calls `append(text)`, which appends a line. Lines beyond the limit are dropped.
    template <class F>
    void add(F append) noexcept {
        thread_local std::string line;  // made outside the lock, and keeps its memory for the next
        line.clear();
        try {
            append(line);
        } catch (const std::exception&) {  // no memory
            line.clear();
        }
        if (take(line)) start();
    }

    [[nodiscard]] std::uint64_t lost() const noexcept {
        const std::lock_guard lock(mutex_);
        return lost_;
    }

  private:
    // Lines gather for this time, so that a busy server wakes its thread 50 times a second.
    static constexpr std::chrono::milliseconds gather_time{20};

    /// Queues a line. True for one caller, which must start the thread.
    bool take(std::string_view line) noexcept {
        const std::lock_guard lock(mutex_);
        const std::size_t before = queued_.size();
        if (!has_room_for(line) || !append(line)) {
            ++lost_;
            return false;
        }
        const std::size_t half = max_queued_ / 2;
        const bool is_half_full = before < half && queued_.size() >= half;
        if (before == 0 || is_half_full) changed_.notify_one();
        return !std::exchange(has_thread_, true);
    }

    [[nodiscard]] bool has_room_for(std::string_view line) const noexcept {
        return !line.empty() && line.size() <= max_queued_ - queued_.size();
    }
    bool append(std::string_view line) noexcept {
        try {
            queued_.append(line);
            return true;
        } catch (const std::exception&) {
            return false;  // no memory
        }
    }
    void start() noexcept {
        try {
            thread_ = start_thread([](void* self) { static_cast<LogQueue*>(self)->run(); }, this);
        } catch (const std::system_error&) {
            const std::lock_guard lock(mutex_);
            has_thread_ = false;  // the next line tries again
        }
    }

    void run() noexcept {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return is_ending_ || !queued_.empty(); });
            if (queued_.empty()) return;
            changed_.wait_for(lock, gather_time,
                              [this] { return is_ending_ || queued_.size() >= max_queued_ / 2; });
            writing_.swap(queued_);
            lock.unlock();
            LogTarget::Outcome outcome = write(writing_);
            writing_.clear();
            lock.lock();
            note(std::move(outcome));
            const bool may_tell = lost_ > told_ && warning_.take_turn(now(), std::chrono::seconds(10));
            if (!may_tell) continue;
            lock.unlock();
            tell_of_lost();
            lock.lock();
        }
    }
    LogTarget::Outcome write(std::string_view lines) noexcept {
        LogTarget::Outcome outcome;
        try {
            return target_->write(lines);
        } catch (const std::exception& error) {
            outcome.lost = LogTarget::count_lines(lines);
            take_text(outcome.why, error);
        } catch (...) {
            outcome.lost = LogTarget::count_lines(lines);
        }
        return outcome;
    }
    static void take_text(std::string& text, const std::exception& error) noexcept {
        try {
            text = error.what();
        } catch (const std::exception&) {
            // No memory for it.
        }
    }
    void write_queued() noexcept { note(write(queued_)); }

    void note(LogTarget::Outcome outcome) noexcept {
        lost_ += outcome.lost;
        if (outcome.lost > 0) why_ = std::move(outcome.why);
    }
    void tell_of_lost() noexcept {
        std::uint64_t lost = 0;
        std::string why;
        {
            const std::lock_guard lock(mutex_);
            lost = lost_ - std::exchange(told_, lost_);
            why.swap(why_);
        }
        if (lost == 0) return;
        try {
            std::string text = "the access log has lost " + std::to_string(lost);
            text += lost == 1 ? " line: " : " lines: ";
            text += why.empty() ? "there was no room for them" : why;
            log_to_stderr(LogLevel::warning, text);
        } catch (const std::exception&) {
            // No memory; the count stays.
        }
    }

    const OwningPtr<LogTarget> target_;
    const std::size_t max_queued_;
    std::string writing_;  // of the thread
    PacedWarning warning_;
    std::thread thread_;

    mutable std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::string queued_;
    std::uint64_t lost_ = 0;
    std::uint64_t told_ = 0;
    std::string why_;  // the last that the target has lost was lost
    bool has_thread_ = false;
    bool is_ending_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
