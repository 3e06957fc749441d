// The feed of the dashboard: server-sent events, one frame per second, made once for all viewers. Without
// viewers, nothing runs and nothing is kept.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/event_stream_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/sync.hpp"
#include "sake/async/task.hpp"
#include "sake/base/maybe.hpp"
#include "sake/observe/dashboard_frame.hpp"
#include "sake/observe/observatory.hpp"
#include "sake/observe/snapshot.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr int most_dashboard_viewers = 16;

/// The handler of the feed. A template, so that only programs with a dashboard compile it.
template <class Unused = void>
class DashboardFeed {
  public:
    DashboardFeed(Engine& engine, Observatory& figures, const Scope& scope)
        : engine_(engine), figures_(figures), frames_(scope) {}
    DashboardFeed(const DashboardFeed&) = delete;
    DashboardFeed& operator=(const DashboardFeed&) = delete;

    static Task<> serve(void* self, Call& call) {
        return watch(*static_cast<DashboardFeed*>(self), call.context);
    }
    static void destroy(void* self) noexcept { delete static_cast<DashboardFeed*>(self); }

  private:
    static constexpr std::chrono::seconds period{1};

    /// The place of a viewer. When the last one leaves, the kept frames are dropped.
    class Place {
      public:
        explicit Place(DashboardFeed& feed) : feed_(feed) {
            if (feed_.viewers_ == most_dashboard_viewers) {
                throw HttpError(503, "the dashboard has 16 viewers, the most at a time: close one of them")
                    .header("Retry-After", "10");
            }
            ++feed_.viewers_;
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() {
            if (--feed_.viewers_ == 0) feed_.forget();
        }

      private:
        DashboardFeed& feed_;
    };

    static Task<> watch(DashboardFeed& self, Context& ctx) {
        const Place place(self);
        EventStream events = ctx.events();
        for (;;) {
            Task<> renewal = renew(self);
            co_await std::move(renewal);
            co_await events.send(self.frame_);
            co_await sleep(self.due_ - now());
        }
    }

    /// Makes the next frame if it is time. Of viewers that come at once, the first makes it.
    static Task<> renew(DashboardFeed& self) {
        const Mutex::Guard turn = co_await self.making_.lock();
        if (self.last_ && now() < self.due_) co_return;
        Task<Snapshot> taking = take_snapshot<>(self.engine_, self.figures_);
        Snapshot taken = co_await std::move(taking);
        self.keep(std::move(taken));
    }

    void keep(Snapshot taken) {
        const Snapshot* const before = last_ ? &*last_ : nullptr;
        frame_ = frames_.text(before, taken, taken.at - figures_.begun());
        // By the second, however long it takes to make a frame; but no frame is made up for.
        due_ = due_ + period > taken.at ? due_ + period : taken.at + period;
        last_.emplace(std::move(taken));
    }
    void forget() noexcept {
        last_.reset();
        frame_ = {};
        due_ = {};
    }

    Engine& engine_;
    Observatory& figures_;
    const DashboardFrames<> frames_;
    Mutex making_;
    int viewers_ = 0;
    std::string frame_;
    Maybe<Snapshot> last_;
    TimePoint due_{};  // of the next frame
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
