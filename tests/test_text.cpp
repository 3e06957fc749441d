#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"

namespace test_text {

using namespace std::string_view_literals;

TEST_CASE("the class of token characters is exactly RFC 9110's tchar") {
    const std::string_view tchar =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const char c = static_cast<char>(byte);
        CHECK(sake::ascii::is(c, sake::ascii::token) == (tchar.find(c) != std::string_view::npos));
        CHECK(sake::is_token(std::string_view(&c, 1)) == (tchar.find(c) != std::string_view::npos));
    }
    CHECK_FALSE(sake::is_token(""));
    CHECK(sake::is_token("X-Request-Id"));
    CHECK_FALSE(sake::is_token("two words"));
}

TEST_CASE("a field value holds every byte but the controls, and the tab") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const bool allowed = byte == '\t' || (byte >= 32 && byte != 127);
        CHECK(sake::ascii::is(static_cast<char>(byte), sake::ascii::field) == allowed);
    }
}

TEST_CASE("a request target holds no byte that RFC 3986 keeps out") {
    const std::string_view out = "\"<>\\^`{|}#% ";  // '%' only begins an escape
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const char c = static_cast<char>(byte);
        const bool allowed = byte > 32 && byte < 127 && out.find(c) == std::string_view::npos;
        CHECK(sake::ascii::is(c, sake::ascii::target) == allowed);
    }
}

TEST_CASE("a cookie value holds RFC 6265's cookie-octet") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const char c = static_cast<char>(byte);
        const bool allowed = byte > 32 && byte < 127 && "\",;\\"sv.find(c) == std::string_view::npos;
        CHECK(sake::ascii::is(c, sake::ascii::cookie) == allowed);
    }
}

TEST_CASE("hex digits have their values") {
    const std::string_view lower = "0123456789abcdef";
    const std::string_view upper = "0123456789ABCDEF";
    for (unsigned value = 0; value < 16; ++value) {
        CHECK(sake::ascii::hex_value(lower[value]) == value);
        CHECK(sake::ascii::hex_value(upper[value]) == value);
    }
    int count = 0;
    for (int byte = 0; byte < 256; ++byte) {
        count += sake::ascii::is(static_cast<char>(byte), sake::ascii::hex) ? 1 : 0;
    }
    CHECK(count == 22);
}

