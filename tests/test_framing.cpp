#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_framing {

namespace http = sake::http;
namespace http1 = sake::detail::http1;
using namespace std::string_literals;
using http1::Framing;
using http1::RequestHead;
using http1::RequestParser;
using Body = Framing::Body;

namespace {

const std::string host = "Host: a\r\n";
const std::string sentinel = "GET /sentinel HTTP/1.1\r\nHost: a\r\n\r\n";

struct Decision {
    int status =
        100;  // of a refusal by parser or framing; 200 when there is none; 100 when bytes are missing
    Framing framing;
};

bool operator==(const Decision& a, const Decision& b) {
    return a.status == b.status && a.framing.body == b.framing.body && a.framing.length == b.framing.length &&
           a.framing.keep_alive == b.framing.keep_alive &&
           a.framing.expect_continue == b.framing.expect_continue && a.framing.reason == b.framing.reason;
}

/// Parser, then framing; the bytes come in two parts, of which the first is `cut` long.
Decision decide(std::string_view bytes, std::size_t cut = 0) {
    RequestParser parser;
    RequestHead head;
    Decision decision;
    for (const std::size_t size : {cut, bytes.size()}) {
        const std::string buffer(bytes.substr(0, size));
        const auto result = parser.parse(buffer, head);
        if (result == RequestParser::Result::need_more) continue;
        if (result == RequestParser::Result::refused) {
            decision.status = parser.status();
            return decision;
        }
        // Once for a server that has just begun, once for one that has met every Host of this file.
        static http1::HostCheck known_hosts;
        http1::HostCheck hosts;
        decision.framing = http1::decide_framing(head, buffer.data(), hosts);
        const http1::Framing again = http1::decide_framing(head, buffer.data(), known_hosts);
        CHECK(again.refuse_status == decision.framing.refuse_status);
        decision.status = decision.framing.refuse_status == 0 ? 200 : decision.framing.refuse_status;
        return decision;
    }
    return decision;
}

struct Row {
    std::string head;  // everything up to the empty line, which is added
    int status;
};

/// A POST with these lines after a good Host.
Row post(const std::string& lines, int status) {
    return {"POST / HTTP/1.1\r\n" + host + lines + "\r\n", status};
}

std::vector<Row> table() {
    std::vector<Row> rows;
    // Content-Length is one line of digits that fit 64 bits (RFC 9112 section 6.3 step 5)
    for (const auto good : {"0", "5", "0005", "18446744073709551615", " 5", "5\t"}) {
        rows.push_back(post("Content-Length: "s + good, 200));
    }
    for (const auto bad : {"",
                           " ",
                           "+5",
                           "-1",
                           "-0",
                           "0x5",
                           "5,5",
                           "5, 5",
                           "5,6",
                           "5 5",
                           "5;",
                           "5.0",
                           "1e1",
                           "five",
                           "5a",
                           "a5",
                           "0b1",
                           "٥",
                           "18446744073709551616",
                           "99999999999999999999",
                           "184467440737095516150",
                           ",5",
                           "5,",
                           "\"5\"",
                           "'5'",
                           "5\xa0"}) {
        rows.push_back(post("Content-Length: "s + bad, 400));
    }
    rows.push_back(post("Content-Length: 5\r\nContent-Length: 5", 400));
    rows.push_back(post("Content-Length: 5\r\nContent-Length: 6", 400));
    rows.push_back(post("Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 5", 400));
    rows.push_back(post("Content-Length: 0\r\nContent-Length:", 400));
    // Content-Length beside Transfer-Encoding (step 3)
    for (const auto coding : {"chunked", "gzip", "identity", "", "xchunked"}) {
        for (const auto length : {"5", "0", "x"}) {
            const std::string te = "Transfer-Encoding: "s + coding;
            const std::string cl = "Content-Length: "s + length;
            rows.push_back(post(cl + "\r\n" + te, 400));
            rows.push_back(post(te + "\r\n" + cl, 400));
        }
    }
    // Transfer-Encoding ends in one chunked; what else it names is not implemented here (step 4)
    for (const auto good : {"chunked", "Chunked", "CHUNKED", " chunked", "chunked \t"}) {
        rows.push_back(post("Transfer-Encoding: "s + good, 200));
        rows.push_back(post("TRANSFER-encoding: "s + good, 200));
    }
    for (const auto unknown : {"gzip, chunked", "gzip,chunked", "deflate, gzip, chunked", "identity, chunked",
                               "x,chunked", "gzip\r\nTransfer-Encoding: chunked", "gzip;q=1, chunked"}) {
        rows.push_back(post("Transfer-Encoding: "s + unknown, 501));
    }
    for (const auto bad : {"",
                           " ",
                           ",",
                           ", chunked",
                           "chunked,",
                           "chunked, ",
                           "chunked,,",
                           "chunked, chunked",
                           "chunked,chunked",
                           "chunked, gzip",
                           "chunked, identity",
                           "gzip",
                           "identity",
                           "xchunked",
                           "chunkedx",
                           "chunked;",
                           "chunked;a=b",
                           "\"chunked\"",
                           "'chunked'",
                           "chunked chunked",
                           "chun ked",
                           "x chunked",
                           "chunked\tx",
                           "chunk",
                           "c\xc4\xa7unked",
                           "chunked\r\nTransfer-Encoding: chunked",
                           "chunked\r\nTransfer-Encoding: gzip",
                           "chunked\r\nTransfer-Encoding:",
                           "\r\nTransfer-Encoding: chunked",
                           "chunked\r\nX: y\r\ntransfer-encoding: chunked",
                           "gzip, chunked, chunked",
                           "chunked, gzip, chunked",
                           "identity\r\nTransfer-Encoding: identity",
                           "chunked\x0b",
                           "\x0b"
                           "chunked",
                           "chunked\xa0"}) {
        rows.push_back(post("Transfer-Encoding: "s + bad, 400));
    }
    for (const auto name :
         {"Transfer-Encoding ", " Transfer-Encoding", "Transfer-Encoding\t", "\tTransfer-Encoding",
          "Transfer Encoding", "Transfer-Encoding\x0b", "Transfer-Encoding\xa0", "Content-Length ",
          " Content-Length", "Content-Length\t"}) {
        rows.push_back(post(name + ": chunked"s, 400));
        rows.push_back(post(name + ": 5"s, 400));
    }
    rows.push_back({"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n", 400});
    rows.push_back({"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400});
    rows.push_back({"POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n", 400});
    rows.push_back({"POST / HTTP/1.0\r\nContent-Length: 5\r\n", 200});
    // look-alikes are other fields, and decide nothing
    for (const auto name :
         {"Transfer_Encoding", "X-Transfer-Encoding", "Content_Length", "Transfer-Encodin", "TE"}) {
        rows.push_back(post(name + ": chunked"s, 200));
    }
    // line ends and folds
    for (const auto lines : {"X: a\n",
                             "X: a\nContent-Length: 5",
                             "X: a\rContent-Length: 5",
                             "X: a\r",
                             "\n",
                             "X: a\r\n b",
                             "X: a\r\n\tb",
                             "X: a\r\n Content-Length: 5",
                             "Content-Length:\r\n 5",
                             "Transfer-Encoding:\r\n chunked",
                             "Transfer-Encoding: \r\n\tchunked",
                             "X\r\n",
                             "X\r\n: a",
                             ": a",
                             " : a",
                             "no colon here",
                             "\rX: y",
                             "X: y\r\r",
                             "X: y\r\n\r",
                             "\r",
                             "X : a",
                             "X\t: a"}) {
        rows.push_back(post(lines, 400));
    }
    for (int byte = 0; byte < 256; ++byte) {  // control bytes in a value, in a name and in the target
        if ((byte >= 32 && byte != 127) || byte == '\t') continue;
        const std::string c(1, static_cast<char>(byte));
        rows.push_back(post("X: a" + c + "b", 400));
        rows.push_back(post("X" + c + ": a", 400));
        rows.push_back({"GET /" + c + " HTTP/1.1\r\n" + host, 400});
    }
    // Host: exactly one in 1.1, at most one in 1.0, and valid in both (RFC 9112 section 3.2)
    rows.push_back({"GET / HTTP/1.1\r\n", 400});
    rows.push_back({"GET / HTTP/1.1\r\nX-Host: a\r\n", 400});
    rows.push_back({"GET / HTTP/1.0\r\n", 200});
    for (const auto version : {"1.0", "1.1"}) {
        const std::string line = "GET / HTTP/"s + version + "\r\n";
        rows.push_back({line + "Host: a\r\nHost: a\r\n", 400});
        rows.push_back({line + "Host: a\r\nX: y\r\nhOST: b\r\n", 400});
        rows.push_back({line + "Host:\r\nHost: a\r\n", 400});
        for (const auto good :
             {"", "a", "a:80", "a:", "[::1]", "[::1]:80", "127.0.0.1", "a.example.", "x_y"}) {
            rows.push_back({line + "Host: " + good + "\r\n", 200});
        }
        for (const auto bad :
             {"u@a", "u:p@a", "a/b",   "a?b",     "a#b",      "a b",  "a,b", "a, b",    "\"a\"",
              "a:b", "a:80x", "a:-80", "a:65536", "a:80:81",  "[::1", "::1", "[::1]x",  "[]",
              "[a]", ":80",   "a%00",  "a%41",    "http://a", "a\\b", "<a>", "\xc3\xa9"}) {
            rows.push_back({line + "Host: " + bad + "\r\n", 400});
        }
    }
    // the form of the target
    for (const auto good : {"GET http://a/", "GET http://a", "GET http://a:80/x?y", "GET HTTPS://a/",
                            "OPTIONS *", "OPTIONS /", "GET //a/b", "GET /*", "GET /@", "BREW /pot"}) {
        rows.push_back({good + " HTTP/1.1\r\n"s + host, 200});
    }
    for (const auto tunnel : {"CONNECT a:443", "CONNECT [::1]:1"}) {
        rows.push_back({tunnel + " HTTP/1.1\r\n"s + host, 501});
    }
    for (const auto bad : {"GET *",           "GET a",           "GET a:80",
                           "GET ?x",          "GET http://",     "GET http:///x",
                           "GET http://u@a/", "GET http://a:b/", "GET http://[::1/",
                           "GET http://a,b/", "GET http:a",      "GET ftp://a/",
                           "GET http://%61/", "CONNECT /",       "CONNECT a",
                           "CONNECT a:",      "CONNECT *",       "CONNECT http://a:443/",
                           "CONNECT u@a:443", "CONNECT a:0",     "CONNECT a:000",
                           "OPTIONS **",      "GET /#f",         "GET /\"",
                           "GET /<",          "GET /\\",         "GET /^",
                           "GET /`",          "GET /{",          "GET /|",
                           "GET /}",          "GET /%",          "GET /%g0",
                           "GET /\xc3\xa9"}) {
        rows.push_back({bad + " HTTP/1.1\r\n"s + host, 400});
    }
    rows.push_back({"GET http://a/ HTTP/1.1\r\nHost: b\r\n", 200});  // the target wins (section 3.2.2)
    rows.push_back({"GET http://a/ HTTP/1.1\r\nHost:\r\n", 200});
    rows.push_back({"OPTIONS * HTTP/1.1\r\nHost:\r\n", 200});
    rows.push_back({"GET http://a/ HTTP/1.0\r\n", 200});
    // expectations (RFC 9110 section 10.1.1)
    rows.push_back(post("Expect: 100-continue", 200));
    rows.push_back(post("Expect: 100-Continue\r\nContent-Length: 5", 200));
    for (const auto good : {"", ",", "100-continue, 100-continue", "100-continue\r\nExpect: 100-continue"}) {
        rows.push_back(post("Expect: "s + good, 200));
    }
    for (const auto bad :
         {"100", "100-continue, x", "200-ok", "100-continue;a", "100-continue\r\nExpect: x"}) {
        rows.push_back(post("Expect: "s + bad, 417));
    }
    rows.push_back({"POST / HTTP/1.0\r\nExpect: whatever\r\n", 200});
    return rows;
}

}  // namespace

TEST_CASE("P3: every row of the framing table has its status, whatever follows it") {
    const std::vector<Row> rows = table();
    CHECK(rows.size() >= 200);
    for (const Row& row : rows) {
        CAPTURE(row.head);
        CHECK(decide(row.head + "\r\n").status == row.status);
        CHECK(decide(row.head + "\r\n" + sentinel).status == row.status);
    }
}

TEST_CASE("P1: every row of the framing table gives the same at every split") {
    int wrong = 0;
    for (const Row& row : table()) {
        const std::string bytes = row.head + "\r\n" + sentinel;
        const Decision whole = decide(bytes);
        for (std::size_t cut = 1; cut < bytes.size(); ++cut) wrong += decide(bytes, cut) == whole ? 0 : 1;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a refusal says why and keeps nothing alive") {
    const Framing framing = decide("GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n").framing;
    CHECK(framing.refuse_status == 400);
    CHECK(framing.reason == "no Host");
    CHECK_FALSE(framing.keep_alive);
    CHECK(framing.body == Body::none);
    CHECK(decide("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: x\r\n\r\n").framing.length == 0);
}

TEST_CASE("the body is as long as the head says") {
    const auto framing_of = [](const std::string& lines) {
        const Decision decision = decide("POST / HTTP/1.1\r\n" + host + lines + "\r\n");
        REQUIRE(decision.status == 200);
        return decision.framing;
    };
    CHECK(framing_of("").body == Body::none);
    CHECK(framing_of("Content-Length: 0\r\n").body == Body::none);
    CHECK(framing_of("Content-Length: 0\r\n").length == 0);
    CHECK(framing_of("Content-Length: 12\r\n").body == Body::length);
    CHECK(framing_of("Content-Length: 12\r\n").length == 12);
    CHECK(framing_of("Content-Length: 18446744073709551615\r\n").length == 18446744073709551615u);
    CHECK(framing_of("Transfer-Encoding: chunked\r\n").body == Body::chunked);
}

TEST_CASE("the connection lives on as the version and Connection say, and close wins") {
    const auto keeps = [](const std::string& version, const std::string& lines) {
        const Decision decision = decide("GET / HTTP/" + version + "\r\n" + host + lines + "\r\n");
        REQUIRE(decision.status == 200);
        return decision.framing.keep_alive;
    };
    CHECK(keeps("1.1", ""));
    CHECK(keeps("1.9", ""));
    CHECK_FALSE(keeps("1.0", ""));
    for (const std::string value :
         {"close", "Close", "CLOSE", " close ", "close,", ",close", "keep-alive, close", "close,keep-alive",
          "x,\tclose\t,y", "upgrade , close", "keep-alive\r\nConnection: close",
          "close\r\nConnection: keep-alive", "x\r\nX: y\r\nconnection: CLOSE"}) {
        CAPTURE(value);
        CHECK_FALSE(keeps("1.1", "Connection: " + value + "\r\n"));
        CHECK_FALSE(keeps("1.0", "Connection: " + value + "\r\n"));
    }
    for (const std::string value :
         {"", "keep-alive", "closed", "not-close", "clo se", "\"close\"", "close;x", "upgrade"}) {
        CAPTURE(value);
        CHECK(keeps("1.1", "Connection: " + value + "\r\n"));
    }
    for (const std::string value :
         {"keep-alive", "Keep-Alive", "x, keep-alive", "x\r\nConnection: keep-alive"}) {
        CAPTURE(value);
        CHECK(keeps("1.0", "Connection: " + value + "\r\n"));
    }
    CHECK_FALSE(keeps("1.0", "Connection: keepalive\r\n"));
    CHECK_FALSE(keeps("1.0", "Keep-Alive: timeout=5\r\n"));
    CHECK_FALSE(keeps("1.0", "Proxy-Connection: keep-alive\r\n"));
}

TEST_CASE("100-continue is waited for only when there is a body, and never in HTTP/1.0") {
    const auto waits = [](const std::string& version, const std::string& lines) {
        return decide("POST / HTTP/" + version + "\r\n" + host + "Expect: 100-continue\r\n" + lines + "\r\n")
            .framing.expect_continue;
    };
    CHECK(waits("1.1", "Content-Length: 5\r\n"));
    CHECK(waits("1.1", "Transfer-Encoding: chunked\r\n"));
    CHECK_FALSE(waits("1.1", "Content-Length: 0\r\n"));
    CHECK_FALSE(waits("1.1", ""));
    CHECK_FALSE(waits("1.0", "Content-Length: 5\r\n"));
}

TEST_CASE("a Host that was valid before makes no other valid") {
    http1::HostCheck hosts;
    const std::string longest(56, 'a');
    for (const std::string& valid : {std::string("a.example:80"), longest, longest + "a", std::string()}) {
        CHECK(hosts.is_valid(valid));
        CHECK(hosts.is_valid(valid));
        CHECK_FALSE(hosts.is_valid(valid + "\""));
        CHECK_FALSE(hosts.is_valid("\"" + valid));
        CHECK(hosts.is_valid(valid.substr(0, valid.size() / 2)));
    }
}

}  // namespace test_framing
