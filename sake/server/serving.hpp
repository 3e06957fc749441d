// One run of an engine: the reactor, the listeners' accept loops, signals, and the way to a stop that loses
// nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "sake/async/event.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/spawn.hpp"
#include "sake/io/address.hpp"
#include "sake/server/connection_turns.hpp"
#include "sake/server/server.hpp"
#include "sake/server/signals.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Sets an event at a moment.
class EventTimer : private Timer {
  public:
    EventTimer(Reactor& reactor, Event& event) noexcept
        : Timer([](Timer& timer) noexcept { static_cast<EventTimer&>(timer).event_.set(); }),
          reactor_(reactor),
          event_(event) {}
    ~EventTimer() { reactor_.timers().cancel(*this); }
    void set(TimePoint moment) { reactor_.timers().set(*this, moment); }

  private:
    Reactor& reactor_;
    Event& event_;
};

class Serving {
  public:
    Serving(const Config& config, const std::shared_ptr<const RouteTable>& routes, const ErrorAnswers& errors,
            std::vector<Listener> listeners)
        : config_(config),
          listeners_(std::move(listeners)),
          reactor_(config.poller),
          server_(reactor_, config, *routes, errors, connection_limit(config)) {
        const MakeWorkers make_workers = config.enable_worker_pool ? routes->make_workers() : nullptr;
        if (make_workers != nullptr) {
            workers_ = make_workers(reactor_, config, routes, server_.memory);
            server_.use_workers(*workers_);
        }
        reactor_.watch_stalls(config.stall_warning, [this](const void* work, Clock::duration held) {
            report_stall(static_cast<const Route*>(work), held);
        });
        reactor_.set_log(config.log);
        server_.keep_spares(64);
        if (config.handle_signals) signals_.emplace();
    }
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;
    // Coroutines and connections use the server, so they end first, and the workers before their reactor. A
    // handler that swallows every Cancelled is left where it is, with its connection.
    ~Serving() {
        for_each_connection([](Connection& connection) { connection.drop(); });
        reactor_.cancel_all();
        reactor_.abandon();
        for_each_connection([](Connection& connection) { connection.end_if_free(); });
        if (workers_) stop_workers();
    }

    [[nodiscard]] WorkerPool::Stats worker_stats() const {
        return workers_ ? workers_->stats() : WorkerPool::Stats();
    }
    [[nodiscard]] std::uint64_t stalls() const noexcept { return stalls_; }

    /// Serves until stopped. Returns 0 if everything in flight was answered, else 1.
    int run() {
        for (Listener& listener : listeners_) acceptors_.push_back(spawn_on(reactor_, accept_from(listener)));
        if (signals_) spawn_on(reactor_, watch_signals()).detach();
        spawn_on(reactor_, end_grace()).detach();
        if (config_.announce) announce();
        reactor_.run_until([this] { return is_done(); });
        return was_forced_ ? 1 : 0;
    }

    /// Stops gracefully. From any thread.
    void stop() {
        reactor_.post([this] { begin_drain(); });
    }

  private:
    static std::size_t connection_limit(const Config& config) noexcept {
        if (config.max_connections > 0) return static_cast<std::size_t>(config.max_connections);
        constexpr std::size_t reserve = 128;
        constexpr std::size_t most = 65'536;
        const std::size_t files = sys::raise_open_file_limit();
        return std::clamp<std::size_t>(files > reserve ? files - reserve : files / 2, 1, most);
    }

    void announce() const {
        for (const Listener& listener : listeners_) {
            config_.log(LogLevel::info, "listening on " + listener.url +
                                            (listener.is_on_all_interfaces ? " (all interfaces)" : ""));
        }
    }

    [[nodiscard]] bool is_done() const noexcept {
        if (has_given_up_) return true;
        if (!server_.is_draining || server_.connection_count != 0) return false;
        // What runs is waited for as long as the grace lasts, since it uses what the program owns.
        if (workers_ && workers_->stats().running != 0) return false;
        return has_ended_accepting();
    }
    [[nodiscard]] bool has_ended_accepting() const noexcept {
        return std::all_of(acceptors_.begin(), acceptors_.end(),
                           [](const auto& each) { return each.is_done(); });
    }

    // --- Accepting ---

