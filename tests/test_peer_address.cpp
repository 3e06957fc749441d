// PeerAddress: which texts are addresses, and the networks that they are in.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_peer_address {

using sake::detail::PeerAddress;

namespace {

std::string canonical(std::string_view text) {
    const auto address = PeerAddress::parse(text);
    return address ? (*address).to_string() : "none";
}
std::string network(std::string_view text, unsigned bits) {
    const auto address = PeerAddress::parse(text);
    return address ? (*address).network(bits).to_string() : "none";
}

}  // namespace

TEST_CASE("an address is parsed from each of its texts to the same one") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"2001:DB8::00a1", "2001:db8::a1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"::ffff:10.1.2.3", "10.1.2.3"},
        {"::FFFF:0a01:0203", "10.1.2.3"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"},
        {"64:ff9b::10.1.2.3", "64:ff9b::a01:203"},
        {"::10.1.2.3", "::10.1.2.3"},
    };
    for (const auto& [text, expected] : cases) {
        CAPTURE(text);
        CHECK(canonical(text) == expected);
    }
    CHECK(*PeerAddress::parse("::ffff:10.1.2.3") == *PeerAddress::parse("10.1.2.3"));
    CHECK_FALSE(*PeerAddress::parse("::10.1.2.3") == *PeerAddress::parse("10.1.2.3"));
    CHECK(*PeerAddress::parse("127.0.0.1") == PeerAddress::loopback());
    CHECK_FALSE(*PeerAddress::parse("0.0.0.0") == PeerAddress());  // that is "unix"
}

TEST_CASE("no other text is an address") {
    for (const std::string_view text : {"",
                                        "unix",
                                        "unknown",
                                        "localhost",
                                        "1",
                                        "127.1",
                                        "2130706433",
                                        "0x7f.0.0.1",
                                        "127.0.0.01",
                                        "0127.0.0.1",
                                        "127.0.0.256",
                                        "127.0.0.1.",
                                        ".127.0.0.1",
                                        "127.0.0",
                                        "127.0.0.1.1",
                                        "127.0.0.1:80",
                                        " 127.0.0.1",
                                        "127.0.0.1 ",
                                        "127.0.0.1/8",
                                        "[::1]",
                                        "::1%lo",
                                        "fe80::1%25eth0",
                                        ":::",
                                        "1::2::3",
                                        ":1",
                                        "1:",
                                        "1:2:3:4:5:6:7",
                                        "1:2:3:4:5:6:7:8:9",
                                        "12345::",
                                        "::g",
                                        "::ffff:1.2.3",
                                        "::ffff:01.2.3.4",
                                        "::1\n",
                                        "0000:0000:0000:0000:0000:ffff:255.255.255.2555"}) {
        CAPTURE(text);
        CHECK(canonical(text) == "none");
    }
    CHECK(canonical(std::string_view("::1\0", 4)) == "none");
    CHECK(canonical(std::string_view("1.2.3.4\0x", 9)) == "none");
    CHECK(canonical(std::string(1000, '1')) == "none");
}

TEST_CASE("a network keeps the first bits of an address") {
    CHECK(network("10.255.255.255", 0) == "0.0.0.0");
    CHECK(network("10.255.255.255", 8) == "10.0.0.0");
    CHECK(network("10.255.255.255", 9) == "10.128.0.0");
    CHECK(network("10.255.255.255", 31) == "10.255.255.254");
    CHECK(network("10.255.255.255", 32) == "10.255.255.255");
    CHECK(network("10.255.255.255", 64) == "10.255.255.255");
    CHECK(network("2001:db8:ffff:ffff:ffff::", 64) == "2001:db8:ffff:ffff::");
    CHECK(network("2001:db8:ffff:ffff:ffff::", 63) == "2001:db8:ffff:fffe::");
    CHECK(network("2001:db8::1", 127) == "2001:db8::");
    CHECK(network("2001:db8::1", 128) == "2001:db8::1");
    CHECK(PeerAddress().network(64) == PeerAddress());
    CHECK(PeerAddress::loopback().bits() == 32);
    CHECK((*PeerAddress::parse("::1")).bits() == 128);
    CHECK(PeerAddress().bits() == 0);
}

}  // namespace test_peer_address
