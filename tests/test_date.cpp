#include <doctest/doctest.h>
#include <locale.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>

#include "sake.hpp"

namespace test_date {

namespace http = sake::http;

namespace {

std::string format(std::int64_t seconds) {
    char out[29];
    http::format_http_date(seconds, out);
    return {out, sizeof out};
}

/// The same by the C library, in the C locale, whichever the tests run under.
std::string format_by_libc(std::int64_t seconds) {
    const auto time = static_cast<time_t>(seconds);
    tm parts{};
    gmtime_r(&time, &parts);
    char out[64];
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
    const std::size_t size = strftime_l(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts, plain);
    return {out, size};
}

}  // namespace

TEST_CASE("the example of RFC 9110 is written and read in all three forms") {
    CHECK(format(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(http::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
    CHECK(http::parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", 1'700'000'000) == 784111777);
    CHECK(http::parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777);
    CHECK(http::parse_http_date("Wed Nov 16 08:49:37 1994") == 784975777);
}

TEST_CASE("dates agree with the C library on every day of four centuries, and back again") {
    int wrong = 0;
    std::int64_t of_day = 0;
    for (std::int64_t day = -135'000; day < 150'000; ++day) {  // 1600 to 2380
        of_day = (of_day + 7919) % 86400;
        const std::int64_t seconds = day * 86400 + of_day;
        const std::string text = format(seconds);
        if (day % 7 == 0 && text != format_by_libc(seconds)) ++wrong;
        if (http::parse_http_date(text) != seconds) ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("every second of a day, and every leap day, is written as the C library writes it") {
    int wrong = 0;
    for (std::int64_t second = 951'782'400; second < 951'782'400 + 86400; ++second) {  // 29 February 2000
        if (format(second) != format_by_libc(second)) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(format(951'782'400) == "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK(format(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(format(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
    CHECK(format(4'107'542'400) == "Mon, 01 Mar 2100 00:00:00 GMT");
}

TEST_CASE("times beyond four-digit years become the nearest that can be written") {
    CHECK(format(std::numeric_limits<std::int64_t>::max()) == "Fri, 31 Dec 9999 23:59:59 GMT");
    CHECK(format(std::numeric_limits<std::int64_t>::min()) == "Sat, 01 Jan 0000 00:00:00 GMT");
    CHECK(http::parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT") == 253'402'300'799);
    CHECK(http::parse_http_date("Sat, 01 Jan 0000 00:00:00 GMT") == -62'167'219'200);
}

TEST_CASE("a two-digit year over fifty years ahead belongs to the past century") {
    const std::int64_t in_2026 = 1'790'000'000;
    CHECK(http::parse_http_date("Friday, 01-Jan-76 00:00:00 GMT", in_2026) == 3'345'062'400);  // 2076
    CHECK(http::parse_http_date("Friday, 01-Jan-77 00:00:00 GMT", in_2026) == 220'924'800);    // 1977
    CHECK(http::parse_http_date("Friday, 01-Jan-26 00:00:00 GMT", in_2026) == 1'767'225'600);
    CHECK(http::parse_http_date("Friday, 01-Jan-77 00:00:00 GMT", std::numeric_limits<std::int64_t>::max()));
}

TEST_CASE("a leap second counts as the next second") {
    CHECK(http::parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1'483'228'800);
}

TEST_CASE("what is not an HTTP date is no date") {
    for (const std::string_view bad : {"",
                                       "Sun",
                                       "Sun,",
                                       "Sun, ",
                                       "Sun, 06 Nov 1994",
                                       "Sun, 06 Nov 1994 08:49:37",
                                       "Sun, 06 Nov 1994 08:49:37 UTC",
                                       "Sun, 06 Nov 1994 08:49:37 GMT ",
                                       " Sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sun, 6 Nov 1994 08:49:37 GMT",
                                       "Sun, 06 nov 1994 08:49:37 GMT",
                                       "Sun, 06 ovD 1994 08:49:37 GMT",
                                       "Xyz, 06 Nov 1994 08:49:37 GMT",
                                       "sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sun, 00 Nov 1994 08:49:37 GMT",
                                       "Sun, 31 Nov 1994 08:49:37 GMT",
                                       "Wed, 29 Feb 2023 00:00:00 GMT",
                                       "Thu, 29 Feb 1900 00:00:00 GMT",
                                       "Sun, 06 Nov 1994 24:00:00 GMT",
                                       "Sun, 06 Nov 1994 08:60:37 GMT",
                                       "Sun, 06 Nov 1994 08:49:61 GMT",
                                       "Sun, 06 Nov 94 08:49:37 GMT",
                                       "Sun, -6 Nov 1994 08:49:37 GMT",
                                       "Sun, +6 Nov 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 8:49:37 GMT",
                                       "Sunday, 06-Nov-1994 08:49:37 GMT",
                                       "Sunday, 06 Nov 1994 08:49:37 GMT",
                                       "Sun, 06-Nov-94 08:49:37 GMT",
                                       "Sunda, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov 6 08:49:37 1994",
                                       "Sun Nov  6 08:49:37 1994 GMT",
                                       "Sunday Nov  6 08:49:37 1994",
                                       "Sun Nov 06 08:49:37 94",
                                       "784111777",
                                       "Sun Nov 31 08:49:37 1994"}) {
        CAPTURE(bad);
        CHECK_FALSE(http::parse_http_date(bad).has_value());
    }
}

TEST_CASE("a date cut off anywhere is no date") {
    for (const std::string_view whole :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CAPTURE(whole.substr(0, size));
            CHECK_FALSE(http::parse_http_date(whole.substr(0, size)).has_value());
        }
    }
}

}  // namespace test_date
