// What other threads leave for a reactor's loop: work to run and waits to finish, and the pipe that wakes it.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/array.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a thread, or a handler of signals, asks of a reactor without allocating. In one queue at a time.
class PostedCall {
  public:
    PostedCall() = default;
    PostedCall(const PostedCall&) = delete;
    PostedCall& operator=(const PostedCall&) = delete;
    /// On the reactor's thread.
    virtual void run() noexcept = 0;
    PostedCall* next = nullptr;

  protected:
    ~PostedCall() = default;
};

class PostedWork {
  public:
    PostedWork() : wake_pipe_(sys::make_pipe()) {}

    /// Readable when something was posted.
    [[nodiscard]] int fd() const noexcept { return wake_pipe_.first.get(); }
    [[nodiscard]] bool is_empty() const noexcept { return !has_any_.load(std::memory_order_acquire); }

    void add(UniqueFunction<void()> work) {
        const std::lock_guard lock(mutex_);
        works_.push_back(std::move(work));
        wake();
    }

    /// Safe in a handler of signals: without a lock. So whoever posts sees to it that the reactor does not go
    /// before this returns.
    void add(PostedCall& call) noexcept {
        call.next = first_call_;
        while (!first_call_.compare_exchange_weak(call.next, &call)) {
        }
        wake();
    }

    void add(Wait& wait) noexcept {
        const std::lock_guard lock(mutex_);
        if (drops_waits_) return;
        wait.next_ready = nullptr;
        (last_wait_ != nullptr ? last_wait_->next_ready : first_wait_) = &wait;
        last_wait_ = &wait;
        wake();
    }

    /// Finishes and runs, in order, what was added before; on the thread of this reactor.
    void run(Reactor& reactor) {
        char bytes[64];
        while (sys::read(fd(), bytes, sizeof bytes).value > 0) {
        }
        Resumable* finished = nullptr;
        has_any_ = false;  // before it looks: what is added later writes to the pipe again
        PostedCall* call = first_call_.exchange(nullptr);
        {
            const std::lock_guard lock(mutex_);
            running_.swap(works_);
            finished = std::exchange(first_wait_, nullptr);
            last_wait_ = nullptr;
        }
        while (call != nullptr) std::exchange(call, call->next)->run();
        while (finished != nullptr) std::exchange(finished, finished->next_ready)->wake(reactor);
        for (auto& work : running_) {
            try {
                work();
            } catch (...) {
                report_failure("posted work failed: ", caught_exception());
            }
        }
        running_.clear();
    }

    /// Drops the waits, and as long as this is on those that are added, since their coroutines go.
    void drop_waits(bool on) noexcept {
        const std::lock_guard lock(mutex_);
        drops_waits_ = on;
        first_wait_ = last_wait_ = nullptr;
    }
    /// Drops what was added too late to run.
    void drop() noexcept {
        Array<UniqueFunction<void()>> dropped;
        const std::lock_guard lock(mutex_);
        dropped.swap(works_);
    }

  private:
    // For work and waits under the lock: what was posted may end the reactor, but not before whoever posted
    // it has let go of it. A full pipe wakes the loop just as well, so the result does not matter.
    void wake() noexcept {
        if (!has_any_.exchange(true)) static_cast<void>(sys::write(wake_pipe_.second.get(), "", 1));
    }

    std::pair<FileDescriptor, FileDescriptor> wake_pipe_;
    std::mutex mutex_;
    Array<UniqueFunction<void()>> works_;
    Array<UniqueFunction<void()>> running_;
    std::atomic<PostedCall*> first_call_ = nullptr;
    Resumable* first_wait_ = nullptr;
    Resumable* last_wait_ = nullptr;
    bool drops_waits_ = false;
    std::atomic<bool> has_any_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
