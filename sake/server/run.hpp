// Run: one run of an engine, from its listeners to its end: the shard with its reactor, the acceptors, the
// carrier of worker routes, signals and the shutdown.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "sake/app/carrier.hpp"
#include "sake/app/errors.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/make_poller.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/spawn.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/listener.hpp"
#include "sake/io/wire.hpp"
#include "sake/server/acceptor.hpp"
#include "sake/server/file_limit.hpp"
#include "sake/server/h1_waiting.hpp"
#include "sake/server/life.hpp"
#include "sake/server/shard.hpp"
#include "sake/server/shutdown.hpp"
#include "sake/server/signals.hpp"
#include "sake/server/stall_watch.hpp"
#include "sake/server/watchdog.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Counts what happens in a run: see observe/observatory.hpp.
class RunObserver {
  public:
    RunObserver() = default;
    RunObserver(const RunObserver&) = delete;
    RunObserver& operator=(const RunObserver&) = delete;
    virtual ~RunObserver() = default;
    /// A run begins, with all figures at zero. The carrier is null if nothing is carried.
    virtual void begin(Reactor& reactor, const RouteTable& routes, Carrier* carrier) = 0;
};

class Run {
  public:
    enum class Signals : std::uint8_t { ignored, handled };

    Run(const Config& config, const CountedPtr<const RouteTable>& routes, const ErrorAnswers& errors,
        const Observers& observers, const LifeHooks& hooks, OwningPtr<Poller> poller, Signals handling,
        RunObserver* observer = nullptr)
        : config_(config),
          reactor_(std::move(poller)),
          files_(config.raise_file_limit && config.max_connections == 0),
          shard_(reactor_, config, *routes, errors, observers, connection_limit(config)),
          carrier_(make_carrier(routes)),
          stalls_(reactor_, config, carrier_ != nullptr),
          life_(hooks.make_life != nullptr ? hooks.make_life(reactor_, hooks, config.log) : nullptr) {
        if (carrier_) shard_.use_carrier(*carrier_);
        reactor_.set_log(config.log);
        reactor_.serve_modules(routes->modules);
        if (observer != nullptr) observer->begin(reactor_, *routes, carrier_.get());
        if (handling == Signals::handled) signals_.reset(new HeardSignals(config.log));
        shutdown_.start();  // the last that may throw: its task needs the rest
        if (signals_) signals_->relay.watch(&reactor_);
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    // Coroutines and sessions use the shard, so they end first, and the carrier before its reactor. A handler
    // that swallows every Cancelled is left where it is, with its session.
    ~Run() {
        shard_.draining.request_stop();  // where it ends without a stop: threads wait for the word
        log_what_is_waited_for();
        shard_.sessions.for_each([](Session& session) { session.drop(); });
        reactor_.end_all();
        reactor_.abandon();
        shard_.sessions.for_each([](Session& session) { session.end_if_free(); });
        if (carrier_) stop_carrier();
        if (signals_) signals_->relay.watch(nullptr);
    }

    /// From any thread.
    [[nodiscard]] WorkerPool::Stats worker_stats() const {
        return carrier_ ? carrier_->stats() : WorkerPool::Stats();
    }
    [[nodiscard]] std::uint64_t stalls() const noexcept { return stalls_.count(); }

    [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }
    [[nodiscard]] Shard& shard() noexcept { return shard_; }
    [[nodiscard]] bool has_carrier() const noexcept { return carrier_ != nullptr; }
    /// On the reactor's thread.
    [[nodiscard]] std::uint64_t accepted() const noexcept {
        std::uint64_t all = 0;
        for (const Acceptor* each = acceptors_.first(); each != nullptr; each = each->next) {
            all += each->accepted();
        }
        return all;
    }

    /// Serves a connection in memory; closes it if the run is over. Not while the reactor runs.
    void serve(OwningPtr<Wire> wire) {
        if (shutdown_.is_over()) return;
        reactor_.enter(
            [&] { H1Connection::serve(shard_, FileDescriptor(), PeerAddress::loopback(), std::move(wire)); });
    }
    /// From now on a signal stops it, if it handles signals. Once.
    void hear_signals() {
        if (signals_) spawn_on(reactor_, watch_signals(*this)).detach();
    }
    /// Runs what the program has for the start, and begins what it runs beside its requests. Throws what that
    /// throws. False if a stop has come meanwhile. Once, before it serves.
    bool begin() {
        if (!life_) return true;
        life_->begin();
        run_until([this] { return life_->has_begun(); });
        try {
            life_->throw_failure();
        } catch (const Cancelled&) {
            if (!shutdown_.has_begun()) throw;
        }
        return !shutdown_.has_begun();
    }
    /// Serves their clients from the next turn on, unless a stop has begun. Takes all of them, or throws and
    /// takes none. Returns the first of the new acceptors, if there are any. On the reactor's thread, or
    /// before it runs.
    const Acceptor* listen(Listeners& listeners) {
        if (shutdown_.has_begun()) return nullptr;
        Acceptor* first = nullptr;
        for (const Listener* each = listeners.first(); each != nullptr; each = each->next) {
            Acceptor& made = acceptors_.push_back(new Acceptor(shard_, each->socket.get()));
            if (first == nullptr) first = &made;
        }
        for (Acceptor* each = first; each != nullptr; each = each->next) {
            const auto listener = listeners.take_front();
            each->use(std::move(*listener));
        }
        return first;
    }
    /// Logs the addresses of these acceptors, if the program wants that.
    void announce(const Acceptor* first) const noexcept {
        for (const Acceptor* each = first; each != nullptr && config_.announce; each = each->next) {
            const Listener& listener = each->listener();
            if (listener.url.empty()) continue;
            try {
                const std::string line = "listening on " + listener.url +
                                         (listener.is_on_all_interfaces ? " (all interfaces)" : "");
                log_quietly(config_.log, LogLevel::info, line, {});
            } catch (const std::bad_alloc&) {
                // No memory for the line: it listens all the same.
            }
        }
    }
    /// Serves until stopped. Returns 0 if everything in flight was answered, else 1.
    int wait() {
        run_until([this] { return shutdown_.is_over(); });
        return shutdown_.was_forced() ? 1 : 0;
    }

    /// Stops gracefully. From any thread and any handler of signals, any number of times.
    void stop() noexcept {
        if (!was_asked_to_stop_.exchange(true)) reactor_.post(asked_to_stop_);
    }

  private:
    class AskedToStop final : public PostedCall {
      public:
        explicit AskedToStop(Shutdown& shutdown) noexcept : shutdown_(shutdown) {}
        void run() noexcept override { shutdown_.begin_drain(); }

      private:
        Shutdown& shutdown_;
    };

    /// The relay, and what follows if the loop cannot.
    struct HeardSignals {
        explicit HeardSignals(const LogSink& log) : watchdog(log, relay) {}
        SignalRelay relay;
        Watchdog watchdog;
    };

    // A template: every turn of the loop asks.
    template <class Done>
    void run_until(Done done) {
        try {
            reactor_.run_until(std::move(done));
        } catch (...) {
            if (std::current_exception()) throw;
            // pthread_exit: the loop cannot end in the middle of a handler, and must not hang.
            log_quietly(config_.log, LogLevel::error,
                        "a handler ended the thread of its server (pthread_exit)", {});
            std::abort();
        }
    }

    static std::size_t connection_limit(const Config& config) noexcept {
        if (config.max_connections > 0) return static_cast<std::size_t>(config.max_connections);
        constexpr std::size_t reserve = 128;
        constexpr std::size_t most = 65'536;
        const std::size_t files = sys::open_file_limit();
        return std::clamp<std::size_t>(files > reserve ? files - reserve : files / 2, 1, most);
    }

    OwningPtr<Carrier> make_carrier(const CountedPtr<const RouteTable>& routes) {
        const MakeCarrier make = config_.enable_worker_pool ? routes->make_carrier() : nullptr;
        return make != nullptr ? make(reactor_, config_, routes, shard_.memory) : nullptr;
    }

    // A process that was told to end by a signal ends: a second after the second signal, or after the grace
    // and the clean-up, whatever still runs.
    static Task<> watch_signals(Run& self) {
        constexpr const char* hint = "; a second signal stops at once";
        constexpr std::chrono::milliseconds clean_up(700);  // and then there is something left of the second
        Shutdown& shutdown = self.shutdown_;
        HeardSignals& heard = *self.signals_;
        Watch watch(self.reactor_, heard.relay.read_end());
        std::size_t wishes = 0;
        for (;;) {
            const bool is_ready = co_await wait_readable(watch);
            if (!is_ready) co_return;
            char byte = 0;
            const SysResult result = sys::read(watch.fd(), &byte, 1);
            if (result.would_block()) {
                watch.drained();
                continue;
            }
            if (!result.ok() || result.value != 1) {
                log_quietly(self.config_.log, LogLevel::error,
                            "SIGINT and SIGTERM no longer stop gracefully, because reading them failed: ",
                            std::generic_category().message(result.error));
                co_return;
            }
            heard.relay.take_notice();
            if (++wishes > 1) {
                heard.watchdog.end_in(std::chrono::seconds(1));
                heard.watchdog.set_waits(self.describe_waits());
                co_await shutdown.stop_now("stopping at once, by a second signal", clean_up);
                continue;
            }
            constexpr std::chrono::milliseconds after_grace(1500);
            constexpr Clock::duration most = std::chrono::hours(24 * 365);
            heard.watchdog.end_in(std::min(to_clock(self.config_.shutdown_grace), most) + after_grace);
            if (shutdown.has_begun()) {
                log_quietly(self.config_.log, LogLevel::info, "a graceful stop is under way already", hint);
            } else {
                shutdown.begin_drain(hint);
            }
        }
    }

    // "2 tasks wait: GET / (main.cpp:12) for work in the background, ...; every at main.cpp:20; ..."
    std::string describe_waits() const noexcept {
        try {
            std::string all;
            if (reactor_.has_fibers()) all = reactor_.describe_waits(Reactor::Whose::work);
            const auto add = [&](std::size_t count, const char* what) {
                if (count == 0) return;
                if (!all.empty()) all += "; ";
                all.append(std::to_string(count)).append(what);
            };
            if (life_ && life_->running() != 0) {
                if (!all.empty()) all += "; ";
                life_->describe_running(all);
            }
            if (carrier_) add(static_cast<std::size_t>(carrier_->stats().running), " in the worker pool");
            return all;
        } catch (const std::bad_alloc&) {
            return {};
        }
    }

    // What is on other threads, and cannot be cut short.
    void log_what_is_waited_for() const noexcept {
        const bool waits = reactor_.outside_work() != 0 || (life_ && life_->threads() != 0);
        if (!waits) return;
        const std::string waits_for = describe_waits();
        if (signals_) signals_->watchdog.set_waits(waits_for);
        log_quietly(config_.log, LogLevel::warning,
                    "the stop waits for work that cannot be cancelled: ", waits_for);
    }

    void stop_carrier() noexcept {
        carrier_->request_stop();
        const std::size_t stuck = carrier_->stop(std::chrono::milliseconds(200));
        if (stuck == 0) return;
        char text[96];
        std::snprintf(text, sizeof text, "worker jobs that ignore ctx.stop_token(), left running: %zu",
                      stuck);
        log_quietly(config_.log, LogLevel::error, text, {});
    }

    const Config& config_;
    OwningPtr<HeardSignals> signals_;  // watches over the end of all that follows
    Reactor reactor_;
    const FileLimit files_;  // before the shard, which counts on them
    Shard shard_;
    OwningPtr<Carrier> carrier_;
    StallWatch stalls_;
    OwningPtr<Life> life_;  // null if the program asked for nothing of it
    OwningList<Acceptor> acceptors_;
    Shutdown shutdown_{shard_, acceptors_, carrier_.get(), life_.get()};
    AskedToStop asked_to_stop_{shutdown_};
    std::atomic<bool> was_asked_to_stop_{false};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
