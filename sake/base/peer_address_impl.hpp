// Definitions of peer_address.hpp: addresses of sockets, and their text.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "sake/base/ip_text.hpp"
#include "sake/base/peer_address.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE PeerAddress::PeerAddress(const sockaddr_storage& address) noexcept {
    if (address.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        std::memcpy(bytes_.data(), &v4.sin_addr, 4);
        family_ = Family::v4;
    } else if (address.ss_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        take_v6(v6.sin6_addr);
    }
}

SAKE_INLINE Maybe<PeerAddress> PeerAddress::parse(std::string_view text) noexcept {
    PeerAddress address;
    char terminated[INET6_ADDRSTRLEN] = {};
    if (text.size() >= sizeof terminated) return {};
    text.copy(terminated, text.size());
    if (is_ipv4(text)) {
        if (::inet_pton(AF_INET, terminated, address.bytes_.data()) != 1) return {};
        address.family_ = Family::v4;
        return address;
    }
    in6_addr v6{};
    if (!is_ipv6(text) || ::inet_pton(AF_INET6, terminated, &v6) != 1) return {};
    address.take_v6(v6);
    return address;
}

SAKE_INLINE PeerAddress PeerAddress::network(unsigned bits) const noexcept {
    PeerAddress network = *this;
    for (std::uint8_t& byte : network.bytes_) {
        const unsigned kept = bits < 8 ? bits : 8;
        byte = static_cast<std::uint8_t>(byte & (0xff00U >> kept));
        bits -= kept;
    }
    return network;
}

SAKE_INLINE std::string PeerAddress::to_string() const {
    if (family_ == Family::local) return "unix";
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(family_ == Family::v4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
    return text;
}

SAKE_INLINE void PeerAddress::take_v6(const in6_addr& address) noexcept {
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&address) != 0;
    family_ = mapped ? Family::v4 : Family::v6;
    std::memcpy(bytes_.data(), address.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
