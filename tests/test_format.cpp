// Formats of texts, by the grammars of their RFCs, and times in types.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ratio>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_format {
namespace {

using namespace std::chrono_literals;
using sake::Format;
using sake::detail::FormattedShape;
using sake::detail::ShapeOf;
using Texts = std::vector<std::string>;

void check_all(Format format, const Texts& good, const Texts& bad) {
    CAPTURE(sake::detail::format_name(format));
    for (const std::string& text : good) {
        CAPTURE(text);
        CHECK(sake::detail::has_format(text, format));
        // Nothing of it may be followed or preceded by something else.
        for (const std::string_view other : {" ", "\n", "\t", "\r\n"}) {
            CHECK_FALSE(sake::detail::has_format(text + std::string(other), format));
            CHECK_FALSE(sake::detail::has_format(std::string(other) + text, format));
        }
        CHECK_FALSE(sake::detail::has_format(text + std::string(1, '\0'), format));
    }
    for (const std::string& text : bad) {
        CAPTURE(text);
        CHECK_FALSE(sake::detail::has_format(text, format));
    }
    CHECK_FALSE(sake::detail::has_format("", format));
}

std::string chars(std::size_t count, char c = 'a') { return std::string(count, c); }
/// "a.a.a" of so many characters, as a domain can be.
std::string labels(std::size_t count) {
    std::string text;
    while (text.size() < count) text += text.size() % 2 == 0 ? 'a' : '.';
    if (text.back() == '.') text.back() = 'a';
    return text;
}

template <class Time>
std::string write(const Time& time) {
    std::string out;
    ShapeOf<Time>::value.append(out, &time);
    return out;
}
template <class Time>
bool reads(std::string_view text, Time& time) {
    return ShapeOf<Time>::value.parse(text, &time);
}
/// What a text is when it was read as a Time and written again; "-" if it is refused.
template <class Time>
std::string reread(std::string_view text) {
    Time time{};
    return reads(text, time) ? write(time) : "-";
}

template <class Duration>
using Sys = std::chrono::sys_time<Duration>;
using Date = std::chrono::year_month_day;

static_assert(ShapeOf<Date>::value.format == "date");
static_assert(ShapeOf<std::chrono::sys_days>::value.format == "date");
static_assert(ShapeOf<std::chrono::sys_seconds>::value.format == "date-time");
static_assert(sake::detail::HasShape<std::chrono::system_clock::time_point>);
static_assert(sake::detail::HasShape<Sys<std::chrono::hours>>);
// What RFC 3339 cannot say exactly.
static_assert(!sake::detail::HasShape<Sys<std::chrono::duration<double>>>);
static_assert(!sake::detail::HasShape<Sys<std::chrono::weeks>>);
static_assert(!sake::detail::HasShape<Sys<std::chrono::duration<std::int64_t, std::pico>>>);
static_assert(!sake::detail::HasShape<Sys<std::chrono::duration<std::int64_t, std::ratio<1, 60>>>>);
static_assert(!sake::detail::HasShape<std::chrono::steady_clock::time_point>);

}  // namespace

TEST_CASE("email is what a browser's input of that type accepts") {
    check_all(Format::email,
              {"a@b", "ada@example.org", "ada.lovelace+notes@mail.example.org", "A@B.C", "0@0",
               ".a..b.@example.org", "!#$%&'*+/=?^_`{|}~-@example.org", "a@a-b.c--d",
               "a@xn--bcher-kva.example", "a@1.2.3.4", chars(64) + "@b", "a@" + chars(63),
               "a@" + chars(63) + "." + chars(63), "a@" + labels(251), "a@" + labels(250)},
              {"a",
               "@",
               "a@",
               "@b",
               "a@b@c",
               "a@@b",
               "a b@c",
               "a@b c",
               "a@b.",
               "a@.b",
               "a@b..c",
               "a@-b",
               "a@b-",
               "a@b.-c",
               "a@b-.c",
               "a@b_c",
               "\"a b\"@c",
               "\"a\"@c",
               "a(comment)@b",
               "<a@b>",
               "Ada <a@b>",
               "a@[1.2.3.4]",
               "a@b,c@d",
               "a\\@b@c",
               "a:b@c",
               "a;b@c",
               "ü@b",
               "a@bücher.example",
               "a@b%2e",
               chars(65) + "@b",
               "a@" + chars(64),
               "a@" + chars(63) + "." + chars(64),
               "a@" + labels(253),
               std::string("a\0@b", 4)});
    // In all, 254 are allowed and 255 are not.
    CHECK(sake::detail::has_format("a@" + labels(249) + ".aa", Format::email));
    CHECK_FALSE(sake::detail::has_format("a@" + labels(249) + ".aaa", Format::email));
}

