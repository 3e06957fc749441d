// Work that other threads post to a reactor's loop, waits that they finish, and the pipe that wakes the loop.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include "sake/async/file_descriptor.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/array.hpp"
#include "sake/base/function.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A call that a thread or signal handler posts without allocating. In one queue at a time.
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
    PostedWork();

    /// Readable when something was posted.
    [[nodiscard]] int fd() const noexcept { return wake_pipe_.first.get(); }
    [[nodiscard]] bool is_empty() const noexcept { return !has_any_.load(std::memory_order_acquire); }

    void add(UniqueFunction<void()> work);

    /// Safe in a signal handler: without a lock. The caller ensures that the reactor exists until this
    /// returns.
    void add(PostedCall& call) noexcept;

    void add(Wait& wait) noexcept;

    /// Finishes and runs, in order, what was added before; on the thread of this reactor.
    void run(Reactor& reactor);

    /// Drops the waits, and as long as this is on those that are added, since their coroutines go.
    void drop_waits(bool on) noexcept;
    /// Drops what was added too late to run.
    void drop() noexcept;

  private:
    // For work and waits under the lock: what was posted may end the reactor, but not before whoever posted
    // it has let go of it. A full pipe wakes the loop just as well, so the result does not matter.
    void wake() noexcept;

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
