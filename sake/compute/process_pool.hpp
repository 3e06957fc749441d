// The threads that everything in the process shares that computes: parallel, stream, background. They are
// started by the first call that has work for them, and joined at the end of the process.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <thread>

#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Work that others share with this thread. If exit is called in the middle of it, nobody comes back to it.
class SharedWork {
  public:
    SharedWork() = default;
    SharedWork(const SharedWork&) = delete;
    SharedWork& operator=(const SharedWork&) = delete;
    virtual ~SharedWork() = default;

    /// Lets the others leave, except those who wait for `lost`, a thread that never comes back, and who are
    /// lost with it. Returns how many of these the pool has.
    virtual std::size_t end_for_ever(std::thread::id lost, const WorkerPool& pool) noexcept = 0;

    /// The innermost one that this thread is in the middle of, or nullptr.
    static SharedWork*& current() noexcept {
        thread_local SharedWork* work = nullptr;
        return work;
    }
};

/// The pool of one process. It is never destroyed, as destructors of statics may still ask for it.
struct ProcessPool {
    explicit ProcessPool(ProcessPool* of_the_parent) : inherited(of_the_parent) {}

    const pid_t process = ::getpid();
    WorkerPool pool{0, std::numeric_limits<std::size_t>::max() / 2};
    ProcessPool* const inherited;  // without threads in this process, but not lost

    /// The latest one, which may be that of a process that forked.
    static std::atomic<ProcessPool*>& latest() noexcept {
        static constinit std::atomic<ProcessPool*> pool = nullptr;
        return pool;
    }
    [[nodiscard]] bool is_here() const noexcept { return process == ::getpid(); }
};

/// Stops the pool at the end of the process, and waits some seconds for what it does.
struct StopAtExit {
    ~StopAtExit() {
        ProcessPool* const own = ProcessPool::latest();
        if (!own->is_here()) return;
        SharedWork* const work = SharedWork::current();
        const std::size_t lost =
            work != nullptr ? work->end_for_ever(std::this_thread::get_id(), own->pool) : 0;
        own->pool.stop(std::chrono::seconds(10), lost);
    }
};

/// The pool of this process: one thread per usable CPU, since the threads of loops, which call `background`,
/// should be free for other things. After its stop it takes no work. Its queue is bounded by those who use
/// it: a loop by its turns, a call of `parallel` by the size of the pool. The child of a fork makes its own,
/// without a lock, which might be held by a thread that it does not have.
inline WorkerPool& process_pool() {
    ProcessPool* found = ProcessPool::latest();
    if (found != nullptr && found->is_here()) return found->pool;
    auto* const made = new ProcessPool(found);
    if (!ProcessPool::latest().compare_exchange_strong(found, made)) {
        delete made;  // another thread was first
        return found->pool;
    }
    static const StopAtExit at_exit;
    return made->pool;
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
