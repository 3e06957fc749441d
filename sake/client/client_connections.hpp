// What a client keeps: its connections by origin, which of them close when there are too many, and the memory
// of its habits.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake/async/pool.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/client/breaker.hpp"
#include "sake/client/client_request.hpp"
#include "sake/client/client_response.hpp"
#include "sake/client/response_cache.hpp"
#include "sake/client/retry.hpp"
#include "sake/client/url.hpp"
#include "sake/io/connect.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

/// A Pool for each origin. For one reactor at a time. The client, its requests and its streams share it, so
/// that a request goes on when the client is destroyed, and the last of them closes the connections.
class ClientConnections final : public SharedConnections, sake::detail::ReactorEndListener {
  public:
    using Connections = Pool<TcpStream>;

    explicit ClientConnections(const ClientOptions& chosen)
        : options(chosen), retries(chosen.retry), breaker(chosen.breaker), cache(chosen.cache) {}

    const ClientOptions options;
    Retries retries;
    Breaker breaker;
    ResponseCache cache;

    /// Those to the origin of this URL. Throws std::logic_error on a second reactor.
    template <std::same_as<Url> U>
    [[nodiscard]] Connections& to(const U& url);

    /// Makes room for one more that is idle: those of the origins go that were wanted least recently. False
    /// if none may be kept.
    [[nodiscard]] bool make_room() noexcept;

    [[nodiscard]] int idle() const noexcept override {
        int count = 0;
        for (const Origin& each : origins_) count += each.connections->idle();
        return count;
    }

  private:
    struct Origin {
        std::string address;
        sake::detail::OwningPtr<Connections> connections;
        std::uint64_t last_use = 0;

        [[nodiscard]] bool is_empty() const noexcept {
            return connections->idle() + connections->in_use() == 0;
        }
    };

    void settle_on(Reactor* reactor);
    void reactor_ends() noexcept override { reactor_ = nullptr; }

    sake::detail::Array<Origin> origins_;
    std::uint64_t uses_ = 0;
    Reactor* reactor_ = nullptr;  // of whoever asked first
};

/// The scheme in the message is for who reads "timed out after 10 s connecting to http://localhost:80" in a
/// log.
template <class Text>
Task<TcpStream> connect_to_origin(Text host, std::uint16_t port, std::chrono::milliseconds limit) {
    sake::detail::HostAndPort where = sake::detail::join_peer(std::move(host), port);
    std::string origin = "http://" + where.to_string();
    auto connecting = sake::detail::connect_to_host(std::move(where));
    co_return co_await sake::detail::connect_in_time(std::move(connecting), std::move(origin),
                                                     sake::detail::to_clock(limit));
}

inline void ClientConnections::settle_on(Reactor* reactor) {
    if (reactor_ == reactor) return;
    if (reactor_ != nullptr)
        throw std::logic_error("an http::Client is used by two reactors at a time: make one for each");
    reactor_ = reactor;
    reactor->tell_at_end(*this);
}

template <std::same_as<Url> U>
ClientConnections::Connections& ClientConnections::to(const U& url) {
    settle_on(Reactor::current());
    std::string address = url.address();
    Origin* found = origins_.begin();
    while (found != origins_.end() && found->address != address) ++found;
    if (found == origins_.end()) {
        // So that a client of many origins does not remember them all.
        for (std::size_t i = origins_.size(); i > 0; --i) {
            if (origins_[i - 1].is_empty()) origins_.erase(&origins_[i - 1]);
        }
        PoolOptions limits{options.max_connections_per_origin, options.acquire_timeout, options.idle_timeout,
                           "a connection to " + url.origin()};
        auto connect = [host = url.host(), port = url.port(), limit = options.connect_timeout] {
            return connect_to_origin(host, port, limit);
        };
        auto pool = sake::detail::OwningPtr<Connections>(new Connections(
            std::move(limits), std::move(connect), [](TcpStream& stream) { return stream.is_quiet(); }));
        found = &origins_.push_back(Origin{std::move(address), std::move(pool)});
    }
    found->last_use = ++uses_;
    return *found->connections;
}

inline bool ClientConnections::make_room() noexcept {
    while (idle() >= options.max_idle_connections) {
        Origin* oldest = nullptr;
        for (Origin& each : origins_) {
            if (each.connections->idle() == 0) continue;
            if (oldest == nullptr || each.last_use < oldest->last_use) oldest = &each;
        }
        if (oldest == nullptr) return false;
        oldest->connections->clear();
        if (oldest->is_empty()) origins_.erase(oldest);
    }
    return true;
}

}  // namespace detail
}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
