// Engine: the web server. A program creates one, registers routes and runs it.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/answered.hpp"
#include "sake/app/config.hpp"
#include "sake/app/error_handler.hpp"
#include "sake/app/group.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/route_table.hpp"
#include "sake/app/span.hpp"
#include "sake/async/clock.hpp"
#include "sake/async/current_reactor.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/worker_pool.hpp"
#include "sake/server/life_hook.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Engine;

namespace detail {

struct EngineInside;

// Templates, so that only programs that call them compile them; defined in observe/.
template <class Unused = void>
Route& add_health(RouteTable& table, const PatternInfo& pattern);
template <class Unused = void>
Route& add_ready(RouteTable& table, const PatternInfo& pattern);
template <class Unused = void>
Route& add_metrics(Engine& engine, const PatternInfo& pattern);
template <class Unused = void>
void add_dashboard(Engine& engine, const PatternInfo& path, Handler guard);

}  // namespace detail

/// A web server: routes, middleware and settings, and the loop that serves them. An ordinary object: a
/// process may have many, and each may run again after it has stopped. Register routes before it runs.
/// `stop`, `listen`, `port` and `stats` may be called from any thread, and so may `background` while it runs.
/// Use everything else from one thread.
class Engine : public detail::Verbs<Engine, detail::PatternUse::route> {
  public:
    /// Throws std::invalid_argument that names the field which makes no sense.
    explicit Engine(Config config = {});
    Engine(const Engine&) = delete;  // pass it on by reference: sake::Engine& app
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    /// Routes under a common prefix, with middleware of their own.
    [[nodiscard]] RouterGroup group(detail::GroupPrefix prefix) {
        return {*table_, table_->add_scope(table_->root(), prefix.info())};
    }

    /// Answers requests whose path matches no route. The status is 404 unless the handler sets another.
    template <class F>
    Engine& not_found(F&& handler) {
        constexpr bool fits = detail::handler_param_count<F> == 0;
        static_assert(fits,
                      "not_found: there is no pattern, so the handler takes no path parameters: read "
                      "ctx.path()");
        if constexpr (fits) set_not_found(detail::Handler(std::forward<F>(handler)));
        note_module();
        return *this;
    }

    /// Calls `handler` when a handler of a route or middleware threw. The answer to the exception is set
    /// already; change it by the Context. `handler` is not a coroutine, and accepts (Context&),
    /// (Context&, const std::exception&) or (Context&, std::exception_ptr).
    template <class F>
    Engine& on_error(F&& handler) {
        table_->require_unfrozen();
        on_error_ = detail::make_error_handler(std::forward<F>(handler));
        note_module();
        return *this;
    }

    /// Calls `f(const sake::Answered&)` for every answer before it leaves, also for answers that no handler
    /// made (400, 408, 413, 431, 503, 504): for logs and metrics. `f` is not a coroutine, returns nothing,
    /// and runs on the reactor's thread. An exception from it is logged.
    template <std::invocable<const Answered&> F>
    Engine& on_answered(F f) {
        table_->require_unfrozen();
        observers_.add(std::move(f));
        return *this;
    }

    /// Calls `f(const sake::Span&)` for every request whose trace is recorded, when on_answered would be
    /// called: for an exporter of traces. Needs middleware::trace_context.
    template <std::invocable<const Span&> F>
    Engine& on_span(F f) {
        return on_answered(detail::SpanObserver<F>{std::move(f)});
    }

    /// Calls `f()` when the engine starts, before the first request. `f` may be a coroutine. Several
    /// functions run in the order of registration. If one throws, run() throws the same and serves nothing.
    template <class F>
    Engine& on_start(F f) {
        return add_hook(Kind::start, {}, {"", 0}, std::move(f));
    }

    /// Calls `f()` when a graceful stop begins. `f` may be a coroutine. Several functions run one after the
    /// other. run() waits for them, at most for Config::shutdown_grace. An exception is logged with the place
    /// of this call (`file`, `line`).
    template <class F>
    Engine& on_stop(F f, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return add_hook(Kind::stop, {}, {file, line}, std::move(f));
    }

    /// Calls `f()` or `f(std::stop_token)` every `period` while the engine runs, for the first time after one
    /// period. `f` may be a coroutine. If a call takes longer than a period, the missed calls are skipped. An
    /// exception is logged as with on_stop, and the next call takes place. At a stop, the token tells a
    /// running call, and run() waits for it. Throws std::invalid_argument if the period is not positive.
    template <class Rep, class Period, class F>
    Engine& every(std::chrono::duration<Rep, Period> period, F f, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
        const detail::Clock::duration time = detail::to_clock(period);
        if (time == time.zero()) throw std::invalid_argument("every: the period must be positive");
        return add_hook(Kind::every, time, {file, line}, std::move(f));
    }
    template <detail::Unitless T, class F>
    Engine& every(T, const F&) {
        detail::refuse_number<T>();
        return *this;
    }

    /// Runs `f(std::stop_token)` in the background of each run, from its start to its stop. A plain function
    /// runs on a thread of its own, a coroutine on the loop. The token reports the stop, and run() waits for
    /// the end of `f`. An exception is logged as with on_stop. May be called from any thread while the engine
    /// runs: then `f` begins now, for this run only. In that case a plain function runs on the threads of
    /// sake::background, and does not begin after the stop.
    template <class F>
    Engine& background(F f, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        auto hook = detail::make_life_hook(Kind::background, {}, {file, line}, std::move(f));
        if (begin_now(hook)) return *this;
        return add_hook(hook);
    }

