// The table of HTTP/1.1 over real sockets: each row sends bytes and names the status that must come and
// whether the connection lives on. A sentinel request stands behind each row: it is answered if it does, and
// never runs if it does not. Sections are those of RFC 9110 (semantics) and RFC 9112 (HTTP/1.1), and of RFC
// 3986 for targets.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_conformance {

using namespace harness;
using namespace std::string_literals;

namespace {

struct Row {
    std::string section;
    std::string name;
    std::string request;
    int status;
    bool survives;
    std::optional<std::string> body = {};  // of the answer, if it matters
};

constexpr bool lives = true;
constexpr bool dies = false;

std::string quoted(std::string_view bytes) {
    std::string out;
    for (const char c : bytes.substr(0, 300)) {
        const auto byte = static_cast<unsigned char>(c);
        char text[8];
        std::snprintf(text, sizeof text, byte < 0x20 || byte > 0x7e ? "\\x%02x" : "%c",
                      static_cast<unsigned>(byte));
        out += text;
    }
    return out;
}

std::string get(std::string_view target, std::string_view fields = "Host: test\r\n") {
    return "GET " + std::string(target) + " HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}

std::string post(std::string_view fields, std::string_view body = {}) {
    return "POST /echo HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

std::vector<Row> request_lines() {
    const std::string host = "Host: test\r\n\r\n";
    std::vector<Row> rows = {
        {"9112 3", "the plain case", "GET / HTTP/1.1\r\n" + host, 200, lives, "ran"},
        {"9112 2.2", "an empty line before the request line", "\r\nGET / HTTP/1.1\r\n" + host, 200, lives},
        {"9112 2.2", "two empty lines before it", "\r\n\r\nGET / HTTP/1.1\r\n" + host, 200, lives},
        {"9112 2.2", "white space between the start line and the first field",
         "GET / HTTP/1.1\r\n Host: test\r\n\r\n", 400, dies},
        {"9112 2.2", "a line feed without a carriage return", "GET / HTTP/1.1\nHost: test\n\n", 400, dies},
        {"9112 2.2", "a carriage return without a line feed", "GET / HTTP/1.1\rHost: test\r\n\r\n", 400,
         dies},
        {"9112 3", "a leading space", " GET / HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3", "two spaces before the target", "GET  / HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3", "two spaces before the version", "GET /  HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3", "a space after the version", "GET / HTTP/1.1 \r\n" + host, 400, dies},
        {"9112 3", "a tab before the target", "GET\t/ HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3", "a tab before the version", "GET /\tHTTP/1.1\r\n" + host, 400, dies},
        {"9112 3", "no target", "GET HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3", "an empty target", "GET  HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3", "no version (HTTP/0.9)", "GET /\r\n" + host, 400, dies},
        {"9112 3", "nothing but a method", "GET\r\n" + host, 400, dies},
        {"9112 3", "something after the version", "GET / HTTP/1.1 x\r\n" + host, 400, dies},
        {"9112 3", "a NUL in the request line", "GET /\0 HTTP/1.1\r\n"s + host, 400, dies},
        {"9112 3", "a vertical tab", "GET /\v HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3.2", "an unencoded space in the target", "GET /a b HTTP/1.1\r\n" + host, 400, dies},
        {"9112 2.3", "version 1.2 is answered as 1.1", "GET / HTTP/1.2\r\n" + host, 200, lives},
        {"9112 2.3", "version 1.9", "GET / HTTP/1.9\r\n" + host, 200, lives},
        {"9112 2.3", "version 2.0", "GET / HTTP/2.0\r\n" + host, 505, dies},
        {"9113 3.4", "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, dies},
        {"9112 2.3", "version 3.0", "GET / HTTP/3.0\r\n" + host, 505, dies},
        {"9112 2.3", "version 0.9", "GET / HTTP/0.9\r\n" + host, 505, dies},
    };
    for (const char* version : {"http/1.1", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/11", "HTTP/1.10",
                                "HTTP/01.1", "HTTP/1,1", "HTTP/ 1.1", "HTTP /1.1", "HTTP/a.1", "HTTP/1.a",
                                "HTTPS/1.1", "HTTP/1.1\t", "HTTP/-1.1", "HTP/1.1"}) {
        rows.push_back(
            {"9112 2.3", "the version "s + version, "GET / "s + version + "\r\n" + host, 400, dies});
    }
    for (const char c : "(),/:;<=>?@[\\]{}\""s) {
        rows.push_back({"9110 9.1", "a method with "s + c, "GE"s + c + "T / HTTP/1.1\r\n" + host, 400, dies});
    }
    for (const char* method : {"get", "Get", "FOO", "G!T", "PROPFIND", "M-SEARCH", "X"}) {
        rows.push_back(
            {"9110 9.1", "the unknown method "s + method, method + " / HTTP/1.1\r\n"s + host, 501, lives});
    }
    for (const char* method : {"DELETE", "PUT", "PATCH", "TRACE"}) {
        rows.push_back(
            {"9110 15.5.6", "no route for "s + method, method + " / HTTP/1.1\r\n"s + host, 405, lives});
    }
    return rows;
}

std::vector<Row> targets() {
    const std::string host = "Host: test\r\n\r\n";
    std::vector<Row> rows = {
        {"9112 3.2.1", "a path and a query", get("/any/a?b=c&d"), 200, lives},
        {"9112 3.2.1", "an empty query", get("/any/a?"), 200, lives},
        {"9112 3.2.1", "a question mark in the query", get("/any/a?b?c"), 200, lives},
        {"9112 3.2.1", "two slashes", get("//any"), 404, lives},
        {"9112 3.2.1", "no slash", get("any/a"), 400, dies},
        {"9112 3.2.1", "a question mark without a path", get("?a=b"), 400, dies},
        {"9112 3.2", "a fragment", get("/any/a#b"), 400, dies},
        {"9112 3.2.2", "absolute form", get("http://test/any/a", "Host: test\r\n"), 200, lives},
        {"9112 3.2.2", "absolute form without a path", get("http://test", "Host: test\r\n"), 200, lives,
         "ran"},
        {"9112 3.2.2", "absolute form with a port and a query", get("http://test:80/any/a?b"), 200, lives},
        {"9112 3.2.2", "absolute form, a scheme in capitals", get("HTTP://test/any/a"), 200, lives},
        {"9112 3.2.2", "absolute form replaces another Host", get("http://other:8/host"), 200, lives,
         "other:8"},
        {"9112 3.2.2", "absolute form replaces an empty Host", get("http://other/host", "Host:\r\n"), 200,
         lives, "other"},
        {"9112 3.2", "Host, where the target names none", get("/host", "Host: test:80\r\n"), 200, lives,
         "test:80"},
        {"9110 7.4", "https where nothing is secured", get("https://test/any/a"), 421, dies},
        {"9110 7.4", "a scheme of others", get("ftp://test/any/a"), 400, dies},
        {"9112 3.2.2", "absolute form without an authority", get("http:///any/a"), 400, dies},
        {"9112 3.2.2", "absolute form with user information", get("http://user@test/any/a"), 400, dies},
        {"9112 3.2.2", "absolute form without Host", get("http://test/any/a", ""), 400, dies},
        {"9112 3.2.3", "authority form with GET", get("test:80"), 400, dies},
        {"9112 3.2.3", "CONNECT in origin form", "CONNECT / HTTP/1.1\r\n" + host, 400, dies},
        {"9110 9.3.6", "CONNECT, which no route takes", "CONNECT test:80 HTTP/1.1\r\n" + host, 501, dies},
        {"9110 9.3.6", "CONNECT to port 0", "CONNECT test:0 HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3.2.3", "CONNECT without a port", "CONNECT test HTTP/1.1\r\n" + host, 400, dies},
        {"9112 3.2.4", "asterisk with GET", get("*"), 400, dies},
        {"9112 3.2.4", "OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host, 204, lives},
        {"3986 2.1", "an escape", get("/any/%41"), 200, lives},
        {"3986 2.1", "small letters in an escape", get("/any/%c3%a4"), 200, lives},
        {"3986 2.1", "an escaped slash stays in its segment", get("/any/a%2Fb"), 200, lives},
        {"3986 6.2.2.1", "an escaped slash in small letters", get("/any/a%2fb"), 200, lives},
        {"3986 6.2.2.1", "and as the pattern has it in capitals", get("/in%2fone"), 200, lives, "in one"},
        {"9110 4.2.3", "OPTIONS for a URL without a path", "OPTIONS http://test HTTP/1.1\r\n" + host, 204,
         lives},
        {"3986 2.1", "an escaped NUL", get("/any/%00"), 400, dies},
        {"3629 3", "overlong UTF-8", get("/any/%C0%AF"), 400, dies},
        {"3629 3", "a surrogate in UTF-8", get("/any/%ED%A0%80"), 400, dies},
        {"3629 3", "half a sequence", get("/any/%C3"), 400, dies},
        {"3629 3", "a byte of no sequence", get("/any/%FF"), 400, dies},
        {"9110 4.1", "a long target", get("/any/" + std::string(7000, 'a')), 200, lives},
    };
    for (const char left : std::string_view("\\^`{|}")) {
        rows.push_back({"WHATWG URL", "the query has a "s + left, get("/any/a?b="s + left), 200, lives});
        rows.push_back({"9112 3.2", "the path has a "s + left, get("/any/a"s + left + "?b"), 400, dies});
    }
    for (const char* bad : {"\"", "<", ">", "#", "\x7f", "\xc3\xa4"}) {
        rows.push_back({"WHATWG URL", "the query has a "s + bad, get("/any/a?b="s + bad), 400, dies});
    }
    for (const char* bad : {"%", "%4", "%G0", "%0G", "%%20", "%-1", "%u0041"}) {
        rows.push_back({"3986 2.1", "the escape "s + bad, get("/any/"s + bad), 400, dies});
        rows.push_back(
            {"WHATWG URL", "the query has the lone escape "s + bad, get("/any/a?b="s + bad), 200, lives});
    }
    return rows;
}

std::vector<Row> fields() {
    const auto with = [](std::string_view field) { return get("/", "Host: test\r\n" + std::string(field)); };
    std::vector<Row> rows = {
        {"9112 5", "no space after the colon", with("X:y\r\n"), 200, lives},
        {"9112 5", "much white space around the value", with("X: \t y \t \r\n"), 200, lives},
        {"9110 5.5", "an empty value", with("X:\r\n"), 200, lives},
        {"9110 5.5", "bytes above ASCII in a value", with("X: \x80\xff\r\n"), 200, lives},
        {"9110 5.5", "a tab inside a value", with("X: a\tb\r\n"), 200, lives},
        {"9110 5.3", "the same name again and again", with("X: 1\r\nX: 2\r\nx: 3\r\n"), 200, lives},
        {"9112 5.1", "a space before the colon", with("X : y\r\n"), 400, dies},
        {"9112 5.1", "a tab before the colon", with("X\t: y\r\n"), 400, dies},
        {"9112 5.1", "a space inside a name", with("X Y: z\r\n"), 400, dies},
        {"9112 5.1", "an empty name", with(": y\r\n"), 400, dies},
        {"9112 5.1", "no colon", with("XY\r\n"), 400, dies},
        {"9112 5.2", "a folded line", with("X: y\r\n z\r\n"), 400, dies},
        {"9112 5.2", "a line folded with a tab", with("X: y\r\n\tz\r\n"), 400, dies},
        {"9112 5.2", "a folded line that is empty", with("X: y\r\n \r\n"), 400, dies},
        {"9112 2.2", "a line feed alone ends a field", with("X: y\n"), 400, dies},
        {"9112 2.2", "a carriage return inside a value", with("X: y\rz\r\n"), 400, dies},
        {"9112 2.2", "two carriage returns", with("X: y\r\r\n"), 400, dies},
        {"9110 5.1", "a name of every kind of token", with("!#$%&'*+-.^_`|~09azAZ: y\r\n"), 200, lives},
        {"6585 5", "a header block of 17,000 bytes", with("X: " + std::string(17'000, 'y') + "\r\n"), 431,
         dies},
        {"9110 4.1", "a request line of 9,000 bytes", get("/any/" + std::string(9000, 'a')), 414, dies},
        {"9112 3", "a method of 9,000 bytes", std::string(9000, 'M') + " / HTTP/1.1\r\nHost: test\r\n\r\n",
         501, dies},
    };
    for (int byte = 0; byte < 0x20; ++byte) {
        if (byte == '\t' || byte == '\n' || byte == '\r') continue;
        rows.push_back({"9110 5.5", "control byte " + std::to_string(byte) + " in a value",
                        with("X: a" + std::string(1, static_cast<char>(byte)) + "b\r\n"), 400, dies});
    }
    rows.push_back({"9110 5.5", "DEL in a value", with("X: a\x7f\r\n"), 400, dies});
    for (const char c : "(),/;<=>?@[\\]{}\"\x80\0"s) {
        rows.push_back({"9110 5.1", "a name with byte " + std::to_string(static_cast<unsigned char>(c)),
                        with("X"s + c + "Y: z\r\n"), 400, dies});
    }
    std::string many;
    for (int i = 0; i < 100; ++i) many += "X: y\r\n";
    rows.push_back({"6585 5", "a hundred and one fields", with(many), 431, dies});
    rows.push_back({"6585 5", "a hundred fields", with(many.substr(6)), 200, lives});
    return rows;
}

std::vector<Row> hosts() {
    std::vector<Row> rows = {
        {"9112 3.2", "no Host", get("/", ""), 400, dies},
        {"9112 3.2", "two Hosts", get("/", "Host: test\r\nHost: other\r\n"), 400, dies},
        {"9112 3.2", "the same Host twice", get("/", "Host: test\r\nhost: test\r\n"), 400, dies},
        {"9110 7.2", "an empty Host", get("/", "Host:\r\n"), 200, lives},
        {"9112 3.2", "HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 200, dies},
        {"9112 3.2", "HTTP/1.0 with two Hosts", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, dies},
        {"9112 3.2", "HTTP/1.0 with a bad Host", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400, dies},
    };
    for (const char* good : {"test", "test:80", "test:", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:80",
                             "a-b.c_d~", "EXAMPLE.org", "[2001:db8::7]:65535"}) {
        rows.push_back({"9110 7.2", "the Host "s + good, get("/", "Host: "s + good + "\r\n"), 200, lives});
    }
    for (const char* bad : {"a b",
                            "a/b",
                            "a,b",
                            "a@b",
                            "user:pass@a",
                            "[::1",
                            "::1",
                            "a:port",
                            "a:99999",
                            "a:-1",
                            "a: 80",
                            "[a]",
                            "a]",
                            "[::1]x",
                            "\"a\"",
                            "a?b",
                            "a#b",
                            "a\\b",
                            "%zz",
                            "a%41",
                            "<a>",
                            "a:80:80",
                            ":80",
                            "a;b",
                            "[::1]:x",
                            "[]",
                            "http://a",
                            "a\xc3\xa4",
                            "[::1%25eth0]",
                            "a:80 "
                            "b"}) {
        rows.push_back(
            {"9110 7.2", "the Host "s + quoted(bad), get("/", "Host: "s + bad + "\r\n"), 400, dies});
    }
    return rows;
}

std::vector<Row> lengths() {
    std::vector<Row> rows = {
        {"9112 6.2", "a body as long as it says", post("Content-Length: 5\r\n", "hello"), 200, lives,
         "hello"},
        {"9112 6.3", "no body", post(""), 200, lives, ""},
        {"9112 6.2", "a length of 0", post("Content-Length: 0\r\n"), 200, lives, ""},
        {"9112 6.2", "leading zeros", post("Content-Length: 005\r\n", "hello"), 200, lives, "hello"},
        {"9110 8.6", "white space around the length", post("Content-Length: \t5 \r\n", "hello"), 200, lives,
         "hello"},
        {"9110 9.3.1", "GET with a body", "GET /echo-get HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi",
         200, lives, "hi"},
        {"9112 6.3", "two different lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
         400, dies},
        {"9112 6.3", "the same length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
         400, dies},
        {"9112 6.3", "a list of the same length", post("Content-Length: 5, 5\r\n", "hello"), 400, dies},
        {"9112 6.3", "a list of different lengths", post("Content-Length: 5,6\r\n", "hello!"), 400, dies},
        {"9110 15.5.14", "a length above the limit", post("Content-Length: 2000000\r\n"), 413, dies},
        {"9110 15.5.14", "the largest length of 64 bits", post("Content-Length: 18446744073709551615\r\n"),
         413, dies},
        {"9112 6.1", "both lengths and codings",
         post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, dies},
        {"9112 6.1", "codings and lengths",
         post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, dies},
        {"9112 6.1", "codings in HTTP/1.0",
         "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n", 400,
         dies},
    };
    for (const char* bad : {"", "-5", "+5", "5x", "x", "0x5", "5.0", "5 5", "18446744073709551616",
                            "99999999999999999999999", "5;", "\"5\"", ",", "5,", ",5", "1e3"}) {
        rows.push_back({"9112 6.3", "the length '"s + bad + "'",
                        post("Content-Length: "s + bad + "\r\n", "hello"), 400, dies});
    }
    const std::string empty = "0\r\n\r\n";
    const auto coding = [&](const std::string& value) {
        return post("Transfer-Encoding: " + value + "\r\n", empty);
    };
    rows.push_back({"9110 5.6.1", "the coding in capitals", coding("CHUNKED"), 200, lives});
    rows.push_back({"9112 7", "white space around the coding", coding(" \tchunked \t"), 200, lives});
    rows.push_back({"9112 6.1", "an unknown coding before chunked", coding("foo, chunked"), 501, dies});
    rows.push_back({"9112 6.1", "gzip before chunked", coding("gzip, chunked"), 501, dies});
    rows.push_back({"9112 6.1", "gzip and chunked on two lines", coding("gzip\r\nTransfer-Encoding: chunked"),
                    501, dies});
    for (const char* unknown : {"foo", "xchunked", "identity", "gzip", "chunked2", "\"chunked\"", "chunk"}) {
        rows.push_back({"9112 6.1", "the coding "s + unknown + " alone", coding(unknown), 400, dies});
    }
    for (const char* bad : {"", ",", "chunked, chunked", "chunked, gzip", "chunked,", ", chunked",
                            "chunked;a=b", "chunked chunked", "chunked\r\nTransfer-Encoding: chunked"}) {
        rows.push_back({"9112 6.3", "the codings '"s + quoted(bad) + "'", coding(bad), 400, dies});
    }
    return rows;
}

std::vector<Row> chunks() {
    std::vector<Row> rows = {
        {"9112 7.1", "one chunk", chunked("5\r\nhello\r\n0\r\n\r\n"), 200, lives, "hello"},
        {"9112 7.1", "several chunks", chunked("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 200, lives, "hello"},
        {"9112 7.1", "no chunk", chunked("0\r\n\r\n"), 200, lives, ""},
        {"9112 7.1", "hexadecimal in both cases", chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
         200, lives},
        {"9112 7.1", "leading zeros", chunked("005\r\nhello\r\n000\r\n\r\n"), 200, lives, "hello"},
        {"9112 7.1.1", "an extension", chunked("5;a\r\nhello\r\n0;b=c\r\n\r\n"), 200, lives, "hello"},
        {"9112 7.1.1", "an extension with a quoted value", chunked("5;a=\"b;\\\"c\"\r\nhello\r\n0\r\n\r\n"),
         200, lives, "hello"},
        {"9112 7.1.1", "several extensions", chunked("5;a;b=1;c=\"2\"\r\nhello\r\n0\r\n\r\n"), 200, lives,
         "hello"},
        {"9112 7.1.1", "white space before an extension", chunked("5 ;a\r\nhello\r\n0\r\n\r\n"), 200, lives,
         "hello"},
        {"9112 7.1.2", "trailers", chunked("0\r\nA: b\r\nC:\r\n\r\n"), 200, lives, ""},
        {"9110 6.5.1", "a trailer that frames is no header", chunked("0\r\nContent-Length: 9\r\n\r\n"), 200,
         lives, ""},
        {"9112 7.1.2", "a trailer without a colon", chunked("0\r\nA\r\n\r\n"), 400, dies},
        {"9112 7.1.2", "a folded trailer", chunked("0\r\nA: b\r\n c\r\n\r\n"), 400, dies},
        {"9112 7.1.2", "a space before a trailer's colon", chunked("0\r\nA : b\r\n\r\n"), 400, dies},
        {"9112 7.1", "less data than the size", chunked("5\r\nhell\r\n0\r\n\r\n"), 400, dies},
        {"9112 7.1", "more data than the size", chunked("5\r\nhello!\r\n0\r\n\r\n"), 400, dies},
        {"9112 7.1", "a line feed after the data", chunked("5\r\nhello\n0\r\n\r\n"), 400, dies},
        {"9112 7.1", "any two bytes after the data", chunked("5\r\nhelloXX0\r\n\r\n"), 400, dies},
        {"9112 7.1", "a chunk of 2^64-1 bytes", chunked("ffffffffffffffff\r\n"), 413, dies},
        {"9112 7.1", "a chunk that ends in LF", chunked("1\r\na\n0\r\n\r\n"), 400, dies},
        {"9110 15.5.14", "more than the limit", chunked("200000\r\n" + std::string(100, 'x')), 413, dies},
    };
    for (const char* size : {"",
                             "g",
                             "-1",
                             "+5",
                             "0x5",
                             "5 ",
                             "5\t",
                             " 5",
                             "5;",
                             "5; ",
                             "5;;a",
                             "5;a=",
                             "5;a=\"b",
                             "5;a=\"b\"c",
                             "5;=b",
                             "5;a b",
                             "5,5",
                             "5\r",
                             "\"5\"",
                             "5.0",
                             "10000000000000000",
                             "ffffffffffffffffff",
                             "5;a\x7f",
                             "5;\x01",
                             "5 5",
                             "5a z",
                             "five"}) {
        rows.push_back({"9112 7.1", "the chunk size '"s + quoted(size) + "'",
                        chunked(size + "\r\nhello\r\n0\r\n\r\n"s), 400, dies});
    }
    rows.push_back({"9112 7.1", "a NUL in the size", chunked("5\0\r\nhello\r\n0\r\n\r\n"s), 400, dies});
    rows.push_back(
        {"9112 7.1", "a line feed alone after the size", chunked("5\nhello\r\n0\r\n\r\n"), 400, dies});
    rows.push_back({"9112 7.1", "a line feed alone at the end", chunked("0\r\n\n"), 400, dies});
    return rows;
}

std::vector<Row> connections() {
    const auto with = [](std::string_view value, std::string_view version = "1.1") {
        return "GET / HTTP/" + std::string(version) + "\r\nHost: test\r\nConnection: " + std::string(value) +
               "\r\n\r\n";
    };
    std::vector<Row> rows = {
        {"9112 9.3", "HTTP/1.0", "GET / HTTP/1.0\r\nHost: test\r\n\r\n", 200, dies},
        {"9112 9.3", "HTTP/1.0 with keep-alive", with("keep-alive", "1.0"), 200, lives},
        {"9112 9.3", "HTTP/1.0 with Keep-Alive in capitals", with("KEEP-ALIVE", "1.0"), 200, lives},
        {"9112 9.3", "HTTP/1.0 with keep-alive and close", with("keep-alive, close", "1.0"), 200, dies},
        {"9112 9.6", "close on a second line", with("x\r\nConnection: close"), 200, dies},
        {"9110 10.1.1", "an unknown expectation", post("Content-Length: 1\r\nExpect: tea\r\n", "x"), 417,
         dies},
        {"9110 10.1.1", "100-continue and something else", post("Expect: 100-continue, tea\r\n"), 417, dies},
        {"9110 10.1.1", "100-continue in capitals",
         post("Content-Length: 1\r\nExpect: 100-CONTINUE\r\n", "x"), 200, lives},
        {"9110 10.1.1", "100-continue without a body", post("Expect: 100-continue\r\n"), 200, lives},
        {"9110 5.6.1", "an expectation with empty members",
         post("Content-Length: 1\r\nExpect: ,100-continue,\r\n", "x"), 200, lives, "x"},
        {"9110 5.6.1", "an expectation that is empty", post("Content-Length: 1\r\nExpect:\r\n", "x"), 200,
         lives, "x"},
        {"9110 5.3", "100-continue twice",
         post("Content-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n", "x"), 200, lives, "x"},
        {"9110 10.1.1", "any expectation in HTTP/1.0",
         "POST /echo HTTP/1.0\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx", 200, dies, "x"},
        {"9110 7.8", "an upgrade to what is not spoken here",
         get("/", "Host: t\r\nConnection: upgrade\r\nUpgrade: x\r\n"), 200, lives},
        {"9110 7.6.1", "a TE field", get("/", "Host: t\r\nTE: trailers\r\nConnection: TE\r\n"), 200, lives},
    };
    for (const char* close :
         {"close", "CLOSE", "x, close", "close, x", " close ,", ",,close", "close,close", "x,\tclose"}) {
        rows.push_back({"9112 9.6", "Connection: "s + close, with(close), 200, dies});
    }
    for (const char* keep : {"keep-alive", "x", "closed", "not-close", "\"close\"", "", ",", "x;close"}) {
        rows.push_back({"9112 9.3", "Connection: "s + keep, with(keep), 200, lives});
    }
    return rows;
}

std::vector<Row> table() {
    std::vector<Row> rows;
    for (const auto& part :
         {request_lines(), targets(), fields(), hosts(), lengths(), chunks(), connections()}) {
        rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
}

void add_routes(sake::Engine& app, std::atomic<int>& sentinels) {
    app.get("/", [](sake::Context& ctx) { ctx.text("ran"); });
    app.get("/any/*rest", [](sake::Context& ctx) { ctx.text(ctx.param("rest")); });
    app.get("/in%2Fone", [](sake::Context& ctx) { ctx.text("in one"); });
    app.post("/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.get("/host", [](sake::Context& ctx) { ctx.text(ctx.host()); });
    app.get("/echo-get", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.get("/sentinel", [&](sake::Context& ctx) {
        ++sentinels;
        ctx.text("sentinel");
    });
}

void check_row(const TestServer& server, const Row& row, const std::atomic<int>& sentinels) {
    CAPTURE(row.section);
    CAPTURE(row.name);
    CAPTURE(quoted(row.request));
    const int before = sentinels;
    RawClient client = server.connect();
    client.send(row.request + get("/sentinel"));
    const bool is_head = row.request.starts_with("HEAD");
    const Response answer = client.read_response(is_head);
    CHECK(answer.status == row.status);
    CHECK(answer.header("Date").size() == 29);
    if (row.body) CHECK(answer.body == *row.body);
    if (row.status == 405 || row.status == 501) CHECK(answer.has_header("Allow") == (row.status == 405));
    if (row.status >= 400) CHECK(answer.header("Content-Type") == "application/problem+json");
    if (row.survives) {
        CHECK(answer.header("Connection") != "close");
        CHECK(client.read_response().body == "sentinel");
        CHECK(sentinels == before + 1);
    } else {
        CHECK(answer.header("Connection") == "close");
        CHECK(client.expect_closed());
        CHECK_FALSE(client.was_reset());
        CHECK(sentinels == before);
    }
}

}  // namespace

TEST_CASE(
    "P2 P3 P4 P6 the table: every row gets its status, and the sentinel behind it runs only where it may") {
    std::atomic<int> sentinels{0};
    const std::vector<Row> rows = table();
    CHECK(rows.size() >= 250);
    on_every_poller([&](const sake::Config& config) {
        with_server([&](sake::Engine& app) { add_routes(app, sentinels); },
                    [&](TestServer& server) {
                        for (const Row& row : rows) check_row(server, row, sentinels);
                    },
                    config);
    });
}

TEST_CASE("P2 earlier answers of a pipeline are kept when a later request is refused") {
    std::atomic<int> sentinels{0};
    with_server([&](sake::Engine& app) { add_routes(app, sentinels); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    client.send(get("/any/1") + get("/any/2") + get("/", "Host: a\r\nHost: b\r\n") +
                                get("/sentinel"));
                    CHECK(client.read_response().body == "1");
                    CHECK(client.read_response().body == "2");
                    CHECK(client.read_response().status == 400);
                    CHECK(client.expect_closed());
                    CHECK(sentinels == 0);
                },
                quiet_config());
}

namespace {

/// What an answer has to say besides its status: fields with their values, and fields that must not be there.
struct AnswerRow {
    std::string section;
    std::string name;
    std::string request;
    int status;
    std::vector<std::pair<std::string, std::string>> fields;
    std::vector<std::string> absent;
    std::string body;  // "*" for any but none
};

std::string request_for(std::string_view method, std::string_view target, std::string_view version = "1.1",
                        std::string_view fields = {}) {
    std::string text(method);
    text.append(" ").append(target).append(" HTTP/").append(version).append("\r\nHost: test\r\n");
    return text.append(fields).append("\r\n");
}

std::vector<AnswerRow> answers() {
    const std::string plain = "text/plain; charset=utf-8";
    const std::string problem = "application/problem+json";
    return {
        {"9110 9.3.1",
         "GET",
         request_for("GET", "/"),
         200,
         {{"Content-Length", "3"}, {"Content-Type", plain}},
         {"Transfer-Encoding", "Connection", "Server"},
         "ran"},
        {"9110 9.3.2",
         "HEAD has the fields of GET and no content",
         request_for("HEAD", "/"),
         200,
         {{"Content-Length", "3"}, {"Content-Type", plain}},
         {"Transfer-Encoding"},
         ""},
        {"9110 9.3.2",
         "HEAD of what is not there",
         request_for("HEAD", "/nowhere"),
         404,
         {{"Content-Type", problem}},
         {"Transfer-Encoding"},
         ""},
        {"9110 9.3.2",
         "HEAD where only POST is",
         request_for("HEAD", "/echo"),
         405,
         {{"Allow", "OPTIONS, POST"}},
         {},
         ""},
        {"9110 9.3.2",
         "HEAD of a redirection",
         request_for("HEAD", "/moved"),
         302,
         {{"Location", "/"}},
         {},
         ""},
        {"9110 9.3.2",
         "HEAD in HTTP/1.0",
         request_for("HEAD", "/", "1.0"),
         200,
         {{"Content-Length", "3"}, {"Connection", "close"}},
         {},
         ""},
        {"9110 9.3.7",
         "OPTIONS tells the methods",
         request_for("OPTIONS", "/"),
         204,
         {{"Allow", "GET, HEAD, OPTIONS"}},
         {"Content-Length", "Transfer-Encoding", "Content-Type"},
         ""},
        {"9110 9.3.7",
         "OPTIONS * tells what the server takes at all",
         request_for("OPTIONS", "*"),
         204,
         {{"Allow", "GET, HEAD, OPTIONS, POST"}},
         {"Content-Length", "Transfer-Encoding", "Content-Type"},
         ""},
        {"9110 9.3.7",
         "OPTIONS of what is not there",
         request_for("OPTIONS", "/nowhere"),
         404,
         {},
         {"Allow"},
         "*"},
        {"9110 9.3.8",
         "TRACE echoes nothing",
         request_for("TRACE", "/", "1.1", "Cookie: secret=1\r\n"),
         405,
         {{"Allow", "GET, HEAD, OPTIONS"}, {"Content-Type", problem}},
         {"Cookie"},
         "*"},
        {"9110 10.2.1",
         "405 tells the methods",
         request_for("DELETE", "/echo"),
         405,
         {{"Allow", "OPTIONS, POST"}},
         {},
         "*"},
        {"9110 15.6.2",
         "501 tells none",
         request_for("BREW", "/"),
         501,
         {{"Content-Type", problem}},
         {"Allow"},
         "*"},
        {"9110 15.3.5",
         "204 has no content and no length",
         request_for("GET", "/status/204"),
         204,
         {},
         {"Content-Length", "Transfer-Encoding", "Content-Type"},
         ""},
        {"9110 15.3.6",
         "205 says that it has no content",
         request_for("GET", "/status/205"),
         205,
         {{"Content-Length", "0"}},
         {"Transfer-Encoding"},
         ""},
        {"9110 15.4.5",
         "304 has no content",
         request_for("GET", "/status/304"),
         304,
         {{"ETag", "\"1\""}},
         {"Transfer-Encoding", "Content-Length"},
         ""},
        {"9110 15.4.5",
         "304 to HEAD",
         request_for("HEAD", "/status/304"),
         304,
         {{"ETag", "\"1\""}},
         {"Transfer-Encoding"},
         ""},
        {"9110 8.6",
         "the length is in bytes",
         request_for("GET", "/any/%C3%A4"),
         200,
         {{"Content-Length", "2"}},
         {},
         "\xc3\xa4"},
        {"9110 8.6",
         "no content is a length of 0",
         request_for("POST", "/echo"),
         200,
         {{"Content-Length", "0"}},
         {"Transfer-Encoding"},
         ""},
        {"9110 5.3",
         "two Set-Cookie stay two lines",
         request_for("GET", "/cookies"),
         200,
         {{"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}},
         {},
         "*"},
        {"9110 10.2.2",
         "a redirection tells where",
         request_for("GET", "/moved"),
         302,
         {{"Location", "/"}, {"Content-Length", "0"}},
         {},
         ""},
        {"9112 9.3",
         "HTTP/1.0 with keep-alive is told so",
         request_for("GET", "/", "1.0", "Connection: keep-alive\r\n"),
         200,
         {{"Connection", "keep-alive"}, {"Content-Length", "3"}},
         {"Transfer-Encoding"},
         "ran"},
        {"9112 9.6",
         "close is answered with close",
         request_for("GET", "/", "1.1", "Connection: close\r\n"),
         200,
         {{"Connection", "close"}},
         {},
         "ran"},
        {"9110 7.8",
         "an upgrade that is not taken",
         request_for("GET", "/", "1.1", "Connection: upgrade\r\nUpgrade: h2c\r\n"),
         200,
         {},
         {"Upgrade"},
         "ran"},
        {"9110 14.2",
         "a Range for what has none",
         request_for("GET", "/", "1.1", "Range: bytes=0-1\r\n"),
         200,
         {{"Content-Length", "3"}},
         {"Content-Range"},
         "ran"},
        {"9110 12.5.1",
         "an Accept that nothing meets is not refused",
         request_for("GET", "/", "1.1", "Accept: image/x\r\n"),
         200,
         {},
         {},
         "ran"},
        {"9110 15.5.1",
         "400 says why, in JSON",
         request_for("GET", "/", "1.1", "Bad Name: x\r\n"),
         400,
         {{"Content-Type", problem}, {"Connection", "close"}},
         {},
         "*"},
        {"9112 2.3", "505 says why", request_for("GET", "/", "2.0"), 505, {{"Connection", "close"}}, {}, "*"},
    };
}

void add_answer_routes(sake::Engine& app) {
    app.get("/status/:code", [](sake::Context& ctx, int code) {
        ctx.status(code).set_header("ETag", "\"1\"").text("content");
    });
    app.get("/moved", [](sake::Context& ctx) { ctx.redirect("/"); });
    app.get("/cookies", [](sake::Context& ctx) {
        ctx.add_header("Set-Cookie", "a=1").add_header("Set-Cookie", "b=2").text("set");
    });
}

}  // namespace

TEST_CASE("P3 P6 every answer has the fields and the content that its request and its status ask for") {
    std::atomic<int> sentinels{0};
    with_server(
        [&](sake::Engine& app) {
            add_routes(app, sentinels);
            add_answer_routes(app);
        },
        [&](TestServer& server) {
            for (const AnswerRow& row : answers()) {
                CAPTURE(row.section);
                CAPTURE(row.name);
                RawClient client = server.connect();
                const Response answer =
                    client.send(row.request).read_response(row.request.starts_with("HEAD"));
                CHECK(answer.status == row.status);
                CHECK(answer.header("Date").size() == 29);
                CHECK((row.body == "*" ? !answer.body.empty() : answer.body == row.body));
                for (const auto& due : row.fields) {
                    CAPTURE(due.first);
                    CAPTURE(due.second);
                    CHECK(std::any_of(answer.headers.begin(), answer.headers.end(), [&](const auto& field) {
                        return sake::iequals(field.first, due.first) && field.second == due.second;
                    }));
                }
                for (const std::string& name : row.absent) {
                    CAPTURE(name);
                    CHECK_FALSE(answer.has_header(name));
                }
                // Nothing came behind the answer that a client would take for the next one.
                if (answer.header("Connection") == "close") {
                    CHECK(client.expect_closed());
                } else {
                    CHECK(client.send(get("/sentinel")).read_response().body == "sentinel");
                }
            }
        },
        quiet_config());
}

TEST_CASE("C3 a client that waits to be asked for a body is asked where middleware may look at it") {
    with_server(
        [](sake::Engine& app) {
            app.use([](sake::Context& ctx) {
                if (ctx.body() == "let me in") ctx.abort(), ctx.text("middleware");
            });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            client.send(
                "POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
            CHECK(client.read_any_response().status == 100);
            CHECK(client.send("let me in").read_response().body == "middleware");
            CHECK(client.send(get_request("/nowhere")).read_response().status == 404);
        },
        quiet_config());
}

TEST_CASE("C3 a client that waits to be asked for a body is not, where the answer is known without it") {
    std::atomic<int> sentinels{0};
    with_server(
        [&](sake::Engine& app) { add_routes(app, sentinels); },
        [&](TestServer& server) {
            const std::pair<std::string, int> cases[] = {
                {"POST /nowhere", 404}, {"PUT /echo", 405}, {"FOO /echo", 501}, {"POST /echo", 100}};
            for (const auto& each : cases) {
                CAPTURE(each.first);
                RawClient client = server.connect();
                client.send(each.first +
                            " HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
                const Response answer = client.read_any_response();
                CHECK(answer.status == each.second);
                if (answer.status == 100) {
                    CHECK(client.send("hello").read_response().body == "hello");
                } else {
                    CHECK(answer.header("Connection") == "close");
                    CHECK(client.expect_closed());
                }
            }
        },
        quiet_config());
}

}  // namespace test_conformance