TEST_CASE("find_control finds every control byte at every place, whatever its neighbours") {
    const std::vector<char> fillers = {'a', ' ', '\t', '\x80', '\xff', '~', '\xa0'};
    int wrong = 0;
    for (const char filler : fillers) {
        for (std::size_t size = 0; size <= 20; ++size) {
            std::string text(size, filler);
            const char* none = sake::ascii::find_control(text.data(), text.data() + size);
            wrong += none == text.data() + size ? 0 : 1;
            for (std::size_t at = 0; at < size; ++at) {
                for (int byte = 0; byte < 256; ++byte) {
                    text[at] = static_cast<char>(byte);
                    const bool control = (byte < 32 && byte != '\t') || byte == 127;
                    const std::size_t expected = control ? at : size;
                    const char* found = sake::ascii::find_control(text.data(), text.data() + size);
                    wrong += found == text.data() + expected ? 0 : 1;
                }
                text[at] = filler;
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("find_control finds the first of two control bytes") {
    int wrong = 0;
    for (std::size_t first = 0; first < 16; ++first) {
        for (std::size_t second = first + 1; second < 17; ++second) {
            for (const char a : {'\r', '\0', '\x7f', '\x1f'}) {
                for (const char b : {'\n', '\x01', '\x7f', '\x80'}) {
                    std::string text(17, '\t');
                    text[first] = a;
                    text[second] = b;
                    const char* found = sake::ascii::find_control(text.data(), text.data() + text.size());
                    wrong += found == text.data() + first ? 0 : 1;
                }
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("case is folded for ASCII letters and for nothing else") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const char c = static_cast<char>(byte);
        const bool upper = byte >= 'A' && byte <= 'Z';
        CHECK(sake::to_lower(c) == (upper ? static_cast<char>(byte + 32) : c));
    }
    CHECK(sake::iequals("Content-Length", "cONTENT-lENGTH"));
    CHECK(sake::iequals("", ""));
    CHECK_FALSE(sake::iequals("abc", "abcd"));
    CHECK_FALSE(sake::iequals("[", "{"));  // differ by 0x20, but are no letters
    CHECK_FALSE(sake::iequals("@", "`"));
    CHECK_FALSE(sake::iequals("\xc4", "\xe4"));
}

TEST_CASE("trim_ows takes spaces and tabs off both ends only") {
    CHECK(sake::trim_ows(" \t a b\t ") == "a b");
    CHECK(sake::trim_ows("") == "");
    CHECK(sake::trim_ows(" \t ") == "");
    CHECK(sake::trim_ows("\va\v") == "\va\v");
}

TEST_CASE("parse_decimal takes digits only, the whole text, and no more than fits") {
    CHECK(sake::parse_decimal<std::uint64_t>("0") == 0u);
    CHECK(sake::parse_decimal<std::uint64_t>("0005") == 5u);
    CHECK(sake::parse_decimal<std::uint64_t>("18446744073709551615") ==
          std::numeric_limits<std::uint64_t>::max());
    for (const auto bad : {""sv, " 5"sv, "5 "sv, "+5"sv, "-1"sv, "0x5"sv, "5abc"sv, "5,5"sv, "1e3"sv, "5\0"sv,
                           "18446744073709551616"sv, "99999999999999999999"sv, "\xd9\xa3"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::parse_decimal<std::uint64_t>(bad).has_value());
    }
    for (unsigned number = 0; number <= 1000; ++number) {
        const auto value = sake::parse_decimal<std::uint8_t>(std::to_string(number));
        CAPTURE(number);
        CHECK(value.has_value() == (number <= 255));
        if (value) CHECK(*value == number);
    }
}

TEST_CASE("parse_number converts integers with an optional minus and nothing else") {
    CHECK(sake::parse_number<int>("42") == 42);
    CHECK(sake::parse_number<int>("-42") == -42);
    CHECK(sake::parse_number<int>("-2147483648") == std::numeric_limits<int>::min());
    CHECK(sake::parse_number<std::uint64_t>("18446744073709551615") ==
          std::numeric_limits<std::uint64_t>::max());
    for (const auto bad :
         {""sv, "-"sv, "+1"sv, " 1"sv, "1 "sv, "1.0"sv, "0x10"sv, "--1"sv, "2147483648"sv, "1\0"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::parse_number<int>(bad).has_value());
    }
    CHECK_FALSE(sake::parse_number<unsigned>("-1").has_value());
    CHECK_FALSE(sake::parse_number<signed char>("128").has_value());
}

TEST_CASE("parse_number converts finite floating numbers") {
    CHECK(sake::parse_number<double>("2.5") == 2.5);
    CHECK(sake::parse_number<double>("-1e3") == -1000.0);
    for (const auto bad :
         {""sv, "inf"sv, "-inf"sv, "nan"sv, "infinity"sv, "1e999"sv, "+1"sv, "1,5"sv, " 1"sv, "1x"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::parse_number<double>(bad).has_value());
    }
}

TEST_CASE("parse_number converts bool and text") {
    CHECK(sake::parse_number<bool>("true") == true);
    CHECK(sake::parse_number<bool>("1") == true);
    CHECK(sake::parse_number<bool>("false") == false);
    CHECK(sake::parse_number<bool>("0") == false);
    for (const auto bad : {""sv, "True"sv, "yes"sv, "2"sv, "01"sv}) {
        CHECK_FALSE(sake::parse_number<bool>(bad).has_value());
    }
    CHECK(sake::parse_number<std::string>("any thing") == std::string("any thing"));
    CHECK(sake::parse_number<std::string_view>("") == ""sv);
}

TEST_CASE("base64 agrees with the vectors of RFC 4648") {
    const std::string_view plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    const std::string_view coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (std::size_t i = 0; i < 7; ++i) {
        CHECK(sake::base64_encode(plain[i]) == coded[i]);
        CHECK(sake::base64_decode(coded[i]) == std::string(plain[i]));
    }
}

TEST_CASE("base64 brings every byte back") {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        const std::string some = bytes.substr(bytes.size() - size);
        CHECK(sake::base64_decode(sake::base64_encode(some)) == some);
    }
}

TEST_CASE("base64 refuses all that is not canonical") {
    for (const auto bad : {"Z"sv, "Zg"sv, "Zg="sv, "Zg==="sv, "===="sv, "Z==="sv, "=Zg="sv,
                           "Zg=="
                           "Zg=="sv,
                           "Zh=="sv, "Zm9="sv, "Zm9 "sv, "Zm9v\n"sv, "Zm-_"sv, "Zm9\0"sv, "Zm9\xff"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::base64_decode(bad).has_value());
    }
}

namespace {

/// UTF-8 by the definition: decode, then ask whether the code point needed that many bytes.
bool is_utf8_by_definition(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80       ? 1
                                   : lead >> 5 == 6  ? 2
                                   : lead >> 4 == 14 ? 3
                                   : lead >> 3 == 30 ? 4
                                                     : 0;
        if (length == 0 || i + length > text.size()) return false;
        std::uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
        for (std::size_t k = 1; k < length; ++k) {
            const auto byte = static_cast<unsigned char>(text[i + k]);
            if (byte >> 6 != 2) return false;
            point = point << 6 | (byte & 0x3fu);
        }
        const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
        i += length;
    }
    return true;
}

}  // namespace

TEST_CASE("UTF-8 is told from other bytes as the definition tells it") {
    int wrong = 0;
    const int tails[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
            for (const int c : tails) {
                for (const int d : tails) {
                    const std::string bytes = {static_cast<char>(a), static_cast<char>(b),
                                               static_cast<char>(c), static_cast<char>(d)};
                    for (std::size_t size = 1; size <= 4; ++size) {
                        const std::string_view text = std::string_view(bytes).substr(0, size);
                        wrong += sake::is_valid_utf8(text) == is_utf8_by_definition(text) ? 0 : 1;
                    }
                }
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("UTF-8 is checked beyond the first eight ASCII bytes, and at the very end") {
    CHECK(sake::is_valid_utf8(""));
    CHECK(sake::is_valid_utf8("sake \xe9\x85\x92 is rice wine, \xf0\x9f\x8d\xb6"));
    for (std::size_t before = 0; before < 20; ++before) {
        const std::string ascii(before, 'x');
        CHECK(sake::is_valid_utf8(ascii + "\xc3\xa9"));
        CHECK_FALSE(sake::is_valid_utf8(ascii + "\xc3"));
        CHECK_FALSE(sake::is_valid_utf8(ascii + "\xe2\x82" + ascii));
        CHECK_FALSE(sake::is_valid_utf8(ascii + "\xc0\xaf" + ascii));      // overlong '/'
        CHECK_FALSE(sake::is_valid_utf8(ascii + "\xed\xa0\x80" + ascii));  // a surrogate
    }
}

}  // namespace test_text
