// The reader of WebSocket frames: tables of bytes and events. Every input is read whole, in two pieces of
// every size, byte by byte, and by the slow second reader of tests/fuzz.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/ws_oracle.hpp"
#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/machinery.hpp"

namespace test_ws_reader {

using namespace std::string_literals;
using namespace sake::detail;
using fuzz::read_ws;
using fuzz::WsSetting;
using fuzz::WsTexts;

namespace {

const std::string mask = "\x37\xfa\x21\x3d";

/// A frame as a client sends it: first byte, payload. The length stands in 0, 2 or 8 bytes behind the second.
std::string frame(unsigned first, std::string payload, std::size_t length_bytes) {
    std::string bytes(1, static_cast<char>(first));
    const std::size_t length = payload.size();
    bytes += static_cast<char>(0x80 | (length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127));
    for (std::size_t i = length_bytes; i-- > 0;) bytes += static_cast<char>(length >> (8 * i));
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
    return bytes + mask + payload;
}
std::string frame(unsigned first, const std::string& payload) {
    return frame(first, payload, payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8);
}

/// Requires these events of it, however it is split. Returns the reason of a failure.
std::string check_events(const std::string& input, const WsTexts& expected, const WsSetting& setting = {}) {
    CAPTURE(sake::base64_encode(input.substr(0, 300)));
    std::string reason;
    CHECK(read_ws(input, setting, [](std::size_t left) { return left; }, &reason) == expected);
    CHECK(read_ws(input, setting, [](std::size_t) { return std::size_t{1}; }) == expected);
    for (std::size_t cut = 1; cut < std::min<std::size_t>(input.size(), 400); ++cut) {
        std::string same_reason;
        const auto size = [&](std::size_t left) { return left == input.size() ? cut : left; };
        REQUIRE(read_ws(input, setting, size, &same_reason) == expected);
        REQUIRE(same_reason == reason);
    }
    CHECK(fuzz::SlowWsReader(input, setting).texts == expected);
    return reason;
}

/// Requires that it fails so at the last of its bytes, and not before.
void check_fails_at_once(const std::string& input, int code, const WsSetting& setting = {}) {
    const std::string reason = check_events(input, {"failed " + std::to_string(code)}, setting);
    CHECK_FALSE(reason.empty());
    check_events(input + "more", {"failed " + std::to_string(code)}, setting);
    check_events(input.substr(0, input.size() - 1), {}, setting);
}

WsSetting with_limits(WsLimits limits) { return {WsRole::server, limits, false}; }

const WsSetting client{WsRole::client, {}, false};
const WsSetting compressed{WsRole::server, {}, true};

}  // namespace

TEST_CASE("the examples of the standard are read") {
    check_events("\x81\x05Hello", {"text Hello"}, client);
    check_events("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", {"text Hello"});
    check_events("\x01\x03Hel\x80\x02lo", {"text Hello"}, client);
    check_events("\x89\x05Hello", {"ping Hello"}, client);
    check_events("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", {"pong Hello"});
    check_events("\x82\x7e\x01\x00"s + std::string(256, 'x'), {"binary " + std::string(256, 'x')}, client);
    const std::string large(65536, 'y');
    const WsTexts expected{"binary " + large};
    const std::string input = "\x82\x7f\0\0\0\0\0\1\0\0"s + large;
    CHECK(read_ws(input, client, [](std::size_t left) { return left; }) == expected);
    CHECK(read_ws(input, client, [](std::size_t) { return std::size_t{1000}; }) == expected);
}

TEST_CASE("messages of any kind and size follow each other") {
    check_events(frame(0x81, "") + frame(0x82, "") + frame(0x81, "a"), {"text ", "binary ", "text a"});
    check_events(frame(0x82, "\xff\0\x80"s), {"binary \xff\0\x80"s});
    for (const std::size_t size : {125U, 126U, 127U})
        check_events(frame(0x82, std::string(size, 'x')), {"binary " + std::string(size, 'x')});
    const std::size_t long_sizes[] = {65535, 65536, 65537};
    for (const std::size_t size : long_sizes) {
        const WsTexts expected{"text " + std::string(size, 'x')};
        const std::string input = frame(0x81, std::string(size, 'x'));
        CHECK(read_ws(input, {}, [](std::size_t left) { return left; }) == expected);
        CHECK(read_ws(input, {}, [](std::size_t) { return std::size_t{4099}; }) == expected);
    }
}

TEST_CASE("fragments are put together, with control frames among them") {
    check_events(frame(0x01, "a") + frame(0x00, "") + frame(0x00, "b") + frame(0x80, "c"), {"text abc"});
    check_events(frame(0x02, "") + frame(0x80, ""), {"binary "});
    check_events(frame(0x01, "a") + frame(0x89, "p") + frame(0x00, "b") + frame(0x8a, "") + frame(0x80, "c") +
                     frame(0x82, "d"),
                 {"ping p", "pong ", "text abc", "binary d"});
    check_events(frame(0x01, "\xe2") + frame(0x89, "\xff") + frame(0x00, "\x82") + frame(0x80, "\xac"),
                 {"ping \xff", "text \xe2\x82\xac"});
}

TEST_CASE("control frames have up to 125 bytes") {
    for (const unsigned first : {0x89U, 0x8aU}) {
        const std::string name = first == 0x89 ? "ping " : "pong ";
        for (const std::size_t size : {0U, 1U, 4U, 124U, 125U}) {
            const std::string payload(size, '\xfe');
            check_events(frame(first, payload) + frame(0x81, "a"), {name + payload, "text a"});
        }
        check_fails_at_once({static_cast<char>(first), '\xfe'}, 1002);
        check_fails_at_once({static_cast<char>(first), '\xff'}, 1002);
    }
    check_fails_at_once("\x88\xfe", 1002);
}

TEST_CASE("what the first byte of a head may not say is refused at once") {
    for (unsigned first = 0; first < 256; ++first) {
        const unsigned opcode = first & 0x0f;
        const bool is_data = opcode == 1 || opcode == 2;
        const bool is_control = opcode >= 8 && opcode <= 10;
        const bool is_good = (first & 0x70) == 0 && (is_data || (is_control && first >= 0x80));
        const bool is_good_continuation = (first & 0x70) == 0 && opcode == 0;
        const bool is_good_compressed = (first & 0x30) == 0 && is_data;
        CAPTURE(first);
        const std::string byte(1, static_cast<char>(first));
        if (is_good) {
            check_events(byte, {});
        } else {
            check_fails_at_once(byte, 1002);
        }
        // Within a message, and where compression was agreed.
        const WsTexts within =
            is_good_continuation || (is_good && is_control) ? WsTexts{} : WsTexts{"failed 1002"};
        check_events(frame(0x01, "a") + byte, within);
        const WsTexts agreed = is_good || is_good_compressed ? WsTexts{} : WsTexts{"failed 1002"};
        check_events(byte, agreed, compressed);
    }
}

TEST_CASE("a server demands a mask and a client refuses it, at the second byte") {
    for (const char first : {'\x81', '\x02', '\x88', '\x89', '\x8a'}) {
        for (const char second : {'\x00', '\x05', '\x7d'}) check_fails_at_once({first, second}, 1002);
        for (const char second : {'\x80', '\x85', '\xfd'}) check_fails_at_once({first, second}, 1002, client);
    }
    check_fails_at_once("\x82\x7e", 1002);
    check_fails_at_once("\x82\xff", 1002, client);
}

TEST_CASE("a length stands in the fewest bytes, and its highest bit is not set") {
    check_fails_at_once("\x82\xfe\x00\x00"s, 1002);
    check_fails_at_once("\x82\xfe\x00\x7d"s, 1002);
    check_events("\x82\xfe\x00\x7e"s, {});
    check_fails_at_once("\x82\xff\0\0\0\0\0\0\0\0"s, 1002);
    check_fails_at_once("\x82\xff\0\0\0\0\0\0\x00\x7e"s, 1002);
    check_fails_at_once("\x82\xff\0\0\0\0\0\0\xff\xff"s, 1002);
    check_events("\x82\xff\0\0\0\0\0\1\0\0"s, {});
    check_fails_at_once("\x82\xff\x80\0\0\0\0\0\0\0"s, 1002);
    check_fails_at_once("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"s, 1002);
    check_fails_at_once("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"s, 1009);
    WsLimits none{.message = ~std::size_t{0}};
    check_events("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"s, {}, with_limits(none));
    // The second of two such frames: their sum does not wrap.
    check_events("\x02\xff\0\0\0\0\0\1\0\0"s + mask, {}, with_limits(none));
}

TEST_CASE("a frame is as large as its limit, and refused by its head above") {
    const auto setting = with_limits({.message = 1000, .frame = 100});
    check_events(frame(0x82, std::string(99, 'x')), {"binary " + std::string(99, 'x')}, setting);
    check_events(frame(0x82, std::string(100, 'x')), {"binary " + std::string(100, 'x')}, setting);
    check_fails_at_once(frame(0x82, std::string(101, 'x')).substr(0, 2), 1009, setting);
    check_events(frame(0x89, std::string(125, 'x')), {"ping " + std::string(125, 'x')}, setting);
}

TEST_CASE("a message is as large as its limit, in one frame and in several") {
    const auto setting = with_limits({.message = 100});
    for (const std::size_t size : {99U, 100U, 101U}) {
        const WsTexts expected{size == 101 ? "failed 1009" : "text " + std::string(size, 'x')};
        check_events(frame(0x81, std::string(size, 'x')), expected, setting);
        const std::string head = frame(0x01, std::string(40, 'x')) + frame(0x00, std::string(40, 'x'));
        check_events(head + frame(0x80, std::string(size - 80, 'x')), expected, setting);
        check_events(head + frame(0x00, std::string(size - 80, 'x')) + frame(0x80, ""), expected, setting);
    }
    // The next message counts anew.
    check_events(frame(0x82, std::string(100, 'x')) + frame(0x82, std::string(100, 'y')),
                 {"binary " + std::string(100, 'x'), "binary " + std::string(100, 'y')}, setting);
    const auto nothing = with_limits({.message = 0});
    check_events(frame(0x81, ""), {"text "}, nothing);
    check_fails_at_once("\x81\x81", 1009, nothing);
}

TEST_CASE("the limit of a frame is that of a message if nothing else is said") {
    CHECK(WsLimits{}.frame == std::size_t{1} << 20);
    CHECK(WsLimits{.message = 5}.frame == 5);
}

TEST_CASE("a message has as many frames as its limit, empty ones too") {
    const auto setting = with_limits({.fragments = 3});
    const auto of_frames = [](int count) {
        std::string bytes = frame(count == 1 ? 0x81 : 0x01, "");
        for (int i = 2; i <= count; ++i) bytes += frame(i == count ? 0x80 : 0x00, "") + frame(0x89, "");
        return bytes;
    };
    check_events(of_frames(1), {"text "}, setting);
    check_events(of_frames(2), {"text ", "ping "}, setting);
    check_events(of_frames(3), {"ping ", "text ", "ping "}, setting);
    check_events(of_frames(4), {"ping ", "ping ", "failed 1008"}, setting);
    check_events(of_frames(3) + of_frames(3), {"ping ", "text ", "ping ", "ping ", "text ", "ping "},
                 setting);
    // At the first byte of the frame that is one too many.
    const std::string three = frame(0x01, "") + frame(0x00, "") + frame(0x00, "");
    check_fails_at_once(three + '\x00', 1008, setting);
    check_fails_at_once(three + '\x80', 1008, setting);
    std::string thousand = frame(0x02, "");
    for (int i = 1; i < 1000; ++i) thousand += frame(0x00, "");
    CHECK(read_ws(thousand + frame(0x80, ""), {}, [](std::size_t left) { return left; }) ==
          WsTexts{"failed 1008"});
    thousand[thousand.size() - 6] = '\x80';
    CHECK(read_ws(thousand, {}, [](std::size_t left) { return left; }) == WsTexts{"binary "});
}

TEST_CASE("text fails at its first byte that is not UTF-8, wherever that stands") {
    for (const std::string& bad : {"\x80"s, "\xc0"s, "\xe0\x9f"s, "\xed\xa0"s, "\xf0\x8f"s, "\xf4\x90"s,
                                   "\xf5"s, "\xff"s, "\xe2\x82("s, "\xf0\x9d\x84 "s}) {
        for (const std::string& before : {""s, "a"s, "twelve bytes"s, "\xce\xba"s}) {
            // Of a frame of 100 bytes that has not come further.
            const std::string whole =
                frame(0x81, before + bad + std::string(100 - before.size() - bad.size(), 'x'));
            check_fails_at_once(whole.substr(0, 6 + before.size() + bad.size()), 1007);
            const std::string in_fragments = frame(0x01, before) + frame(0x00, bad);
            check_fails_at_once(in_fragments, 1007);
            check_events(frame(0x82, before + bad), {"binary " + before + bad});
        }
    }
}

TEST_CASE("text does not end within a character") {
    for (const std::string& text : {"\xc3\xa9"s, "\xe2\x82\xac"s, "abc\xf0\x9d\x84\x9e"s}) {
        check_events(frame(0x81, text), {"text " + text});
        for (std::size_t size = text.size() - 1; size > 0 && size >= text.size() - 3; --size) {
            if (static_cast<unsigned char>(text[size - 1]) < 0x80) break;
            check_events(frame(0x81, text.substr(0, size)), {"failed 1007"});
            check_events(frame(0x01, text.substr(0, size)) + frame(0x80, ""), {"failed 1007"});
            check_events(frame(0x01, text.substr(0, size)) + frame(0x80, text.substr(size)),
                         {"text " + text});
        }
    }
}

TEST_CASE("after a close frame nothing is read") {
    check_events(frame(0x88, ""), {"close 1005 "});
    check_events(frame(0x88, "\x03\xe8"s) + frame(0x81, "a"), {"close 1000 "});
    check_events(frame(0x88, "\x03\xe9why") + "anything", {"close 1001 why"});
    check_events(frame(0x88, "\x0f\xa0" + std::string(123, 'x')), {"close 4000 " + std::string(123, 'x')});
    check_events(frame(0x01, "a") + frame(0x88, "\x03\xe8"s) + frame(0x80, "b"), {"close 1000 "});
}

TEST_CASE("a close frame that is not valid is refused") {
    check_fails_at_once("\x88\x81", 1002);
    for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
        const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
        check_fails_at_once(frame(0x88, payload), 1002);
    }
    check_fails_at_once(frame(0x88, "\x03\xe8\xff"), 1007);
    check_fails_at_once(frame(0x88, "\x03\xe8\xe2\x82"), 1007);
}

