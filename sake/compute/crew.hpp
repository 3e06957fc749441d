// The machinery of parallel and stream: those who work on one call. They are its caller and whichever threads
// of the pool come to help while it lasts.
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

/// Who works on one call. Nobody ever waits for help that has not begun: what nobody has come for by the end
/// of the work is taken off the queue of the pool. So a call ends even if all threads are busy without end,
/// and calls may nest. It lives in the caller's frame, which no helper outlasts.
class Crew {
  public:
    explicit Crew(std::stop_token stop, WorkerPool* pool = nullptr) noexcept
        : stop_(std::move(stop)), pool_(pool) {}
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    /// Calls `work()` here, and on the threads that come to help at the same time. Each of them is to take
    /// what there is until nothing is left. Then throws the first exception, in time.
    template <class Work>
    void run(Work& work) {
        work_ = &work;
        call_work_ = [](void* callable) { (*static_cast<Work*>(callable))(); };
        take_part();
        dismiss();
        if (failure_) std::rethrow_exception(failure_);
    }

    /// To be asked while work is left: false once the call has failed or is to stop.
    [[nodiscard]] bool goes_on() noexcept;

    /// Whether it was found not to go on.
    [[nodiscard]] bool is_over() const noexcept { return is_over_.load(std::memory_order_relaxed); }

    /// To be called by those who take something and leave something: one more helper is called, if there are
    /// any. So helpers come one by one as long as there is work, and none for what is quickly done.
    void call_help() noexcept;

    /// How many may be at it.
    [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

    /// For what the members share. Waits with `wait_until` end when the crew is over, too.
    [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
    template <class Fact>
    void wait_until(std::unique_lock<std::mutex>& lock, Fact fact) {
        changed_.wait(lock, [&] { return is_over() || fact(); });
    }
    void tell_all() noexcept { changed_.notify_all(); }

    /// For taking from a range, which may take its time.
    [[nodiscard]] std::mutex& range_mutex() noexcept { return range_mutex_; }

  private:
    /// A call for help. It is in the pool's queue, or being answered, or over.
    struct Helper final : PoolJob {
        void run() override { crew->take_part(); }
        void finished(bool) noexcept override { crew->leave(); }
        Crew* crew = nullptr;
    };

    // Nothing passes it: a pthread_exit in the work, which the others could not survive, ends the process.
    void take_part() noexcept;

    void note_failure(std::exception_ptr failure) noexcept;

    // False if there is none to call.
    bool call_one();

    void engage();

    // On the helper's thread, for the last time: when the lock is free, the crew may be gone.
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

/// How many items one member of a crew takes at a time: as many as last some 20 us, by how long the last
/// took, so that taking costs little and nobody is left with much at the end.
class Pace {
  public:
    static constexpr std::size_t most = 4096;

    /// Of so many that are left, to be shared by so many members.
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
