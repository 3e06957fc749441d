// How trusted_proxies finds the client.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake/app/call_impl.hpp"
#include "sake/base/array.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/peer_address_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/middleware/forwarded.hpp"
#include "sake/middleware/trusted_proxies.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The addresses that begin with the same bits.
class Network {
  public:
    /// "10.0.0.0/8", "2001:db8::7" or "unix". Throws std::invalid_argument for any other text.
    explicit Network(std::string_view text) {
        if (text == "unix") return;
        const std::size_t slash = text.find('/');
        const std::string_view written = text.substr(0, slash);
        const auto address = PeerAddress::parse(written);
        if (!address) refuse(text, "is not an address or network: write 10.0.0.0/8, 2001:db8::7 or unix");
        address_ = *address;
        bits_ = address_.bits();
        if (slash != std::string_view::npos) take_prefix(text, text.substr(slash + 1), is_ipv6(written));
        if (address_.network(bits_) != address_) {
            refuse(text, "has bits behind its prefix: write " + address_.network(bits_).to_string() + "/" +
                             std::to_string(bits_));
        }
    }

    [[nodiscard]] bool contains(const PeerAddress& address) const noexcept {
        return address.network(bits_) == address_;
    }

  private:
    void take_prefix(std::string_view text, std::string_view prefix, bool is_v6) {
        const unsigned hidden = is_v6 ? 128 - bits_ : 0;  // of an IPv4 address in one of IPv6
        const std::optional<unsigned> bits = parse_decimal<unsigned>(prefix);
        if (!bits || *bits > bits_ + hidden) {
            refuse(text, "has a prefix that its address does not have: write /" + std::to_string(hidden + 1) +
                             " to /" + std::to_string(hidden + bits_));
        }
        if (*bits <= hidden)
            refuse(
                text,
                "contains every address, so that each client could choose its own: list your proxies only");
        bits_ = *bits - hidden;
    }
    [[noreturn]] static void refuse(std::string_view text, const std::string& why) {
        throw std::invalid_argument("trusted_proxies: '" + std::string(text) + "' " + why);
    }

    PeerAddress address_;  // "unix" unless it is set
    unsigned bits_ = 0;
};

class TrustedProxies final : public StepWork {
  public:
    static constexpr StepRule rules[] = {
        {"trusted_proxies", "the second would take the first one's client for a proxy"},
        {"rate_limit", "the clients behind a proxy would share one allowance"},
        {"allowed_hosts", "it would check another host than handlers see"},
        {"csrf", "it would compare origins with another host than handlers see"},
        {"basic_auth", "its check would see the proxy in place of the client"},
        {"bearer_auth", "its check would see the proxy in place of the client"},
        {"jwt", "its check would see the proxy in place of the client"},
        {"sessions", "cookies would be set for the scheme of the proxy"},
        {"cache", "answers would be kept under another host and scheme than handlers see"},
        {nullptr, nullptr}};
    static constexpr StepInfo info{"trusted_proxies", rules};

    TrustedProxies(const std::vector<std::string>& proxies, middleware::TrustedProxiesOptions options)
        : options_(options) {
        if (proxies.empty()) {
            throw std::invalid_argument("trusted_proxies: no proxies: list their addresses or networks");
        }
        for (const std::string& proxy : proxies) networks_.push_back(Network(proxy));
    }

    void run(Context& ctx) override {
        Call& call = Call::of(ctx);
        // Of half a head, what the proxy has added may be missing, and the last element be a client's.
        if (call.request.is_cut_short || !is_listed(call.place.peer)) return;
        const bool is_standard = options_.fields == middleware::ForwardedFields::standard;
        const Client found = is_standard ? of_forwarded(call) : of_x_forwarded(call);
        auto& client = ctx.state<ForwardedClient>();
        client.address = found.address.to_string();
        client.peer = found.address;
        client.scheme = found.scheme;
        if (options_.use_host && !found.host.empty()) call.request.take_host(found.host);
    }

  private:
    struct Client {
        PeerAddress address;
        std::string_view scheme;
        std::string_view host;
    };

    [[nodiscard]] bool is_listed(const PeerAddress& address) const noexcept {
        for (const Network& network : networks_) {
            if (network.contains(address)) return true;
        }
        return false;
    }

    /// Calls `f(element)` for each element of the list in the fields of that name, the last first, until it
    /// returns false.
    template <class F>
    static void walk_back(const Call& call, std::string_view name, F f) {
        const Request& request = call.request;
        for (std::size_t i = request.fields.size(); i-- > 0;) {
            const FieldSlice& field = request.fields[i];
            if (!iequals(field.name.of(request.base), name)) continue;
            std::string_view list = field.value.of(request.base);
            do {
                if (!f(take_last_element(list, ','))) return;
            } while (!list.empty());
        }
    }
    static std::string_view last_element(const Call& call, std::string_view name) {
        std::string_view last;
        walk_back(call, name, [&](std::string_view element) {
            last = element;
            return false;
        });
        return last;
    }

    [[nodiscard]] Client of_x_forwarded(const Call& call) const {
        Client client{call.place.peer, {}, {}};
        walk_back(call, "X-Forwarded-For", [&](std::string_view element) {
            const auto node = parse_node(element);
            if (!node) return false;
            client.address = *node;
            return is_listed(client.address);
        });
        client.scheme = known_scheme(last_element(call, "X-Forwarded-Proto"));
        client.host = known_host(last_element(call, "X-Forwarded-Host"));
        return client;
    }
    [[nodiscard]] Client of_forwarded(const Call& call) const {
        Client client{call.place.peer, {}, {}};
        walk_back(call, "Forwarded", [&](std::string_view text) {
            const ForwardedElement element(text);
            client.scheme = element.scheme();  // also where the node is not an address, such as "_hidden"
            client.host = element.host();
            const auto node = parse_node(element.node());
            if (!node) return false;
            client.address = *node;
            return is_listed(client.address);
        });
        return client;
    }

    Array<Network> networks_;
    middleware::TrustedProxiesOptions options_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step trusted_proxies(std::vector<std::string> proxies, TrustedProxiesOptions options) {
    return detail::StepMaker::make<detail::TrustedProxies>(proxies, options);
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
