// permessage-deflate by zlib: round trips in both modes, what an inflater refuses and where it stops, and
// what connections hold and share.
#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/dice.hpp"
#include "support/machinery.hpp"

namespace test_ws_codec {
namespace {

using sake::Reactor;
using sake::detail::deflating_memory;
using sake::detail::inflating_memory;
using sake::detail::OwningPtr;
using sake::detail::WsCodec;
using sake::detail::WsDeflate;
using sake::detail::WsDeflateStream;
using sake::detail::WsInflateStream;
using sake::detail::WsRole;
using sake::detail::WsStreamsOfReactor;
using Result = sake::detail::WsInflater::Result;

constexpr std::size_t no_limit = std::size_t{1} << 30;
constexpr WsDeflate shared{true, true, true, 15, 15};
constexpr WsDeflate dedicated(int bits = 15) { return {true, false, false, bits, bits}; }

/// JSON of so many bytes, another for each seed.
std::string json(std::size_t size, std::uint64_t seed = 1) {
    harness::Dice dice(seed);
    std::string text;
    while (text.size() < size) {
        text += R"({"id":)" + std::to_string(dice.below(1'000'000)) + R"(,"name":"a rice wine","price":)" +
                std::to_string(dice.below(1000)) + "},";
    }
    text.resize(size);
    return text;
}
/// Bytes that nothing makes smaller.
std::string noise(std::size_t size, std::uint64_t seed = 1) {
    harness::Dice dice(seed);
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(dice.below(256));
    return bytes;
}
std::string bytes_of(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(sake::ascii::hex_value(hex[i]) << 4 | sake::ascii::hex_value(hex[i + 1]));
    }
    return bytes;
}
std::string hex_of(std::string_view bytes) {
    std::string hex;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

/// By zlib itself: a raw stream that ends with this flush.
std::string raw(std::string_view text, int flush, std::string_view window = {}) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    if (!window.empty()) {
        REQUIRE(deflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(window.data()),
                                     static_cast<uInt>(window.size())) == Z_OK);
    }
    std::string out(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, flush);
    REQUIRE(stream.avail_in == 0);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

/// A message in pieces of this size; "malformed" or "too big" where it is refused.
template <class Inflater>
std::string inflated(Inflater& inflater, std::string_view payload, std::size_t piece = no_limit,
                     std::size_t most = no_limit) {
    std::string text;
    do {
        const std::string_view part = payload.substr(0, piece);
        payload.remove_prefix(part.size());
        const Result result = inflater.inflate(part, payload.empty(), text, most);
        if (result == Result::malformed) return "malformed";
        if (result == Result::too_big) return "too big";
    } while (!payload.empty());
    CHECK(text.size() <= most);
    return text;
}
/// By a new stream.
std::string inflated(std::string_view payload, std::size_t piece = no_limit, std::size_t most = no_limit) {
    WsInflateStream stream(15);
    return inflated(stream, payload, piece, most);
}

/// The payload of a message that gets smaller.
template <class Deflater>
std::string deflated(Deflater& deflater, std::string_view message) {
    std::string payload = "before";
    const bool is_smaller = deflater.deflate(message, payload);
    REQUIRE(is_smaller);
    REQUIRE(payload.substr(0, 6) == "before");
    payload.erase(0, 6);
    CHECK(payload.size() < message.size());
    return payload;
}

/// Both ends of a connection.
struct Ends {
    Ends(Reactor& reactor, const WsDeflate& agreed)
        : server(WsCodec::make(reactor, WsRole::server, agreed)),
          client(WsCodec::make(reactor, WsRole::client, agreed)) {}

    /// There and back again.
    void exchange(const std::string& message, std::size_t piece = no_limit) {
        for (const bool is_back : {false, true}) {
            WsCodec& from = is_back ? *server : *client;
            WsCodec& to = is_back ? *client : *server;
            std::string payload;
            if (!from.deflate(message, payload)) {
                CHECK(payload.empty());
                continue;
            }
            CHECK(payload.size() < message.size());
            CHECK(inflated(*to.inflater(), payload, piece) == message);
        }
    }

    OwningPtr<WsCodec> server;
    OwningPtr<WsCodec> client;
};

}  // namespace

