// Definitions of worker_pool.hpp: the threads of a pool and what they share.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/start_thread.hpp"
#include "sake/compute/cpu_count.hpp"
#include "sake/compute/pool_job.hpp"
#include "sake/compute/signals.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What the threads of a pool share. Each holds it too, since a stuck one may outlive the pool.
class PoolState : public Counted {
  public:
    PoolState(int size, int queue_limit) : size_(size), queue_limit_(queue_limit) {}
    PoolState(const PoolState&) = delete;
    PoolState& operator=(const PoolState&) = delete;
    ~PoolState() { drop(queue_); }

    void start() {
        const std::lock_guard lock(mutex_);
        while (alive_ < size_) add_thread();
    }

    /// `own` is the pool's share of the job; none of a lent one.
    bool submit(PoolJob& job, CountedPtr<PoolJob> own) {
        {
            const std::lock_guard lock(mutex_);
            if (!has_room_locked()) return false;
            job.own_ = std::move(own);
            queue_.push(job);
        }
        wake_.notify_one();
        return true;
    }

    bool has_room() {
        const std::lock_guard lock(mutex_);
        return has_room_locked();
    }

    bool withdraw(PoolJob& job) {
        CountedPtr<PoolJob> dropped;  // destroyed without the lock
        const std::lock_guard lock(mutex_);
        if (!queue_.remove(job)) return false;
        dropped = std::move(job.own_);
        return true;
    }

    void abandon(PoolJob& job) {
        if (withdraw(job)) return;
        const std::lock_guard lock(mutex_);
        if (job.is_running_ && !std::exchange(job.is_stuck_, true)) ++stats_.stuck;
    }

    WorkerPool::Stats stats() const {
        const std::lock_guard lock(mutex_);
        WorkerPool::Stats stats = stats_;
        stats.queued = static_cast<int>(queue_.size());
        return stats;
    }

    /// Waits until all is done. False if the pool was stopped: then nothing is left to wait for.
    bool drain() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return is_stopping_ || (queue_.empty() && stats_.running == 0); });
        return !is_stopping_;
    }

    /// Whether the caller is a job of the pool.
    [[nodiscard]] bool is_within() noexcept {
        const std::lock_guard lock(mutex_);
        const Thread* each = threads_.first();
        while (each != nullptr && each->handle.get_id() != std::this_thread::get_id()) each = each->next;
        return each != nullptr;
    }

    /// Takes nothing more. The threads end by themselves when they have done what is queued.
    void let_go() noexcept {
        const std::lock_guard lock(mutex_);
        begin_stop();
        detach_threads();
    }

    int stop(std::chrono::milliseconds patience) {
        constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365);
        PoolQueue dropped;  // these two are destroyed without the lock
        OwningList<Thread> ended;
        std::unique_lock lock(mutex_);
        begin_stop();
        dropped.swap(queue_);
        changed_.wait_for(lock, std::min(patience, longest), [&] { return alive_ == 0; });
        take_ended(ended);
        detach_threads();
        const int left = stats_.running;
        lock.unlock();
        drop(dropped);
        for (Thread* each = ended.first(); each != nullptr; each = each->next) {
            if (each->handle.joinable()) each->handle.join();
        }
        return left;
    }

  private:
    struct Thread {
        explicit Thread(PoolState& its_pool) noexcept : pool(&its_pool) {}
        CountedPtr<PoolState> pool;  // until the thread has begun and holds it itself
        std::thread handle;
        bool has_ended = false;
        Thread* next = nullptr;
    };

    // On the thread, from its first moment to its last, however it ends.
    class Presence {
      public:
        Presence(PoolState& pool, Thread& thread) noexcept : pool_(pool), thread_(thread) {}
        Presence(const Presence&) = delete;
        Presence& operator=(const Presence&) = delete;
        ~Presence() { pool_.leave(thread_); }

      private:
        PoolState& pool_;
        Thread& thread_;
    };

    class Running {
      public:
        Running(PoolState& pool, PoolJob& job) noexcept : pool_(pool), job_(job) {}
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running() {
            pool_.count_done(job_);
            job_.finished(!returned);
        }
        bool returned = false;

      private:
        PoolState& pool_;
        PoolJob& job_;
    };

    // Counts a refusal. Makes up for threads that could not be replaced when they ended.
    bool has_room_locked() noexcept {
        if (alive_ < size_ && !is_stopping_) replace_thread();
        const auto taken = static_cast<std::int64_t>(queue_.size()) + stats_.running;
        if (!is_stopping_ && taken < std::int64_t{size_} + queue_limit_) return true;
        ++stats_.rejected;
        return false;
    }

    void begin_stop() noexcept {
        is_stopping_ = true;
        wake_.notify_all();
    }

    void add_thread() {
        const PipeSignalBlocked no_pipe_signal;
        OwningPtr<Thread> thread(new Thread(*this));
        thread->handle = start_thread(&work_on_thread, thread.get());  // with the lock, for which it waits
        threads_.push_back(thread.release());
        ++alive_;
    }

    // Without memory or threads for it, the next submit tries again.
    void replace_thread() noexcept {
        try {
            add_thread();
        } catch (const std::exception&) {
            return;
        }
    }

    static void work_on_thread(void* with) {
        auto& thread = *static_cast<Thread*>(with);
        const CountedPtr<PoolState> pool = std::move(thread.pool);
        pool->work(thread);
    }

    void work(Thread& thread) {
        const Presence presence(*this, thread);
        sys::set_thread_name("sake-worker");
        CountedPtr<PoolJob> own;  // the pool's share of the job
        while (PoolJob* const job = next(own)) {
            Running running(*this, *job);
            try {
                job->run();
            } catch (...) {
                report_failure("a job of the worker pool failed: ", caught_exception());
            }
            running.returned = true;
        }
    }

    /// The next job; none when the pool stops.
    PoolJob* next(CountedPtr<PoolJob>& own) {
        own.reset();
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
        PoolJob* const job = queue_.pop();
        if (job == nullptr) return nullptr;
        own = std::move(job->own_);
        job->is_running_ = true;
        ++stats_.running;
        return job;
    }

    void count_done(PoolJob& job) noexcept {
        const std::lock_guard lock(mutex_);
        job.is_running_ = false;
        if (job.is_stuck_) --stats_.stuck;
        --stats_.running;
        ++stats_.done;
        changed_.notify_all();
    }

    // A thread that a job ends is let go, since what else it ends (its thread-local objects) may take its
    // time; it holds all that it still uses.
    void leave(Thread& thread) noexcept {
        const std::lock_guard lock(mutex_);
        --alive_;
        if (is_stopping_) {
            thread.has_ended = true;
        } else {
            thread.handle.detach();
            const OwningPtr<Thread> gone = threads_.take(thread);
            ++stats_.replaced;
            replace_thread();
        }
        changed_.notify_all();
    }

    static void drop(PoolQueue& jobs) noexcept {
        while (PoolJob* const job = jobs.pop()) {
            const CountedPtr<PoolJob> own = std::move(job->own_);
        }
    }
    void detach_threads() noexcept {
        for (Thread* each = threads_.first(); each != nullptr; each = each->next) {
            if (each->handle.joinable()) each->handle.detach();
        }
    }
    void take_ended(OwningList<Thread>& ended) noexcept {
        for (Thread* each = threads_.first(); each != nullptr;) {
            Thread* const next = each->next;
            if (each->has_ended) ended.push_back(threads_.take(*each).release());
            each = next;
        }
    }

    const int size_;
    const int queue_limit_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;     // there is a job, or the pool stops
    std::condition_variable changed_;  // a job or a thread has ended
    bool is_stopping_ = false;
    PoolQueue queue_;
    OwningList<Thread> threads_;
    int alive_ = 0;
    WorkerPool::Stats stats_;
};

}  // namespace detail

