// Engine: what a program makes, gives routes to, and runs.
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

// Templates, so that only programs that ask for them compile them; in observe/.
template <class Unused = void>
Route& add_health(RouteTable& table, const PatternInfo& pattern);
template <class Unused = void>
Route& add_ready(RouteTable& table, const PatternInfo& pattern);
template <class Unused = void>
Route& add_metrics(Engine& engine, const PatternInfo& pattern);
template <class Unused = void>
void add_dashboard(Engine& engine, const PatternInfo& path, Handler guard);

}  // namespace detail

/// A web server: routes, middleware and settings, and the loop that serves them. An ordinary object: many may
/// live in one process, and each may be run again after it has stopped. Routes are registered before it runs;
/// `stop`, `listen`, `port` and `stats` may be called from any thread, everything else belongs to one.
class Engine : public detail::Verbs<Engine, detail::PatternUse::route> {
  public:
    /// Throws std::invalid_argument naming a field that makes no sense.
    explicit Engine(Config config = {});
    Engine(const Engine&) = delete;  // pass it on by reference: sake::Engine& app
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    /// Routes under a prefix, with middleware of their own.
    [[nodiscard]] RouterGroup group(detail::GroupPrefix prefix) {
        return {*table_, table_->add_scope(table_->root(), prefix.info())};
    }

    /// Answers where no route has the path. The status is 404 unless the handler sets another.
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

    /// Answers where a handler threw; the answer that would be sent is set already. The handler is not a
    /// coroutine and takes (Context&), (Context&, const std::exception&) or (Context&, std::exception_ptr).
    template <class F>
    Engine& on_error(F&& handler) {
        table_->require_unfrozen();
        on_error_ = detail::make_error_handler(std::forward<F>(handler));
        note_module();
        return *this;
    }

    /// Calls `f(const sake::Answered&)`, which is plain and returns nothing, for every answer before it
    /// leaves, also for those that no handler made (400, 408, 413, 431, 503, 504): for logs and metrics. On
    /// the reactor's thread; what it throws goes to the log.
    template <std::invocable<const Answered&> F>
    Engine& on_answered(F f) {
        table_->require_unfrozen();
        observers_.add(std::move(f));
        return *this;
    }

    /// Calls `f(const sake::Span&)` for the answer of every request whose trace is recorded, as on_answered
    /// would: what an exporter of traces needs. The trace is that of middleware::trace_context.
    template <std::invocable<const Span&> F>
    Engine& on_span(F f) {
        return on_answered(detail::SpanObserver<F>{std::move(f)});
    }

    /// Calls `f()`, which may be a coroutine, when the engine runs, before the first request; several in
    /// their order. What it throws, run() throws, and nothing is served.
    template <class F>
    Engine& on_start(F f) {
        return add_hook(Kind::start, {}, {"", 0}, std::move(f));
    }

    /// Calls `f()`, which may be a coroutine, when a graceful stop begins; several one after the other. run()
    /// waits for it within Config::shutdown_grace. What it throws goes to the log, with the place of this
    /// call, which `file` and `line` are unless you give others.
    template <class F>
    Engine& on_stop(F f, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return add_hook(Kind::stop, {}, {file, line}, std::move(f));
    }

    /// Calls `f()` or `f(std::stop_token)` every `period` while the engine runs, first when one has passed.
    /// It may be a coroutine; if a call takes longer, those that are missed are left out. What it throws goes
    /// to the log as with on_stop, and the next call comes all the same. At a stop, a call that runs is told
    /// by the token, and waited for. Throws std::invalid_argument if the period is not positive.
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

    /// Runs `f(std::stop_token)` beside the requests of each run, from its start to its stop, of which the
    /// token tells: a plain function on a thread of its own, a coroutine on the loop. run() waits for its
    /// end, and what it throws goes to the log as with on_stop. While the engine runs, from any thread: it
    /// begins now, for this run; a plain function then runs on the threads that sake::background uses, and
    /// does not begin after the stop.
    template <class F>
    Engine& background(F f, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        auto hook = detail::make_life_hook(Kind::background, {}, {file, line}, std::move(f));
        if (begin_now(hook)) return *this;
        return add_hook(hook);
    }

    /// The routes that are registered, in order.
    [[nodiscard]] std::vector<RouteInfo> routes() const;

    /// A GET that is answered with 200 for as long as the engine serves.
    template <class Unused = void>
    Route& health(const PatternOf<void (*)(Context&)>& path) {
        return noted(detail::add_health<Unused>(*table_, path.info()));
    }