    Task<> accept_from(Listener& listener) {
        {
            Watch watch(reactor_, listener.socket.get());
            // At a stop, what the kernel has accepted for us is served, which the close would reset. That is
            // no more than its queue holds; new clients may keep coming meanwhile.
            std::int64_t left_at_stop = 2 * std::int64_t{config_.listen_backlog} + 1;
            while (left_at_stop > 0 && !was_forced_) {
                try {
                    if (!server_.is_draining) {
                        const bool is_ready = co_await wait_readable(watch);
                        if (!is_ready) break;
                    }
                    const std::int64_t before = accepted_;
                    const AcceptResult result = accept_and_shed(watch);
                    if (server_.is_draining) left_at_stop -= accepted_ - before;
                    if (server_.is_draining && result == AcceptResult::drained) break;
                    if (result == AcceptResult::full) {
                        server_.room.reset();
                        co_await server_.room.wait();
                        server_.wants_room = false;
                        continue;
                    }
                    if (result == AcceptResult::out_of_resources) {
                        try {
                            co_await sleep(std::chrono::milliseconds(100));
                        } catch (const std::bad_alloc&) {
                            // Not even for the timer: then the pause is one turn of the loop.
                        }
                    }
                    co_await yield();
                } catch (const Cancelled&) {
                    if (!server_.is_draining) break;
                }
            }
        }
        const Listener closing(std::move(listener));
    }

    enum class AcceptResult : std::uint8_t { drained, some, full, out_of_resources };

    static constexpr std::string_view cannot_accept = "cannot accept connections for the moment: ";

    // The listener outlives a lack of memory as it does one of descriptors.
    AcceptResult accept_and_shed(Watch& watch) noexcept {
        try {
            const AcceptResult result = accept_some(watch);
            if (result == AcceptResult::full) {
                shed_idle();
                // Whoever was asked may wait for its peer, while another becomes idle.
                look_again_.set(reactor_.now() + std::chrono::milliseconds(100));
                if (full_warning_.take_turn(std::chrono::seconds(10))) {
                    log_quietly(config_.log, LogLevel::warning,
                                "there are as many connections as there may be: ",
                                "who is idle makes room, others wait");
                }
            }
            return result;
        } catch (const std::exception& error) {
            log_quietly(config_.log, LogLevel::error, cannot_accept, error.what());
            return AcceptResult::out_of_resources;
        }
    }

    // So many at a time that a flood of connections does not keep the others waiting.
    static constexpr int most_accepts = 64;
    AcceptResult accept_some(Watch& watch) {
        for (int i = 0; i < most_accepts; ++i) {
            if (server_.is_full()) {
                if (sys::is_ready(watch.fd(), POLLIN)) return AcceptResult::full;
                watch.drained();
                return AcceptResult::drained;
            }
            const int error = accept_one(watch.fd());
            if (error == EAGAIN || error == EWOULDBLOCK) {
                watch.drained();
                return AcceptResult::drained;
            }
            if (error != 0 && !sys::is_of_one_connection(error)) {
                if (accept_warning_.take_turn(std::chrono::seconds(10))) {
                    log_quietly(config_.log, LogLevel::warning, cannot_accept,
                                std::generic_category().message(error));
                }
                return AcceptResult::out_of_resources;
            }
        }
        return AcceptResult::some;
    }

    // Returns 0 or an errno.
    int accept_one(int listening) {
        sockaddr_storage peer{};
        socklen_t peer_size = 0;
        const SysResult accepted = sys::accept(listening, peer, peer_size);
        if (!accepted.ok()) return accepted.error;
        ++accepted_;
        FileDescriptor socket(static_cast<int>(accepted.value));
        try {
            Connection::serve(server_, std::move(socket), PeerAddress(peer));
            reactor_.check_stall();  // of its first request, which may be here already
        } catch (const std::bad_alloc&) {
            return ENOMEM;
        } catch (const std::system_error& error) {
            return error.code().value();
        }
        return 0;
    }

    // Closes the connection that is idle for the longest time; of many a few at once, since finding them
    // looks at all. Where none is idle, the first to become so closes.
    void shed_idle() {
        struct Idle {
            bool is_read_slowly;  // it would not make room at once
            TimePoint since;
            std::size_t position;  // of connections that became idle in the same turn, the oldest goes first
            Connection* connection;
        };
        std::vector<Idle> idle;
        for_each_connection([&](Connection& connection) {
            if (const auto since = connection.idle_since()) {
                idle.push_back({connection.is_read_slowly(), *since, idle.size(), &connection});
            }
        });
        server_.wants_room = idle.empty();
        const std::size_t count = (idle.size() + 63) / 64;
        const auto goes_first = [](const Idle& a, const Idle& b) {
            return std::tie(a.is_read_slowly, a.since, a.position) <
                   std::tie(b.is_read_slowly, b.since, b.position);
        };
        const auto last = idle.begin() + static_cast<std::ptrdiff_t>(count);
        std::partial_sort(idle.begin(), last, idle.end(), goes_first);
        for (auto each = idle.begin(); each != last; ++each) each->connection->give_way();
    }

