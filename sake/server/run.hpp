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
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "sake/app/carrier.hpp"
#include "sake/app/errors.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/spawn.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/io/listener.hpp"
#include "sake/io/wire.hpp"
#include "sake/server/acceptor.hpp"
#include "sake/server/h1_connection.hpp"
#include "sake/server/shard.hpp"
#include "sake/server/shutdown.hpp"
#include "sake/server/signals.hpp"
#include "sake/server/stall_watch.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Run {
  public:
    enum class Signals : std::uint8_t { ignored, handled };

    Run(const Config& config, const std::shared_ptr<const RouteTable>& routes, const ErrorAnswers& errors,
        const Observers& observers, std::unique_ptr<Poller> poller, Signals signals)
        : config_(config),
          reactor_(std::move(poller)),
          shard_(reactor_, config, *routes, errors, observers, connection_limit(config)),
          carrier_(make_carrier(routes)),
          stalls_(reactor_, config, carrier_ != nullptr) {
        if (carrier_) shard_.use_carrier(*carrier_);
        reactor_.set_log(config.log);
        if (signals == Signals::handled) signals_.emplace();
        shutdown_.start();  // the last that may throw: its task needs the rest
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    // Coroutines and sessions use the shard, so they end first, and the carrier before its reactor. A handler
    // that swallows every Cancelled is left where it is, with its session.
    ~Run() {
        shard_.sessions.for_each([](Session& session) { session.drop(); });
        reactor_.end_all();
        reactor_.abandon();
        shard_.sessions.for_each([](Session& session) { session.end_if_free(); });
        if (carrier_) stop_carrier();
    }

    /// From any thread.
    [[nodiscard]] WorkerPool::Stats worker_stats() const {
        return carrier_ ? carrier_->stats() : WorkerPool::Stats();
    }
    [[nodiscard]] std::uint64_t stalls() const noexcept { return stalls_.count(); }

    [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }

    /// Serves a connection in memory; closes it if the run is over. Not while the reactor runs.
    void serve(std::unique_ptr<Wire> wire) {
        if (shutdown_.is_over()) return;
        reactor_.enter(
            [&] { H1Connection::serve(shard_, FileDescriptor(), PeerAddress::loopback(), std::move(wire)); });
    }
    /// From now on a signal stops it, if it handles signals. Once.
    void hear_signals() {
        if (signals_) spawn_on(reactor_, watch_signals(*this)).detach();
    }
    /// Serves their clients from the next turn on, unless a stop has begun. Takes all of them, or throws and
    /// takes none. Returns the first of the new acceptors, if there are any. On the reactor's thread, or
    /// before it runs.
    const Acceptor* listen(std::vector<Listener>& listeners) {
        if (shutdown_.has_begun()) return nullptr;
        Acceptor* first = nullptr;
        for (std::size_t i = 0; i < listeners.size(); ++i) {
            Acceptor& made = acceptors_.push_back(new Acceptor(shard_));
            if (first == nullptr) first = &made;
        }
        Acceptor* each = first;
        for (Listener& listener : listeners) {
            each->use(std::move(listener));
            each = each->next;
        }
        listeners.clear();
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
        try {
            reactor_.run_until([this] { return shutdown_.is_over(); });
        } catch (...) {
            if (std::current_exception()) throw;
            // pthread_exit: the loop cannot end in the middle of a handler, and must not hang.
            log_quietly(config_.log, LogLevel::error,
                        "a handler ended the thread of its server (pthread_exit)", {});
            std::abort();
        }
        return shutdown_.was_forced() ? 1 : 0;
    }

    /// Stops gracefully. From any thread, any number of times.
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

    static std::size_t connection_limit(const Config& config) noexcept {
        if (config.max_connections > 0) return static_cast<std::size_t>(config.max_connections);
        constexpr std::size_t reserve = 128;
        constexpr std::size_t most = 65'536;
        const std::size_t files = sys::raise_open_file_limit();
        return std::clamp<std::size_t>(files > reserve ? files - reserve : files / 2, 1, most);
    }

    std::unique_ptr<Carrier> make_carrier(const std::shared_ptr<const RouteTable>& routes) {
        const MakeCarrier make = config_.enable_worker_pool ? routes->make_carrier() : nullptr;
        return make != nullptr ? make(reactor_, config_, routes, shard_.memory) : nullptr;
    }

    static Task<> watch_signals(Run& self) {
        constexpr const char* hint = "; a second signal stops at once";
        Shutdown& shutdown = self.shutdown_;
        Watch watch(self.reactor_, self.signals_->read_end());
        std::size_t wishes = 0;
        for (;;) {
            const bool is_ready = co_await wait_readable(watch);
            if (!is_ready) co_return;
            char byte = 0;
            const SysResult result = sys::read(watch.fd(), &byte, 1);
            if (result.would_block()) {
                watch.drained();
            } else if (!result.ok() || result.value != 1) {
                log_quietly(self.config_.log, LogLevel::error, "signals are not heard any more: ",
                            std::generic_category().message(result.error));
                co_return;
            } else if (++wishes > 1) {
                co_await shutdown.stop_now("stopping at once, by a second signal");
            } else if (shutdown.has_begun()) {
                log_quietly(self.config_.log, LogLevel::info, "stopping already", hint);
            } else {
                shutdown.begin_drain(hint);
            }
        }
    }

    void stop_carrier() noexcept {
        carrier_->request_stop();
        const std::size_t stuck = carrier_->stop(std::chrono::milliseconds(200));
        if (stuck == 0) return;
        char text[96];
        std::snprintf(text, sizeof text, "worker jobs that do not return, left behind: %zu", stuck);
        log_quietly(config_.log, LogLevel::error, text, {});
    }

    const Config& config_;
    std::optional<SignalRelay> signals_;
    Reactor reactor_;
    Shard shard_;
    std::unique_ptr<Carrier> carrier_;
    StallWatch stalls_;
    OwningList<Acceptor> acceptors_;
    Shutdown shutdown_{shard_, acceptors_, carrier_.get()};
    AskedToStop asked_to_stop_{shutdown_};
    std::atomic<bool> was_asked_to_stop_{false};
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
