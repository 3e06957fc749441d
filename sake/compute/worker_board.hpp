// WorkerBoard: the jobs that run on a pool's threads now, and how long earlier jobs waited and ran. The
// threads write it, and a loop reads it.
#pragma once

#include <mutex>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/duration_counts.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Shared, since a job that does not return may outlive its pool. Its time is that of the threads, which is
/// never virtual.
class WorkerBoard : public Counted {
  public:
    /// What a job has from when it is queued; of no board if that is null, and then it costs nothing.
    class Ticket {
      public:
        explicit Ticket(CountedPtr<WorkerBoard> board) noexcept
            : board_(std::move(board)), queued_(board_ ? Clock::now() : TimePoint()) {}

      private:
        friend class WorkerBoard;
        CountedPtr<WorkerBoard> board_;
        TimePoint queued_;
    };

    /// A job, on the board from its first moment on a thread to its last there. The ticket must outlive it.
    class Entry : private ListNode {
      public:
        Entry(const Ticket& ticket, const void* work)
            : board_(ticket.board_.get()),
              work_(work),
              begun_(board_ != nullptr ? Clock::now() : TimePoint()) {
            if (board_ != nullptr) board_->begin(*this, ticket.queued_);
        }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        ~Entry() {
            if (board_ != nullptr) board_->end(*this);
        }

      private:
        friend class WorkerBoard;
        WorkerBoard* const board_;
        const void* const work_;
        const TimePoint begun_;
    };

    WorkerBoard() = default;
    WorkerBoard(const WorkerBoard&) = delete;
    WorkerBoard& operator=(const WorkerBoard&) = delete;

    /// How long jobs were in the queue, of those that have begun.
    [[nodiscard]] DurationCounts waits() const {
        const std::lock_guard lock(mutex_);
        return waits_;
    }
    /// How long they ran, of those that have ended.
    [[nodiscard]] DurationCounts runs() const {
        const std::lock_guard lock(mutex_);
        return runs_;
    }
    /// Calls f(work, for how long) for each that runs, the longest first. The threads wait meanwhile.
    template <class F>
    void for_each(F f) const {
        const std::lock_guard lock(mutex_);
        const TimePoint present = Clock::now();
        for (const ListNode* node = running_.next(); node != &running_; node = node->next()) {
            const auto& entry = static_cast<const Entry&>(*node);
            f(entry.work_, present - entry.begun_);
        }
    }

  private:
    void begin(Entry& entry, TimePoint queued) {
        const std::lock_guard lock(mutex_);
        waits_.add(entry.begun_ - queued);
        entry.insert_before(running_);
    }
    void end(Entry& entry) noexcept {
        const TimePoint ended = Clock::now();
        const std::lock_guard lock(mutex_);
        runs_.add(ended - entry.begun_);
        entry.unlink();
    }

    mutable std::mutex mutex_;
    ListNode running_;
    DurationCounts waits_;
    DurationCounts runs_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