    /// All registered routes, in the order of registration.
    [[nodiscard]] std::vector<RouteInfo> routes() const;

    /// A GET route that answers 200 while the engine serves: a liveness probe.
    template <class Unused = void>
    Route& health(const PatternOf<void (*)(Context&)>& path) {
        return noted(detail::add_health<Unused>(*table_, path.info()));
    }

    /// A GET route that answers 200, and 503 once a graceful stop has begun: a readiness probe for load
    /// balancers.
    template <class Unused = void>
    Route& ready(const PatternOf<void (*)(Context&)>& path) {
        return noted(detail::add_ready<Unused>(*table_, path.info()));
    }

    /// A GET route with figures on the present run in the text format of Prometheus; docs/observability.md
    /// names them. Anyone who reaches the path can read it: guard it by `.use(...)` on the returned Route.
    /// Counting begins with the first run after this call. Throws std::logic_error while the engine runs.
    template <class Unused = void>
    Route& metrics(const PatternOf<void (*)(Context&)>& path) {
        return noted(detail::add_metrics<Unused>(*this, path.info()));
    }

    /// A page that shows the server's present state: routes with their rates, latencies and errors, workers,
    /// connections, the lag of the loop, and the slowest recent requests. Only this machine may open it:
    /// other clients, and requests through a proxy, are answered 403. run() throws std::logic_error if the
    /// engine listens on an address that other machines can reach. Counting begins with the first run after
    /// this call. Throws std::logic_error while the engine runs.
    template <class Unused = void>
    void dashboard(const detail::GroupPrefix& path) {
        detail::add_dashboard<Unused>(*this, path.info(), {});
        note_module();
    }
    /// The same page for every client that the guard lets pass. The guard is middleware such as
    /// middleware::basic_auth(...).
    template <class Guard>
    void dashboard(const detail::GroupPrefix& path, Guard&& guard) {
        detail::add_dashboard<>(*this, path.info(), detail::make_middleware(std::forward<Guard>(guard)));
        note_module();
    }

    /// Binds at once. "host:port" binds every address of that name; ":8080" and "*:8080" every interface,
    /// IPv4 and IPv6; "[::1]:8080" and "[::]:8080" IPv6 only; "unix:/path" a Unix socket; port 0 any free
    /// port. Throws std::system_error that names the address and the cause. May be called several times.
    /// While the engine runs, from any thread, it serves the new address too. Once a stop has begun, the
    /// address is for the next run.
    Engine& listen(std::string_view address);

    /// The port of the first listener of the present run, or of the next run if the engine is not running. 0
    /// before `listen` and for a Unix socket.
    [[nodiscard]] int port() const;

    /// Serves until stopped. Returns 0 if every request under way was answered, else 1. Throws
    /// std::logic_error if `listen` was not called, the engine runs already, or a dashboard without a guard
    /// is open to other machines; std::invalid_argument for middleware in an order that cannot work;
    /// std::length_error if 64 engines handle signals already; std::system_error if the system has no
    /// descriptors left; and what on_start throws.
    int run();
    /// Calls listen(":port") and run(). If listening fails, logs why and returns 1.
    int run(int port);
    /// Calls listen(address) and run(). If listening fails, logs why and returns 1.
    int run(std::string_view address);

    /// Stops gracefully: accepts no new connections, answers the requests under way, then run() returns. May
    /// be called from any thread, any handler and any signal handler, any number of times. Before run(), it
    /// makes the next run() return at once.
    void stop() noexcept;

    /// Figures on the present run, or on the last one. From any thread.
    struct Stats {
        WorkerPool::Stats workers;
        std::uint64_t stalls = 0;  // how often a handler held the reactor's thread for Config::stall_warning
    };
    [[nodiscard]] Stats stats() const;

    /// The settings that the engine works with.
    [[nodiscard]] const Config& config() const noexcept { return config_; }

  private:
    friend class detail::Verbs<Engine, detail::PatternUse::route>;
    [[nodiscard]] detail::RouteTable& table() noexcept { return *table_; }
    [[nodiscard]] detail::Scope& scope() noexcept { return table_->root(); }

    friend class TestClient;             // runs the engine itself
    friend struct detail::EngineInside;  // for pages that show figures

    class Running;  // a run, from its start to its end
    struct State;   // what serves
    using Kind = detail::LifeHook::Kind;

    // Compiled in the module that calls it, as all registration is: so it notes the module of the handler.
    void note_module() { table_->modules.add(&detail::current_reactor); }
    void set_not_found(detail::Handler handler);
    Route& noted(Route& route) {
        note_module();
        return route;
    }

    // Templates, so that only programs that register such functions compile what runs them.
    template <class F>
    Engine& add_hook(Kind kind, detail::Clock::duration period, detail::SourcePlace place, F f) {
        auto hook = detail::make_life_hook(kind, period, place, std::move(f));
        return add_hook(hook);
    }
    template <class Hook>
    Engine& add_hook(detail::OwningPtr<Hook>& hook) {
        keep_hook(hook);
        note_module();
        return *this;
    }
    template <class Hook>
    void keep_hook(detail::OwningPtr<Hook>& hook);
    /// Begins the hook now if the engine is running.
    template <class Hook>
    bool begin_now(detail::OwningPtr<Hook>& hook);

    void require_idle() const;

    Config config_;
    detail::Handler on_error_;
    detail::Observers observers_;
    // Shared with jobs of the worker pool: a job that never returns may outlive the engine.
    detail::CountedPtr<detail::RouteTable> table_{new detail::RouteTable};
    detail::OwningPtr<State> state_;
};

}  // namespace SAKE_ABI
}  // namespace sake
