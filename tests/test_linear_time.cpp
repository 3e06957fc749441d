// Promise 4 (P8): time is in proportion to the input, whatever the input is. A ratio of CPU times in
// one run, the best of several, and tried again when the machine was busy: what is quadratic misses the bound
// every time.
#include <doctest/doctest.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_linear_time {

namespace http = sake::http;
namespace http1 = sake::detail::http1;
constexpr std::size_t unlimited = std::numeric_limits<std::uint32_t>::max();

double cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

using Work = std::function<void(std::string_view input)>;

/// CPU time of the work on this input, the least of several runs that take a few milliseconds each.
double cost(const Work& work, const std::string& input) {
    double least = std::numeric_limits<double>::infinity();
    for (int run = 0; run < 5; ++run) {
        const double begin = cpu_seconds();
        int times = 0;
        do {
            work(input);
            ++times;
        } while (cpu_seconds() - begin < 0.002);
        least = std::min(least, (cpu_seconds() - begin) / times);
    }
    return least;
}

/// Whether the time for 16n is at most 40 times the time for n: in proportion it is 16 times, as the square
/// 256 times. What lies between is for allocators, which cost more from some size on, and for caches.
/// `input(n)` makes the input. Under a sanitizer the work is done and not judged: its allocator has times of
/// its own.
bool is_linear(const Work& work, const std::function<std::string(std::size_t)>& input) {
    constexpr std::size_t n = 2500;
    const std::string once = input(n);
    const std::string many = input(16 * n);
    if (harness::is_sanitized) return work(many), true;
    for (int attempt = 0; attempt < 10; ++attempt) {
        if (cost(work, many) <= 40 * cost(work, once)) return true;
    }
    return false;
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string result;
    result.reserve(text.size() * times);
    for (std::size_t i = 0; i < times; ++i) result.append(text);
    return result;
}

constexpr http1::HeadLimits no_limits{
    .start_line = unlimited, .header_block = unlimited, .header_count = unlimited};

void parse_head(std::string_view input) {
    http1::RequestParser parser(no_limits);
    http1::RequestHead head;
    REQUIRE(parser.parse(input, head) == http1::RequestParser::Result::done);
    http1::HostCheck hosts;
    REQUIRE(http1::decide_framing(head, input.data(), hosts).refuse_status == 0);
}

std::string head_with(std::string_view fields) {
    return "GET / HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n";
}

TEST_CASE("P8 a request head costs time in proportion to its length") {
    CHECK(is_linear(parse_head, [](std::size_t n) { return head_with(repeated("Name: value\r\n", n)); }));
    CHECK(is_linear(parse_head, [](std::size_t n) { return head_with(repeated("Connection: a\r\n", n)); }));
    CHECK(is_linear(parse_head, [](std::size_t n) {
        return head_with("Connection:" + repeated(" ,", n) + "close\r\n");
    }));
    CHECK(
        is_linear(parse_head, [](std::size_t n) { return head_with("Name:" + repeated(" ", n) + "v\r\n"); }));
    CHECK(is_linear(parse_head, [](std::size_t n) {
        return "GET /" + repeated("a/../%41?", n) + " HTTP/1.1\r\nHost: test\r\n\r\n";
    }));
    CHECK(is_linear(parse_head, [](std::size_t n) {
        return "GET /" + repeated("a", n) + "?" + repeated("{", n) + " HTTP/1.1\r\nHost: test\r\n\r\n";
    }));
}

TEST_CASE("P8 a request head that comes byte by byte costs time in proportion to its length") {
    const Work bytewise = [](std::string_view input) {
        http1::RequestParser parser(no_limits);
        http1::RequestHead head;
        for (std::size_t size = 0; size < input.size(); ++size) {
            REQUIRE((parser.parse(input.substr(0, size), head) == http1::RequestParser::Result::need_more));
        }
    };
    CHECK(is_linear(bytewise, [](std::size_t n) { return head_with("Name: " + repeated("v", n) + "\r\n"); }));
    CHECK(is_linear(bytewise, [](std::size_t n) { return head_with(repeated("A: b\r\n", n / 5)); }));
}

TEST_CASE("P8 a chunked body costs time in proportion to its length") {
    const Work decode = [](std::string_view input) {
        http1::ChunkedDecoder decoder({.extensions = unlimited, .trailers = unlimited});
        for (;;) {
            const http1::ChunkedDecoder::Step step = decoder.decode(input);
            input.remove_prefix(step.consumed);
            REQUIRE(step.kind != http1::ChunkedDecoder::Step::Kind::refused);
            if (step.kind != http1::ChunkedDecoder::Step::Kind::data) break;
        }
        REQUIRE(input.empty());
    };
    CHECK(is_linear(decode, [](std::size_t n) { return repeated("1\r\na\r\n", n) + "0\r\n\r\n"; }));
    CHECK(is_linear(decode,
                    [](std::size_t n) { return "1" + repeated(";a=\"b\"", n) + "\r\na\r\n0\r\n\r\n"; }));
    CHECK(is_linear(decode, [](std::size_t n) { return "0\r\n" + repeated("A: b\r\n", n) + "\r\n"; }));
}