SAKE_INLINE WorkerPool::WorkerPool(int size, QueueLimit limit) : size_(size) {
    detail::demand_at_least(0, size_, "WorkerPool: size");
    if (size_ == 0) size_ = usable_cpus();
    state_ = detail::CountedPtr<detail::PoolState>(new detail::PoolState(size_, limit.jobs));
    try {
        state_->start();
    } catch (...) {
        state_->stop(std::chrono::hours(1));
        throw;
    }
}

SAKE_INLINE WorkerPool::~WorkerPool() {
    if (state_->is_within()) {
        state_->let_go();
    } else if (state_->drain()) {
        state_->stop(std::chrono::hours(1));
    }
}

SAKE_INLINE WorkerPool::Stats WorkerPool::stats() const { return state_->stats(); }
SAKE_INLINE int WorkerPool::stop(std::chrono::milliseconds patience) {
    detail::demand_at_least(0, patience, "WorkerPool::stop: patience");
    if (state_->is_within())
        throw std::logic_error("WorkerPool::stop: called in a job of the pool, which would wait for itself");
    return state_->stop(patience);
}
SAKE_INLINE bool WorkerPool::submit_job(detail::CountedPtr<detail::PoolJob> job) {
    detail::PoolJob& shared = *job;
    return state_->submit(shared, std::move(job));
}
SAKE_INLINE bool WorkerPool::lend_job(detail::PoolJob& job) { return state_->submit(job, nullptr); }
SAKE_INLINE bool WorkerPool::has_room() { return state_->has_room(); }
SAKE_INLINE bool WorkerPool::withdraw(detail::PoolJob& job) { return state_->withdraw(job); }
SAKE_INLINE void WorkerPool::abandon(detail::PoolJob& job) { state_->abandon(job); }

namespace detail {

/// Never destroyed: threads of other objects may use it until the process ends.
inline WorkerPool& make_process_pool_once() {
    static WorkerPool& pool = *new WorkerPool(0, std::numeric_limits<int>::max());
    return pool;
}

SAKE_INLINE WorkerPool& process_pool() { return make_process_pool_once(); }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
