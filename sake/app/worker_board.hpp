// WorkerBoard: which calls of worker routes run at this moment, and how long those that have run waited and
// ran. The threads of the pool write on it, and the loop reads.
#pragma once

#include <mutex>

#include "sake/async/clock.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/duration_counts.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class RouteEntry;

/// Shared, since a job that does not return may outlive the run.
class WorkerBoard : public Counted {
  public:
    /// A call, on the board from its first moment on a thread to its last there.
    class Entry : private ListNode {
      public:
        Entry(WorkerBoard* board, const RouteEntry* route, TimePoint queued) noexcept
            : board_(board), route_(route), begun_(board != nullptr ? Clock::now() : TimePoint()) {
            if (board_ != nullptr) board_->begin(*this, queued);
        }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        ~Entry() {
            if (board_ != nullptr) board_->end(*this);
        }

      private:
        friend class WorkerBoard;
        WorkerBoard* board_;
        const RouteEntry* route_;
        TimePoint begun_;
    };

    WorkerBoard() = default;
    WorkerBoard(const WorkerBoard&) = delete;
    WorkerBoard& operator=(const WorkerBoard&) = delete;

    [[nodiscard]] DurationCounts waits() const {
        const std::lock_guard lock(mutex_);
        return waits_;
    }
    [[nodiscard]] DurationCounts runs() const {
        const std::lock_guard lock(mutex_);
        return runs_;
    }
    /// Calls f(route, since when) for each that runs, the longest first. The threads wait meanwhile.
    template <class F>
    void for_each(F f) const {
        const std::lock_guard lock(mutex_);
        for (const ListNode* node = running_.next(); node != &running_; node = node->next()) {
            const auto& entry = static_cast<const Entry&>(*node);
            f(*entry.route_, entry.begun_);
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
