// Engine: what a program makes, gives routes to, and runs.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake/app/answered.hpp"
#include "sake/app/config.hpp"
#include "sake/app/context_methods.hpp"
#include "sake/app/errors.hpp"
#include "sake/app/fallback.hpp"
#include "sake/app/group.hpp"
#include "sake/app/observers.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/server/life.hpp"
#include "sake/server/run.hpp"
#include "sake/server/stop_request.hpp"
#include "sake/worker/pool_carrier.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr const char* runs_already =
    "the engine is running: it serves by run() or by one TestClient, one at a time";

}  // namespace detail

/// A web server: routes, middleware and settings, and the loop that serves them. An ordinary object: many may
/// live in one process, and each may be run again after it has stopped. Routes are registered before it runs;
/// `stop`, `listen`, `port` and `stats` may be called from any thread, everything else belongs to one.
class Engine : public detail::Verbs<Engine, detail::PatternUse::route> {
  public:
    /// Throws std::invalid_argument naming a field that makes no sense.
    explicit Engine(Config config = {})
        : config_(detail::settled(std::move(config))), errors_(on_error_, config_.log) {}
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Routes under a prefix, with middleware of their own.
    [[nodiscard]] RouterGroup group(detail::GroupPrefix prefix) {
        return {*table_, table_->add_scope(table_->root(), prefix.info())};
    }

    /// Answers where no route has the path. The status is 404 unless the handler sets another.
    template <class F>
    Engine& not_found(F&& handler) {
        static_assert(detail::handler_param_count<F> == 0,
                      "not_found: there is no pattern, so the handler takes no path parameters");
        fallback_.set_not_found(detail::Handler(std::forward<F>(handler)));
        table_->modules.add(&detail::current_reactor);
        return *this;
    }

