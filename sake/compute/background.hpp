// background: runs work that would block the loop on another thread: `co_await background(f)` for
// computations. Sake's functions for files and names use the same for blocking calls.
#pragma once

#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "sake/async/reactor.hpp"
#include "sake/async/spawn.hpp"
#include "sake/async/sync.hpp"
#include "sake/async/task.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/text.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A pool as one reactor uses it, and the turns in it: who finds too much waiting waits too, on the loop. It
/// goes when no work of this reactor is left in the pool.
class BackgroundPlace {
  public:
    explicit BackgroundPlace(WorkerPool& pool);
    BackgroundPlace(const BackgroundPlace&) = delete;
    BackgroundPlace& operator=(const BackgroundPlace&) = delete;
    ~BackgroundPlace();

    static constexpr int queue_limit = 256;

    [[nodiscard]] Semaphore& turns() noexcept { return turns_; }

    /// For the holder of a turn: for so many the pool has room.
    void submit(PoolJob& job);
    bool withdraw(PoolJob& job);
    /// A job has ended: the last that it may say.
    void leave() noexcept;

  private:
    void enter() noexcept;

    WorkerPool& pool_;
    Semaphore turns_;
    std::mutex mutex_;
    std::condition_variable emptied_;
    std::size_t jobs_ = 0;
};

/// What a reactor keeps for each kind of work, made when first used. What computes shares the threads of the
/// process; what blocks has threads of its own for each purpose, so that none waits for another: names that
/// nobody knows hold up no files.
struct CpuThreads {
    explicit CpuThreads(Reactor&) {}
    BackgroundPlace place{process_pool()};
};
template <class Purpose>
struct BlockingThreads {
    explicit BlockingThreads(Reactor&) {}
    WorkerPool pool{4, BackgroundPlace::queue_limit};
    BackgroundPlace place{pool};
};

/// What takes a stop token, and is told by it that its caller was cancelled, or that the server stops.
template <class F>
struct Stoppable {
    explicit Stoppable(F&& given) : function(std::move(given)) {}
    explicit Stoppable(const F& given) : function(given) {}
    auto operator()()
        requires std::invocable<F&, std::stop_token>
    {
        return function(source.get_token());
    }
    F function;
    std::stop_source source;
};
template <class F>
inline constexpr bool is_stoppable = false;
template <class F>
inline constexpr bool is_stoppable<Stoppable<F>> = true;

/// What is run for a callable that a program gives.
template <class F>
using BackgroundCall = std::conditional_t<std::invocable<std::decay_t<F>&, std::stop_token>,
                                          Stoppable<std::decay_t<F>>, std::decay_t<F>>;

/// Passes the word of a stop on, as long as it lives: to what takes a stop token.
template <class F>
class StopRelay {
  public:
    StopRelay(const Reactor&, F&) noexcept {}
};
template <class F>
class StopRelay<Stoppable<F>> {
  public:
    StopRelay(const Reactor& reactor, Stoppable<F>& function)
        : callback_(reactor.stop_token(), Request{function.source}) {}

  private:
    struct Request {
        void operator()() noexcept { source.request_stop(); }
        std::stop_source source;
    };
    std::stop_callback<Request> callback_;
};

/// The wait for a call on a thread of a pool. Cancelled before it has begun, it never runs; afterwards it
/// goes on to its end, and so does the wait, since it may use what the waiting frame holds.
class [[nodiscard]] BackgroundWait : public Wait {
  public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        start();
        return true;
    }
    void describe(std::string& out) const override { out += "work in the background"; }

  protected:
    explicit BackgroundWait(BackgroundPlace& place) noexcept : place_(place), job_(*this) {}
    ~BackgroundWait() = default;
    /// To be called before what the call uses is destroyed. It still runs only where the thread of the loop
    /// ends in the middle of the wait.
    void let_go();
    /// Throws if it was cancelled or has failed.
    void throw_failure();

  private:
    struct Job final : PoolJob {
        explicit Job(BackgroundWait& waiting) noexcept : wait(waiting) {}
        void run() override { wait.run(); }
        void finished(bool thread_ended) noexcept override {
            BackgroundPlace& place = wait.place_;  // the wait may be gone when it has ended
            wait.end(thread_ended);
            place.leave();
        }
        BackgroundWait& wait;
    };

    virtual void call() = 0;  // on the pool's thread
    virtual void tell_to_stop() noexcept = 0;
    bool withdraw() noexcept override { return take_back(); }

    void start() noexcept;
    void run();
    void end(bool thread_ended) noexcept;
    bool take_back() noexcept;

    BackgroundPlace& place_;
    Job job_;
    std::mutex mutex_;  // of the end
    std::condition_variable ended_;
    bool is_running_ = false;
    std::exception_ptr failure_;
};

