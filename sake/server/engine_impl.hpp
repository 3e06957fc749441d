// What an engine serves with, and how it listens and runs.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake/app/errors.hpp"
#include "sake/app/fallback.hpp"
#include "sake/app/route_table_impl.hpp"
#include "sake/async/make_poller.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/listener.hpp"
#include "sake/server/engine.hpp"
#include "sake/server/life.hpp"
#include "sake/server/run.hpp"
#include "sake/server/stop_request.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr const char* runs_already =
    "the engine is running: it serves by run() or by one TestClient, one at a time";

}  // namespace detail

struct Engine::State {
    explicit State(const Engine& engine) noexcept
        : errors(engine.on_error_, engine.config_.log), fallback(*engine.table_) {}

    detail::ErrorAnswers errors;
    detail::LifeHooks life_hooks;
    // Throws if these must not be served; null if all may be.
    void (*check_listeners)(const detail::Listeners&) = nullptr;
    detail::OwningPtr<detail::RunObserver> observer;  // none if the program asks for no figures
    detail::Fallback fallback;
    detail::StopRequest stop;
    std::mutex mutex;  // guards what follows
    detail::Listeners listeners;
    int port = 0;
    Running* current = nullptr;
    Stats last_stats;
    bool is_running = false;
};

// --- Running ---

