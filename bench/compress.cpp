// What compression costs: time and size of JSON by each coding and level, of a stream of events, and of the
// messages of a WebSocket.
//
//   g++ -std=c++20 -O2 -pthread -DSAKE_WITH_ZLIB -DSAKE_WITH_BROTLI -DSAKE_WITH_ZSTD -Isingle_include
//   bench/compress.cpp
//       -o build/compress -lz -lbrotlienc -lzstd && build/compress
#include <time.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"

namespace {

using sake::detail::BodyEncoder;
using sake::detail::ByteBuffer;
using sake::detail::CompressorKind;
using sake::detail::ContentCoding;

double cpu_time() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The same numbers in each run.
class Random {
  public:
    std::size_t below(std::size_t limit) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<std::size_t>(state_ % limit);
    }
    const char* word() {
        constexpr const char* words[] = {"alpha",   "bravo",    "rice",    "tokyo",  "sake",
                                         "brewing", "koji",     "water",   "summer", "order",
                                         "pending", "street",   "garden",  "bottle", "glass",
                                         "winter",  "customer", "address", "price",  "temperature"};
        return words[below(std::size(words))];
    }

  private:
    std::uint64_t state_ = 88172645463325252u;
};

std::string records(std::size_t size) {
    Random random;
    std::string text = "[";
    while (text.size() < size) {
        text += R"({"id":)" + std::to_string(random.below(1000000)) + R"(,"name":")" + random.word() + " " +
                random.word() + R"(","price":)" + std::to_string(random.below(100000)) + R"(.5,"tags":[")" +
                random.word() + R"(",")" + random.word() + R"("],"created_at":"2026-11-)" +
                std::to_string(10 + random.below(20)) + "T" + std::to_string(10 + random.below(10)) +
                R"(:30:00Z","note":")" + random.word() + " " + random.word() + " " + random.word() + R"("},)";
    }
    text.resize(size - 1);
    return text + "]";
}

std::string event(Random& random, int id) {
    return "id: " + std::to_string(id) + "\nevent: price\ndata: {\"symbol\":\"" + random.word() +
           "\",\"bid\":" + std::to_string(random.below(100000)) +
           ",\"ask\":" + std::to_string(random.below(100000)) + ",\"note\":\"" + random.word() +
           "\",\"time\":\"2026-11-29T15:" + std::to_string(10 + random.below(50)) + ":" +
           std::to_string(10 + random.below(50)) + "Z\"}\n\n";
}

void measure_bodies(sake::Reactor& reactor) {
    sake::detail::Compressors compressors(reactor);
    for (const std::size_t size : {2UL * 1024, 10UL * 1024, 128UL * 1024, 1024UL * 1024}) {
        const std::string text = records(size);
        const int rounds = size > 100'000 ? 10 : 300;
        for (const auto& [coding, levels] : {std::pair(ContentCoding::zstd, std::vector{1, 3, 6}),
                                             std::pair(ContentCoding::br, std::vector{1, 4, 6}),
                                             std::pair(ContentCoding::gzip, std::vector{1, 4, 6, 9})}) {
            for (const int level : levels) {
                std::string body;
                double time = 0;
                for (int i = 0; i < rounds; ++i) {
                    body = text;
                    const double begin = cpu_time();
                    static_cast<void>(compressors.compress({coding, level}, body, true));
                    time += cpu_time() - begin;
                }
                std::printf("%7zu bytes  %-4s %d  %9.1f us  to %5.1f %%\n", size,
                            std::string(to_string(coding)).c_str(), level, time / rounds * 1e6,
                            100.0 * static_cast<double>(body.size()) / static_cast<double>(size));
            }
        }
    }
}

void measure_events() {
    constexpr int count = 1000;
    for (const CompressorKind& kind :
         {CompressorKind{ContentCoding::gzip, 6, 12}, CompressorKind{ContentCoding::gzip, 6, 15},
          CompressorKind{ContentCoding::zstd, 3, 12}, CompressorKind{ContentCoding::zstd, 3, 15},
          CompressorKind{ContentCoding::br, 4, 12}}) {
        Random random;
        std::vector<std::string> events;
        std::size_t size = 0;
        for (int i = 0; i < count; ++i) size += events.emplace_back(event(random, i)).size();
        const auto compressor = sake::detail::make_compressor(kind);
        std::size_t sent = 0;
        const double begin = cpu_time();
        for (const std::string& each : events) {
            ByteBuffer out;
            compressor->encode(each, BodyEncoder::Behind::pause, out);
            sent += out.size();
        }
        const double time = cpu_time() - begin;
        std::printf("events of %zu bytes  %-4s %d window %5d  %5.1f us  to %zu bytes  memory %zu\n",
                    size / count, std::string(to_string(kind.coding)).c_str(), kind.level,
                    1 << kind.window_bits, time / count * 1e6, sent / count, compressor->memory());
    }
}

void measure_messages() {
    using sake::detail::WsDeflateStream;
    using sake::detail::WsWindow;
    const std::string text = records(1024UL * 1024);
    for (const std::size_t size : {200UL, 2UL * 1024, 16UL * 1024}) {
        for (const WsWindow window : {WsWindow{false, 15}, WsWindow{true, 15}, WsWindow{true, 12}}) {
            for (const int level : {1, 3, 6}) {
                WsDeflateStream stream(window, level);
                std::string out;
                std::size_t count = 0;
                std::size_t sent = 0;
                const double begin = cpu_time();
                for (std::size_t at = 0; at + size <= text.size(); at += size, ++count) {
                    out.clear();
                    static_cast<void>(stream.deflate(std::string_view(text).substr(at, size), out));
                    sent += out.size();
                }
                const double time = cpu_time() - begin;
                std::printf("messages of %5zu bytes  %-6s %d window %5d  %6.1f us  to %5.1f %%\n", size,
                            window.is_kept ? "kept" : "shared", level, 1 << window.bits,
                            time / static_cast<double>(count) * 1e6,
                            100.0 * static_cast<double>(sent) / static_cast<double>(count * size));
            }
        }
    }
}

}  // namespace

int main() {
    sake::Reactor reactor;
    measure_bodies(reactor);
    measure_events();
    measure_messages();
}