TEST_CASE("uri is RFC 3986 with a scheme") {
    check_all(Format::uri,
              // Of RFC 3986, section 1.1.2, and of its grammar.
              {"ftp://ftp.is.co.za/rfc/rfc1808.txt",
               "http://www.ietf.org/rfc/rfc2396.txt",
               "ldap://[2001:db8::7]/c=GB?objectClass?one",
               "mailto:John.Doe@example.com",
               "news:comp.infosystems.www.servers.unix",
               "tel:+1-816-555-1212",
               "telnet://192.0.2.16:80/",
               "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
               "a:",
               "a:b",
               "a:/",
               "a:/b",
               "a://",
               "a:///b",
               "a+b-c.9:x",
               "HTTP://EXAMPLE.ORG",
               "http://user:pass@example.org:8080/a/b;c=d?e=f/g?h#i/j?k",
               "http://@b",
               "http://:@b",
               "http://b:",
               "http://b:0",
               "http://b:99999",
               "http://b?q",
               "http://b#f",
               "http://b?",
               "http://b#",
               "http://b/%41%e2%82%AC",
               "http://%41/",
               "http://%75ser@b/",
               "http://a!$&'()*+,;=b/",
               "http://[::1]",
               "http://[::1]:80",
               "http://[::ffff:1.2.3.4]/",
               "http://[v7.a:b]/",
               "http://[V1F.!]/",
               "http://u@[::1]:8/",
               "http://1.2.3.400/",
               "http://b//c//",
               "http://b/@:!$&'()*+,;=-._~",
               "data:,a%20b",
               "javascript:alert(1)"},
              {"http",
               "/a",
               "//a",
               "a/b",
               "?a",
               "#a",
               ":a",
               "://a",
               "1a:b",
               "+a:b",
               "-a:b",
               "a_b:c",
               "a%41:b",
               "ä:b",
               "http://a b",
               "http://b/a b",
               "http://b/<a>",
               "http://b/\"",
               "http://b/{a}",
               "http://b/a|b",
               "http://b/a\\b",
               "http://b/^",
               "http://b/`",
               "http://b/ä",
               "http://ä/",
               "http://b/%",
               "http://b/%4",
               "http://b/%4g",
               "http://b/%g4",
               "http://b/a#b#c",
               "http://b?[",
               "http://b/]",
               "http://b#[",
               "http://a@b@c/",
               "http://b:8a/",
               "http://b:80:80/",
               "http://b:-1",
               "http://::1/",
               "http://[::1",
               "http://::1]",
               "http://[::1]a",
               "http://[]/",
               "http://[1.2.3.4]/",
               "http://[::g]/",
               "http://[fe80::1%25eth0]/",
               "http://[v.a]/",
               "http://[v7]/",
               "http://[v7.]/",
               "http://[vg.a]/",
               "http://[v7.%41]/",
               "http://[v7.a@b]/",
               "http://[::1]@b/",
               "http://a[::1]/",
               "http://u[@b/",
               "http://b\x7f/"});
}

