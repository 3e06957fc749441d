// Shard: a reactor and all that its connections share: buffers, the Date line, the list of sessions, the
// memory budget and recycled exchanges.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <stop_token>
#include <string>
#include <string_view>

#include "sake/app/answered.hpp"
#include "sake/app/call.hpp"
#include "sake/app/config.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/flag.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/cpu_count.hpp"
#include "sake/http/date.hpp"
#include "sake/server/h1_exchange.hpp"
#include "sake/server/input.hpp"
#include "sake/server/session.hpp"

namespace sake {
inline namespace SAKE_ABI {
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

/// How far a stop has come.
enum class StopStage : std::uint8_t {
    serving,
    draining,  // what is in flight is finished, nothing new is taken
    forced,    // what is in flight is cut off
};

/// What WebSockets have carried since the run began: messages, and bytes in them as programs see them.
struct WsCounts {
    std::uint64_t opened = 0;
    std::uint64_t received = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent = 0;
    std::uint64_t sent_bytes = 0;
};

class Shard {
  public:
    Shard(Reactor& loop, const Config& settings, const RouteTable& table, const ErrorAnswers& errors,
          const Observers& watchers, std::size_t most_connections)
        : reactor(loop),
          config(settings),
          routes(table),
          observers(watchers),
          connection_limit(most_connections),
          memory(settings.max_buffered, settings.log),
          limits_(settings) {
        place_.errors = &errors;
        place_.worker_pool_size = worker_threads(settings);
        place_.limits = &limits_;
        place_.memory = &memory;
        reactor.tell_stop_by(draining.get_token());
        gathered_.reserve(std::min<std::size_t>(settings.output_soft_limit, 64 * 1024));
    }
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    Reactor& reactor;
    const Config& config;
    const RouteTable& routes;
    const Observers& observers;
    const std::size_t connection_limit;

    Budget memory;
    SessionList sessions;
    WsCounts websockets;
    Flag room;                // a session has ended
    bool wants_room = false;  // an acceptor waits for room, and no session was idle
    StopStage stage = StopStage::serving;
    std::stop_source draining;  // requested when a graceful stop begins

    [[nodiscard]] bool is_draining() const noexcept { return stage != StopStage::serving; }
    [[nodiscard]] std::string_view date_line() { return date_line_.at(reactor); }
    [[nodiscard]] bool is_full() const noexcept { return sessions.count() >= connection_limit; }

    /// An exchange with everything cleared, for a request from `peer` that begins now.
    [[nodiscard]] OwningPtr<H1Exchange> take_exchange(const PeerAddress& peer) {
        OwningPtr<H1Exchange> exchange;
        if (spare_.empty()) {
            exchange = OwningPtr<H1Exchange>(new H1Exchange(reactor, config, routes));
        } else {
            exchange.reset(spare_.take_front().release());
            --spare_count_;
        }
        CallPlace& place = exchange->call.place;
        place = place_;
        place.peer = peer;
        exchange->begun = reactor.now();
        return exchange;
    }
    void give_back(OwningPtr<H1Exchange> exchange) noexcept {
        if (spare_count_ == most_spares) return;
        exchange->reader.clear();
        exchange->answer.encoder.reset();
        spare_.push_front(exchange.release());
        ++spare_count_;
    }

    /// From now on it takes the calls of worker routes.
    void use_carrier(Carrier& carrier) noexcept { place_.carrier = &carrier; }

  private:
    friend class Turn;  // which alone gives access to the buffers
    static constexpr std::size_t most_spares = 64;

    Input input_;          // of the connection whose turn it is
    ByteBuffer gathered_;  // answers of that connection
    CallLimits limits_;
    CallPlace place_;
    DateLine date_line_;
    OwningList<H1Exchange> spare_;
    std::size_t spare_count_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
