// The machinery of parallel and stream: the threads that work on one call. They are its caller, and pool
// threads that help while it lasts.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stop_token>
#include <utility>

#include "sake/base/owning_ptr.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The threads that work on one call. The caller never waits for help that has not begun: at the end, calls
/// for help that no thread has taken are removed from the pool's queue. So a call ends even if all pool
/// threads stay busy, and calls may nest. It lives in the frame of the caller, which outlasts all helpers.
class Crew {
  public:
    explicit Crew(std::stop_token stop, WorkerPool* pool = nullptr) noexcept
        : stop_(std::move(stop)), pool_(pool) {}
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    /// Calls `work()` here, and at the same time on helping threads. Each must take work until nothing is
    /// left. Then throws the first exception, in time.
    template <class Work>
    void run(Work& work) {
        work_ = &work;
        call_work_ = [](void* callable) { (*static_cast<Work*>(callable))(); };
        take_part();
        dismiss();
        if (failure_) std::rethrow_exception(failure_);
    }

    /// Asked while work is left: false once the call has failed or must stop.
    [[nodiscard]] bool goes_on() noexcept;

    /// Whether goes_on() has returned false.
    [[nodiscard]] bool is_over() const noexcept { return is_over_.load(std::memory_order_relaxed); }

    /// Called by a member that takes work and leaves some: asks for one more helper, if there is one. So
    /// helpers join one by one while there is work, and none joins for quick work.
    void call_help() noexcept;

    /// The largest number of members.
    [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

    /// Guards the members' shared state. Waits with `wait_until` also end when the crew is over.
    [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
    template <class Fact>
    void wait_until(std::unique_lock<std::mutex>& lock, Fact fact) {
        changed_.wait(lock, [&] { return is_over() || fact(); });
    }
    void tell_all() noexcept { changed_.notify_all(); }

    /// Guards taking from a range, which may be slow.
    [[nodiscard]] std::mutex& range_mutex() noexcept { return range_mutex_; }

  private:
    /// A call for help. It is in the pool's queue, being answered, or over.
    struct Helper final : PoolJob {
        void run() override { crew->take_part(); }
        void finished(bool) noexcept override { crew->leave(); }
        Crew* crew = nullptr;
    };

    // No exception leaves it. A pthread_exit in the work, which the other members could not survive, ends the
    // process.
    void take_part() noexcept;

    void note_failure(std::exception_ptr failure) noexcept;

    // False if there is no helper to call.
    bool call_one();

    void engage();

    // The helper's last access, on its thread: when the lock is free, the crew may be destroyed.
    void leave() noexcept;

    void dismiss() noexcept;

    void withdraw_calls() noexcept;

    const std::stop_token stop_;
    WorkerPool* pool_;
    void* work_ = nullptr;
    void (*call_work_)(void*) = nullptr;
    std::atomic<bool> is_over_ = false;
    std::atomic<bool> has_helpers_ = true;
    std::atomic<std::size_t> size_ = 1;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::mutex range_mutex_;
    OwningPtr<Helper[]> helpers_;
    std::size_t helpers_count_ = 0;
    std::size_t called_ = 0;
    bool is_dismissed_ = false;
    std::atomic<std::size_t> present_ = 0;  // called, and neither withdrawn nor over
    std::exception_ptr failure_;
};

/// How many items a member takes at a time: as many as take about 20 us, judged by the last batch. So taking
/// costs little, and no member is left with a long rest.
class Pace {
  public:
    static constexpr std::size_t most = 4096;

    /// For `left` items that `members` members share.
    [[nodiscard]] std::uint64_t next(std::uint64_t left, std::size_t members) noexcept;
    [[nodiscard]] std::size_t next() noexcept;

  private:
    using Clock = std::chrono::steady_clock;

    void adapt() noexcept;

    std::size_t size_ = 0;
    Clock::time_point last_{};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
