// The machinery of parallel and stream: those who work on one call. They are its caller and whichever threads
// of the pool come to help while it lasts.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "sake/base/error.hpp"
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
    [[nodiscard]] bool goes_on() noexcept {
        if (is_over()) return false;
        if (!stop_.stop_requested()) return true;
        note_failure(std::make_exception_ptr(Cancelled()));
        return false;
    }

    /// Whether it was found not to go on.
    [[nodiscard]] bool is_over() const noexcept { return is_over_.load(std::memory_order_relaxed); }

    /// To be called by those who take something and leave something: one more helper is called, if there are
    /// any. So helpers come one by one as long as there is work, and none for what is quickly done.
    void call_help() noexcept {
        if (!has_helpers_.load(std::memory_order_relaxed)) return;
        const std::lock_guard lock(mutex_);
        try {
            has_helpers_ = call_one();
        } catch (const std::exception&) {
            has_helpers_ = false;  // without memory or threads for it the caller works alone
        }
    }

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
    void take_part() noexcept {
        try {
            call_work_(work_);
        } catch (...) {
            note_failure(std::current_exception());
        }
    }

    void note_failure(std::exception_ptr failure) noexcept {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::move(failure);
        is_over_ = true;
        tell_all();
    }

    // False if there is none to call.
    bool call_one() {
        if (is_dismissed_) return false;
        if (!helpers_) engage();
        if (called_ == helpers_count_) return false;
        Helper& helper = helpers_[called_];
        helper.crew = this;
        if (!pool_->lend_job(helper)) return false;
        ++called_;
        ++present_;
        return true;
    }

    void engage() {
        if (pool_ == nullptr) pool_ = &process_pool();
        helpers_count_ = static_cast<std::size_t>(pool_->size()) - 1;
        helpers_ = OwningPtr<Helper[]>(new Helper[helpers_count_]);
        size_ = helpers_count_ + 1;
    }

    // On the helper's thread, for the last time: when the lock is free, the crew may be gone.
    void leave() noexcept {
        const std::lock_guard lock(mutex_);
        --present_;
        tell_all();
    }

    void dismiss() noexcept {
        {
            const std::lock_guard lock(mutex_);
            is_dismissed_ = true;
            if (present_ == 0) return;
        }
        withdraw_calls();
        // Who still works is about to end: sleeping and waking would often take longer.
        for (int i = 0; i < 50 && present_ != 0; ++i) std::this_thread::yield();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return present_ == 0; });
    }

    void withdraw_calls() noexcept {
        for (std::size_t i = 0; i < called_; ++i) {
            if (pool_->withdraw(helpers_[i])) --present_;
        }
    }

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
    [[nodiscard]] std::uint64_t next(std::uint64_t left, std::size_t members) noexcept {
        adapt();
        return std::min<std::uint64_t>(size_, std::max<std::uint64_t>(1, left / (4 * members)));
    }
    [[nodiscard]] std::size_t next() noexcept {
        adapt();
        return size_;
    }

  private:
    using Clock = std::chrono::steady_clock;

    void adapt() noexcept {
        const Clock::time_point now = Clock::now();
        const Clock::duration took = now - last_;
        if (size_ == 0)
            size_ = 1;
        else if (took < std::chrono::microseconds(10))
            size_ = std::min(2 * size_, most);
        else if (took > std::chrono::microseconds(40))
            size_ = std::max<std::size_t>(1, size_ / 2);
        last_ = now;
    }

    std::size_t size_ = 0;
    Clock::time_point last_{};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