TEST_CASE("a compressed message is what it inflates to") {
    check_events(frame(0xc1,
                       "\x03"
                       "a\x02"
                       "b"),
                 {"text aaabb"}, compressed);
    check_events(frame(0xc2, ""), {"binary "}, compressed);
    check_events(frame(0x41, "\x03") + frame(0x89, "p") + frame(0x00, "a") + frame(0x80, ""),
                 {"ping p", "text aaa"}, compressed);
    check_events(frame(0xc1,
                       "\x01"
                       "a") +
                     frame(0x81, "plain") +
                     frame(0xc1,
                           "\x01"
                           "b"),
                 {"text a", "text plain", "text b"}, compressed);
    // As many bytes as are unmasked in several steps.
    std::string pairs, text;
    for (int i = 0; i < 3000; ++i) pairs += "\x02"s + static_cast<char>('a' + i % 26);
    for (int i = 0; i < 3000; ++i) text.append(2, static_cast<char>('a' + i % 26));
    CHECK(read_ws(frame(0xc1, pairs), compressed, [](std::size_t left) { return left; }) ==
          WsTexts{"text " + text});
}

TEST_CASE("a compressed message that is malformed, too large or not UTF-8 fails while it inflates") {
    const std::string behind(50, '\x01');
    const auto beginning = [&](unsigned first, const std::string& payload) {
        return frame(first, payload + behind).substr(0, 6 + payload.size());
    };
    check_fails_at_once(beginning(0xc2,
                                  "\x01"
                                  "a\xf0"),
                        1007, compressed);
    check_fails_at_once(frame(0xc2,
                              "\x01"
                              "a\x01"),
                        1007, compressed);  // it ends within a pair
    check_fails_at_once(beginning(0xc1,
                                  "\x01"
                                  "a\x02\xc3"),
                        1007, compressed);
    check_events(frame(0xc1, "\x01\xc3"), {"failed 1007"}, compressed);
    check_events(frame(0xc2, "\x01\xc3"), {"binary \xc3"}, compressed);
    WsSetting small = compressed;
    small.limits = {.message = 60};
    for (const char count : {'\x3b', '\x3c', '\x3d'}) {
        const auto size = static_cast<std::size_t>(count);
        const WsTexts expected{size > 60 ? "failed 1009" : "binary " + std::string(size, 'a')};
        check_events(frame(0xc2, {count, 'a'}), expected, small);
    }
    check_fails_at_once(beginning(0xc2,
                                  "\x3d"
                                  "a"),
                        1009, small);
    // What it is compressed to counts, too, with room for what compression adds: 60 / 8 + 64.
    std::string nothing(130, '\0');
    check_events(frame(0xc2, nothing), {"binary "}, small);
    check_events(frame(0xc2, nothing + '\1'), {"failed 1007"}, small);
    check_fails_at_once("\xc2\xfe\0\x84"s, 1009, small);
    check_events(frame(0x42, nothing) + frame(0x80, "\x01"), {"failed 1007"}, small);
    check_events(frame(0x42, nothing) + frame(0x80, std::string(2, '\0')), {"failed 1009"}, small);
    check_fails_at_once("\x82\xbd", 1009, small);  // and none for one that is not compressed
    check_events(frame(0x42, nothing) + frame(0x80, "") + frame(0x82, std::string(61, 'x')),
                 {"binary ", "failed 1009"}, small);
}