TEST_CASE("the examples of RFC 7692 inflate, however they are split") {
    const std::pair<std::string, std::string> table[] = {
        {"f248cdc9c90700", "Hello"},              // 7.2.3.1
        {"000500faff48656c6c6f00", "Hello"},      // 7.2.3.3: a block without compression
        {"f348cdc9c9070000", "Hello"},            // 7.2.3.4: a final block
        {"f348cdc9c90700", "Hello"},              // and without the byte that is to follow it
        {"f24805000000ffffcac9c90700", "Hello"},  // 7.2.3.5: two blocks
        {"00", ""},                               // 7.2.3.6
        {"", ""},
    };
    for (const auto& [hex, text] : table) {
        CAPTURE(hex);
        const std::string payload = bytes_of(hex);
        CHECK(inflated(payload) == text);
        CHECK(inflated(payload, 1) == text);
        for (std::size_t cut = 0; cut <= payload.size(); ++cut) {
            WsInflateStream stream(15);
            std::string out;
            Result result = stream.inflate(payload.substr(0, cut), false, out, no_limit);
            if (result == Result::ok) result = stream.inflate(payload.substr(cut), true, out, no_limit);
            CHECK((result == Result::ok ? out : "malformed") == text);
            // The end may come by itself.
            WsInflateStream other(15);
            out.clear();
            result = other.inflate(payload, false, out, no_limit);
            if (result == Result::ok) result = other.inflate("", true, out, no_limit);
            CHECK((result == Result::ok ? out : "malformed") == text);
        }
    }
    // 7.2.3.2: two messages that share a window.
    WsInflateStream stream(15);
    CHECK(inflated(stream, bytes_of("f248cdc9c90700")) == "Hello");
    CHECK(inflated(stream, bytes_of("f200110000")) == "Hello");
    CHECK(inflated(bytes_of("f200110000")) == "malformed");
}

TEST_CASE("messages of every size are the same again, in both modes") {
    Reactor reactor;
    for (const WsDeflate& agreed : {shared, dedicated(), dedicated(9), WsDeflate{true, true, false, 12, 9}}) {
        Ends ends(reactor, agreed);
        for (std::size_t size = 0; size < 700; ++size) ends.exchange(json(size, size));
        for (const std::size_t border : {1024U, 4096U, 16384U, 32768U, 65536U, 131072U}) {
            for (std::size_t size = border - 2; size <= border + 2; ++size) {
                ends.exchange(json(size));
                ends.exchange(std::string(size, 'a'), 7);
                ends.exchange(noise(size));
                ends.exchange(noise(size / 2) + json(size / 2));
            }
        }
        ends.exchange(json(3'000'000));
    }
}

TEST_CASE("a compressed message is the same in any two pieces, and byte by byte") {
    Reactor reactor;
    for (const WsDeflate& agreed : {shared, dedicated(10)}) {
        Ends ends(reactor, agreed);
        const std::string message = json(5000);
        for (std::size_t cut = 0;; ++cut) {
            const std::string payload = deflated(*ends.server, message);
            if (cut > payload.size()) break;
            std::string out;
            WsCodec& to = *ends.client;
            REQUIRE(to.inflate(std::string_view(payload).substr(0, cut), false, out, no_limit) == Result::ok);
            REQUIRE(to.inflate(std::string_view(payload).substr(cut), true, out, no_limit) == Result::ok);
            REQUIRE(out == message);
        }
        for (const std::size_t piece : {1U, 2U, 3U, 100U}) ends.exchange(json(piece + 3000), piece);
    }
}

