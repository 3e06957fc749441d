// The address of a peer in a few bytes, since every connection keeps one.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Who is at the other end, without the port. Small, since every connection keeps one.
class PeerAddress {
  public:
    PeerAddress() = default;
    explicit PeerAddress(const sockaddr_storage& address) noexcept {
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

    /// This machine: 127.0.0.1.
    [[nodiscard]] static PeerAddress loopback() noexcept {
        PeerAddress address;
        address.family_ = Family::v4;
        address.bytes_[0] = 127;
        address.bytes_[3] = 1;
        return address;
    }

    /// "127.0.0.1", "2001:db8::1" or "unix".
    [[nodiscard]] std::string to_string() const {
        if (family_ == Family::local) return "unix";
        char text[INET6_ADDRSTRLEN] = {};
        ::inet_ntop(family_ == Family::v4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
        return text;
    }

  private:
    enum class Family : std::uint8_t { local, v4, v6 };

    // A socket for both versions shows an IPv4 client as ::ffff:a.b.c.d.
    void take_v6(const in6_addr& address) noexcept {
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&address) != 0;
        family_ = mapped ? Family::v4 : Family::v6;
        std::memcpy(bytes_.data(), address.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    }

    std::array<std::uint8_t, 16> bytes_{};
    Family family_ = Family::local;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