TEST_CASE("a reader says what has begun") {
    const WsRules rules;
    WsReader reader(rules);
    const auto read = [&](std::string_view bytes) {
        WsContent content;
        return reader.read(bytes, content);
    };
    CHECK_FALSE(reader.has_begun());
    CHECK(read("") == WsEvent::need_more);
    CHECK_FALSE(reader.has_begun());
    CHECK(read("\x01") == WsEvent::need_more);
    CHECK(reader.has_begun());
    CHECK(read("\x80" + mask) == WsEvent::need_more);
    CHECK(reader.has_begun());  // a message
    CHECK(read(frame(0x89, "x")) == WsEvent::ping);
    CHECK(reader.has_begun());
    CHECK(read(frame(0x80, "")) == WsEvent::message);
    CHECK_FALSE(reader.has_begun());
    CHECK(read(frame(0x89, "x")) == WsEvent::ping);
    CHECK_FALSE(reader.has_begun());
    CHECK(reader.held_bytes() == 0);
    CHECK(read("\x83") == WsEvent::failed);
    CHECK_FALSE(reader.has_begun());
    CHECK(read(frame(0x81, "a")) == WsEvent::need_more);
}

TEST_CASE("each event brings what it is about, and nothing else") {
    const WsRules rules{WsRole::client};
    WsReader reader(rules);
    const std::string all =
        "\x81\x01"
        "a\x82\x01"
        "b\x89\x01"
        "c\x88\x00"s;
    std::string_view bytes = all;
    WsContent first;
    CHECK(first.close_code() == ws_no_status);
    CHECK(reader.read(bytes, first) == WsEvent::message);
    CHECK(bytes.size() == 8);
    CHECK(first.is_text);
    CHECK(first.message == "a");
    WsContent second;
    CHECK(reader.read(bytes, second) == WsEvent::message);
    CHECK_FALSE(second.is_text);
    CHECK(second.message == "b");
    CHECK(second.control().empty());
    WsContent third;
    CHECK(reader.read(bytes, third) == WsEvent::ping);
    CHECK(third.message.empty());
    CHECK(third.control() == "c");
    WsContent last;
    CHECK(reader.read(bytes, last) == WsEvent::close);
    CHECK(last.close_code() == ws_no_status);
    CHECK(last.control().empty());
}

