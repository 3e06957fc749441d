// The connections that a client keeps, by origin, and which of them go when there are too many.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake/async/pool.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/client/client_request.hpp"
#include "sake/client/url.hpp"
#include "sake/io/connect.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace v0 {
namespace http {
namespace detail {

/// A Pool for each origin. For one reactor at a time. The client, its requests and its streams share it, so
/// that a request goes on when the client is destroyed, and the last of them closes the connections.
class ClientConnections final : public sake::detail::Counted, sake::detail::ReactorEndListener {
  public:
    using Connections = Pool<TcpStream>;

    explicit ClientConnections(const ClientOptions& chosen) noexcept : options(chosen) {}
    ClientConnections(const ClientConnections&) = delete;
    ClientConnections& operator=(const ClientConnections&) = delete;
    ~ClientConnections() = default;

    const ClientOptions options;

    /// Those to the origin of this URL. Throws std::logic_error on a second reactor.
    template <std::same_as<Url> U>
    [[nodiscard]] Connections& to(const U& url);

    /// Makes room for one more that is idle: those of the origins go that were wanted least recently. False
    /// if none may be kept.
    [[nodiscard]] bool make_room() noexcept;

    [[nodiscard]] int idle() const noexcept {
        int count = 0;
        for (const auto& [address, origin] : origins_) count += origin.connections->idle();
        return count;
    }

  private:
    struct Origin {
        sake::detail::OwningPtr<Connections> connections;
        std::uint64_t last_use = 0;

        [[nodiscard]] bool is_empty() const noexcept {
            return connections->idle() + connections->in_use() == 0;
        }
    };

    void settle_on(Reactor* reactor);
    void reactor_ends() noexcept override { reactor_ = nullptr; }

    std::map<std::string, Origin> origins_;  // by address
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
    co_return co_await sake::detail::connect_in_time(std::move(connecting), std::move(origin), limit);
}

inline void ClientConnections::settle_on(Reactor* reactor) {
    if (reactor_ == reactor) return;
    if (reactor_ != nullptr) throw std::logic_error("an http::Client is used by two reactors at a time");
    reactor_ = reactor;
    reactor->tell_at_end(*this);
}

template <std::same_as<Url> U>
ClientConnections::Connections& ClientConnections::to(const U& url) {
    settle_on(Reactor::current());
    std::string address = url.address();
    auto found = origins_.find(address);
    if (found == origins_.end()) {
        // So that a client of many origins does not remember them all.
        std::erase_if(origins_, [](const auto& each) { return each.second.is_empty(); });
        PoolOptions limits{options.max_connections_per_origin, options.acquire_timeout, options.idle_timeout,
                           "a connection to " + url.origin()};
        auto connect = [host = url.host(), port = url.port(), limit = options.connect_timeout] {
            return connect_to_origin(host, port, limit);
        };
        auto pool = sake::detail::OwningPtr<Connections>(new Connections(
            std::move(limits), std::move(connect), [](TcpStream& stream) { return stream.is_quiet(); }));
        found = origins_.emplace(std::move(address), Origin{std::move(pool)}).first;
    }
    found->second.last_use = ++uses_;
    return *found->second.connections;
}

inline bool ClientConnections::make_room() noexcept {
    while (idle() >= options.max_idle_connections) {
        auto oldest = origins_.end();
        for (auto each = origins_.begin(); each != origins_.end(); ++each) {
            if (each->second.connections->idle() == 0) continue;
            if (oldest == origins_.end() || each->second.last_use < oldest->second.last_use) oldest = each;
        }
        if (oldest == origins_.end()) return false;
        oldest->second.connections->clear();
        if (oldest->second.is_empty()) origins_.erase(oldest);
    }
    return true;
}

}  // namespace detail
}  // namespace http
}  // namespace v0
}  // namespace sake