    /// A GET that is answered with 200, and with 503 once a graceful stop has begun: for what decides where
    /// requests go.
    template <class Unused = void>
    Route& ready(const PatternOf<void (*)(Context&)>& path) {
        return noted(detail::add_ready<Unused>(*table_, path.info()));
    }

    /// A GET of figures on the present run, for Prometheus: docs/observability.md names them. Whoever reaches
    /// the path reads them; `.use(...)` of the route guards it. Counting begins with the first run after this
    /// call. Throws std::logic_error while the engine runs.
    template <class Unused = void>
    Route& metrics(const PatternOf<void (*)(Context&)>& path) {
        return noted(detail::add_metrics<Unused>(*this, path.info()));
    }

    /// A page that shows what the server does at this moment: routes with their rates, latencies and errors,
    /// workers, connections, the lag of the loop, and the slowest recent requests. It is for this machine
    /// alone: others, and what comes through a proxy, get a 403, and run() throws std::logic_error if the
    /// engine listens to others at all. Counting begins with the first run after this call. Throws
    /// std::logic_error while the engine runs.
    template <class Unused = void>
    void dashboard(const detail::GroupPrefix& path) {
        detail::add_dashboard<Unused>(*this, path.info(), {});
        note_module();
    }
    /// The same for everyone whom a guard lets pass, which is middleware such as
    /// middleware::basic_auth(...).
    template <class Guard>
    void dashboard(const detail::GroupPrefix& path, Guard&& guard) {
        detail::add_dashboard<>(*this, path.info(), detail::make_middleware(std::forward<Guard>(guard)));
        note_module();
    }

    /// Binds now: "host:port", at every address that the name has; ":8080" or "*:8080" for every interface,
    /// IPv4 and IPv6; "[::1]:8080" and "[::]:8080" for IPv6 alone; "unix:/path"; port 0 for any that is free.
    /// Throws std::system_error that names the address and says why. May be called several times. While the
    /// engine runs, from any thread: it serves the address too. Once a stop has begun, it is for the next
    /// run.
    Engine& listen(std::string_view address);

    /// The port of the first listener of this run, or of the next if none is under way; 0 before `listen` and
    /// for a Unix socket.
    [[nodiscard]] int port() const;

    /// Serves until stopped. Returns 0 if every request in flight was answered, else 1. Throws
    /// std::logic_error if nothing was listened on, or if the engine runs already, and what on_start throws.
    int run();
    /// listen(":port") and run(), but returns 1 if the port cannot be listened on, and logs why.
    int run(int port);
    /// listen(address) and run(), but returns 1 if the address cannot be listened on, and logs why.
    int run(std::string_view address);

    /// Stops gracefully: no new connections, what is in flight is answered, then run() returns. From any
    /// thread, any handler, and any handler of signals, any number of times; before run(), it makes the next
    /// run() return at once.
    void stop() noexcept;

    /// Figures of the present run, or of the last one. From any thread.
    struct Stats {
        WorkerPool::Stats workers;
        std::uint64_t stalls = 0;  // how often a handler held the reactor's thread for Config::stall_warning
    };
    [[nodiscard]] Stats stats() const;

    [[nodiscard]] const Config& config() const noexcept { return config_; }

  private:
    friend class detail::Verbs<Engine, detail::PatternUse::route>;
    [[nodiscard]] detail::RouteTable& table() noexcept { return *table_; }
    [[nodiscard]] detail::Scope& scope() noexcept { return table_->root(); }

    friend class TestClient;             // which runs the engine itself
    friend struct detail::EngineInside;  // for what shows its figures

    class Running;  // a run, from its start to its end
    struct State;   // what serves
    using Kind = detail::LifeHook::Kind;

    // As all that is compiled where the program calls it, this finds the module of the handler.
    void note_module() { table_->modules.add(&detail::current_reactor); }
    void set_not_found(detail::Handler handler);
    Route& noted(Route& route) {
        note_module();
        return route;
    }

    // Templates, so that only programs that give such functions compile what runs them.
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
    /// If the engine runs.
    template <class Hook>
    bool begin_now(detail::OwningPtr<Hook>& hook);

    void require_idle() const;

    Config config_;
    detail::Handler on_error_;
    detail::Observers observers_;
    // Shared with jobs of the worker pool: one that never returns may outlive the engine.
    detail::CountedPtr<detail::RouteTable> table_{new detail::RouteTable};
    detail::OwningPtr<State> state_;
};

}  // namespace SAKE_ABI
}  // namespace sake