TEST_CASE("P8 cookies, query parameters and percent-escapes cost time in proportion to their length") {
    const Work find_cookie = [](std::string_view input) {
        REQUIRE_FALSE(sake::detail::cookie_value(input, "wanted").has_value());
    };
    CHECK(is_linear(find_cookie, [](std::size_t n) { return repeated("wante=1; ", n); }));
    CHECK(is_linear(find_cookie, [](std::size_t n) { return repeated(";", n); }));
    CHECK(is_linear(find_cookie, [](std::size_t n) { return repeated("\"", n); }));

    const Work find_query = [](std::string_view input) {
        REQUIRE_FALSE(sake::detail::query_value(input, "wanted").has_value());
    };
    CHECK(is_linear(find_query, [](std::size_t n) { return repeated("wante=1&", n); }));
    CHECK(is_linear(find_query, [](std::size_t n) { return repeated("%77", n); }));
    CHECK(is_linear(find_query, [](std::size_t n) { return repeated("&", n); }));
    CHECK(is_linear(find_query, [](std::size_t n) { return repeated("%", n); }));

    const Work decode = [](std::string_view input) { REQUIRE(http::percent_decode(input).has_value()); };
    CHECK(is_linear(decode, [](std::size_t n) { return repeated("%41", n); }));
    CHECK(is_linear(decode, [](std::size_t n) { return repeated("a", n); }));
    CHECK(is_linear([](std::string_view input) { REQUIRE(!http::percent_encode(input).empty()); },
                    [](std::size_t n) { return repeated("\xff", n); }));
}

TEST_CASE("P8 finding a route costs time in proportion to the length of the path") {
    // Each `a` fits a name and a parameter: a search that tried all combinations would not end.
    sake::detail::Router<const int> router;
    const int target = 1;
    std::string pattern;
    for (const std::string_view end : {"/x", "/y", "/*rest"}) {
        for (const std::string_view segment : {"/a", "/:p"}) {
            pattern.clear();
            for (int i = 0; i < 8; ++i)
                pattern.append(segment).append(segment == "/:p" ? std::to_string(i) : "");
            router.add(pattern + std::string(end), "GET", target);
        }
    }
    const Work find = [&](std::string_view path) {
        sake::detail::PathParams params;
        REQUIRE(router.find(path, sake::detail::Method::get, "GET", params) != nullptr);
    };
    CHECK(is_linear(find, [](std::size_t n) { return repeated("/a", n); }));
    CHECK(is_linear(find, [](std::size_t n) { return repeated("/a", 8) + repeated("/", n); }));
}

TEST_CASE("P8 ranges, entity tags and qualities cost time in proportion to their length") {
    const Work parse_range = [](std::string_view input) {
        REQUIRE(sake::detail::RangeRequest::parse(input, 1000).kind() ==
                sake::detail::RangeRequest::Kind::whole);
    };
    for (const char* const piece : {",", "0-1,", "1", "-", " , "}) {
        CHECK(is_linear(parse_range, [&](std::size_t n) { return "bytes=" + repeated(piece, n) + "x"; }));
    }
    const Work find_tag = [](std::string_view input) {
        bool found = false;
        sake::detail::for_each_tag(input, [&](const sake::detail::EntityTag&) { found = true; });
        REQUIRE_FALSE(found);
    };
    for (const char* const piece : {",", "\"a ,", "W/,", "a", "\"a", "\" \","}) {
        CHECK(is_linear(find_tag, [&](std::size_t n) { return repeated(piece, n) + "x \x01"; }));
    }
    const Work negotiate = [](std::string_view input) {
        REQUIRE_FALSE(sake::detail::AcceptedCodings(input).accepts(sake::detail::ContentCoding::br));
        REQUIRE(sake::detail::media_quality(input, "text/html") == 0);
    };
    for (const char* const piece : {",", "a;q=0.5,", ";", "b;x;", "*", " ;q=1"}) {
        CHECK(is_linear(negotiate, [&](std::size_t n) { return repeated(piece, n) + "x"; }));
    }
}

TEST_CASE("P8 JSON, and text that is escaped, cost time in proportion to their length") {
    const Work parse = [](std::string_view input) { REQUIRE_FALSE(sake::parse_json(input).is_null()); };
    CHECK(is_linear(parse, [](std::size_t n) { return "[1" + repeated(",1", n) + "]"; }));
    CHECK(is_linear(parse, [](std::size_t n) { return "\"" + repeated("\\u0041", n) + "\""; }));
    CHECK(is_linear(parse, [](std::size_t n) { return "[" + repeated("[],", n) + "1]"; }));

    const Work escape = [](std::string_view input) {
        std::string out;
        sake::detail::append_json_string(out, input);
        sake::append_escaped(out, input);
    };
    CHECK(is_linear(escape, [](std::size_t n) { return repeated("\n", n); }));
    CHECK(is_linear(escape, [](std::size_t n) { return repeated("plain\"", n); }));
    CHECK(is_linear([](std::string_view input) { REQUIRE_FALSE(sake::is_valid_utf8(input)); },
                    [](std::size_t n) { return repeated("\xc3\xa9", n) + "\xff"; }));
}

