// Utf8Check against the arithmetic of code points: every code point, every lead with every second byte, rows
// in the manner of Markus Kuhn's stress test, and every way to cut them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz/ws_oracle.hpp"
#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_utf8 {

using namespace std::string_literals;
using fuzz::begins_utf8_slowly;
using fuzz::is_utf8_slowly;
using sake::detail::Utf8Check;

namespace {

std::string encoded(char32_t point) {
    const auto byte = [](char32_t bits) { return static_cast<char>(bits); };
    if (point < 0x80) return {byte(point)};
    const char last = byte(0x80 | (point & 0x3f));
    if (point < 0x800) return {byte(0xc0 | point >> 6), last};
    const char third = byte(0x80 | (point >> 6 & 0x3f));
    if (point < 0x10000) return {byte(0xe0 | point >> 12), third, last};
    return {byte(0xf0 | point >> 18), byte(0x80 | (point >> 12 & 0x3f)), third, last};
}

/// How many bytes of it can be the beginning of UTF-8.
std::size_t good_bytes(const std::string& text) {
    std::size_t size = 0;
    while (size < text.size() && begins_utf8_slowly(text.substr(0, size + 1))) ++size;
    return size;
}

bool is_good(std::string_view text) {
    Utf8Check check;
    return check.feed(text) && check.is_complete();
}

/// Feeds it whole, in two pieces of every size, and byte by byte.
void check_every_split(const std::string& text) {
    const bool is_valid = is_utf8_slowly(text);
    const std::size_t good = good_bytes(text);
    CAPTURE(sake::base64_encode(text));
    CHECK(is_good(text) == is_valid);
    CHECK(sake::is_valid_utf8(text) == is_valid);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        Utf8Check check;
        REQUIRE(check.feed(std::string_view(text).substr(0, cut)) == (cut <= good));
        REQUIRE(check.is_complete() == is_utf8_slowly(text.substr(0, cut)));
        REQUIRE(check.feed(std::string_view(text).substr(cut)) == (good == text.size()));
        REQUIRE(check.is_complete() == is_valid);
        REQUIRE(check.feed("") == (good == text.size()));
    }
    Utf8Check bytewise;
    for (std::size_t i = 0; i < text.size(); ++i) REQUIRE(bytewise.feed({&text[i], 1}) == (i < good));
    REQUIRE(bytewise.is_complete() == is_valid);
}

}  // namespace

TEST_CASE("every code point is UTF-8, except surrogates") {
    std::size_t wrong = 0;
    for (char32_t point = 0; point <= 0x110001; ++point) {
        const bool is_valid = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        if (is_good(encoded(point)) != is_valid) ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("every lead with every second byte is judged like its code point") {
    std::size_t wrong = 0;
    for (int lead = 0x80; lead < 0x100; ++lead) {
        for (int second = 0; second < 0x100; ++second) {
            for (const char* const rest : {"", "\x80", "\xbf", "\x80\x80", "\xbf\xbf", "\x80\xc0", "a"}) {
                const auto text = std::string{static_cast<char>(lead), static_cast<char>(second)} + rest;
                if (is_good(text) != is_utf8_slowly(text)) ++wrong;
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("how a text is split has no say in whether it is UTF-8, nor where it ceases to be") {
    for (const std::string& text : {
             ""s,
             "plain ASCII of more than eight bytes"s,
             "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"s,  // a Greek word
             "\0"s,
             "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"s,  // first and
                                                                                               // last
             "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd"s,      // beside the surrogates
             "\xef\xbb\xbf"s,                              // a byte order mark
             "\xef\xbf\xbe\xef\xb7\x90\xf0\x9f\xbf\xbf"s,  // noncharacters
             "\x80"s,                                      // continuations alone
             "\xbf\x80"s,
             "12345678\x80"s,
             "\xc2 "s,  // leads alone
             "\xe1\x80 "s,
             "\xf1\x80\x80 "s,
             "\xc0\xaf"s,  // overlong
             "\xc1\xbf"s,
             "\xe0\x80\xaf"s,
             "\xe0\x9f\xbf"s,
             "\xf0\x80\x80\xaf"s,
             "\xf0\x8f\xbf\xbf"s,
             "\xf8\x88\x80\x80\x80"s,  // five and six bytes
             "\xfc\x84\x80\x80\x80\x80"s,
             "\xfe"s,
             "\xff"s,
             "\xed\xa0\x80"s,  // surrogates, alone and in a pair
             "\xed\xbf\xbf"s,
             "\xed\xa0\x80\xed\xb0\x80"s,
             "\xf4\x90\x80\x80"s,  // above U+10FFFF
             "\xf5\x80\x80\x80"s,
             "12345678abcdefg\xe2\x82\xac" + "87654321\xf0\x9d\x84\x9e\xe2\x28\xa1"s,
         }) {
        for (std::size_t size = 0; size <= text.size(); ++size) check_every_split(text.substr(0, size));
        check_every_split("before " + text + " behind");
    }
}

TEST_CASE("a check that was cleared begins another text") {
    Utf8Check check;
    CHECK_FALSE(check.feed("\xff"));
    check.clear();
    CHECK(check.feed("\xe2\x82"));
    CHECK_FALSE(check.is_complete());
    check.clear();
    CHECK(check.is_complete());
    CHECK(check.feed("a"));
}

}  // namespace test_utf8