TEST_CASE("uuid is its text form, of any version") {
    check_all(Format::uuid,
              {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
               "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
               "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "919108f7-52d1-4320-9bac-f847db4148a8"},
              {"f81d4fae-7dec-11d0-a765-00a0c91e6bf", "f81d4fae-7dec-11d0-a765-00a0c91e6bf66",
               "f81d4fae7dec11d0a76500a0c91e6bf6", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}",
               "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "g81d4fae-7dec-11d0-a765-00a0c91e6bf6",
               "f81d4fae-7dec-11d0-a765-00a0c91e6bfg", "f81d4fa-e7dec-11d0-a765-00a0c91e6bf6",
               "f81d4fae-7dec-11d0-a76500-a0c91e6bf6", "f81d4fae-7dec-11d0-a765--0a0c91e6bf6",
               "f81d4fae_7dec_11d0_a765_00a0c91e6bf6", "------------------------------------"});
}

TEST_CASE("date is a day of the calendar") {
    check_all(
        Format::date,
        {"2026-11-29", "0000-01-01", "0000-02-29", "0001-01-01", "9999-12-31", "1970-01-01", "2000-02-29",
         "2024-02-29", "2025-02-28", "1900-02-28", "2026-01-31", "2026-03-31", "2026-04-30", "2026-05-31",
         "2026-06-30", "2026-07-31", "2026-08-31", "2026-09-30", "2026-10-31", "2026-11-30", "2026-12-31"},
        {"1900-02-29",  "2100-02-29",
         "2023-02-29",  "2024-02-30",
         "2000-02-30",  "2026-00-01",
         "2026-13-01",  "2024-13-01",
         "2026-01-00",  "2026-01-32",
         "2026-04-31",  "2026-06-31",
         "2026-09-31",  "2026-11-31",
         "2026-12-32",  "2026-1-01",
         "2026-01-1",   "226-01-01",
         "02026-01-01", "+2026-01-01",
         "-2026-01-01", "2026/01/01",
         "2026.01.01",  "20260101",
         "2026-0101",   "202601-01",
         "26-01-01",    "2026-01",
         "2026",        "2026-W01-1",
         "2026-001",    "2026-01-01T",
         "2026-01-01Z", "2026-01-01T00:00:00Z",
         "2026-01-0a",  "2026-0a-01",
         "202a-01-01",  "2026-+1-01",
         "2026- 1-01",  "2026-01-+1",
         "٢٠٢٦-01-01"});
}

