// Heads of responses and where their bodies end: as strict as with requests.
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_response_parser {

namespace http = sake::http;
namespace http1 = sake::detail::http1;
using http1::Framing;
using http1::ReceivedHead;
using http1::ResponseParser;
using sake::detail::Method;
using Result = ResponseParser::Result;

namespace {

std::string status_of(std::string_view text) {
    ResponseParser parser;
    ReceivedHead head;
    const Result result = parser.parse(text, head);
    if (result == Result::need_more) return "need more";
    return result == Result::done ? std::to_string(head.status) : std::string(parser.reason());
}

/// "length 5", "chunked", "none", "end", with " keep" for a connection that lives on; or why it is refused.
std::string framing_of(std::string_view text, Method method = Method::get) {
    ResponseParser parser;
    ReceivedHead head;
    REQUIRE(parser.parse(text, head) == Result::done);
    const Framing framing = http1::decide_response_framing(head, text.data(), method);
    if (framing.refuse_status != 0) return std::string(framing.reason);
    std::string words = framing.body == Framing::Body::none      ? "none"
                        : framing.body == Framing::Body::length  ? "length " + std::to_string(framing.length)
                        : framing.body == Framing::Body::chunked ? "chunked"
                                                                 : "end";
    return words + (framing.keep_alive ? " keep" : "");
}

}  // namespace

TEST_CASE("status lines are taken as the grammar has them, and no other") {
    CHECK(status_of("HTTP/1.1 200 OK\r\n\r\n") == "200");
    CHECK(status_of("HTTP/1.0 404 Not \xc3\xa4 Found\r\n\r\n") == "404");
    CHECK(status_of("HTTP/1.1 999 \r\n\r\n") == "999");
    CHECK(status_of("HTTP/1.1 204\r\n\r\n") == "204");
    CHECK(status_of("HTTP/1.1 200 OK\r\n") == "need more");
    CHECK(status_of("HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest") == "200");
    for (const std::string_view bad :
         {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
          "HTTP/1.1 +20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n",
          "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1 0x2 OK\r\n\r\n", "HTTP/1.1\t200 OK\r\n\r\n"}) {
        CAPTURE(bad);
        CHECK(status_of(bad) == "bad status code");
    }
    CHECK(status_of("HTTP/2.0 200 OK\r\n\r\n") == "only HTTP/1.0 and HTTP/1.1 are spoken here");
    CHECK(status_of("HTP/1.1 200 OK\r\n\r\n") == "bad HTTP version");
    CHECK(status_of("hello\r\n") == "bad HTTP version");
    CHECK(status_of("\r\nHTTP/1.1 200 OK\r\n\r\n") == "empty line instead of a response");
    CHECK(status_of("HTTP/1.1 200 OK\n\n") == "line feed without carriage return");
    CHECK(status_of("HTTP/1.1 200 OK\r\nA : b\r\n\r\n") == "space in or after a header name");
    CHECK(status_of("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n") == "folded header line");
    CHECK(status_of("HTTP/1.1 200 " + std::string(9000, 'x')) == "status line too long");
    CHECK(status_of("HTTP/1.1 200 OK\r\nA: " + std::string(17000, 'x')) == "header block too large");
}

TEST_CASE("P1: the outcome does not depend on how the bytes were split") {
    const std::string text = "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 3\r\n\r\n";
    for (std::size_t split = 0; split <= text.size(); ++split) {
        ResponseParser parser;
        ReceivedHead head;
        static_cast<void>(parser.parse(text.substr(0, split), head));
        REQUIRE(parser.parse(text, head) == Result::done);
        CHECK(head.status == 301);
        CHECK(head.size == text.size());
        REQUIRE(head.fields.size() == 2);
        CHECK(head.fields[0].value.of(text.data()) == "/x");
    }
}

TEST_CASE("where a body ends is decided as RFC 9112 section 6.3 says") {
    CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") == "length 5 keep");
    CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == "none keep");
    CHECK(framing_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == "chunked keep");
    CHECK(framing_of("HTTP/1.1 200 OK\r\n\r\n") == "end");
    CHECK(framing_of("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n") == "length 5");
    CHECK(framing_of("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n") == "length 5");
    CHECK(framing_of("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n") ==
          "length 5 keep");
    CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::head) == "none keep");
    CHECK(framing_of("HTTP/1.1 204 No Content\r\n\r\n") == "none keep");
    CHECK(framing_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n") == "none keep");
    CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n") ==
          "Content-Length beside Transfer-Encoding");
    CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n") ==
          "more than one Content-Length");
    for (const std::string_view bad : {"+5", "-1", "5,5", "0x5", "", "18446744073709551616"}) {
        CAPTURE(bad);
        CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: " + std::string(bad) + "\r\n\r\n") ==
              "Content-Length is not a decimal number in range");
    }
    CHECK(framing_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n") ==
          "unknown transfer coding");
    CHECK(framing_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n") ==
          "Transfer-Encoding must end in one chunked");
    CHECK(framing_of("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") ==
          "Transfer-Encoding in HTTP/1.0");
}

}  // namespace test_response_parser
