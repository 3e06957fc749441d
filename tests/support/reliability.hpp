// What the reliability tests share: quiet settings, every poller in turn, requests as text, and waiting for a
// fact with a deadline. No assertions here.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <algorithm>
#include <cstdlib>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "oracle.hpp"
#include "raw_client.hpp"
#include "sake.hpp"
#include "server_fixture.hpp"

namespace harness {

using namespace std::chrono_literals;

/// Settings under which expected failures do not fill the output.
inline sake::Config quiet_config() {
    return sake::Config().with_log([](sake::LogLevel, std::string_view) {});
}

/// Whether the tests run as long as RELIABILITY.md asks: SAKE_LONG is in the environment.
inline bool is_full_size() { return std::getenv("SAKE_LONG") != nullptr; }

/// Whether a sanitizer looks on: then all takes longer, and what was freed is kept for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#elif defined(__has_feature)
constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool is_sanitized = false;
#endif

/// Whether that is ThreadSanitizer.
#if defined(__SANITIZE_THREAD__)
constexpr bool is_thread_sanitized = true;
#elif defined(__has_feature)
constexpr bool is_thread_sanitized = __has_feature(thread_sanitizer);
#else
constexpr bool is_thread_sanitized = false;
#endif

/// How often a test that RELIABILITY.md asks for `full` times is to be repeated: so that the suite stays
/// quick, unless it is to be run at full size.
inline int rounds(int full) {
    if (is_full_size()) return full;
    return std::max(full / (is_sanitized ? 50 : 10), 20);
}

/// Runs `test(config)` with each backend: epoll, poll, and kqueue through the test double.
template <class Test>
void on_every_poller(Test test) {
    struct Backend {
        sake::PollerKind kind;
        std::string name;
    };
    const Backend backends[] = {{sake::PollerKind::epoll, "epoll"},
                                {sake::PollerKind::poll, "poll"},
                                {sake::PollerKind::kqueue, "kqueue"}};
    for (const Backend& backend : backends) {
        INFO("poller: ", backend.name);
        test(quiet_config().with_poller(backend.kind));
    }
}

/// Asks every millisecond until it is so; false if it still is not after `longest`.
template <class Fact>
[[nodiscard]] bool eventually(Fact is_so, std::chrono::milliseconds longest = 20s) {
    const auto until = std::chrono::steady_clock::now() + longest;
    while (!is_so()) {
        if (std::chrono::steady_clock::now() > until) return false;
        ::poll(nullptr, 0, 1);
    }
    return true;
}

/// The descriptors of the process once the server is up and has closed its end of everything older.
inline int settled_fds(const TestServer& server) {
    RawClient client = server.connect();
    client.send("GET /_ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").read_response();
    static_cast<void>(client.expect_closed());
    client.close();
    return Snapshot::take_in_calm().fds;  // the server may wait for this end before it closes its own
}

/// A GET; `fields` are whole lines with their CRLF.
inline std::string get_request(std::string_view path, std::string_view fields = {}) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n";
}

/// A POST with Content-Length.
inline std::string post_request(std::string_view path, std::string_view body, std::string_view fields = {}) {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(fields) + "\r\n" + std::string(body);
}

/// A POST with `body` as it is on the wire behind a head that says chunked.
inline std::string chunked_request(std::string_view path, std::string_view body) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" +
           std::string(body);
}

/// How often `needle` occurs.
inline std::size_t count_of(std::string_view text, std::string_view needle) {
    std::size_t count = 0;
    for (std::size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + 1)) {
        ++count;
    }
    return count;
}

/// Bytes that differ from place to place, so that a lost or doubled piece shows.
inline std::string pattern_bytes(std::size_t size, unsigned seed = 1) {
    std::string bytes(size, '\0');
    for (char& c : bytes) {
        seed = seed * 1664525U + 1013904223U;
        c = static_cast<char>('!' + (seed >> 24U) % 90U);
    }
    return bytes;
}

}  // namespace harness
