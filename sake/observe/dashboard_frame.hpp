// What the dashboard is told once a second, as one JSON text: made of two snapshots, the counters of now and
// those of a moment ago. Nothing of a request is in it but pattern, method, status and times.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sake/app/answered.hpp"
#include "sake/app/route.hpp"
#include "sake/base/duration_counts.hpp"
#include "sake/base/json_types.hpp"
#include "sake/base/version.hpp"
#include "sake/observe/snapshot.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Of the time since the last frame, the rate a second, and the seconds that half of the requests did not
/// take longer than, and 99 of 100; null where that is not known. The counts are of the whole run.
struct DashboardRoute {
    std::string_view method;  // "" if no route takes the requests
    std::string_view pattern;
    std::optional<double> rate;
    std::uint64_t count = 0;
    std::uint64_t errors = 0;  // 5xx
    std::optional<double> p50;
    std::optional<double> p99;
};

struct DashboardTotal {
    std::optional<double> rate;
    std::uint64_t count = 0;
    std::uint64_t errors = 0;
    std::optional<double> p50;
    std::optional<double> p99;
};

struct DashboardJob {
    std::string route;
    double seconds = 0;  // for which it runs
};

/// A limit of 0 stands for none, here and below.
struct DashboardWorkers {
    int threads = 0;
    int busy = 0;
    int queued = 0;
    int limit = 0;
    std::vector<DashboardJob> running;
};

struct DashboardLoop {
    std::optional<double> p50;  // of the time that a turn took, in which others waited
    std::optional<double> p99;
    std::uint64_t stalls = 0;
};

struct DashboardConnections {
    std::size_t open = 0;
    std::size_t idle = 0;
    std::size_t reading = 0;
    std::size_t handling = 0;
    std::size_t writing = 0;
    std::size_t streaming = 0;
    std::size_t websocket = 0;
    std::size_t closing = 0;
};

struct DashboardMemory {
    std::size_t held = 0;
    std::size_t limit = 0;
};

struct DashboardSlow {
    double at = 0;  // seconds since 1970
    std::string_view method;
    std::string_view route;
    int status = 0;
    std::string_view cause;
    double seconds = 0;
};

struct DashboardFrame {
    std::string_view version;
    double uptime = 0;
    DashboardTotal total;
    std::vector<DashboardRoute> routes;
    DashboardWorkers workers;
    DashboardLoop loop;
    DashboardConnections connections;
    DashboardMemory memory;
    std::vector<DashboardSlow> slow;
};

/// Makes frames. A template, like what calls it: only programs with a dashboard compile it.
template <class Frame = DashboardFrame>
class DashboardFrames {
  public:
    /// Routes within `hidden`, those of the dashboard, are left out.
    explicit DashboardFrames(const Scope& hidden) noexcept : hidden_(&hidden) {}

    /// `before` is the last snapshot, or null if there is none of this run.
    [[nodiscard]] std::string text(const Snapshot* before, const Snapshot& now,
                                   Clock::duration uptime) const {
        Frame frame;
        frame.version = version;
        frame.uptime = std::chrono::duration<double>(uptime).count();
        add_routes(frame, before, now);
        const WorkerFigures& workers = now.workers;
        frame.workers = {
            workers.threads, workers.busy, workers.queued, limit_or_none(workers.queue_limit), {}};
        for (const RunningCall& each : workers.running) {
            frame.workers.running.push_back(
                {std::string(method_of(each.route)).append(" ").append(each.route->pattern()), each.seconds});
        }
        frame.loop.stalls = now.loop.stalls;
        if (before != nullptr) set_percentiles(frame.loop, now.loop.turns.since(before->loop.turns));
        const ConnectionFigures& open = now.connections;
        frame.connections = {open.open(),  open.idle,      open.reading,   open.handling,
                             open.writing, open.streaming, open.websocket, open.closing};
        frame.memory = {now.memory.held, limit_or_none(now.memory.limit)};
        for (const SlowRequest& each : now.slow) {
            if (is_shown(each.route)) frame.slow.push_back(slow_request(each));
        }
        return dump_json(frame);
    }

  private:
    [[nodiscard]] bool is_shown(const RouteEntry* route) const noexcept {
        return route == nullptr || !route->is_within(*hidden_);
    }

    void add_routes(Frame& frame, const Snapshot* before, const Snapshot& now) const {
        DurationCounts all;
        double seconds = 0;
        if (before != nullptr) seconds = std::chrono::duration<double>(now.at - before->at).count();
        for (std::size_t i = 0; i < now.routes.size(); ++i) {
            const RouteFigures& figures = now.routes[i];
            if (!is_shown(figures.route)) continue;
            if (figures.route == nullptr && figures.count == 0) continue;
            DashboardRoute& route = frame.routes.emplace_back();
            route.method = method_of(figures.route);
            route.pattern = figures.pattern;
            route.count = figures.count;
            route.errors = figures.errors;
            frame.total.count += figures.count;
            frame.total.errors += figures.errors;
            if (before == nullptr) continue;
            const DurationCounts added = figures.durations.since(before->routes[i].durations);
            route.rate = static_cast<double>(added.total()) / seconds;
            set_percentiles(route, added);
            all.add(added);
        }
        if (before == nullptr) return;
        frame.total.rate = static_cast<double>(all.total()) / seconds;
        set_percentiles(frame.total, all);
    }

    template <class Figures>
    static void set_percentiles(Figures& figures, const DurationCounts& durations) {
        if (durations.total() == 0) return;
        figures.p50 = durations.quantile(0.50);
        figures.p99 = durations.quantile(0.99);
    }

    static DashboardSlow slow_request(const SlowRequest& request) {
        using Seconds = std::chrono::duration<double>;
        DashboardSlow slow;
        slow.at = Seconds(request.at.time_since_epoch()).count();
        slow.method = method_label(request.method);
        slow.route = route_label(request.route);
        slow.status = request.status;
        slow.cause = to_string(request.cause);
        slow.seconds = Seconds(request.duration).count();
        return slow;
    }

    static std::string_view method_of(const RouteEntry* route) noexcept {
        if (route == nullptr) return {};
        return route->method() == any_method ? "ANY" : route->method();
    }
    template <class Number>
    static Number limit_or_none(Number limit) noexcept {
        return limit == std::numeric_limits<Number>::max() ? Number{0} : limit;
    }

    const Scope* hidden_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
