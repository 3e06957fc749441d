// The bytes of heads, the mask, and close frames (RFC 6455 sections 5.2, 5.3, 5.5.1 and 7.4).
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_ws_frame {

using namespace std::string_literals;
using namespace sake::detail;

namespace {

std::string head(WsOpcode opcode, std::uint64_t length) {
    return std::string(WsHeadText(opcode, length).view());
}

std::uint32_t as_mask(std::string_view bytes) {
    std::uint32_t mask = 0;
    std::memcpy(&mask, bytes.data(), sizeof mask);
    return mask;
}

WsHeadRules rules_of(WsRole role) { return {role, true, false, false, ~std::uint64_t{0}}; }

}  // namespace

TEST_CASE("a head has its length in the fewest bytes") {
    CHECK(head(WsOpcode::text, 0) == "\x81\x00"s);
    CHECK(head(WsOpcode::text, 125) == "\x81\x7d"s);
    CHECK(head(WsOpcode::text, 126) == "\x81\x7e\x00\x7e"s);
    CHECK(head(WsOpcode::binary, 65535) == "\x82\x7e\xff\xff"s);
    CHECK(head(WsOpcode::binary, 65536) == "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s);
    CHECK(head(WsOpcode::binary, 0x7fffffffffffffff) == "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s);
}

TEST_CASE("a head says its opcode, whether it is the last, and whether it is compressed") {
    CHECK(head(WsOpcode::continuation, 1) == "\x80\x01"s);
    CHECK(head(WsOpcode::close, 2) == "\x88\x02"s);
    CHECK(head(WsOpcode::ping, 3) == "\x89\x03"s);
    CHECK(head(WsOpcode::pong, 4) == "\x8a\x04"s);
    CHECK(WsHeadText(WsOpcode::text, 5, false).view() == "\x01\x05"s);
    CHECK(WsHeadText(WsOpcode::text, 5, true, true).view() == "\xc1\x05"s);
    CHECK(WsHeadText(WsOpcode::text, 5, false, true).view() == "\x41\x05"s);
}

TEST_CASE("the head of a client has its mask as it stands in the frame") {
    const std::uint32_t mask = as_mask("\x37\xfa\x21\x3d");
    CHECK(WsHeadText::masked(mask, WsOpcode::text, 5).view() == "\x81\x85\x37\xfa\x21\x3d"s);
    CHECK(WsHeadText::masked(mask, WsOpcode::binary, 300, false, true).view() ==
          "\x42\xfe\x01\x2c\x37\xfa\x21\x3d"s);
    CHECK(WsHeadText::masked(0, WsOpcode::binary, 65536).view().size() == WsHeadText::most);
}

TEST_CASE("a head that is written is read again, and wants more while it is not whole") {
    for (const bool masked : {false, true}) {
        for (const std::uint64_t length :
             {0ULL, 1ULL, 125ULL, 126ULL, 127ULL, 65535ULL, 65536ULL, (1ULL << 63) - 1}) {
            const WsFrameHead written{false, true, WsOpcode::binary, masked, masked ? 0x01020304U : 0,
                                      length};
            const WsHeadText text(written);
            const WsHeadRules rules = rules_of(masked ? WsRole::server : WsRole::client);
            CAPTURE(length);
            for (std::size_t size = 0; size < text.view().size(); ++size) {
                WsFrameHead part;
                const WsHeadResult result = read_ws_head(text.view().substr(0, size), rules, part);
                REQUIRE_FALSE(result.failure);
                REQUIRE(result.size == 0);
            }
            WsFrameHead read;
            const WsHeadResult result = read_ws_head(std::string(text.view()) + "payload", rules, read);
            CHECK_FALSE(result.failure);
            CHECK(result.size == text.view().size());
            CHECK(read.fin == written.fin);
            CHECK(read.compressed == written.compressed);
            CHECK(read.opcode == written.opcode);
            CHECK(read.masked == written.masked);
            CHECK(read.mask == written.mask);
            CHECK(read.length == written.length);
        }
    }
}

TEST_CASE("the example of the standard is masked as there") {
    std::string text = "Hello";
    ws_mask(text.data(), text.size(), as_mask("\x37\xfa\x21\x3d"), 0);
    CHECK(text == "\x7f\x9f\x4d\x51\x58");
}

TEST_CASE("a mask of any size at any offset is that of byte by byte") {
    const std::string key = "\x01\x20\xff\x80";
    for (std::size_t size = 0; size <= 70; ++size) {
        for (std::size_t offset = 0; offset < 9; ++offset) {
            std::string text(size + 2, '\0');
            for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 37);
            std::string expected = text;
            for (std::size_t i = 0; i < size; ++i)
                expected[i + 1] = static_cast<char>(expected[i + 1] ^ key[(i + offset) % 4]);
            ws_mask(text.data() + 1, size, as_mask(key), offset);
            REQUIRE(text == expected);
        }
    }
}

TEST_CASE("only registered close codes and those of programs may be sent") {
    std::vector<int> borders;
    for (int code = -1; code <= 70'000; ++code) {
        if (may_be_sent(code) != may_be_sent(code - 1)) borders.push_back(code);
    }
    CHECK(borders == std::vector<int>{1000, 1004, 1007, 1015, 3000, 5000});
}

TEST_CASE("a close frame has a code and a reason, or nothing") {
    CHECK(WsCloseText(ws_normal).view() == "\x03\xe8"s);
    CHECK(WsCloseText(ws_going_away, "bye").view() == "\x03\xe9"s + "bye");
    CHECK(WsCloseText(4999).view() == "\x13\x87"s);
    CHECK(WsCloseText(ws_no_status, "bye").view().empty());
    CHECK(WsCloseText(ws_abnormal).view().empty());
    CHECK(WsCloseText(0).view().empty());
}

TEST_CASE("the reason of a close frame is cut at 123 bytes, between characters, and where it is not UTF-8") {
    const auto kept = [](const std::string& reason) {
        return std::string(WsClose(WsCloseText(ws_normal, reason).view()).reason);
    };
    const auto letters = [](std::size_t count) { return std::string(count, 'a'); };
    CHECK(kept(letters(122)) == letters(122));
    CHECK(kept(letters(123)) == letters(123));
    CHECK(kept(letters(124)) == letters(123));
    CHECK(kept(letters(121) + "\xc3\xa9") == letters(121) + "\xc3\xa9");
    CHECK(kept(letters(122) + "\xc3\xa9") == letters(122));
    CHECK(kept(letters(119) + "\xf0\x9f\x8d\xb6") == letters(119) + "\xf0\x9f\x8d\xb6");
    for (std::size_t count : {120U, 121U, 122U})
        CHECK(kept(letters(count) + "\xf0\x9f\x8d\xb6") == letters(count));
    CHECK(kept("ab\xff"
               "cd") == "ab");
    CHECK(kept("ab\xe2\x82") == "ab");
}

TEST_CASE("the payload of a close frame is read, or refused") {
    struct Row {
        std::string payload;
        int failure;
        int code;
        std::string reason;
    };
    for (const Row& row : std::vector<Row>{
             {"", 0, 1005, ""},
             {"\x03", 1002, 1005, ""},
             {"\x03\xe8"s, 0, 1000, ""},
             {"\x03\xe8 why"s, 0, 1000, " why"},
             {"\x03\xe7"s, 1002, 999, ""},
             {"\x03\xec"s, 1002, 1004, ""},
             {"\x03\xed"s, 1002, 1005, ""},
             {"\x03\xee"s, 1002, 1006, ""},
             {"\x03\xf6"s, 0, 1014, ""},
             {"\x03\xf7"s, 1002, 1015, ""},
             {"\x0b\xb7"s, 1002, 2999, ""},
             {"\x0b\xb8"s, 0, 3000, ""},
             {"\x13\x88"s, 1002, 5000, ""},
             {"\x00\x00"s, 1002, 0, ""},
             {"\xff\xff"s, 1002, 65535, ""},
             {"\x03\xe8\xc3\xa9"s, 0, 1000, "\xc3\xa9"},
             {"\x03\xe8\xc3"s, 1007, 1000, "\xc3"},
             {"\x03\xe8\xed\xa0\x80"s, 1007, 1000, "\xed\xa0\x80"},
         }) {
        CAPTURE(row.code);
        CHECK(refuse_ws_close(row.payload).code == row.failure);
        CHECK(WsClose(row.payload).code == row.code);
        CHECK(WsClose(row.payload).reason == row.reason);
    }
}

}  // namespace test_ws_frame
