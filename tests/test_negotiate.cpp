// Negotiation by quality values, and the name under which a file is saved.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_negotiate {

using sake::detail::AcceptedCodings;
using sake::detail::attachment_disposition;
using sake::detail::ContentCoding;
using sake::detail::media_quality;
using sake::detail::MediaRange;
using sake::detail::parse_quality;

namespace {

/// The codings that are accepted, the best first.
std::string order_of(std::optional<std::string_view> field) {
    const AcceptedCodings accepted(field);
    std::string order;
    for (const ContentCoding each : accepted.in_order()) {
        if (accepted.accepts(each)) order.append(order.empty() ? "" : " ").append(to_string(each));
    }
    return order;
}

}  // namespace

TEST_CASE("a quality has at most three places, and is at most one") {
    CHECK(*parse_quality("1") == 1000);
    CHECK(*parse_quality("1.") == 1000);
    CHECK(*parse_quality("1.000") == 1000);
    CHECK(*parse_quality("0") == 0);
    CHECK(*parse_quality("0.5") == 500);
    CHECK(*parse_quality("0.05") == 50);
    CHECK(*parse_quality("0.001") == 1);
    for (const char* const none :
         {"", "2", "1.001", "1.1", "0.0001", ".5", "-1", "0,5", "1e0", "0.x", "00", "01"}) {
        INFO(none);
        CHECK_FALSE(parse_quality(none).has_value());
    }
}

TEST_CASE("codings are chosen by their quality, then by what is smallest") {
    CHECK(order_of("gzip, deflate, br, zstd") == "br zstd gzip identity");
    CHECK(order_of("gzip") == "gzip identity");
    CHECK(order_of("br;q=0.5, gzip;q=0.8") == "gzip br identity");
    CHECK(order_of("gzip;q=0.5, identity") == "identity gzip");
    CHECK(order_of("gzip;q=0.5, identity;q=0.5") == "gzip identity");
    CHECK(order_of("GZIP") == "gzip identity");
    CHECK(order_of("x-gzip") == "gzip identity");
    CHECK(order_of("*") == "br zstd gzip identity");
    CHECK(order_of("*;q=0.1, gzip") == "gzip br zstd identity");
    CHECK(order_of("gzip ; q=0.9 ,br;Q=0.1") == "gzip br identity");
}

TEST_CASE("without the field, and where it is empty, a file is sent as it is") {
    CHECK(order_of(std::nullopt) == "identity");
    CHECK(order_of("") == "identity");
    CHECK(order_of("deflate, compress") == "identity");
}

TEST_CASE("what has a quality of zero is refused, also the file as it is") {
    CHECK(order_of("gzip;q=0") == "identity");
    CHECK(order_of("identity;q=0") == "");
    CHECK(order_of("*;q=0") == "");
    CHECK(order_of("gzip, *;q=0") == "gzip");
    CHECK(order_of("gzip, identity;q=0") == "gzip");
    CHECK(order_of("identity, *;q=0") == "identity");
    CHECK(order_of("br;q=0, *") == "zstd gzip identity");
    CHECK(order_of("gzip;q=2, br") == "br identity");  // a quality that is none says nothing
}

TEST_CASE("a media type is wanted as its most specific range says") {
    CHECK(media_quality("text/html", "text/html") == 1000);
    CHECK(media_quality("TEXT/HTML;q=0.3", "text/html") == 300);
    CHECK(media_quality("text/*;q=0.5, */*;q=0.1", "text/html") == 500);
    CHECK(media_quality("*/*;q=0.1", "text/html") == 100);
    CHECK(media_quality("text/html;q=0, */*", "text/html") == 0);
    CHECK(media_quality("application/json", "text/html") == 0);
    CHECK(media_quality("text/htmlx, xtext/html, text", "text/html") == 0);
    CHECK(media_quality("text/html;level=1;q=0.7", "text/html") == 700);
    CHECK(media_quality("", "text/html") == 0);
    CHECK(media_quality(std::nullopt, "text/html") == 1000);
}

TEST_CASE("a type that is wanted by name is told from anything") {
    const char* const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    CHECK(media_quality(browser, "text/html", MediaRange::named) == 1000);
    CHECK(media_quality("*/*", "text/html", MediaRange::named) == 0);
    CHECK(media_quality("application/json, */*", "text/html", MediaRange::named) == 0);
    CHECK(media_quality("text/*", "text/html", MediaRange::named) == 1000);
    CHECK(media_quality("text/html;q=0", "text/html", MediaRange::named) == 0);
    CHECK(media_quality(std::nullopt, "text/html", MediaRange::named) == 0);
}

TEST_CASE("a file is saved under its name, in any script") {
    CHECK(attachment_disposition("report.pdf") == "attachment; filename=\"report.pdf\"");
    CHECK(attachment_disposition("my report (1).pdf") == "attachment; filename=\"my report (1).pdf\"");
    CHECK(attachment_disposition("\xe9\x85\x92.txt") ==
          "attachment; filename=\"_.txt\"; filename*=UTF-8''%E9%85%92.txt");
    CHECK(attachment_disposition("na\xc3\xafve file.txt") ==
          "attachment; filename=\"na_ve file.txt\"; filename*=UTF-8''na%C3%AFve%20file.txt");
    CHECK(attachment_disposition("100%.txt") ==
          "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt");
    CHECK(attachment_disposition("a\"b.txt") ==
          "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt");
}

TEST_CASE("the name of a file is no path and ends no field") {
    CHECK(attachment_disposition("../../etc/passwd") == "attachment; filename=\".._.._etc_passwd\"");
    CHECK(attachment_disposition("..\\boot.ini") == "attachment; filename=\".._boot.ini\"");
    CHECK(attachment_disposition("a\r\nSet-Cookie: b") == "attachment; filename=\"a__Set-Cookie: b\"");
    CHECK(attachment_disposition(std::string_view("a\0b", 3)) == "attachment; filename=\"a_b\"");
    CHECK(attachment_disposition("\xff\xfe.txt") == "attachment; filename=\"__.txt\"");  // not UTF-8
    CHECK(attachment_disposition("") == "attachment; filename=\"\"");
    for (int byte = 0; byte < 256; ++byte) {
        const std::string name(1, static_cast<char>(byte));
        CHECK(sake::detail::is_valid_field_value(attachment_disposition(name)));
    }
}

}  // namespace test_negotiate