TEST_CASE("date_time is RFC 3339: a date, a time and an offset") {
    check_all(Format::date_time,
              // The examples of section 5.8 first.
              {"1985-04-12T23:20:50.52Z",
               "1996-12-19T16:39:57-08:00",
               "1990-12-31T23:59:60Z",
               "1990-12-31T15:59:60-08:00",
               "1937-01-01T12:00:27.87+00:20",
               "2026-11-29T12:00:00Z",
               "2026-11-29t12:00:00z",
               "2026-11-29T12:00:00+00:00",
               "2026-11-29T12:00:00-00:00",
               "2026-11-29T00:00:00Z",
               "2026-11-29T23:59:59Z",
               "2026-11-29T12:00:00+23:59",
               "2026-11-29T12:00:00-23:59",
               "0000-01-01T00:00:00Z",
               "0000-01-01T00:00:00+23:59",
               "9999-12-31T23:59:59-23:59",
               "2026-11-29T12:00:00.0Z",
               "2026-11-29T12:00:00.123456789Z",
               "2026-11-29T12:00:00." + chars(1000, '9') + "Z",
               "2016-12-31T23:59:60.999Z",
               "2015-06-30T23:59:60Z",
               "2015-07-01T01:59:60+02:00",
               "2017-01-01T00:59:60+01:00",
               "2016-12-31T12:29:60-11:30",
               "0000-01-01T00:59:60+01:00",
               "9999-12-31T23:59:60Z"},
              {"2026-11-29",
               "2026-11-29T",
               "2026-11-29T12:00:00",
               "2026-11-29 12:00:00Z",
               "2026-11-29_12:00:00Z",
               "2026-11-29T12:00Z",
               "2026-11-29T12Z",
               "2026-11-29T24:00:00Z",
               "2026-11-29T23:60:00Z",
               "2026-11-29T12:00:61Z",
               "2026-11-29T12:00:60Z",
               "2026-11-29T23:59:60Z",
               "2016-12-30T23:59:60Z",
               "2016-12-31T23:58:60Z",
               "2016-12-31T22:59:60Z",
               "2016-12-31T23:59:60+01:00",
               "2016-09-30T23:59:60Z",
               "2017-01-01T00:00:60Z",
               "2026-11-29T1:00:00Z",
               "2026-11-29T12:0:00Z",
               "2026-11-29T12:00:0Z",
               "2026-11-29T120000Z",
               "20261129T120000Z",
               "2026-11-29T12:00:00.Z",
               "2026-11-29T12:00:00,5Z",
               "2026-11-29T12:00:00.5",
               "2026-11-29T12:00:00.5.5Z",
               "2026-11-29T12:00:00.-5Z",
               "2026-11-29T12:00:00 Z",
               "2026-11-29T12:00:00ZZ",
               "2026-11-29T12:00:00+24:00",
               "2026-11-29T12:00:00+01:60",
               "2026-11-29T12:00:00+0100",
               "2026-11-29T12:00:00+01",
               "2026-11-29T12:00:00+1:00",
               "2026-11-29T12:00:00+01:00Z",
               "2026-11-29T12:00:00Z+01:00",
               "2026-11-29T12:00:00\u2212"
               "01:00",
               "2023-02-29T12:00:00Z",
               "2024-13-01T12:00:00Z",
               "12:00:00Z",
               "T12:00:00Z",
               "2026-11-29T12:00:00A",
               "2026-11-29T-1:00:00Z",
               "2026-11-29T12:+1:00Z"});
}

TEST_CASE("ipv4 is four numbers without leading zeros") {
    check_all(Format::ipv4,
              {"0.0.0.0", "255.255.255.255", "127.0.0.1", "192.0.2.1", "1.20.200.9", "10.10.10.10"},
              {"256.0.0.0",  "0.0.0.256", "0.0.0.999", "0.0.0.1000", "1.2.3",    "1.2.3.",   ".1.2.3",
               "1.2.3.4.",   "1.2.3.4.5", "1..2.3",    "01.2.3.4",   "1.2.3.04", "00.0.0.0", "0x1.2.3.4",
               "1.2.3.a",    "a.b.c.d",   "-1.2.3.4",  "+1.2.3.4",   "1,2,3,4",  "16909060", "1.2.3.4/8",
               "1.2.3.4:80", "1 .2.3.4",  "١.2.3.4",   "::1"});
}

