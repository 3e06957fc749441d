#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/machinery.hpp"

namespace test_parser {

namespace http = sake::http;
namespace http1 = sake::detail::http1;
using namespace std::string_literals;
using http1::HeadLimits;
using http1::RequestHead;
using http1::RequestParser;
using Result = RequestParser::Result;

namespace {

/// Everything that a caller can learn from a parse, as text.
std::string describe(const RequestParser& parser, Result result, const RequestHead& head, const char* base) {
    if (result == Result::need_more) return parser.started() ? "started" : "idle";
    if (result == Result::refused)
        return std::to_string(parser.status()) + " " + std::string(parser.reason());
    std::string out = "done " + std::to_string(head.size) + " [" + std::string(head.method_name.of(base)) +
                      "|" + std::string(head.target.of(base)) + "|" + std::to_string(head.minor_version) +
                      "]";
    for (const auto& field : head.fields) {
        out.append(" {").append(field.name.of(base)).append("=").append(field.value.of(base)).append("}");
    }
    for (const auto& known :
         {head.host, head.content_length, head.transfer_encoding, head.connection, head.expect}) {
        out += " " + std::to_string(known.count) + "@" + std::to_string(known.count > 0 ? known.first : 0);
    }
    return out;
}

/// Gives the parser the prefixes of `bytes` that end at `cuts`, then all of it. Each prefix is a copy of its
/// own on the heap, so that the buffer moves between the calls and a sanitizer sees a read past its end.
std::string parse_in_pieces(std::string_view bytes, std::vector<std::size_t> cuts, HeadLimits limits = {}) {
    cuts.push_back(bytes.size());
    RequestParser parser(limits);
    RequestHead head;
    std::string outcome;
    for (const std::size_t cut : cuts) {
        const std::vector<char> buffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
        const Result result = parser.parse({buffer.data(), buffer.size()}, head);
        outcome = describe(parser, result, head, buffer.data());
        if (result != Result::need_more) break;
    }
    return outcome;
}

std::string parse_whole(std::string_view bytes, HeadLimits limits = {}) {
    return parse_in_pieces(bytes, {}, limits);
}

/// The status that the parser refuses with, 200 when it is done, 100 when it wants more.
int status_of(std::string_view bytes, HeadLimits limits = {}) {
    RequestParser parser(limits);
    RequestHead head;
    const Result result = parser.parse(bytes, head);
    return result == Result::done ? 200 : result == Result::need_more ? 100 : parser.status();
}

std::string with_line(std::string_view line) { return "GET / HTTP/1.1\r\n" + std::string(line) + "\r\n\r\n"; }

const std::vector<std::string>& corpus() {
    static const std::vector<std::string> requests = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "\r\n\r\nPOST /p?q=%41 HTTP/1.1\r\nHost:a\r\nContent-Length: \t 5 \t\r\n\r\nhello",
        "\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "PURGE /x HTTP/1.9\r\nhost: a\r\nHOST: b\r\nX-Empty:\r\nX: a\tb \xff\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nConnection: close\r\nconnection: x\r\nExpect: 100-continue\r\n"
        "Transfer-Encoding: chunked\r\nHost: a\r\n\r\n0\r\n\r\n",
        "GET http://a.example/b HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"s,
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nX: 1\r\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s,
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n",
        "GET /" + std::string(60, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: " + std::string(90, 'x') + "\r\n\r\n",
        "GET / HTTP/1.1\r\n" + std::string(90, 'x') + "\x01\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: unfinished",
        "GET / HTTP/1.1\r",
        "\r",
        "",
    };
    return requests;
}

}  // namespace

TEST_CASE("a request is taken apart") {
    const std::string bytes =
        "POST /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\nX-Empty:\r\n\r\nhello";
    RequestParser parser;
    RequestHead head;
    CHECK_FALSE(parser.started());
    REQUIRE(parser.parse(bytes, head) == Result::done);
    CHECK(parser.started());
    CHECK(parser.status() == 0);
    CHECK(parser.reason().empty());
    CHECK(head.method == sake::detail::Method::post);
    CHECK(head.method_name.of(bytes.data()) == "POST");
    CHECK(head.target.of(bytes.data()) == "/a/b?c=d");
    CHECK(head.minor_version == 1);
    REQUIRE(head.fields.size() == 3);
    CHECK(head.fields[0].name.of(bytes.data()) == "Host");
    CHECK(head.fields[0].value.of(bytes.data()) == "example.com");
    CHECK(head.fields[2].value.of(bytes.data()) == "");
    CHECK(head.host.count == 1);
    CHECK(head.content_length.count == 1);
    CHECK(head.content_length.first == 1);
    CHECK(head.expect.count == 0);
    CHECK(bytes.substr(head.size) == "hello");
}

TEST_CASE("P1: the outcome does not depend on how the bytes were split") {
    for (const HeadLimits limits : {HeadLimits{}, HeadLimits{40, 60, 4}, HeadLimits{16, 9, 1}}) {
        for (const std::string& request : corpus()) {
            CAPTURE(request);
            const std::string whole = parse_whole(request, limits);
            for (std::size_t cut = 0; cut <= request.size(); ++cut) {
                CAPTURE(cut);
                REQUIRE(parse_in_pieces(request, {cut}, limits) == whole);
            }
            std::vector<std::size_t> every(request.size());
            for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
            CHECK(parse_in_pieces(request, every, limits) == whole);
        }
    }
}

TEST_CASE("P1: three-way splits of a small request all give the same") {
    const std::string request = "\r\nGET /a HTTP/1.1\r\nHost: a\r\nX:\t1\r\n\r\nrest";
    const std::string whole = parse_whole(request);
    CHECK(whole.substr(0, 5) == "done ");
    int wrong = 0;
    for (std::size_t first = 0; first <= request.size(); ++first) {
        for (std::size_t second = first; second <= request.size(); ++second) {
            wrong += parse_in_pieces(request, {first, second}) == whole ? 0 : 1;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("a bad byte is refused when it arrives, not when its line is complete") {
    CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\n\rX") == 400);
    CHECK(status_of("\x16\x03\x01"s) == 400);
    CHECK(status_of("GET /\n") == 400);
    CHECK(status_of("\rX") == 400);
    CHECK(status_of("GET / HTTP/1.1\r\nA\x01") == 400);
}

TEST_CASE("up to two empty lines before a request are passed over, and do not start it") {
    CHECK(status_of("\r\n\r\nGET / HTTP/1.1\r\n\r\n") == 200);
    CHECK(status_of("\r\n\r\n\r\n") == 400);
    CHECK(status_of("\n") == 400);
    CHECK(parse_whole("\r\n\r\n") == "idle");
    CHECK(parse_whole("\r\n\r") == "idle");
    CHECK(parse_whole("\r\n\r\nG") == "started");
    CHECK(parse_whole("GET / HTTP/1.1\r\n") == "started");
}

TEST_CASE("the request line is method, one space, target, one space, version") {
    for (const std::string line : {"",
                                   " ",
                                   "GET",
                                   "GET ",
                                   "GET /",
                                   "GET / ",
                                   "GET  / HTTP/1.1",
                                   "GET /  HTTP/1.1",
                                   " GET / HTTP/1.1",
                                   "GET / HTTP/1.1 ",
                                   "GET\t/ HTTP/1.1",
                                   "GET /\tHTTP/1.1",
                                   "GET / HTTP/1.1 x",
                                   "G@T / HTTP/1.1",
                                   "GET: / HTTP/1.1",
                                   "(GET) / HTTP/1.1",
                                   "G\xc3\x89T / HTTP/1.1",
                                   "/ HTTP/1.1",
                                   "GET HTTP/1.1",
                                   "GET / http/1.1",
                                   "GET / HTTP",
                                   "GET / HTTP/",
                                   "GET / HTTP/1",
                                   "GET / HTTP/1.",
                                   "GET / HTTP/.1",
                                   "GET / HTTP/11",
                                   "GET / HTTP/1.10",
                                   "GET / HTTP/01.1",
                                   "GET / HTTP/1,1",
                                   "GET / HTTP/a.1",
                                   "GET / HTTP/1.a",
                                   "GET / HTTP/2",
                                   "GET / HTTP /1.1",
                                   "GET / HTTPS/1.1",
                                   "GET / XTTP/1.1",
                                   "GET / HTTP/-1.1",
                                   "GET / HTTP/1.1\r",
                                   "GET /\r HTTP/1.1"}) {
        CAPTURE(line);
        if (line.empty()) continue;
        CHECK(status_of(line + "\r\nHost: a\r\n\r\n") == 400);
    }
    for (const std::string version : {"HTTP/0.9", "HTTP/2.0", "HTTP/2.1", "HTTP/3.0", "HTTP/9.9"}) {
        CAPTURE(version);
        CHECK(status_of("GET / " + version + "\r\nHost: a\r\n\r\n") == 505);
    }
    for (int minor = 0; minor <= 9; ++minor) {
        const std::string bytes = "GET / HTTP/1." + std::to_string(minor) + "\r\nHost: a\r\n\r\n";
        RequestParser parser;
        RequestHead head;
        REQUIRE(parser.parse(bytes, head) == Result::done);
        CHECK(head.minor_version == (minor == 0 ? 0 : 1));
    }
}

TEST_CASE("P6: each of the 256 bytes in a method, target, header name and header value") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const std::string c(1, static_cast<char>(byte));
        const bool token = sake::is_token(c);
        const bool field = byte == '\t' || (byte >= 32 && byte != 127);
        const bool target = sake::ascii::is(c[0], sake::ascii::target);
        CHECK(status_of("A" + c + "B / HTTP/1.1\r\n\r\n") == (token ? 200 : 400));
        CHECK(status_of("GET /a" + c + "41 HTTP/1.1\r\n\r\n") == (target || c == "%" ? 200 : 400));
        CHECK(status_of(with_line("X: a" + c + "b")) == (field ? 200 : 400));
        CHECK(status_of(with_line("X: " + c)) == (field ? 200 : 400));
        if (c != ":") CHECK(status_of(with_line("A" + c + "B: v")) == (token ? 200 : 400));
        if (c != ":") CHECK(status_of(with_line(c + "B: v")) == (token ? 200 : 400));
    }
}

TEST_CASE("P6: each of the 256 bytes in a query: what browsers leave there is taken, nothing else") {
    const std::string_view left_by_browsers = "%\\^`{|}";
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const std::string c(1, static_cast<char>(byte));
        const bool is_uri = sake::ascii::is(c[0], sake::ascii::target) || c == "%";
        const bool is_taken = is_uri || left_by_browsers.find(c) != std::string_view::npos;
        for (const std::string before :
             {"/?", "/p?a=", "/?a=b&", "/p?%7B", "/??", "http://a?", "http://a:80/p?"}) {
            CAPTURE(before);
            CHECK(status_of("GET " + before + c + "41 HTTP/1.1\r\n\r\n") == (is_taken ? 200 : 400));
            CHECK(status_of("GET " + before + c + "41" + c + "41 HTTP/1.1\r\n\r\n") ==
                  (is_taken ? 200 : 400));
        }
        for (const std::string after : {"41", "41?", "41?x", "41?{}"}) {
            CAPTURE(after);
            CHECK(status_of("GET /p" + c + after + " HTTP/1.1\r\n\r\n") ==
                  (is_uri || (c == "?" && after.find('{') != std::string::npos) ? 200 : 400));
        }
    }
    CHECK(status_of("GET /?q={%7b}|^\\`[] HTTP/1.1\r\n\r\n") == 200);
    CHECK(status_of("GET /?q={%7} HTTP/1.1\r\n\r\n") == 200);
    CHECK(status_of("GET /?q={% HTTP/1.1\r\n\r\n") == 200);
    CHECK(status_of("GET /{?q={ HTTP/1.1\r\n\r\n") == 400);
    CHECK(status_of("GET {?q HTTP/1.1\r\n\r\n") == 400);
}

TEST_CASE("a percent sign in a query may stand for itself, and takes nothing else in with it") {
    const char* const lone[] = {"%",   "%%",  "%4",  "a%",    "%zz",    "%4z",   "%z4", "%%41",
                                "%-1", "%{%", "%%%", "100%&", "%u0041", "%C3%4", "%?%", "=%&%="};
    for (const std::string query : lone) {
        CAPTURE(query);
        for (const std::string before : {"/?", "/%41?q=", "/??", "/?{", "http://a?", "http://a:80/p?"}) {
            CAPTURE(before);
            CHECK(status_of("GET " + before + query + " HTTP/1.1\r\n\r\n") == 200);
            CHECK(status_of("GET " + before + query + "{ HTTP/1.1\r\n\r\n") == 200);
            for (const std::string bad : {"\"", "<", "#", "\xc3", "\x7f", "\x01", "\t", "\r", "\n"}) {
                CHECK(status_of("GET " + before + query + bad + " HTTP/1.1\r\n\r\n") == 400);
            }
        }
        for (const std::string path : {"/%", "/%4", "/a%zz/", "http://a/%", "http://a%"}) {
            CHECK(status_of("GET " + path + "?" + query + " HTTP/1.1\r\n\r\n") == 400);
        }
    }
}

TEST_CASE("a percent sign in the path begins an escape") {
    for (const std::string good : {"/%41", "/%aF%Fa", "/?%20", "/%00", "/%25zz"}) {
        CAPTURE(good);
        CHECK(status_of("GET " + good + " HTTP/1.1\r\n\r\n") == 200);
    }
    for (const std::string bad : {"/%", "/%4", "/%zz", "/%4z", "/%z4", "/%%41", "/% 41", "/a%", "/%u0041"}) {
        CAPTURE(bad);
        CHECK(status_of("GET " + bad + " HTTP/1.1\r\n\r\n") == 400);
    }
}

TEST_CASE("P3: header lines that are not exactly name, colon, value are refused") {
    for (const std::string line : {"Host : a",
                                   "Host\t: a",
                                   ": a",
                                   ":",
                                   "Host",
                                   "Host a",
                                   " Host: a",
                                   "\tHost: a",
                                   "Ho st: a",
                                   "Host: a\n",
                                   "Host: a\nX: b",
                                   "Host: a\rX: b",
                                   "Host: a\r",
                                   "Host: a\r\n b",
                                   "Host: a\r\n\tb",
                                   "\"Host\": a",
                                   "Host(x): a",
                                   "Host[0]: a",
                                   "H\xc3\xb6st: a",
                                   "Host,a: b",
                                   "Host;a: b",
                                   "Host=a",
                                   "Host/a: b",
                                   "Host@a: b",
                                   "X: \x7f",
                                   "X: a\vb",
                                   "X: a\fb",
                                   "X: \x1b[31m",
                                   "X: \b",
                                   "@: b",
                                   "{}: b"}) {
        CAPTURE(line);
        CHECK(status_of(with_line(line)) == 400);
        CHECK(status_of(with_line("A: 1\r\n" + line)) == 400);
    }
    for (const std::string line :
         {"Host:a", "Host:", "Host: \t a \t ", "X: a b", "X: \"q, u\"", "X::", "X: :", "!: x", "X: \xff\xfe",
          "X: a\tb", "0: x", "X: ()<>@,;:\\\"/[]?={}"}) {
        CAPTURE(line);
        CHECK(status_of(with_line(line)) == 200);
    }
    CHECK(status_of("GET / HTTP/1.1\r\nA: "s + '\0' + "\r\n\r\n") == 400);
    CHECK(status_of("GET / HTTP/1.1\r\n"s + '\0' + ": b\r\n\r\n") == 400);
}

TEST_CASE("white space around a value is taken off, and inside it stays") {
    CHECK(parse_whole(with_line("X: \t a \t b \t ")) == "done 33 [GET|/|1] {X=a \t b} 0@0 0@0 0@0 0@0 0@0");
    CHECK(parse_whole(with_line("X: \t ")) == "done 25 [GET|/|1] {X=} 0@0 0@0 0@0 0@0 0@0");
}

TEST_CASE("L1: a request line of N bytes passes, and one of N + 1 is 414 as soon as it is seen") {
    for (const std::size_t limit : {std::size_t{40}, HeadLimits{}.start_line}) {
        const HeadLimits limits{.start_line = limit};
        const std::string shell = "GET / HTTP/1.1\r\n";
        for (const std::size_t size : {limit - 1, limit, limit + 1}) {
            const std::string line = "GET /" + std::string(size - shell.size(), 'x') + " HTTP/1.1\r\n";
            REQUIRE(line.size() == size);
            CHECK(status_of(line + "\r\n", limits) == (size <= limit ? 200 : 414));
            CHECK(status_of("\r\n" + line + "\r\n", limits) == (size <= limit ? 200 : 414));
        }
        CHECK(status_of("GET /" + std::string(limit - 5, 'x'), limits) == 100);
        CHECK(status_of("GET /" + std::string(limit - 4, 'x'), limits) == 414);
        CHECK(status_of("GET /" + std::string(limit - 6, 'x') + "\r", limits) == 100);
        CHECK(status_of("GET /" + std::string(limit - 6, 'x') + "\r\n", limits) == 414);
        // Section 3: 414 is for targets, a method that is longer than all known ones is 501.
        CHECK(status_of(std::string(limit, 'M'), limits) == 100);
        CHECK(status_of(std::string(limit + 1, 'M'), limits) == 501);
        CHECK(status_of(std::string(limit - 1, 'M') + " /", limits) == 414);
        CHECK(status_of(std::string(limit - 1, 'M') + "//", limits) == 414);
    }
}

TEST_CASE("L1: a header block of N bytes passes, and one of N + 1 is 431 as soon as it is seen") {
    for (const std::size_t limit : {std::size_t{50}, HeadLimits{}.header_block}) {
        const HeadLimits limits{.header_block = limit};
        const std::string start = "GET / HTTP/1.1\r\nA: b\r\n";  // 6 bytes of block so far
        for (const std::size_t size : {limit - 1, limit, limit + 1}) {
            const std::string line = "X: " + std::string(size - 6 - 3 - 2 - 2, 'x') + "\r\n";
            CHECK(status_of(start + line + "\r\nbody", limits) == (size <= limit ? 200 : 431));
        }
        CHECK(status_of(start + std::string(limit - 6, 'x'), limits) == 100);
        CHECK(status_of(start + std::string(limit - 5, 'x'), limits) == 431);
    }
    CHECK(status_of("GET / HTTP/1.1\r\n\r\n", {.header_block = 2}) == 200);
    CHECK(status_of("GET / HTTP/1.1\r\n\r\n", {.header_block = 1}) == 431);
}

TEST_CASE("L1: N header fields pass, and N + 1 are 431") {
    for (const std::size_t limit :
         {std::size_t{0}, std::size_t{1}, std::size_t{5}, HeadLimits{}.header_count}) {
        const HeadLimits limits{.header_count = limit};
        for (const std::size_t count : {limit, limit + 1}) {
            std::string bytes = "GET / HTTP/1.1\r\n";
            for (std::size_t i = 0; i < count; ++i) bytes += "A: b\r\n";
            CAPTURE(count);
            CHECK(status_of(bytes + "\r\n", limits) == (count <= limit ? 200 : 431));
            CHECK(status_of(bytes, limits) == (count <= limit ? 100 : 431));
        }
    }
}

TEST_CASE("limits beyond what offsets can say are cut, not wrapped") {
    const std::size_t huge = static_cast<std::size_t>(-1);
    CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {huge, huge, huge}) == 200);
}