/// A run, from its start to its end: routes stand still, and the engine reaches it.
class Engine::Running {
  public:
    /// Throws std::logic_error if the engine runs already, or a job of the last run has not returned.
    Running(Engine& engine, detail::OwningPtr<detail::Poller> poller, detail::Run::Signals handling);
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running();
    [[nodiscard]] detail::Run& run() noexcept { return run_; }
    [[nodiscard]] Stats stats() const { return {run_.worker_stats(), run_.stalls()}; }

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
    /// Nobody else runs the engine meanwhile, and the routes stand still.
    struct Claim {
        explicit Claim(Engine& claimed);
        Claim(const Claim&) = delete;
        Claim& operator=(const Claim&) = delete;
        ~Claim();
        Engine& engine;
        State& state;
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
    NewListeners new_listeners_{*this};
    detail::Run run_;
    bool serves_listeners_ = false;
    bool is_told_of_listeners_ = false;
};

inline Engine::Running::Claim::Claim(Engine& claimed) : engine(claimed), state(*claimed.state_) {
    const std::lock_guard lock(state.mutex);
    if (state.is_running) throw std::logic_error(detail::runs_already);
    if (engine.table_->is_in_use())
        throw std::logic_error(
            "the engine cannot run again yet: a worker job of its last run has not returned");
    state.fallback.install();
    engine.table_->freeze(engine.config_.enable_worker_pool);
    state.is_running = true;  // the last, since the others may throw
}

inline Engine::Running::Claim::~Claim() {
    engine.table_->unfreeze();
    const std::lock_guard lock(state.mutex);
    state.is_running = false;
    static_cast<void>(state.stop.take());
    if (!state.listeners.empty()) state.port = state.listeners.first()->port;
}

inline Engine::Running::Running(Engine& engine, detail::OwningPtr<detail::Poller> poller,
                                detail::Run::Signals handling)
    : claim_(engine),
      run_(engine.config_, engine.table_, claim_.state.errors, engine.observers_, claim_.state.life_hooks,
           std::move(poller), handling, claim_.state.observer.get()) {
    State& state = claim_.state;
    const std::lock_guard lock(state.mutex);
    state.current = this;
    state.stop.tell(run_);
}

inline Engine::Running::~Running() {
    State& state = claim_.state;
    state.stop.forget_run();
    const std::lock_guard lock(state.mutex);
    state.last_stats = stats();
    state.current = nullptr;
}

inline void Engine::Running::serve_listeners() {
    State& state = claim_.state;
    const detail::Acceptor* acceptors = nullptr;
    {
        const std::lock_guard lock(state.mutex);
        acceptors = run_.listen(state.listeners);
        serves_listeners_ = true;
    }
    run_.announce(acceptors);  // without the lock: a log may ask for the port
}

inline void Engine::Running::NewListeners::run() noexcept {
    State& state = running_.claim_.state;
    try {
        const detail::Acceptor* acceptors = nullptr;
        {
            const std::lock_guard lock(state.mutex);
            running_.is_told_of_listeners_ = false;
            if (state.current == &running_) acceptors = running_.run_.listen(state.listeners);
        }
        running_.run_.announce(acceptors);
    } catch (const std::exception& error) {
        log_quietly(running_.claim_.engine.config_.log, LogLevel::error,
                    "an address given to listen() is not served in this run: ", error.what());
    }
}

// --- Engine ---

SAKE_INLINE Engine::Engine(Config config)
    : config_(detail::settled(std::move(config))), state_(new State(*this)) {}
SAKE_INLINE Engine::~Engine() {
    // What the program runs beside its requests may own what handlers use, so it is destroyed after them.
    detail::OwningList<detail::LifeHook> hooks;
    hooks.append(state_->life_hooks.list);
    state_.reset();
    table_ = nullptr;
}

SAKE_INLINE void Engine::set_not_found(detail::Handler handler) {
    state_->fallback.set_not_found(std::move(handler));
}

template <class Hook>
void Engine::keep_hook(detail::OwningPtr<Hook>& hook) {
    table_->require_unfrozen();
    detail::add_life_hook(state_->life_hooks, std::move(hook));
}

template <class Hook>
bool Engine::begin_now(detail::OwningPtr<Hook>& hook) {
    const std::lock_guard lock(state_->mutex);
    if (state_->current == nullptr) return false;
    detail::run_for_this_run(state_->current->run().reactor(), std::move(hook));
    return true;
}

SAKE_INLINE std::vector<RouteInfo> Engine::routes() const { return table_->list(); }

SAKE_INLINE int Engine::port() const {
    const std::lock_guard lock(state_->mutex);
    return state_->port;
}

SAKE_INLINE Engine::Stats Engine::stats() const {
    const std::lock_guard lock(state_->mutex);
    return state_->current != nullptr ? state_->current->stats() : state_->last_stats;
}

SAKE_INLINE void Engine::stop() noexcept { state_->stop.request(); }

SAKE_INLINE void Engine::require_idle() const {
    const std::lock_guard lock(state_->mutex);
    if (state_->is_running) throw std::logic_error(detail::runs_already);
}

SAKE_INLINE Engine& Engine::listen(std::string_view address) {
    detail::Listeners made;
    detail::listen_at(made, address, config_.listen_backlog, config_.unix_socket_mode);
    const std::lock_guard lock(state_->mutex);
    const bool is_served = state_->current != nullptr && state_->current->serves_listeners();
    if (is_served && state_->check_listeners != nullptr) state_->check_listeners(made);
    if (state_->listeners.empty() && !is_served) state_->port = made.first()->port;
    state_->listeners.append(made);
    if (is_served) state_->current->serve_new_listeners();
    return *this;
}

SAKE_INLINE int Engine::run() {
    using Signals = detail::Run::Signals;
    detail::Listeners dropped;  // without the lock
    {
        require_idle();
        const std::lock_guard lock(state_->mutex);
        const bool stop_now = state_->stop.take();
        if (stop_now) dropped.append(state_->listeners);
        if (stop_now) return 0;
        if (state_->listeners.empty()) throw std::logic_error("run: call listen first, or run(port)");
        if (state_->check_listeners != nullptr) state_->check_listeners(state_->listeners);
    }
    Running running(*this, detail::make_poller(config_.poller),
                    config_.handle_signals ? Signals::handled : Signals::ignored);
    if (!running.begin()) {
        const std::lock_guard lock(state_->mutex);
        dropped.append(state_->listeners);
    }
    running.serve_listeners();  // only now, so that a run that cannot begin leaves them to the next
    return running.run().wait();
}

SAKE_INLINE int Engine::run(int port) {
    if (port < 0 || port > 65'535) throw std::invalid_argument("run: the port must be 0 to 65535");
    return run(":" + std::to_string(port));
}

SAKE_INLINE int Engine::run(std::string_view address) {
    require_idle();
    try {
        listen(address);
    } catch (const std::system_error& error) {
        log_quietly(config_.log, LogLevel::error, error.what(), {});
        return 1;
    }
    return run();
}

#if defined(SAKE_IMPLEMENTATION)
template void Engine::keep_hook(detail::OwningPtr<detail::LifeHook>& hook);
template bool Engine::begin_now(detail::OwningPtr<detail::LifeHook>& hook);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
