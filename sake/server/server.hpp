// What the connections of one reactor share: buffers, recycled exchanges, the Date line, and the list of them
// all.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sake/app/chain.hpp"
#include "sake/app/config.hpp"
#include "sake/app/context.hpp"
#include "sake/app/route.hpp"
#include "sake/async/event.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/budget.hpp"
#include "sake/http/date.hpp"
#include "sake/server/exchange.hpp"
#include "sake/server/input.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// The text of the Date field, made anew when the second changes.
class DateLine {
  public:
    [[nodiscard]] std::string_view at(const Reactor& reactor) {
        if (reactor.now() >= valid_until_) renew(reactor);
        return text_;
    }

  private:
    void renew(const Reactor& reactor) {
        const auto wall = reactor.wall_now().time_since_epoch();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(wall);
        char date[29];
        http::format_http_date(seconds.count(), date);
        text_.assign("Date: ").append(date, sizeof date).append("\r\n");
        valid_until_ = reactor.now() +
                       std::chrono::duration_cast<Clock::duration>(seconds + std::chrono::seconds(1) - wall);
    }

    std::string text_;
    TimePoint valid_until_ = TimePoint::min();
};

/// The number of threads that worker routes may use; 0 if they run on the reactor.
inline int worker_threads(const Config& config) {
    if (!config.enable_worker_pool) return 0;
    return config.worker_pool_size > 0 ? config.worker_pool_size : usable_cpus();
}

class Server {
  public:
    Server(Reactor& loop, const Config& settings, const RouteTable& table, const ErrorAnswers& errors,
           std::size_t most_connections)
        : reactor(loop),
          config(settings),
          routes(table),
          connection_limit(most_connections),
          memory(settings.max_buffered, settings.log) {
        place_.errors = &errors;
        place_.worker_pool_size = worker_threads(settings);
        place_.json_depth = static_cast<std::size_t>(settings.max_json_depth);
        output.reserve(settings.output_soft_limit);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    Reactor& reactor;
    const Config& config;
    const RouteTable& routes;
    const std::size_t connection_limit;

    Budget memory;
    Input input;         // of the connection whose turn it is
    std::string output;  // gathered by it
    ListNode connections;
    Event room;  // a connection has ended
    std::size_t connection_count = 0;
    bool is_draining = false;
    bool wants_room = false;  // somebody waits to be accepted, and no connection was idle

    [[nodiscard]] std::string_view date_line() { return date_line_.at(reactor); }
    [[nodiscard]] bool is_full() const noexcept { return connection_count >= connection_limit; }

    /// An exchange with everything cleared, for a request from `peer`.
    [[nodiscard]] std::unique_ptr<Exchange> take_exchange(const PeerAddress& peer) {
        std::unique_ptr<Exchange> exchange;
        if (spare_.empty()) {
            exchange = std::make_unique<Exchange>(config, routes);
        } else {
            exchange = std::move(spare_.back());
            spare_.pop_back();
        }
        ContextPlace& place = ContextAccess::place(exchange->ctx);
        place = place_;
        place.peer = peer;
        return exchange;
    }

    void give_back(std::unique_ptr<Exchange> exchange) noexcept {
        if (spare_.size() == spare_.capacity()) return;
        exchange->clear();
        spare_.push_back(std::move(exchange));
    }

    /// From now on worker routes run there.
    void use_workers(Workers& workers) noexcept { place_.workers = &workers; }

    void keep_spares(std::size_t count) { spare_.reserve(count); }

  private:
    ContextPlace place_;
    DateLine date_line_;
    std::vector<std::unique_ptr<Exchange>> spare_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
