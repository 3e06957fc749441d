// Snapshot: all figures of an engine at one moment, for those who show them. Two of them, one after the
// other, give rates and percentiles:
//
//     Observatory& figures = EngineInside::observatory(engine);  // before it serves: counting begins
//     ...                                                        // in a coroutine on the engine's loop:
//     const Snapshot then = co_await take_snapshot<>(engine, figures);
//     co_await sleep(std::chrono::seconds(1));
//     const Snapshot now = co_await take_snapshot<>(engine, figures);
//     const double seconds = std::chrono::duration<double>(now.at - then.at).count();
//     for (std::size_t i = 0; i < now.routes.size(); ++i) {      // the same routes in the same order
//         const DurationCounts added = now.routes[i].durations.since(then.routes[i].durations);
//         rate = added.total() / seconds; p50 = added.quantile(0.50); p99 = added.quantile(0.99);
//     }
//
// It is taken in pieces, between which the loop serves others: thousands of connections are counted. What it
// points to (routes, patterns) lives as long as the engine; figures begin anew with each run.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/app/config.hpp"
#include "sake/async/clock.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/array.hpp"
#include "sake/base/duration_counts.hpp"
#include "sake/observe/observatory.hpp"
#include "sake/server/run.hpp"
#include "sake/server/session.hpp"
#include "sake/server/shard.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The answers of one route, to all methods that it takes.
struct RouteFigures {
    const RouteEntry* route = nullptr;  // null for requests that no route has taken: the first of all
    std::string_view method;            // as it was registered: "GET", "*"
    std::string_view pattern;           // or "unmatched"
    std::uint64_t count = 0;
    std::uint64_t errors = 0;  // 5xx
    DurationCounts durations;
};

/// A call of a worker route that runs now.
struct RunningCall {
    const RouteEntry* route = nullptr;
    double seconds = 0;
};

/// All zero if the engine has no pool: no worker route, or it is off.
struct WorkerFigures {
    int threads = 0;
    int busy = 0;
    int stuck = 0;  // of the busy ones, nobody waits for these any more
    int queued = 0;
    int queue_limit = 0;
    std::uint64_t done = 0;
    std::uint64_t rejected = 0;
    DurationCounts waits;  // in the queue
    DurationCounts runs;
    Array<RunningCall> running;  // the longest first
};

struct LoopFigures {
    DurationCounts turns;      // how long it was busy between two looks at its sockets
    std::uint64_t stalls = 0;  // how often a handler held it for Config::stall_warning
};

/// By SessionPhase, those of this moment.
struct ConnectionFigures {
    std::size_t idle = 0;       // between two requests
    std::size_t reading = 0;    // a request is on its way
    std::size_t handling = 0;   // a handler is at work, a coroutine or a worker
    std::size_t writing = 0;    // the client has yet to take its answer
    std::size_t streaming = 0;  // the answer leaves in pieces
    std::size_t websocket = 0;  // a WebSocket
    std::size_t closing = 0;    // the last answer has left, or is about to
    std::size_t limit = 0;
    std::uint64_t accepted = 0;  // since the run began

    [[nodiscard]] std::size_t open() const noexcept {
        return idle + reading + handling + writing + streaming + websocket + closing;
    }
};

struct MemoryFigures {
    std::size_t held = 0;   // by all connections together
    std::size_t limit = 0;  // Config::max_buffered
};

struct Snapshot {
    TimePoint at;
    Array<RouteFigures> routes;
    WorkerFigures workers;
    LoopFigures loop;
    ConnectionFigures connections;
    MemoryFigures memory;
    Array<SlowRequest> slow;  // the slowest of the last minutes, the slowest first
};

inline void count_connection(ConnectionFigures& figures, const Session& session) noexcept {
    switch (session.phase()) {
        case SessionPhase::idle:
            ++figures.idle;
            break;
        case SessionPhase::reading:
            ++figures.reading;
            break;
        case SessionPhase::handling:
            ++figures.handling;
            break;
        case SessionPhase::writing:
            ++figures.writing;
            break;
        case SessionPhase::streaming:
            ++figures.streaming;
            break;
        case SessionPhase::websocket:
            ++figures.websocket;
            break;
        case SessionPhase::closing:
            ++figures.closing;
            break;
    }
}

/// Counts the connections, a thousand at a time.
template <class Unused = void>
Task<ConnectionFigures> count_connections(Engine& engine) {
    Run& run = EngineInside::run(engine);
    ConnectionFigures figures;
    SessionList::Walk walk(run.shard().sessions);
    const auto count = [&](const Session& session) { count_connection(figures, session); };
    while (walk.go_on(1000, count)) co_await yield();
    figures.limit = run.shard().connection_limit;
    figures.accepted = run.accepted();
    co_return figures;
}

inline RouteFigures route_figures(const AnswerRow& row) {
    RouteFigures figures;
    figures.route = row.route;
    figures.method = row.route != nullptr ? row.route->method() : any_method;
    figures.pattern = route_label(row.route);
    for (const AnswerSeries* each = row.series.first(); each != nullptr; each = each->next) {
        figures.durations.add(each->durations);
        if (each->first_status == 500) figures.errors += each->durations.total();
    }
    figures.count = figures.durations.total();
    return figures;
}

inline WorkerFigures worker_figures(Engine& engine, const Observatory& observatory) {
    const Run& run = EngineInside::run(engine);
    WorkerFigures figures;
    if (!run.has_carrier()) return figures;
    const WorkerPool::Stats stats = run.worker_stats();
    figures.threads = worker_threads(engine.config());
    figures.busy = stats.running;
    figures.stuck = stats.stuck;
    figures.queued = stats.queued;
    figures.queue_limit = engine.config().worker_queue_limit;
    figures.done = stats.done;
    figures.rejected = stats.rejected;
    figures.waits = observatory.workers().waits();
    figures.runs = observatory.workers().runs();
    figures.running.reserve(static_cast<std::size_t>(figures.threads));
    observatory.workers().for_each([&](const void* work, Clock::duration time) {
        const auto* const route = static_cast<const RouteEntry*>(work);
        figures.running.push_back({route, std::chrono::duration<double>(time).count()});
    });
    return figures;
}

inline MemoryFigures memory_figures(Engine& engine) {
    const Budget& memory = EngineInside::run(engine).shard().memory;
    return {memory.used(), memory.limit()};
}

/// For a coroutine on the loop of the engine, which serves.
template <class Unused = void>
Task<Snapshot> take_snapshot(Engine& engine, Observatory& observatory) {
    Snapshot snapshot;
    snapshot.connections = co_await count_connections<>(engine);
    const Run& run = EngineInside::run(engine);
    snapshot.at = now();
    snapshot.routes.reserve(observatory.row_count());
    for (std::size_t number = 0; number < observatory.row_count(); ++number) {
        snapshot.routes.push_back(route_figures(observatory.row(number)));
    }
    snapshot.workers = worker_figures(engine, observatory);
    snapshot.loop = {observatory.turns(), run.stalls()};
    snapshot.memory = memory_figures(engine);
    snapshot.slow = observatory.slow().list(snapshot.at);
    co_return snapshot;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