    // --- Watching over handlers ---

    void report_stall(const Route* route, Clock::duration held) noexcept {
        ++stalls_;
        try {
            if (!stall_warnings_[route].take_turn(std::chrono::minutes(1))) return;
            const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(held).count();
            const std::string line = (route != nullptr ? route->description() : std::string("a task")) +
                                     " held the event loop for " + std::to_string(ms) +
                                     " ms, and everybody waited" + advice_after_stall(route);
            log_quietly(config_.log, LogLevel::warning, line, {});
        } catch (const std::bad_alloc&) {
            // No memory for the line: it is counted all the same.
        }
    }

    const char* advice_after_stall(const Route* route) const noexcept {
        if (route == nullptr) return "";
        if (!route->is_worker()) return ": mark the route .worker()";
        if (!workers_) return ": Config::enable_worker_pool is off";
        return ": by its middleware, or by a large request or answer, which crosses to the worker as JSON";
    }

    void stop_workers() noexcept {
        workers_->request_stop();
        const std::size_t stuck = workers_->stop(std::chrono::milliseconds(200));
        if (stuck == 0) return;
        char text[96];
        std::snprintf(text, sizeof text, "worker jobs that do not return, left behind: %zu", stuck);
        log_quietly(config_.log, LogLevel::error, text, {});
    }

    template <class F>
    void for_each_connection(F f) {
        for (ListNode* node = server_.connections.next(); node != &server_.connections;) {
            ListNode* const next = node->next();
            f(static_cast<Connection&>(*node));
            node = next;
        }
    }

    // --- Stopping ---

    void begin_drain() noexcept {
        if (server_.is_draining) return;
        server_.is_draining = true;
        if (workers_) workers_->request_stop();
        for (auto& acceptor : acceptors_) acceptor.cancel();
        for_each_connection([](Connection& connection) { connection.begin_drain(); });
        drain_began_.set();
    }

    Task<> end_grace() {
        co_await drain_began_.wait();
        try {
            co_await sleep(config_.shutdown_grace);
        } catch (const std::bad_alloc&) {
            // No memory for the timer: then there is no grace.
        }
        co_await stop_now();
    }

    // Cuts off what is in flight. Handlers are cancelled once and have a second to clean up; then the
    // destructor cancels whatever they still wait for.
    Task<> stop_now() {
        if (was_forced_) co_return;
        begin_drain();
        was_forced_ = server_.connection_count != 0 || !has_ended_accepting();
        server_.room.set();  // for who waits to accept more
        if (was_forced_) log_open_connections(LogLevel::warning, "stopping at once");
        for_each_connection(
            [](Connection& connection) { connection.abandon(503, "the server is stopping"); });
        try {
            co_await sleep(std::chrono::seconds(1));
        } catch (const std::bad_alloc&) {
            // No memory for the timer: then there is no second.
        }
        has_given_up_ = true;
    }

    void log_open_connections(LogLevel level, std::string_view what) noexcept {
        char text[96];
        std::snprintf(text, sizeof text, ", connections open: %zu", server_.connection_count);
        log_quietly(config_.log, level, what, text);
    }

    Task<> watch_signals() {
        Watch watch(reactor_, signals_->read_end());
        for (;;) {
            const bool is_ready = co_await wait_readable(watch);
            if (!is_ready) co_return;
            char byte = 0;
            const SysResult result = sys::read(watch.fd(), &byte, 1);
            if (result.would_block()) {
                watch.drained();
            } else if (!result.ok() || result.value != 1) {
                log_quietly(config_.log, LogLevel::error, "signals are not heard any more: ",
                            std::generic_category().message(result.error));
                co_return;
            } else if (server_.is_draining) {
                co_await stop_now();
            } else {
                if (server_.connection_count != 0) {
                    log_open_connections(LogLevel::info, "stopping; a second signal stops at once");
                }
                begin_drain();
            }
        }
    }

    const Config& config_;
    std::vector<Listener> listeners_;
    std::optional<SignalRelay> signals_;
    Reactor reactor_;
    Server server_;
    EventTimer look_again_{reactor_, server_.room};
    std::vector<JoinHandle<void>> acceptors_;
    Event drain_began_;
    std::unique_ptr<Workers> workers_;
    std::map<const Route*, PacedWarning> stall_warnings_;
    std::atomic<std::uint64_t> stalls_{0};
    PacedWarning accept_warning_;
    PacedWarning full_warning_;
    std::int64_t accepted_ = 0;
    bool was_forced_ = false;
    bool has_given_up_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