/// The same of a callable, which stays where it is.
template <class F>
class [[nodiscard]] BackgroundCallWait final : public BackgroundWait {
    using Result = std::invoke_result_t<F&>;
    using Kept = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;

  public:
    BackgroundCallWait(BackgroundPlace& place, F& function) : BackgroundWait(place), function_(function) {}
    ~BackgroundCallWait() { let_go(); }

    Result await_resume() {
        throw_failure();
        if constexpr (!std::is_void_v<Result>) return std::move(*result_);
    }

  private:
    void call() override {
        if constexpr (std::is_void_v<Result>)
            function_();
        else
            result_.emplace(function_());
    }
    void tell_to_stop() noexcept override {
        if constexpr (is_stoppable<F>) function_.source.request_stop();
    }

    F& function_;
    Maybe<Kept> result_;
};

template <class Threads, class F>
Task<std::invoke_result_t<F&>> run_on(F function) {
    Fiber& fiber = co_await current_fiber();
    BackgroundPlace& place = fiber.reactor().local<Threads>().place;
    const Semaphore::Permit turn = co_await place.turns().acquire();
    const StopRelay<F> relay(fiber.reactor(), function);
    const Reactor::OutsideWork outside(fiber.reactor());
    BackgroundCallWait<F> wait(place, function);
    co_return co_await wait;
}

/// Runs a call that blocks, and that owns all it uses: when the caller is cancelled, it is left to itself.
/// The loop, though, does not end before the call has.
template <class Purpose, class F>
Task<std::invoke_result_t<F&>> run_blocking(F function) {
    const auto handle = spawn(run_on<BlockingThreads<Purpose>>(std::move(function)));
    co_return co_await handle;
}

}  // namespace detail

/// Runs `f()` on a thread of the pool that the process shares, one thread per CPU. Returns what `f` returns,
/// or throws what it throws. The loop goes on meanwhile. `f` must not touch objects of the loop, nor wait for
/// other background work: the pool has few threads.
///
///     const Image small = co_await background([&] { return shrink(image); });
///     const auto all = co_await background([&] { return parallel(images, shrink); });
///
/// If too much work waits already, the call waits for its turn. If it is cancelled before `f` has begun, it
/// throws Cancelled and `f` never runs. Once `f` has begun, it is waited for, because it may use objects of
/// the caller; the next wait then throws Cancelled. The loop, too, waits for `f` before it ends. A long `f`
/// should accept a std::stop_token: it reports that the caller was cancelled or that the server is stopping.
///
///     auto search = [&](std::stop_token stop) { return find_route(graph, stop); };
///     const Route best = co_await background(search);
template <class F>
    requires std::invocable<detail::BackgroundCall<F>&>
Task<std::invoke_result_t<detail::BackgroundCall<F>&>> background(F&& f) {
    static_assert(!detail::is_task<std::invoke_result_t<detail::BackgroundCall<F>&>>,
                  "background runs plain functions, and this is a coroutine: co_await it as it is");
    static_assert(
        detail::is_safe_to_await<F>,
        "GCC before 13 destroys the captures of this lambda twice: capture by reference, or name the lambda "
        "first, `auto work = [...] {...}; co_await background(work);`");
    return detail::run_on<detail::CpuThreads>(detail::BackgroundCall<F>(std::forward<F>(f)));
}
/// Anything else stops the compiler.
template <class F, class... Args>
    requires(sizeof...(Args) > 0 || !std::invocable<detail::BackgroundCall<F>&>)
Task<> background(F&&, Args&&...) {
    static_assert(detail::always_false<F>,
                  "background takes a function without arguments: write background([&] { return fib(30); }), "
                  "neither background(fib, 30) nor background(fib(30))");
    std::terminate();
}

}  // namespace SAKE_ABI
}  // namespace sake