TEST_CASE("an idle reader is small, and a message that is here as a whole is one allocation") {
    CHECK(sizeof(WsReader) <= 16);
    const WsRules rules;
    WsReader reader(rules);
    const std::string bytes = frame(0x81, std::string(5000, 'x'));
    std::string_view rest = bytes;
    WsContent content;
    const auto before = harness::allocations::by_this_thread();
    const WsEvent event = reader.read(rest, content);
    const auto after = harness::allocations::by_this_thread();
    CHECK(event == WsEvent::message);
    CHECK(after - before == 1);
    CHECK(content.message.capacity() == 5000);
    CHECK(reader.held_bytes() == 0);
}

TEST_CASE("an idle WebSocket of a server is small: its session, and what a handler's frame keeps of it") {
    CHECK(sizeof(WsSession) <= 344);
    CHECK(sizeof(WsReceive) <= 8);
    CHECK(sizeof(WsSend) <= 32);
}

TEST_CASE("memory grows with what has come, not with what is announced") {
    const WsRules rules;
    for (const char first : {'\x02', '\x82'}) {
        WsReader reader(rules);
        WsContent content;
        const std::string head = first + "\xff\0\0\0\0\0\x0f\xff\xff"s + mask;
        std::string_view bytes = head;
        CHECK(reader.read(bytes, content) == WsEvent::need_more);
        CHECK(reader.held_bytes() < 256);
        std::size_t come = 0;
        for (const std::size_t size : {1U, 14U, 1U, 1000U, 5000U, 100'000U, 300'000U, 600'000U}) {
            const std::string piece(size, 'x');
            bytes = piece;
            CHECK(reader.read(bytes, content) == WsEvent::need_more);
            come += size;
            CAPTURE(come);
            CHECK(reader.held_bytes() <= 256 + 2 * come);
            if (first == '\x82') CHECK(reader.held_bytes() <= 256 + 0xfffff + 1);
        }
    }
}

TEST_CASE("a message of many small frames is not copied with each of them") {
    const WsRules rules;
    WsReader reader(rules);
    WsContent content;
    const std::string begin = frame(0x02, std::string(1000, 'x'));
    const std::string more = frame(0x00, std::string(1000, 'x'));
    std::string_view bytes = begin;
    CHECK(reader.read(bytes, content) == WsEvent::need_more);
    const auto before = harness::allocations::by_this_thread();
    for (int i = 0; i < 500; ++i) {
        bytes = more;
        static_cast<void>(reader.read(bytes, content));
    }
    CHECK(harness::allocations::by_this_thread() - before < 20);
}

}  // namespace test_ws_reader