    /// Answers where a handler threw; the answer that would be sent is set already. The handler is not a
    /// coroutine and takes (Context&), (Context&, const std::exception&) or (Context&, std::exception_ptr).
    template <class F>
    Engine& on_error(F&& handler) {
        table_->require_unfrozen();
        on_error_ = detail::make_error_handler(std::forward<F>(handler));
        table_->modules.add(&detail::current_reactor);
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

    /// Calls `f()`, which may be a coroutine, when the engine runs, before the first request; several in
    /// their order. What it throws, run() throws, and nothing is served.
    template <class F>
    Engine& on_start(F f) {
        return add_hook(detail::LifeHook::Kind::start, {}, {"", 0}, std::move(f));
    }

    /// Calls `f()`, which may be a coroutine, when a graceful stop begins; several one after the other. run()
    /// waits for it within Config::shutdown_grace. What it throws goes to the log, with the place of this
    /// call, which `file` and `line` are unless you give others.
    template <class F>
    Engine& on_stop(F f, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return add_hook(detail::LifeHook::Kind::stop, {}, {file, line}, std::move(f));
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
        return add_hook(detail::LifeHook::Kind::every, time, {file, line}, std::move(f));
    }

    /// Runs `f(std::stop_token)` beside the requests of each run, from its start to its stop, of which the
    /// token tells: a plain function on a thread of its own, a coroutine on the loop. run() waits for its
    /// end, and what it throws goes to the log as with on_stop. While the engine runs, from any thread: it
    /// begins now, for this run; a plain function then runs on the threads that sake::background uses, and
    /// does not begin after the stop.
    template <class F>
    Engine& background(F f, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        const detail::SourcePlace place{file, line};
        {
            const std::lock_guard lock(mutex_);
            if (current_ != nullptr) {
                detail::run_for_this_run(current_->run().reactor(), place, std::move(f));
                return *this;
            }
        }
        return add_hook(detail::LifeHook::Kind::background, {}, place, std::move(f));
    }

    /// The routes that are registered, in order.
    [[nodiscard]] std::vector<RouteInfo> routes() const { return table_->list(); }

    /// Binds now: "host:port", at every address that the name has; ":8080" or "*:8080" for every interface,
    /// IPv4 and IPv6; "[::1]:8080" and "[::]:8080" for IPv6 alone; "unix:/path"; port 0 for any that is free.
    /// Throws std::system_error that names the address and says why. May be called several times. While the
    /// engine runs, from any thread: it serves the address too. Once a stop has begun, it is for the next
    /// run.
    Engine& listen(std::string_view address);

    /// The port of the first listener of this run, or of the next if none is under way; 0 before `listen` and
    /// for a Unix socket.
    [[nodiscard]] int port() const {
        const std::lock_guard lock(mutex_);
        return port_;
    }

    /// Serves until stopped. Returns 0 if every request in flight was answered, else 1. Throws
    /// std::logic_error if nothing was listened on, or if the engine runs already, and what on_start throws.
    int run();
    /// listen(":port") and run(), but returns 1 if the port cannot be listened on, and logs why.
    int run(int port) {
        if (port < 0 || port > 65'535) throw std::invalid_argument("run: the port must be 0 to 65535");
        return run(":" + std::to_string(port));
    }
    /// listen(address) and run(), but returns 1 if the address cannot be listened on, and logs why.
    int run(std::string_view address) {
        require_idle();
        try {
            listen(address);
        } catch (const std::system_error& error) {
            log_quietly(config_.log, LogLevel::error, error.what(), {});
            return 1;
        }
        return run();
    }

    /// Stops gracefully: no new connections, what is in flight is answered, then run() returns. From any
    /// thread, any handler, and any handler of signals, any number of times; before run(), it makes the next
    /// run() return at once.
    void stop() noexcept { stop_.request(); }

    /// Figures of the present run, or of the last one. From any thread.
    struct Stats {
        WorkerPool::Stats workers;
        std::uint64_t stalls = 0;  // how often a handler held the reactor's thread for Config::stall_warning
    };
    [[nodiscard]] Stats stats() const {
        const std::lock_guard lock(mutex_);
        return current_ != nullptr ? stats_of(current_->run()) : last_stats_;
    }

    [[nodiscard]] const Config& config() const noexcept { return config_; }

  private:
    friend class detail::Verbs<Engine, detail::PatternUse::route>;
    [[nodiscard]] detail::RouteTable& table() noexcept { return *table_; }
    [[nodiscard]] detail::Scope& scope() noexcept { return table_->root(); }

    friend class TestClient;  // which runs the engine itself

    template <class F>
    Engine& add_hook(detail::LifeHook::Kind kind, detail::Clock::duration period, detail::SourcePlace place,
                     F f) {
        table_->require_unfrozen();
        detail::add_life_hook(life_hooks_, kind, period, place, std::move(f));
        table_->modules.add(&detail::current_reactor);
        return *this;
    }

    /// A run, from its start to its end: routes stand still, and the engine reaches it.
    class Running {
      public:
        /// Throws std::logic_error if the engine runs already, or a job of the last run has not returned.
        Running(Engine& engine, detail::OwningPtr<detail::Poller> poller, detail::Run::Signals handling);
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running();
        [[nodiscard]] detail::Run& run() noexcept { return run_; }

        /// Begins the run. False if a stop has come meanwhile.
        [[nodiscard]] bool begin() {
            run_.hear_signals();
            return run_.begin();
        }
        /// Serves what was listened on, and from now on what will be.
        void serve_listeners();
        [[nodiscard]] bool serves_listeners() const noexcept { return serves_listeners_; }
        /// Something new was listened on. With the engine's lock.
        void serve_new_listeners() noexcept {
            if (!std::exchange(is_told_of_listeners_, true)) run_.reactor().post(new_listeners_);
        }

      private:
        /// Nobody else runs the engine meanwhile.
        struct Claim {
            explicit Claim(Engine& claimed);
            Claim(const Claim&) = delete;
            Claim& operator=(const Claim&) = delete;
            ~Claim();
            Engine& engine;
        };
        /// The routes stand still meanwhile.
        struct Freeze {
            explicit Freeze(Engine& engine) : table(*engine.table_) {
                engine.fallback_.install();
                table.freeze(engine.config_.enable_worker_pool);
            }
            Freeze(const Freeze&) = delete;
            Freeze& operator=(const Freeze&) = delete;
            ~Freeze() { table.unfreeze(); }
            detail::RouteTable& table;
        };
        /// On the thread of the run: serves what was listened on meanwhile.
        class NewListeners final : public detail::PostedCall {
          public:
            explicit NewListeners(Running& running) noexcept : running_(running) {}
            void run() noexcept override;

          private:
            Running& running_;
        };
        Claim claim_;  // in this order, so that what fails undoes what was done
        Freeze freeze_;
        NewListeners new_listeners_{*this};
        detail::Run run_;
        bool serves_listeners_ = false;
        bool is_told_of_listeners_ = false;
    };
    void require_idle() const {
        const std::lock_guard lock(mutex_);
        if (is_running_) throw std::logic_error(detail::runs_already);
    }
    static Stats stats_of(const detail::Run& run) { return {run.worker_stats(), run.stalls()}; }

    Config config_;
    detail::Handler on_error_;
    detail::ErrorAnswers errors_;
    detail::Observers observers_;
    detail::LifeHooks life_hooks_;
    // Shared with jobs of the worker pool: one that never returns may outlive the engine.
    detail::CountedPtr<detail::RouteTable> table_{new detail::RouteTable};
    detail::Fallback fallback_{*table_};

    detail::StopRequest stop_;
    mutable std::mutex mutex_;  // guards what follows
    detail::Listeners listeners_;
    int port_ = 0;
    Running* current_ = nullptr;
    Stats last_stats_;
    bool is_running_ = false;
};

inline Engine::Running::Claim::Claim(Engine& claimed) : engine(claimed) {
    const std::lock_guard lock(engine.mutex_);
    if (engine.is_running_) throw std::logic_error(detail::runs_already);
    if (engine.table_->is_in_use())
        throw std::logic_error(
            "the engine cannot run again yet: a worker job of its last run has not returned");
    engine.is_running_ = true;
}

inline Engine::Running::Claim::~Claim() {
    const std::lock_guard lock(engine.mutex_);
    engine.is_running_ = false;
    static_cast<void>(engine.stop_.take());
    if (!engine.listeners_.empty()) engine.port_ = engine.listeners_.first()->port;
}

inline Engine::Running::Running(Engine& engine, detail::OwningPtr<detail::Poller> poller,
                                detail::Run::Signals handling)
    : claim_(engine),
      freeze_(engine),
      run_(engine.config_, engine.table_, engine.errors_, engine.observers_, engine.life_hooks_,
           std::move(poller), handling) {
    const std::lock_guard lock(engine.mutex_);
    engine.current_ = this;
    engine.stop_.tell(run_);
}

inline Engine::Running::~Running() {
    Engine& engine = claim_.engine;
    engine.stop_.forget_run();
    const std::lock_guard lock(engine.mutex_);
    engine.last_stats_ = stats_of(run_);
    engine.current_ = nullptr;
}

inline void Engine::Running::serve_listeners() {
    Engine& engine = claim_.engine;
    const detail::Acceptor* acceptors = nullptr;
    {
        const std::lock_guard lock(engine.mutex_);
        acceptors = run_.listen(engine.listeners_);
        serves_listeners_ = true;
    }
    run_.announce(acceptors);  // without the lock: a log may ask for the port
}

inline void Engine::Running::NewListeners::run() noexcept {
    Engine& engine = running_.claim_.engine;
    try {
        const detail::Acceptor* acceptors = nullptr;
        {
            const std::lock_guard lock(engine.mutex_);
            running_.is_told_of_listeners_ = false;
            if (engine.current_ == &running_) acceptors = running_.run_.listen(engine.listeners_);
        }
        running_.run_.announce(acceptors);
    } catch (const std::exception& error) {
        log_quietly(engine.config_.log, LogLevel::error,
                    "an address that was listened on is not served in this run: ", error.what());
    }
}

inline Engine& Engine::listen(std::string_view address) {
    detail::Listeners made;
    detail::listen_at(made, address, config_.listen_backlog, config_.unix_socket_mode);
    const std::lock_guard lock(mutex_);
    const bool is_served = current_ != nullptr && current_->serves_listeners();
    if (listeners_.empty() && !is_served) port_ = made.first()->port;
    listeners_.append(made);
    if (is_served) current_->serve_new_listeners();
    return *this;
}

inline int Engine::run() {
    using Signals = detail::Run::Signals;
    detail::Listeners dropped;  // without the lock
    {
        require_idle();
        const std::lock_guard lock(mutex_);
        const bool stop_now = stop_.take();
        if (stop_now) dropped.append(listeners_);
        if (stop_now) return 0;
        if (listeners_.empty()) throw std::logic_error("run: call listen first, or run(port)");
    }
    Running running(*this, detail::make_poller(config_.poller),
                    config_.handle_signals ? Signals::handled : Signals::ignored);
    if (!running.begin()) {
        const std::lock_guard lock(mutex_);
        dropped.append(listeners_);
    }
    running.serve_listeners();  // only now, so that a run that cannot begin leaves them to the next
    return running.run().wait();
}

}  // namespace SAKE_ABI
}  // namespace sake