/// The steps that a multipart body of the boundary "b" takes, in pieces of this size.
void parse_multipart(std::string_view input, std::size_t piece) {
    using Parser = sake::detail::MultipartParser;
    Parser parser("b", {});
    while (!input.empty()) {
        std::string_view part = input.substr(0, piece);
        input.remove_prefix(part.size());
        for (;;) {
            const Parser::Step step = parser.read(part);
            part.remove_prefix(step.consumed);
            REQUIRE(step.kind != Parser::Kind::refused);
            if (step.kind == Parser::Kind::need_more) break;
        }
    }
}

TEST_CASE("P5 P8 a multipart body costs time in proportion to its length, whole and byte by byte") {
    const std::string head = "--b\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n";
    const std::string_view fillings[] = {"\r", "--", "\r\n", "\r\n--", "\r\n--c", "\r\r\n--", "plain text"};
    for (const std::string_view filling : fillings) {
        INFO(filling);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, std::size_t{1} << 30}) {
            const Work parse = [=](std::string_view input) { parse_multipart(input, piece); };
            CHECK(is_linear(parse, [&](std::size_t n) { return head + repeated(filling, n) + "\r\n--b--"; }));
            CHECK(is_linear(parse, [&](std::size_t n) { return repeated(filling, n) + "\r\n" + head; }));
            CHECK(is_linear(parse, [&](std::size_t n) { return "--b--" + repeated(filling, n); }));
        }
    }
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1} << 30}) {
        const Work parse = [=](std::string_view input) { parse_multipart(input, piece); };
        const std::string headers = repeated("A: b\r\n", 7);
        CHECK(is_linear(parse, [&](std::size_t n) {
            return repeated("--b\r\n" + headers + head.substr(5) + "\r\n", n / 100);
        }));
        CHECK(is_linear(parse, [&](std::size_t n) { return repeated(head + "\r\n", n / 50); }));
        CHECK(is_linear(parse, [&](std::size_t n) { return "--b" + repeated(" ", n) + "\r\n"; }));
    }
}

TEST_CASE("P8 a urlencoded form costs time in proportion to its length") {
    const Work parse = [](std::string_view input) {
        const sake::detail::CallLimits limits;
        sake::detail::FormReader<> reader("application/x-www-form-urlencoded", limits);
        REQUIRE_FALSE(reader.parse(input).fields().empty());
    };
    for (const std::string_view filling : {"a=b&", "%41", "%", "&", "=", "+"}) {
        CHECK(is_linear(parse, [&](std::size_t n) { return "a" + repeated(filling, n); }));
    }
}

TEST_CASE("P8 a compressed message that inflates to little costs time in proportion to its length") {
    const std::string_view fillings[] = {
        std::string_view("\x00\x00\x00\xff\xff", 5),  // an empty block without compression
        std::string_view("\x03\x00", 2),              // an empty block, and a final one
        std::string_view("\x63\x00\x00", 3),          // a final block with one byte
        std::string_view("\x02\x08\x20\x80\x00", 5),  // four empty blocks
    };
    for (const std::string_view filling : fillings) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1} << 30}) {
            const Work inflate = [=](std::string_view input) {
                sake::detail::WsInflateStream stream(15);
                std::string text;
                for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
                    REQUIRE(stream.inflate(input.substr(0, piece), false, text, 1 << 20) ==
                            sake::detail::WsInflater::Result::ok);
                }
                REQUIRE(stream.inflate(std::string_view("\x02\x00", 2), true, text, 1 << 20) ==
                        sake::detail::WsInflater::Result::ok);
            };
            CHECK(is_linear(inflate, [&](std::size_t n) { return repeated(filling, n); }));
        }
    }
}

TEST_CASE("P8 a list of WebSocket extensions costs time in proportion to its length") {
    const Work parse = [](std::string_view input) {
        sake::detail::WsDeflate agreed;
        std::string answer;
        static_cast<void>(
            sake::detail::ws_accept_offer(input, sake::detail::WsWindows::dedicated, 15, agreed, answer));
    };
    for (const std::string_view filling : {",", "a,", ";b", ";b=c", "; b = \"\\c\" ", "\\", " ",
                                           "permessage-deflate; x,", "permessage-deflate,"}) {
        CHECK(is_linear(parse, [&](std::size_t n) { return "a" + repeated(filling, n); }));
        CHECK(is_linear(parse, [&](std::size_t n) { return "a;b=\"" + repeated(filling, n); }));
    }
}

}  // namespace test_linear_time
