// Work that would hold the loop, done on another thread: `co_await background(f)` for what computes, and the
// same for calls that block, of which the parts for files and names make use.
#pragma once

#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "sake/async/reactor.hpp"
#include "sake/async/spawn.hpp"
#include "sake/async/sync.hpp"
#include "sake/async/task.hpp"
#include "sake/compute/cpu_count.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// The pools of a reactor, one per kind of work, so that neither waits for the other. Made when first used.
struct CpuThreads {
    static int count() { return usable_cpus(); }
};
struct BlockingThreads {
    static int count() { return 4; }
};

/// A pool and the turns in it: who finds it full waits, on the loop.
template <class Threads>
class BackgroundPool {
  public:
    explicit BackgroundPool(Reactor&) : BackgroundPool(Threads::count()) {}

    WorkerPool pool;
    Semaphore turns;

  private:
    static constexpr std::size_t queue_limit = 256;
    explicit BackgroundPool(int threads)
        : pool(threads, queue_limit), turns(static_cast<std::size_t>(threads) + queue_limit) {}
};

/// Runs a callable, which stays where it is, on a thread of a pool. Cancelled before it has begun, it never
/// runs; afterwards it goes on to its end, and so does the wait, since it may use what the waiting frame
/// holds.
template <class F>
class [[nodiscard]] BackgroundWait final : public Wait {
    using Result = std::invoke_result_t<F&>;
    using Kept = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;

  public:
    BackgroundWait(WorkerPool& pool, F& function)
        : pool_(pool), function_(function), job_(std::make_shared<Job>(*this)) {}
    // Still running only where the thread of the loop ends in the middle of the wait.
    ~BackgroundWait() {
        std::unique_lock lock(mutex_);
        if (is_running_ && pool_.withdraw(*job_)) return;
        ended_.wait(lock, [this] { return !is_running_; });
    }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        start();
        return true;
    }
    Result await_resume() {
        throw_if_cancelled();
        const std::lock_guard lock(mutex_);  // the thread has let go of this
        if (failure_) std::rethrow_exception(failure_);
        if constexpr (!std::is_void_v<Result>) return std::move(*result_);
    }

  private:
    struct Job final : PoolJob {
        explicit Job(BackgroundWait& waiting) noexcept : wait(waiting) {}
        void run() override { wait.run(); }
        void finished(bool thread_ended) noexcept override { wait.end(thread_ended); }
        BackgroundWait& wait;
    };

    void start() noexcept {
        is_running_ = true;
        try {
            if (pool_.submit_job(job_)) return;
            failure_ = std::make_exception_ptr(std::runtime_error("background: the pool takes no more work"));
        } catch (...) {
            failure_ = std::current_exception();
        }
        is_running_ = false;
        finish();
    }

    // On the pool's thread.
    void run() {
        try {
            if constexpr (std::is_void_v<Result>) {
                function_();
                result_.emplace();
            } else {
                result_.emplace(function_());
            }
        } catch (...) {
            failure_ = caught_exception();
        }
    }
    void end(bool thread_ended) noexcept {
        const std::lock_guard lock(mutex_);
        if (thread_ended) {
            failure_ = std::make_exception_ptr(std::runtime_error("background: the work ended its thread"));
        }
        is_running_ = false;
        ended_.notify_one();
        reactor().post(*this);
    }

    bool withdraw() noexcept override {
        if (!pool_.withdraw(*job_)) return false;
        is_running_ = false;
        return true;
    }

    WorkerPool& pool_;
    F& function_;
    std::shared_ptr<Job> job_;
    std::mutex mutex_;  // of the end
    std::condition_variable ended_;
    bool is_running_ = false;
    std::exception_ptr failure_;
    std::optional<Kept> result_;
};

template <class Threads, class F>
Task<std::invoke_result_t<F&>> run_on(F function) {
    Fiber& fiber = co_await current_fiber();
    auto& threads = fiber.reactor().local<BackgroundPool<Threads>>();
    const Semaphore::Permit turn = co_await threads.turns.acquire();
    BackgroundWait<F> wait(threads.pool, function);
    co_return co_await wait;
}

/// Runs a call that blocks, and that owns all it uses: when the caller is cancelled, it is left to itself.
template <class F>
Task<std::invoke_result_t<F&>> run_blocking(F function) {
    const auto handle = spawn(run_on<BlockingThreads>(std::move(function)));
    co_return co_await handle;
}

}  // namespace detail

/// Runs `f()` on a thread of a pool that this reactor keeps for it, one per CPU, and gives what it gives or
/// throws what it throws; meanwhile the loop goes on. `f` must not touch what else runs on the loop.
///
///     const Image small = co_await background([&] { return shrink(image); });
///
/// If too much waits already, it waits for its turn. Cancelled before `f` has begun, it throws Cancelled and
/// `f` never runs; once begun, `f` is waited for, since it may use what the caller owns, and the next wait
/// throws. Nor does the loop end before `f` has: let it ask a stop token, if it takes long.
template <class F>
    requires std::invocable<std::decay_t<F>&>
[[nodiscard]] Task<std::invoke_result_t<std::decay_t<F>&>> background(F&& f) {
    static_assert(
        detail::is_safe_to_await<F>,
        "GCC before 13 destroys the captures of this lambda twice: capture by reference, or name the lambda "
        "first, `auto work = [...] {...}; co_await background(work);`");
    return detail::run_on<detail::CpuThreads, std::decay_t<F>>(std::forward<F>(f));
}

}  // namespace v0
}  // namespace sake
