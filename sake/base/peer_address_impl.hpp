// Definitions of peer_address.hpp: addresses of sockets, and their text.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

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