TEST_CASE("a stream refers to no more than its window, and inflates with it") {
    // What repeats at a distance can be referred to only from a larger window.
    for (int bits = 9; bits <= 15; ++bits) {
        CAPTURE(bits);
        const std::string far = noise((std::size_t{1} << bits) + 50);
        const std::string message = far + far + json(100'000);
        for (const bool is_kept : {false, true}) {
            WsDeflateStream deflater({is_kept, bits});
            WsInflateStream inflater(bits);
            WsInflateStream larger(15);
            for (int time = 0; time < 3; ++time) {
                const std::string payload = deflated(deflater, message);
                CHECK(inflated(inflater, payload, 1) == message);  // byte by byte, zlib sees only the window
                CHECK(inflated(larger, payload) == message);
            }
        }
        if (bits == 15) continue;
        WsDeflateStream deflater({true, 15});
        WsInflateStream inflater(bits);
        CHECK(inflated(inflater, deflated(deflater, message), 1) == "malformed");
    }
}

TEST_CASE("a window that is kept makes the second of equal messages small") {
    Reactor reactor;
    for (const int bits : {11, 15}) {
        Ends ends(reactor, dedicated(bits));
        const std::string message = json(1000);
        const std::string first = deflated(*ends.server, message);
        const std::string second = deflated(*ends.server, message);
        CHECK(second.size() < first.size() / 5);
        CHECK(inflated(*ends.client, first) == message);
        CHECK(inflated(*ends.client, second) == message);
        // Without the first, it makes no sense.
        WsInflateStream other(bits);
        CHECK(inflated(other, second) == "malformed");
    }
}

TEST_CASE("a window that is not kept makes all messages independent") {
    Reactor reactor;
    Ends ends(reactor, shared);
    const std::string message = json(1000);
    const std::string first = deflated(*ends.server, message);
    CHECK(deflated(*ends.server, json(5000, 2)) != first);
    CHECK(deflated(*ends.server, message) == first);
    CHECK(deflated(*ends.client, message) == first);
    Reactor other;
    Ends others(other, shared);
    CHECK(deflated(*others.server, message) == first);
    for (int time = 0; time < 2; ++time) CHECK(inflated(*ends.client, first) == message);
}

TEST_CASE("a client's text is not in the window of the next client") {
    Reactor reactor;
    const std::string secret = json(1000);
    const std::string reference = raw(secret, Z_SYNC_FLUSH, secret);  // refers to what came before
    WsInflateStream stream(15);
    CHECK(inflated(stream, deflated(*Ends(reactor, dedicated()).server, secret)) == secret);
    CHECK(inflated(stream, reference.substr(0, reference.size() - 4)) == secret);
    Ends ends(reactor, shared);
    Ends next(reactor, shared);
    CHECK(inflated(*ends.server, deflated(*ends.client, secret)) == secret);
    CHECK(inflated(*next.server, reference.substr(0, reference.size() - 4)) == "malformed");
    // Nor after a message that was never ended.
    std::string text;
    CHECK(ends.server->inflate(deflated(*ends.client, secret), false, text, no_limit) == Result::ok);
    ends.server.reset();
    CHECK(inflated(*next.server, reference.substr(0, reference.size() - 4)) == "malformed");
}

TEST_CASE("a message that would not be smaller is left, and later ones do not refer to it") {
    Reactor reactor;
    for (const WsDeflate& agreed : {shared, dedicated()}) {
        Ends ends(reactor, agreed);
        for (const std::string& message :
             {std::string(), std::string("a"), std::string("ab"), noise(100), noise(100'000, 2)}) {
            ends.exchange(json(2000));
            std::string out = "before";
            CHECK_FALSE(ends.server->deflate(message, out));
            CHECK(out == "before");
            // As if the first had been sent compressed: had it been, the second would be short.
            CHECK_FALSE(ends.server->deflate(message, out));
            CHECK(out == "before");
            ends.exchange(message + json(2000));
        }
    }
}

TEST_CASE("the text of a message has at most the bytes that it may have") {
    for (const std::size_t size : {1U, 100U, 16383U, 16384U, 16385U, 32768U, 100'000U}) {
        CAPTURE(size);
        const std::string message(size, 'a');
        std::string payload = raw(message, Z_SYNC_FLUSH);
        payload.resize(payload.size() - 4);
        for (const std::size_t piece : {std::size_t{1}, no_limit}) {
            CHECK(inflated(payload, piece, size + 1) == message);
            CHECK(inflated(payload, piece, size) == message);
            CHECK(inflated(payload, piece, size - 1) == "too big");
        }
        // Together with what is there already.
        for (const std::size_t most : {size + 2, size + 3, size + 4, std::size_t{1}}) {
            WsInflateStream stream(15);
            std::string out = "was";
            const Result result = stream.inflate(payload, true, out, most);
            CHECK((result == Result::ok) == (most >= size + 3));
            if (result == Result::ok) CHECK(out == "was" + message);
        }
    }
    // A message without a byte needs no room.
    CHECK(inflated(bytes_of("00"), no_limit, 0).empty());
    CHECK(inflated(bytes_of("f248cdc9c90700"), no_limit, 0) == "too big");
}

TEST_CASE("memory for the text is never more than it may have, and is not taken ahead") {
    std::string payload = raw(std::string(1'000'000, 'a'), Z_SYNC_FLUSH);
    for (const std::size_t most : {100'000U, 999'999U, 1'000'000U}) {
        WsInflateStream stream(15);
        std::string out;
        std::size_t largest = 0;
        for (const char& byte : payload) {
            if (stream.inflate({&byte, 1}, false, out, most) != Result::ok) break;
            CHECK(out.capacity() <= std::max<std::size_t>(2 * (out.size() + 16384), 30));
            largest = std::max(largest, out.capacity());
        }
        CHECK(largest <= most);
        CHECK((out.size() == 1'000'000) == (most == 1'000'000));
    }
}

TEST_CASE("a bomb of 6 MiB that inflates to gigabytes ends at the limit") {
    const std::string block = raw(std::string(1'000'000, '\0'), Z_SYNC_FLUSH);
    std::string bomb;
    while (bomb.size() < 6U * 1024 * 1024) bomb += block;
    CHECK(bomb.size() / block.size() * 1'000'000 > std::size_t{4} << 30);
    Reactor reactor;
    for (const WsDeflate& agreed : {shared, dedicated()}) {
        for (const std::size_t piece : {std::size_t{1000}, no_limit}) {
            const auto codec = WsCodec::make(reactor, WsRole::server, agreed);
            std::string out;
            std::string_view rest = bomb;
            Result result = Result::ok;
            while (result == Result::ok) {
                result = codec->inflate(rest.substr(0, piece), false, out, 1024 * 1024);
                rest.remove_prefix(std::min(piece, rest.size()));
            }
            CHECK(result == Result::too_big);
            CHECK(out.size() <= 1024 * 1024);
            CHECK(out.capacity() <= 1024 * 1024);
        }
    }
}

TEST_CASE("a message that breaks off is malformed") {
    WsDeflateStream deflater({false, 15});
    for (const std::size_t size : {100U, 300U, 5000U}) {
        const std::string payload = deflated(deflater, json(size));
        for (std::size_t cut = 1; cut < payload.size(); ++cut) {
            CAPTURE(cut);
            CHECK(inflated(std::string_view(payload).substr(0, cut)) == "malformed");
        }
    }
    const std::string stored = bytes_of("000500faff48656c6c6f00");
    for (std::size_t cut = 2; cut < stored.size(); ++cut) {
        CAPTURE(cut);
        // By 7.2.2 the tail is input as any other: where four bytes are missing, it is they.
        const std::string expected = cut == 6 ? "H" + bytes_of("0000ffff") : "malformed";
        CHECK(inflated(std::string_view(stored).substr(0, cut)) == expected);
    }
    // What all flushes end with has been cut off.
    CHECK(inflated(bytes_of("f248cdc9c907000000ffff")) == "malformed");
}

TEST_CASE("with any byte changed, a message is malformed or another, and no more than it may be") {
    const std::string message = json(600);
    WsDeflateStream deflater({false, 15});
    const std::string payload = deflated(deflater, message);
    std::size_t malformed = 0;
    for (std::size_t at = 0; at < payload.size(); ++at) {
        for (unsigned change = 1; change < 256; ++change) {
            std::string other = payload;
            other[at] = static_cast<char>(static_cast<unsigned char>(other[at]) ^ change);
            const std::string text = inflated(other, no_limit, 4000);
            CHECK(text.size() <= 4000);
            if (text == "malformed") ++malformed;
        }
    }
    CHECK(malformed > payload.size() * 64);  // a quarter of them
    // Blocks of the reserved type, lengths that do not fit, and noise.
    CHECK(inflated("\x06") == "malformed");
    CHECK(inflated("\x07") == "malformed");
    CHECK(inflated(bytes_of("000500faf048656c6c6f00")) == "malformed");
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        const std::string bytes = noise(seed % 100, seed);
        const std::string whole = inflated(bytes, no_limit, 10'000);
        CHECK(inflated(bytes, 1, 10'000) == whole);
    }
}

TEST_CASE("after a message that is malformed, a shared stream serves the next connection") {
    Reactor reactor;
    for (int time = 0; time < 3; ++time) {
        Ends ends(reactor, shared);
        CHECK(inflated(*ends.server, "\x06") == "malformed");
        CHECK(ends.server->memory() == 0);
        CHECK(inflated(*ends.client, deflated(*ends.server, json(1000)), 1, 999) == "too big");
        CHECK(ends.client->memory() == 0);
        ends.exchange(json(1000));
    }
}

TEST_CASE("final blocks are followed by others, with the same window") {
    const std::string one = json(3000, 1);
    const std::string two = one.substr(1000) + json(100, 2);
    const std::string three = two + one.substr(0, 500);
    const std::string final_blocks =
        raw(one, Z_FINISH) + raw(two, Z_FINISH, one) + raw(three, Z_FINISH, one + two);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, no_limit}) {
        CHECK(inflated(final_blocks, piece) == one + two + three);
        CHECK(inflated(final_blocks + bytes_of("00"), piece) == one + two + three);
        CHECK(inflated(final_blocks + bytes_of("f248cdc9c90700"), piece) == one + two + three + "Hello");
        // The next message has it, too.
        WsInflateStream stream(15);
        CHECK(inflated(stream, raw(one, Z_FINISH), piece) == one);
        CHECK(inflated(stream, raw(two, Z_FINISH, one) + bytes_of("00"), piece) == two);
        std::string flushed = raw(three, Z_SYNC_FLUSH, one + two);
        flushed.resize(flushed.size() - 4);
        CHECK(inflated(stream, flushed, piece) == three);
    }
}

TEST_CASE("a final block may end where a step of the inflater does") {
    for (std::size_t size = 16380; size < 16390; ++size) {
        const std::string message = json(size);
        CHECK(inflated(raw(message, Z_FINISH)) == message);
        CHECK(inflated(raw(message, Z_FINISH) + bytes_of("00")) == message);
        std::string flushed = raw(message, Z_SYNC_FLUSH);
        flushed.resize(flushed.size() - 4);
        CHECK(inflated(flushed) == message);
    }
}

TEST_CASE("blocks without a byte may be many") {
    std::string empty;
    for (int i = 0; i < 100'000; ++i) empty += bytes_of(i % 2 == 0 ? "000000ffff" : "0300");
    CHECK(inflated(empty + bytes_of("f248cdc9c90700")) == "Hello");
    CHECK(inflated(empty + bytes_of("00"), 1, 0).empty());
}

TEST_CASE("messages of one reactor's connections come in pieces at the same time") {
    Reactor reactor;
    std::vector<OwningPtr<WsCodec>> connections;
    std::vector<std::string> texts(20);
    std::vector<std::string> payloads;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        connections.push_back(WsCodec::make(reactor, WsRole::server, shared));
        payloads.push_back(deflated(*connections.back(), json(2000, i)));
    }
    for (std::size_t at = 0; at < 2000; at += 10) {
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (at >= payloads[i].size()) continue;
            const bool is_end = at + 10 >= payloads[i].size();
            CHECK(connections[i]->inflate(std::string_view(payloads[i]).substr(at, 10), is_end, texts[i],
                                          no_limit) == Result::ok);
            CHECK(connections[i]->memory() == (is_end ? 0 : inflating_memory(15)));
        }
    }
    for (std::size_t i = 0; i < texts.size(); ++i) CHECK(texts[i] == json(2000, i));
}

TEST_CASE("a reactor keeps four inflaters for the next messages, also of those that were never ended") {
    Reactor reactor;
    const auto& streams = *reactor.local<WsStreamsOfReactor>().streams;
    const auto spare_after = [&](std::size_t connections) {
        std::vector<OwningPtr<WsCodec>> codecs;
        std::string text;
        for (std::size_t i = 0; i < connections; ++i) {
            codecs.push_back(WsCodec::make(reactor, WsRole::client, shared));
            CHECK(codecs.back()->inflate("\xf2", false, text, no_limit) == Result::ok);
        }
        codecs.clear();
        return streams.spare_count();
    };
    CHECK(spare_after(0) == 0);
    CHECK(spare_after(3) == 3);
    CHECK(spare_after(2) == 3);
    CHECK(spare_after(4) == 4);
    CHECK(spare_after(5) == 4);
    CHECK(spare_after(100) == 4);
}

TEST_CASE("a connection holds what its windows need, from the first message on") {
    Reactor reactor;
    CHECK(sake::detail::expected_memory(shared, WsRole::server) == 0);
    for (int bits = 9; bits <= 15; ++bits) {
        const WsDeflate agreed = dedicated(bits);
        Ends ends(reactor, agreed);
        CHECK(ends.server->memory() == 0);
        ends.exchange(json(1000));
        CHECK(ends.server->memory() == deflating_memory(bits) + inflating_memory(bits));
        CHECK(ends.server->memory() == sake::detail::expected_memory(agreed, WsRole::server));
        CHECK(ends.client->memory() == sake::detail::expected_memory(agreed, WsRole::client));
    }
    // One direction only.
    Ends ends(reactor, {true, true, false, 15, 12});
    ends.exchange(json(1000));
    CHECK(ends.server->memory() == inflating_memory(12));
    CHECK(ends.client->memory() == deflating_memory(12));
    CHECK(sizeof(sake::detail::ZlibWsCodec) <= 56);
}

TEST_CASE("to a window of 8, messages are sent as they are; from one, they are inflated") {
    Reactor reactor;
    for (const bool is_kept : {false, true}) {
        const WsDeflate agreed{true, !is_kept, !is_kept, 8, 8};
        Ends ends(reactor, agreed);
        std::string out = "before";
        CHECK_FALSE(ends.client->deflate(json(1000), out));
        CHECK(out == "before");
        CHECK(inflated(*ends.client, bytes_of("f248cdc9c90700")) == "Hello");
        CHECK(ends.client->memory() == sake::detail::expected_memory(agreed, WsRole::client));
    }
}

TEST_CASE("a connection may outlive its reactor") {
    OwningPtr<WsCodec> codec;
    std::string text;
    {
        Reactor reactor;
        codec = WsCodec::make(reactor, WsRole::client, shared);
        CHECK(codec->inflate("\xf2", false, text, no_limit) == Result::ok);
    }
    CHECK(codec->inflate(bytes_of("48cdc9c90700"), true, text, no_limit) == Result::ok);
    CHECK(text == "Hello");
    CHECK(inflated(*codec, deflated(*codec, json(100))) == json(100));
}

TEST_CASE("Python's zlib inflates what we send, and we what it sends") {
    const std::string script =
        "import sys, zlib\n"
        "bits = int(sys.argv[1])\n"
        "inflate, deflate = zlib.decompressobj(-bits), zlib.compressobj(9, zlib.DEFLATED, -bits)\n"
        "for payload in sys.argv[2:]:\n"
        "    text = inflate.decompress(bytes.fromhex(payload) + bytes.fromhex(\"0000ffff\"))\n"
        "    made = deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)\n"
        "    assert made[-4:] == bytes.fromhex(\"0000ffff\")\n"
        "    print(made[:-4].hex())\n";
    Reactor reactor;
    for (const int bits : {9, 12, 15}) {
        Ends ends(reactor, dedicated(bits));
        std::vector<std::string> messages;
        std::string command = "python3 -c '" + script + "' " + std::to_string(bits);
        for (const std::size_t size : {100U, 1000U, 1000U, 30'000U, 70'000U, 1000U}) {
            messages.push_back(json(size));
            command += " " + hex_of(deflated(*ends.server, messages.back()));
        }
        FILE* const python = ::popen(command.c_str(), "r");
        REQUIRE(python != nullptr);
        std::string said;
        for (int c = 0; (c = std::fgetc(python)) != EOF;) said += static_cast<char>(c);
        CHECK(::pclose(python) == 0);
        for (const std::string& message : messages) {
            const std::size_t line = said.find('\n');
            REQUIRE(line != std::string::npos);
            CHECK(inflated(*ends.server, bytes_of(std::string_view(said).substr(0, line))) == message);
            said.erase(0, line + 1);
        }
    }
}

}  // namespace test_ws_codec
