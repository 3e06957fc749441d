#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/machinery.hpp"

namespace test_writer {

namespace http = sake::http;
namespace http1 = sake::detail::http1;
using http::Headers;
using http1::BodyLine;
using http1::ConnectionLine;
using http1::ResponseHead;
using sake::detail::ByteBuffer;

namespace {

std::string written(const ResponseHead& head, const Headers& fields = {}) {
    ByteBuffer out;
    http1::append_response_head(out, head, fields);
    return std::string(out.view());
}

}  // namespace

TEST_CASE("a plain head has status line, length and final empty line") {
    CHECK(written({}) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("a head carries all it is given, after what was there before") {
    ResponseHead head;
    head.status = 404;
    head.content_type = "text/plain; charset=utf-8";
    head.content_length = 18446744073709551615u;
    head.date_line = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    head.connection = ConnectionLine::close;
    Headers fields;
    fields.add("X-A", "1");
    fields.add("X-B", "2");
    ByteBuffer out;
    out.append("before");
    http1::append_response_head(out, head, fields);
    CHECK(out.view() ==
          "beforeHTTP/1.1 404 Not Found\r\n"
          "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
          "Content-Type: text/plain; charset=utf-8\r\n"
          "Content-Length: 18446744073709551615\r\n"
          "Connection: close\r\n"
          "X-A: 1\r\n"
          "X-B: 2\r\n"
          "\r\n");
}

TEST_CASE("every status from 100 to 999 has a well-formed status line") {
    for (int status = 100; status <= 999; ++status) {
        const std::string out = written({.status = status, .body = BodyLine::none});
        CAPTURE(out);
        CHECK(out == "HTTP/1.1 " + std::to_string(status) + " " + std::string(http::reason_phrase(status)) +
                         "\r\n\r\n");
    }
}

TEST_CASE("a status that cannot be written goes out as 500") {
    for (const int status : {-1, 0, 99, 1000, 2147483647}) {
        CHECK(written({.status = status, .body = BodyLine::none}) ==
              "HTTP/1.1 500 Internal Server Error\r\n\r\n");
    }
}

TEST_CASE("the body's end is announced by length, by chunks or not at all") {
    CHECK(written({.body = BodyLine::chunked}) == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(written({.body = BodyLine::none}) == "HTTP/1.1 200 OK\r\n\r\n");
    CHECK(written({.status = 304, .content_length = 5}) ==
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
    for (const auto body : {BodyLine::length, BodyLine::chunked}) {
        CHECK(written({.status = 204, .body = body}) == "HTTP/1.1 204 No Content\r\n\r\n");
        CHECK(written({.status = 101, .body = body}) == "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    }
}

TEST_CASE("the connection line is written when asked for") {
    CHECK(written({.body = BodyLine::none, .connection = ConnectionLine::keep_alive}) ==
          "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("a Date or Content-Type of the application stands instead of ours") {
    Headers fields;
    fields.set("content-type", "image/png");
    fields.set("DATE", "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(written({.content_type = "text/plain", .body = BodyLine::none, .date_line = "Date: now\r\n"},
                  fields) ==
          "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\nDATE: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
}

TEST_CASE("the fields that decide the framing are known") {
    for (const std::string_view name :
         {"Content-Length", "transfer-encoding", "CONNECTION", "Keep-Alive", "Trailer", "Upgrade"}) {
        CAPTURE(name);
        CHECK(sake::detail::is_framing_field(name));
    }
    for (const std::string_view name :
         {"", "Content-Type", "Date", "Content-Lengths", "X-Connection", "Upgrades"}) {
        CAPTURE(name);
        CHECK_FALSE(sake::detail::is_framing_field(name));
    }
}

TEST_CASE("a request head carries all it is given, after what was there before") {
    http1::RequestTerms head;
    head.method = "POST";
    head.target = "/orders?dry=yes";
    head.host = "localhost:8080";
    head.user_agent = "sake/1";
    head.body = BodyLine::length;
    head.content_length = 18446744073709551615u;
    Headers fields;
    fields.add("X-A", "1");
    ByteBuffer out;
    out.append("before");
    http1::append_request_head(out, head, fields);
    CHECK(out.view() ==
          "beforePOST /orders?dry=yes HTTP/1.1\r\n"
          "Host: localhost:8080\r\n"
          "User-Agent: sake/1\r\n"
          "Content-Length: 18446744073709551615\r\n"
          "X-A: 1\r\n"
          "\r\n");
}

TEST_CASE(
    "a request head has the lines that it is told, of any length, and a User-Agent of the application") {
    const auto asked = [](const http1::RequestTerms& head, const Headers& fields = {}) {
        ByteBuffer out;
        http1::append_request_head(out, head, fields);
        return std::string(out.view());
    };
    CHECK(asked({.method = "GET", .target = "/", .host = "h"}) == "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(asked({.method = "PUT", .target = "/", .host = "h", .body = BodyLine::chunked}) ==
          "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    Headers fields;
    fields.set("user-agent", "mine");
    CHECK(asked({.method = "GET", .target = "/", .host = "h", .user_agent = "sake/1"}, fields) ==
          "GET / HTTP/1.1\r\nHost: h\r\nuser-agent: mine\r\n\r\n");
    const std::string method(10'000, 'M');
    const std::string target = "/" + std::string(100'000, 't');
    const std::string host(1'000, 'h');
    CHECK(asked({.method = method, .target = target, .host = host}) ==
          method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
}

TEST_CASE("a warm buffer takes a head without allocating") {
    Headers fields;
    fields.set("Cache-Control", "no-store");
    const ResponseHead head{.status = 422, .content_type = "application/json", .content_length = 12345};
    ByteBuffer out;
    http1::append_response_head(out, head, fields);
    const auto before = harness::allocations::by_this_thread();
    for (int i = 0; i < 100; ++i) {
        out.clear();
        http1::append_response_head(out, head, fields);
    }
    CHECK(harness::allocations::by_this_thread() == before);
}

}  // namespace test_writer
