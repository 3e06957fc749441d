// Addresses: how they are taken apart and compared, and the names of peers.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_address {

using sake::detail::PeerAddress;
using sake::detail::SocketAddress;
using sake::detail::split_address;

namespace {

template <class Address>
PeerAddress peer_from(const Address& address) {
    sockaddr_storage storage{};
    std::memcpy(&storage, &address, sizeof address);
    return PeerAddress(storage);
}

PeerAddress peer_v4(const char* text) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(80);
    REQUIRE(::inet_pton(AF_INET, text, &address.sin_addr) == 1);
    return peer_from(address);
}

PeerAddress peer_v6(const char* text) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(80);
    REQUIRE(::inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
    return peer_from(address);
}

SocketAddress v4(const char* text, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    REQUIRE(::inet_pton(AF_INET, text, &address.sin_addr) == 1);
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

SocketAddress v6(const char* text, std::uint16_t port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    REQUIRE(::inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

}  // namespace

TEST_CASE("an address knows its port, and whether it stands for every interface") {
    CHECK(v4("127.0.0.1", 80).port() == 80);
    CHECK(v6("::1", 65535).port() == 65535);
    SocketAddress moved = v6("::1", 80);
    moved.set_port(81);
    CHECK(moved == v6("::1", 81));
    CHECK_FALSE(moved == v6("::2", 81));
    CHECK(v4("0.0.0.0", 80).is_any());
    CHECK(v6("::", 80).is_any());
    CHECK_FALSE(v4("127.0.0.1", 80).is_any());
    CHECK_FALSE(v6("::1", 80).is_any());
}

TEST_CASE("an IPv4 address that is written as one of IPv6 is the same as without that") {
    CHECK(v6("::ffff:192.0.2.7", 80).without_mapping() == v4("192.0.2.7", 80));
    CHECK(v6("::192.0.2.7", 80).without_mapping() == v6("::192.0.2.7", 80));  // not a mapped address
    CHECK(v4("192.0.2.7", 80).without_mapping() == v4("192.0.2.7", 80));
}

TEST_CASE("a peer is named by its address in the usual form, without the port") {
    CHECK(peer_v4("127.0.0.1").to_string() == "127.0.0.1");
    CHECK(peer_v4("255.0.10.1").to_string() == "255.0.10.1");
    CHECK(peer_v6("::1").to_string() == "::1");
    CHECK(peer_v6("2001:db8:0:0:0:0:0:1").to_string() == "2001:db8::1");
    CHECK(PeerAddress().to_string() == "unix");
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    CHECK(peer_from(local).to_string() == "unix");
    static_assert(sizeof(PeerAddress) <= 20);
}

TEST_CASE("an IPv4 client of a socket for both versions is named as IPv4") {
    CHECK(peer_v6("::ffff:192.0.2.7").to_string() == "192.0.2.7");
    CHECK(peer_v6("::192.0.2.7").to_string() == "::192.0.2.7");  // not a mapped address
}

TEST_CASE("host and port are taken apart at the last colon, brackets hold IPv6") {
    struct Row {
        std::string_view text;
        std::string_view host;
        std::string_view port;
        bool in_brackets;
    };
    for (const Row& row :
         {Row{":8080", "", "8080", false}, Row{"127.0.0.1:0", "127.0.0.1", "0", false},
          Row{"localhost:65535", "localhost", "65535", false}, Row{"[::1]:80", "::1", "80", true},
          Row{"[fe80::1%eth0]:80", "fe80::1%eth0", "80", true}, Row{"a.b-c:1", "a.b-c", "1", false}}) {
        CAPTURE(row.text);
        const auto parts = split_address(row.text);
        REQUIRE(static_cast<bool>(parts));
        CHECK(parts->host == row.host);
        CHECK(parts->port == row.port);
        CHECK(parts->in_brackets == row.in_brackets);
    }
}

}  // namespace test_address
