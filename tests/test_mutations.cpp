// Requests with seeded damage, over live sockets: whatever comes, it is answered or closed, soon, and the
// server is as it was. The fuzz targets look for more, but not through the kernel.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/dice.hpp"
#include "support/mixed_load.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace test_mutations {

using namespace harness;

namespace {

const std::vector<std::string>& seed_requests() {
    static const std::vector<std::string> requests = {
        get_request("/hello/1"),
        get_request("/hello/%31?a=b&c=%20"),
        get_request("/sleep/0", "Accept: */*\r\nCookie: a=1; b=\"2\"\r\nUser-Agent: x\r\n"),
        get_request("/hello/1") + get_request("/download/100") + get_request("/hello/2"),
        get_request("/worker/3"),
        get_request("/throws"),
        "HEAD /hello/1 HTTP/1.1\r\nHost: test\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET http://test/hello/1 HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /hello/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "\r\n\r\nGET /hello/1 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        post_request("/order", R"({"name":"sake","prices":[1,2,3]})"),
        post_request("/upload", "0123456789", "Expect: 100-continue\r\n"),
        post_request("/upload", "abc") + get_request("/hello/1"),
        chunked_request("/upload", "3\r\nabc\r\n10;x=\"y\"\r\n0123456789abcdef\r\n0\r\nTrailer: 1\r\n\r\n"),
        chunked_request("/upload", "1\r\na\r\n0\r\n\r\n") + get_request("/hello/1"),
    };
    return requests;
}

std::string mutated(Dice& dice) {
    using namespace std::string_view_literals;
    static constexpr std::string_view tokens[] = {"\r\n"sv,
                                                  "\r\n\r\n"sv,
                                                  "\r"sv,
                                                  "\n"sv,
                                                  "\0"sv,
                                                  " "sv,
                                                  ":"sv,
                                                  ","sv,
                                                  "%"sv,
                                                  "%00"sv,
                                                  "%2F.."sv,
                                                  "\xff"sv,
                                                  "\xc3\xa4"sv,
                                                  "99999999999999999999"sv,
                                                  "-1"sv,
                                                  "0x10"sv,
                                                  "GET / HTTP/1.1\r\n"sv,
                                                  "Host: other\r\n"sv,
                                                  "Content-Length: 5\r\n"sv,
                                                  "Content-Length: 18446744073709551616\r\n"sv,
                                                  "Transfer-Encoding: chunked\r\n"sv,
                                                  "Transfer-Encoding: gzip\r\n"sv,
                                                  "Connection: close\r\n"sv,
                                                  "Expect: 100-continue\r\n"sv,
                                                  "\r\n folded\r\n"sv,
                                                  "[[[[[[[["sv,
                                                  ";a=b"sv,
                                                  "0\r\n\r\n"sv};
    std::string request = dice.one_of(seed_requests());
    for (std::size_t left = dice.below(4) + 1; left > 0; --left) {
        const std::size_t at = dice.below(request.size());
        const std::size_t length = dice.below(std::min<std::size_t>(request.size() - at, 40) + 1);
        switch (dice.below(7)) {
            case 0:  // one bit
                if (!request.empty()) request[at] = static_cast<char>(request[at] ^ (1 << dice.below(8)));
                break;
            case 1:  // any byte
                if (!request.empty()) request[at] = static_cast<char>(dice.below(256));
                break;
            case 2:
                request.erase(at, length);
                break;
            case 3:
                request.resize(at);
                break;
            case 4:
                request.insert(at, request.substr(at, length));
                break;
            case 5:
                if (dice.one_in(20)) request.insert(at, 20'000, 'a');
                break;
            default:
                request.insert(at, dice.one_of(tokens));
        }
    }
    return request;
}

/// Several at once, since most of the time is spent on waking each other. Returns what was wrong, or nothing.
std::string send_and_judge(int port, std::uint64_t first_seed, int count) {
    // A second is the promise. A busy machine may stall for that long; four are still less than the limits
    // of the server's configuration, which would end a connection that hangs.
    const std::chrono::milliseconds longest = is_sanitized ? 10s : is_full_size() ? 1s : 4s;
    std::vector<RawClient> clients;
    std::vector<std::string> rests;  // each comes in two pieces
    std::uint64_t seed = first_seed;
    try {
        for (int i = 0; i < count; ++i, ++seed) {
            Dice dice(seed);
            clients.emplace_back(port);
            const std::string bytes = mutated(dice);
            const std::size_t cut = dice.below(bytes.size() + 1);
            clients.back().try_send(bytes.substr(0, cut));
            rests.push_back(bytes.substr(cut));
        }
        for (std::size_t i = 0; i < clients.size(); ++i) {
            // A refusal may come, and close, before all is sent.
            clients[i].try_send(rests[i]);
            if (!clients[i].was_reset()) clients[i].shutdown_write();
        }
        seed = first_seed;
        for (RawClient& client : clients) {
            const std::string answers = client.read_until_close(longest);
            if (!answers.empty() && !answers.starts_with("HTTP/1.1 ")) {
                throw std::runtime_error("answered with " + answers.substr(0, 100));
            }
            ++seed;
        }
    } catch (const std::exception& error) {
        return "seed " + std::to_string(seed) + ": " + error.what();
    }
    return {};
}

}  // namespace

TEST_CASE(
    "P2 seeded mutations of requests over a live socket are each answered or closed, soon, and leave no "
    "memory behind") {
    with_server(
        MixedLoad::add_routes,
        [](TestServer& server) {
            constexpr int at_once = 20;
            const int mutations = rounds(100'000);
            std::int64_t live_before = 0;
            std::int64_t resident_before = 0;
            for (int sent = 0; sent < mutations; sent += at_once) {
                if (sent == mutations / 10 / at_once * at_once) {  // all caches are filled by then
                    live_before = allocations::live_bytes();
                    resident_before = resident_bytes();
                }
                const auto seed = static_cast<std::uint64_t>(sent) + 1;
                const std::string failure = send_and_judge(server.port(), seed, at_once);
                REQUIRE(failure == "");
                if (sent % 1000 == 0) REQUIRE(server.get("/hello/7").body == "hello 7");
            }
            constexpr std::int64_t mebibyte = 1024 * 1024;
            CHECK(allocations::live_bytes() - live_before < mebibyte);
            if (!is_sanitized) CHECK(resident_bytes() - resident_before < mebibyte);
        },
        MixedLoad::config(quiet_config()));
}

}  // namespace test_mutations
