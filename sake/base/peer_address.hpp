// The address of a peer in a few bytes, because every connection keeps one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/maybe.hpp"
#include "sake/base/version.hpp"

struct in6_addr;
struct sockaddr_storage;

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Who is at the other end, without the port. Small, since every connection keeps one.
class PeerAddress {
  public:
    PeerAddress() = default;
    explicit PeerAddress(const sockaddr_storage& address) noexcept;

    /// This machine: 127.0.0.1.
    [[nodiscard]] static PeerAddress loopback() noexcept {
        PeerAddress address;
        address.family_ = Family::v4;
        address.bytes_[0] = 127;
        address.bytes_[3] = 1;
        return address;
    }

    /// The address that a text stands for; IPv4-mapped IPv6 addresses become IPv4. Nothing for any other
    /// text, including "unix" and addresses with brackets, a port or a zone.
    [[nodiscard]] static Maybe<PeerAddress> parse(std::string_view text) noexcept;

    /// "127.0.0.1", "2001:db8::1" or "unix".
    [[nodiscard]] std::string to_string() const;

    /// Whether it is on this machine: 127.0.0.0/8, ::1, or a Unix socket.
    [[nodiscard]] bool is_local() const noexcept {
        if (family_ != Family::v6) return family_ == Family::local || bytes_[0] == 127;
        std::array<std::uint8_t, 16> loopback_v6{};
        loopback_v6[15] = 1;
        return bytes_ == loopback_v6;
    }
    /// The number of bits: 32 or 128; 0 for "unix".
    [[nodiscard]] unsigned bits() const noexcept {
        return family_ == Family::local ? 0 : family_ == Family::v4 ? 32 : 128;
    }
    /// The network of the address: all bits after the first `bits` are 0.
    [[nodiscard]] PeerAddress network(unsigned bits) const noexcept;

    /// Bytes that identify the address.
    [[nodiscard]] std::array<char, 17> bytes() const noexcept {
        std::array<char, 17> all{static_cast<char>(family_)};
        for (std::size_t i = 0; i < bytes_.size(); ++i) all[i + 1] = static_cast<char>(bytes_[i]);
        return all;
    }

    [[nodiscard]] friend bool operator==(const PeerAddress&, const PeerAddress&) = default;

  private:
    enum class Family : std::uint8_t { local, v4, v6 };

    // A socket for both versions shows an IPv4 client as ::ffff:a.b.c.d.
    void take_v6(const in6_addr& address) noexcept;

    std::array<std::uint8_t, 16> bytes_{};
    Family family_ = Family::local;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