TEST_CASE("ipv6 is RFC 4291 without a zone") {
    check_all(Format::ipv6,
              {"::",
               "::1",
               "1::",
               "1::8",
               "2001:db8::1",
               "2001:DB8:0:0:8:800:200C:417A",
               "FF01::101",
               "1:2:3:4:5:6:7:8",
               "::2:3:4:5:6:7:8",
               "1:2:3:4:5:6:7::",
               "1::3:4:5:6:7:8",
               "1:2:3::5:6:7:8",
               "0:0:0:0:0:0:0:0",
               "0000:0000:0000:0000:0000:0000:0000:0001",
               "::ffff:192.0.2.1",
               "::13.1.68.3",
               "0:0:0:0:0:FFFF:129.144.52.38",
               "1:2:3:4:5:6:1.2.3.4",
               "1::1.2.3.4",
               "::0:0:0:0:0:1.2.3.4",
               "64:ff9b::1.2.3.4",
               "abcd:ef01:2345:6789:abcd:ef01:255.255.255.255"},
              {":",
               ":::",
               "1:",
               ":1",
               "1",
               "1:2:3:4:5:6:7",
               "1:2:3:4:5:6:7:8:9",
               "1:2:3:4:5:6:7:8:",
               ":1:2:3:4:5:6:7:8",
               "::1:2:3:4:5:6:7:8",
               "1:2:3:4:5:6:7:8::",
               "1:2:3:4::5:6:7:8",
               "1::2::3",
               "::1::",
               "1:::2",
               "12345::",
               "::12345",
               "::00001",
               "::g",
               "::-1",
               "::+1",
               "1:2:3:4:5:6:7:1.2.3.4",
               "1:2:3:4:5:1.2.3.4",
               "::1.2.3",
               "::1.2.3.4.5",
               "::1.2.3.256",
               "::01.2.3.4",
               "::1.2.3.4:5",
               "1.2.3.4::",
               "1.2.3.4",
               "::1:2:3:4:5:6:1.2.3.4",
               "::.1.2.3",
               "fe80::1%eth0",
               "fe80::1%1",
               "[::1]",
               "::1/128",
               "::ffff:0x1.2.3.4",
               chars(10'000, ':'),
               "1" + chars(10'000, ':')});
}

TEST_CASE("formats are checked in linear time") {
    // Whatever took longer than the length of the text would not end here.
    for (const std::string_view piece :
         {"a", "a.", "a@", "@", ":", "1:", "1.", "%41", "%", "[", "/", "0", "-", "a-"}) {
        std::string text = "http://a";
        while (text.size() < 1'000'000) text.append(piece);
        for (int format = 0; format <= static_cast<int>(Format::ipv6); ++format) {
            static_cast<void>(sake::detail::has_format(text, static_cast<Format>(format)));
            static_cast<void>(
                sake::detail::has_format(std::string_view(text).substr(8), static_cast<Format>(format)));
        }
    }
    CHECK(sake::detail::has_format("http://a/" + chars(1'000'000), Format::uri));
}

TEST_CASE("the names of formats are those of JSON schema") {
    using sake::detail::format_name;
    CHECK(format_name(Format::email) == "email");
    CHECK(format_name(Format::uri) == "uri");
    CHECK(format_name(Format::uuid) == "uuid");
    CHECK(format_name(Format::date) == "date");
    CHECK(format_name(Format::date_time) == "date-time");
    CHECK(format_name(Format::ipv4) == "ipv4");
    CHECK(format_name(Format::ipv6) == "ipv6");
}

TEST_CASE("a time is written in UTC, with the digits of its duration") {
    const std::chrono::sys_days day = std::chrono::year(2026) / 11 / 29;
    CHECK(write(day) == "2026-11-29");
    CHECK(write(Date(day)) == "2026-11-29");
    CHECK(write(Sys<std::chrono::hours>(day + 12h)) == "2026-11-29T12:00:00Z");
    CHECK(write(Sys<std::chrono::minutes>(day + 12h + 34min)) == "2026-11-29T12:34:00Z");
    CHECK(write(Sys<std::chrono::seconds>(day + 86399s)) == "2026-11-29T23:59:59Z");
    CHECK(write(Sys<std::chrono::milliseconds>(day + 50ms)) == "2026-11-29T00:00:00.050Z");
    CHECK(write(Sys<std::chrono::microseconds>(day + 1us)) == "2026-11-29T00:00:00.000001Z");
    CHECK(write(Sys<std::chrono::nanoseconds>(day + 999'999'999ns)) == "2026-11-29T00:00:00.999999999Z");
    CHECK(write(Sys<std::chrono::seconds>(-1s)) == "1969-12-31T23:59:59Z");
    CHECK(write(Sys<std::chrono::milliseconds>(-1ms)) == "1969-12-31T23:59:59.999Z");
    CHECK(write(Sys<std::chrono::nanoseconds>(-1s)) == "1969-12-31T23:59:59.000000000Z");
    CHECK(write(Sys<std::chrono::seconds>(0s)) == "1970-01-01T00:00:00Z");
    CHECK(write(Date{}) == "0000-00-00");
    CHECK(write(std::chrono::year(2026) / 2 / 29) == "0000-00-00");
    CHECK(write(std::chrono::year(10'000) / 1 / 1) == "0000-00-00");
}

TEST_CASE("a time outside the years of RFC 3339 is written as the nearest inside") {
    const auto ends = [](auto least, auto most) {
        using Time = decltype(least);
        CHECK(write(Time::min()) == write(least));
        CHECK(write(Time::max()) == write(most));
        CHECK(write(least - typename Time::duration(1)) == write(least));
        CHECK(write(most + typename Time::duration(1)) == write(most));
        return write(least) + " " + write(most);
    };
    const std::chrono::sys_days first = std::chrono::year(0) / 1 / 1;
    const std::chrono::sys_days end = std::chrono::year(10'000) / 1 / 1;
    CHECK(ends(first, end - std::chrono::days(1)) == "0000-01-01 9999-12-31");
    CHECK(ends(Sys<std::chrono::hours>(first), Sys<std::chrono::hours>(end - 1h)) ==
          "0000-01-01T00:00:00Z 9999-12-31T23:00:00Z");
    CHECK(ends(Sys<std::chrono::seconds>(first), Sys<std::chrono::seconds>(end - 1s)) ==
          "0000-01-01T00:00:00Z 9999-12-31T23:59:59Z");
    CHECK(ends(Sys<std::chrono::microseconds>(first), Sys<std::chrono::microseconds>(end - 1us)) ==
          "0000-01-01T00:00:00.000000Z 9999-12-31T23:59:59.999999Z");
    CHECK(write(Sys<std::chrono::nanoseconds>::max()) == "2262-04-11T23:47:16.854775807Z");
    CHECK(write(Sys<std::chrono::nanoseconds>::min()) == "1677-09-21T00:12:43.145224192Z");
}

TEST_CASE("a time with another offset is converted, and one that the type does not hold is refused") {
    using Seconds = std::chrono::sys_seconds;
    CHECK(reread<Seconds>("2026-11-29T12:00:00Z") == "2026-11-29T12:00:00Z");
    CHECK(reread<Seconds>("2026-11-29t12:00:00+01:30") == "2026-11-29T10:30:00Z");
    CHECK(reread<Seconds>("2026-11-29T12:00:00-12:01") == "2026-11-30T00:01:00Z");
    CHECK(reread<Seconds>("2026-11-29T12:00:00-00:00") == "2026-11-29T12:00:00Z");
    CHECK(reread<Seconds>("2026-11-29T12:00:00.000Z") == "2026-11-29T12:00:00Z");
    CHECK(reread<Seconds>("2026-11-29T12:00:00." + chars(50, '0') + "Z") == "2026-11-29T12:00:00Z");
    for (const std::string& text :
         {std::string("2026-11-29T12:00:00.5Z"), "2026-11-29T12:00:00." + chars(50, '0') + "1Z",
          std::string("2016-12-31T23:59:60Z"), std::string("2026-11-29"), std::string("2026-11-29T12:00:00"),
          std::string("0000-01-01T00:00:00+00:01"), std::string("9999-12-31T23:59:59-00:01"),
          std::string()}) {
        CAPTURE(text);
        CHECK(reread<Seconds>(text) == "-");
    }
    CHECK(reread<Seconds>("0000-01-01T00:01:00+00:01") == "0000-01-01T00:00:00Z");
    CHECK(reread<Seconds>("9999-12-31T23:58:59-00:01") == "9999-12-31T23:59:59Z");
    CHECK(reread<Sys<std::chrono::milliseconds>>("2026-11-29T12:00:00.25Z") == "2026-11-29T12:00:00.250Z");
    CHECK(reread<Sys<std::chrono::milliseconds>>("1969-12-31T23:59:59.9Z") == "1969-12-31T23:59:59.900Z");
    CHECK(reread<Sys<std::chrono::milliseconds>>("2026-11-29T12:00:00.2501Z") == "-");
    CHECK(reread<Sys<std::chrono::nanoseconds>>("2026-11-29T12:00:00.1234567890Z") ==
          "2026-11-29T12:00:00.123456789Z");
    CHECK(reread<Sys<std::chrono::nanoseconds>>("2026-11-29T12:00:00.1234567891Z") == "-");
    CHECK(reread<Sys<std::chrono::minutes>>("2026-11-29T12:34:00.0Z") == "2026-11-29T12:34:00Z");
    CHECK(reread<Sys<std::chrono::minutes>>("2026-11-29T12:34:01Z") == "-");
    CHECK(reread<Sys<std::chrono::hours>>("2026-11-29T12:30:00+00:30") == "2026-11-29T12:00:00Z");
    CHECK(reread<Sys<std::chrono::hours>>("1969-12-31T23:00:00Z") == "1969-12-31T23:00:00Z");
    CHECK(reread<Sys<std::chrono::hours>>("1969-12-31T23:30:00Z") == "-");
}

TEST_CASE("a date is read as a date alone") {
    for (const std::string_view text : {"0000-01-01", "2000-02-29", "9999-12-31"}) {
        CHECK(reread<Date>(text) == text);
        CHECK(reread<std::chrono::sys_days>(text) == text);
    }
    for (const std::string_view text :
         {"0000-00-00", "1900-02-29", "2026-11-29T00:00:00Z", "2026-11-29Z", ""}) {
        CHECK(reread<Date>(text) == "-");
        CHECK(reread<std::chrono::sys_days>(text) == "-");
    }
}

TEST_CASE("what a duration holds is used to its ends, and nothing overflows") {
    using Nano = Sys<std::chrono::nanoseconds>;
    const auto is_end = [](std::string_view text, Nano end) {
        Nano time{};
        return reads(text, time) && time == end;
    };
    CHECK(is_end("2262-04-11T23:47:16.854775807Z", Nano::max()));
    CHECK(is_end("2262-04-11T23:47:16.854775806Z", Nano::max() - 1ns));
    CHECK(is_end("1677-09-21T00:12:43.145224192Z", Nano::min()));
    CHECK(is_end("1677-09-21T00:12:43.145224193Z", Nano::min() + 1ns));
    for (const std::string_view text :
         {"2262-04-11T23:47:16.854775808Z", "2262-04-11T23:47:17Z", "2263-01-01T00:00:00Z",
          "9999-12-31T23:59:59Z", "1677-09-21T00:12:43.145224191Z", "1677-09-21T00:12:43Z",
          "1677-01-01T00:00:00Z", "0000-01-01T00:00:00Z"}) {
        CAPTURE(text);
        CHECK(reread<Nano>(text) == "-");
    }
    // A count of 16 bits: a day before and after 1970, and nothing further.
    using Short = Sys<std::chrono::duration<std::int16_t, std::ratio<60>>>;
    CHECK(reread<Short>("1970-01-23T18:07:00Z") == "1970-01-23T18:07:00Z");
    CHECK(reread<Short>("1970-01-23T18:08:00Z") == "-");
    CHECK(reread<Short>("1969-12-09T05:52:00Z") == "1969-12-09T05:52:00Z");
    CHECK(reread<Short>("1969-12-09T05:51:00Z") == "-");
}

TEST_CASE("every day of eight centuries is read as it was written") {
    const std::chrono::sys_days first = std::chrono::year(1600) / 1 / 1;
    std::string before;
    for (int i = 0; i < 2 * 146'097; ++i) {
        const auto day = first + std::chrono::days(i);
        const std::string text = write(day);
        std::chrono::sys_days read{};
        if (!reads(text, read) || read != day || !(before < text)) FAIL(text);
        before = text;
    }
    CHECK(before == "2399-12-31");
}

}  // namespace test_format