TEST_CASE("after a refusal the parser stays refused until reset") {
    RequestParser parser;
    RequestHead head;
    const std::string bad = "GET / HTTP/1.1\n\n";
    const std::string more = bad + "GET / HTTP/1.1\r\n\r\n";
    REQUIRE(parser.parse(bad, head) == Result::refused);
    CHECK(parser.parse(more, head) == Result::refused);
    CHECK(parser.status() == 400);
    CHECK_FALSE(parser.reason().empty());
    parser.reset();
    CHECK_FALSE(parser.started());
    CHECK(parser.status() == 0);
    CHECK(parser.reason().empty());
    CHECK(parser.parse("GET / HTTP/1.1\r\n\r\n", head) == Result::done);
}

TEST_CASE("pipelined requests come one after the other") {
    std::string_view bytes =
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nX: y\r\n\r\nGET /3 HTTP/1.1\r\n\r\n";
    RequestParser parser;
    RequestHead head;
    std::string targets;
    while (!bytes.empty()) {
        parser.reset();
        REQUIRE(parser.parse(bytes, head) == Result::done);
        CHECK(parser.parse(bytes, head) == Result::done);  // asking again changes nothing
        targets += head.target.of(bytes.data());
        bytes.remove_prefix(head.size);
    }
    CHECK(targets == "/1/2/3");
    CHECK(head.fields.empty());
    CHECK(head.host.count == 0);
}

TEST_CASE("a warm parser and head do not allocate") {
    const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n";
    RequestParser parser;
    RequestHead head;
    REQUIRE(parser.parse(bytes, head) == Result::done);
    const auto before = harness::allocations::by_this_thread();
    int done = 0;
    for (int i = 0; i < 100; ++i) {
        parser.reset();
        done += parser.parse(bytes, head) == Result::done ? 1 : 0;
    }
    CHECK(harness::allocations::by_this_thread() == before);
    CHECK(done == 100);
}

}  // namespace test_parser
