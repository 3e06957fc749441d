#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_chunked {

namespace http = sake::http;
namespace http1 = sake::detail::http1;
using namespace std::string_literals;
using http1::ChunkedDecoder;
using http1::ChunkedLimits;
using Kind = ChunkedDecoder::Step::Kind;

namespace {

struct Outcome {
    Kind kind = Kind::need_more;
    std::string body;
    std::size_t consumed = 0;
    std::string reason;

    bool operator==(const Outcome&) const = default;
};

/// Gives the decoder the pieces of `bytes` between `cuts`, each in memory of its own.
Outcome decode(std::string_view bytes, std::vector<std::size_t> cuts = {}, ChunkedLimits limits = {}) {
    cuts.push_back(bytes.size());
    ChunkedDecoder decoder(limits);
    Outcome outcome;
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
        const std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                      bytes.begin() + static_cast<std::ptrdiff_t>(cut));
        std::string_view rest(piece.data(), piece.size());
        begin = cut;
        for (;;) {
            const auto step = decoder.decode(rest);
            rest.remove_prefix(step.consumed);
            outcome.consumed += step.consumed;
            outcome.kind = step.kind;
            outcome.body += step.data;
            if (step.kind == Kind::data) REQUIRE_FALSE(step.data.empty());
            if (step.kind != Kind::data) break;
        }
        if (outcome.kind != Kind::need_more) break;
        REQUIRE(rest.empty());
    }
    if (outcome.kind == Kind::refused) {
        REQUIRE(decoder.status() == 400);
        outcome.reason = decoder.reason();
        REQUIRE_FALSE(outcome.reason.empty());
    }
    return outcome;
}

/// A body with this first line, "hello" as its data, and a good end.
Kind first_line(const std::string& line) { return decode(line + "\r\nhello\r\n0\r\n\r\n").kind; }

const std::vector<std::string>& corpus() {
    static const std::vector<std::string> bodies = {
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "5\r\nhello\r\n1;a\r\n,\r\n00A;b=c;d=\"e\\\"f\" ;g\r\n0123456789\r\n000\r\nX: y\r\nZ:\r\n\r\nrest",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "-2\r\nab",
        "5;\x01\r\nhello\r\n0\r\n\r\n",
        "0\r\n\rX",
        "0\r\nbad trailer: x\r\n\r\n",
        "ffffffffffffffff\r\nabc",
        "10000000000000000\r\nabc",
        "5\r\nhel",
        "3\r\n\r\n\r\r\n0\r\nA:b\r\n\r\n",
    };
    return bodies;
}

}  // namespace

TEST_CASE("chunks are put together and end at the empty chunk") {
    const Outcome outcome = decode("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\nGET");
    CHECK(outcome.kind == Kind::done);
    CHECK(outcome.body == "hello, world");
    CHECK(outcome.consumed == 27);
    CHECK(decode("0\r\n\r\n").body.empty());
    CHECK(decode("").kind == Kind::need_more);
}

TEST_CASE("P1: the decoded body does not depend on how the bytes were split") {
    for (const ChunkedLimits limits : {ChunkedLimits{}, ChunkedLimits{3, 4}}) {
        for (const std::string& bytes : corpus()) {
            CAPTURE(bytes);
            const Outcome whole = decode(bytes, {}, limits);
            for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
                CAPTURE(cut);
                REQUIRE(decode(bytes, {cut}, limits) == whole);
            }
            std::vector<std::size_t> every(bytes.size());
            for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
            CHECK(decode(bytes, every, limits) == whole);
        }
    }
}

TEST_CASE("P4: chunk sizes are 1 to 16 hex digits and nothing else") {
    for (std::size_t digits = 0; digits <= 20; ++digits) {
        CAPTURE(digits);
        const std::string size = digits == 0 ? "" : std::string(digits - 1, '0') + "5";
        CHECK(first_line(size) == (digits >= 1 && digits <= 16 ? Kind::done : Kind::refused));
    }
    for (const std::string bad : {"-2", "-5",       "+1",           "+5",  "0x1", "0x5", "0X5", "5h",    "g",
                                  " 5", "5 ",       "\t5",          "5\t", "5,5", "5.",  "5_0", "\"5\"", "5:",
                                  "5=", "\x35\x7f", "\xef\xbc\x95", "--5", "5-",  "0x",  "x"}) {
        CAPTURE(bad);
        CHECK(first_line(bad) == Kind::refused);
    }
    CHECK(first_line("5"s + '\0') == Kind::refused);
    CHECK(decode("A\r\n0123456789\r\n0\r\n\r\n").body == "0123456789");
    CHECK(decode("a\r\n0123456789\r\n0\r\n\r\n").body == "0123456789");
    CHECK(decode("0000000000000000\r\n\r\n").kind == Kind::done);
}

TEST_CASE("P4: the largest sizes do not wrap") {
    for (const std::string size :
         {"7fffffffffffffff", "8000000000000000", "FFFFFFFFFFFFFFFF", "fffffffffffffffe"}) {
        CAPTURE(size);
        const Outcome outcome = decode(size + "\r\nabc\r\n0\r\n\r\n");
        CHECK(outcome.kind == Kind::need_more);
        CHECK(outcome.body == "abc\r\n0\r\n\r\n");
    }
    CHECK(first_line("10000000000000000") == Kind::refused);
    CHECK(first_line("00000000000000005") == Kind::refused);
}

TEST_CASE("P4: each line end is CRLF") {
    for (const std::string bad :
         {"5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\r\nhello\r\n0\r\n\r\n",
          "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
          "5\r\nhello\r\n0\n\r\n", "5\r\nhello\r\n0\r\n\n", "5\r\nhello\r\n0\r\n\rX",
          "5\r\nhello\r\n\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n",
          "6\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\nX\r\n\r\n"}) {
        CAPTURE(bad);
        CHECK(decode(bad).kind == Kind::refused);
    }
}

TEST_CASE("a body cut off anywhere wants more") {
    const std::string bytes = "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n";
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CAPTURE(size);
        CHECK(decode(bytes.substr(0, size)).kind == Kind::need_more);
    }
    CHECK(decode(bytes).kind == Kind::done);
}

TEST_CASE("chunk extensions follow their grammar and are thrown away") {
    for (const std::string good : {"5;a", "5;a=b", "5;a=\"b c\"", "5;a;b;c=d", "5 ;a", "5; a", "5;a =b",
                                   "5;a= b", "5\t;\ta\t=\tb\t;c", "5;a=\"\"", "5;a=\"\\\"\"", "5;a=\"\\\\\"",
                                   "5;a=\"b;c=d\"", "5;a=\"\xc3\xa9\"", "5;!#$=1", "5;a=\"x\";b"}) {
        CAPTURE(good);
        CHECK(first_line(good) == Kind::done);
    }
    for (const std::string bad :
         {"5;",           "5; ",     "5;;a",          "5;=b",         "5;a=",       "5;a=b=c",
          "5;a b",        "5;a=b c", "5;a=\"b",       "5;a=\"b\"c",   "5;a=b\"c\"", "5;a,b",
          "5;(a)",        "5 a",     "5 \t",          "5;a ",         "5;a=b ",     "5;a=\"b\" ",
          "5;a=\"b\\",    "5;a\n",   "5;a=\"b\nc\"",  "5;a=\"b\rc\"", "5;\xc3\xa9", "5;a=\x01",
          "5;a=\"\x7f\"", "5\x0b;a", "5;a=\"\\\x01\""}) {
        CAPTURE(bad);
        CHECK(first_line(bad) == Kind::refused);
    }
    CHECK(first_line("5;a"s + '\0') == Kind::refused);
}

TEST_CASE("trailers are checked like header fields and thrown away") {
    const auto with_trailer = [](const std::string& line) { return decode("0\r\n" + line + "\r\n\r\nrest"); };
    for (const std::string good : {"A: b", "A:b", "A:", "A: \tb\xff", "A: b\r\nC: d", "Content-Length: 5"}) {
        CAPTURE(good);
        CHECK(with_trailer(good).kind == Kind::done);
        CHECK(with_trailer(good).body.empty());
        CHECK(with_trailer(good).consumed == 3 + good.size() + 4);
    }
    for (const std::string bad : {"A", "A : b", ": b", " A: b", "A: b\r\n c", "A: b\nC: d", "A: b\rC: d",
                                  "A b: c", "A: \x01", "A: \x7f", "\xc3\xa9: b", "A\r\n: b", "(A): b"}) {
        CAPTURE(bad);
        CHECK(with_trailer(bad).kind == Kind::refused);
    }
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const std::string c(1, static_cast<char>(byte));
        const bool value = byte == '\t' || (byte >= 32 && byte != 127);
        CHECK(with_trailer("A: x" + c + "y").kind == (value ? Kind::done : Kind::refused));
        if (c != ":") {
            CHECK(with_trailer("A" + c + "B: y").kind == (sake::is_token(c) ? Kind::done : Kind::refused));
        }
    }
}

TEST_CASE("L1: extensions of N bytes in all chunks together pass, and N + 1 are refused") {
    for (const std::size_t limit : {std::size_t{10}, ChunkedLimits{}.extensions}) {
        for (const std::size_t size : {limit - 1, limit, limit + 1}) {
            const std::string bytes = "1;" + std::string(size - 1, 'a') + "\r\nx\r\n0\r\n\r\n";
            CHECK(decode(bytes, {}, {.extensions = limit}).kind ==
                  (size <= limit ? Kind::done : Kind::refused));
        }
    }
    CHECK(decode("1;a\r\nx\r\n1;a\r\nx\r\n0\r\n\r\n", {}, {.extensions = 4}).kind == Kind::done);
    CHECK(decode("1;a\r\nx\r\n1;aa\r\nx\r\n0\r\n\r\n", {}, {.extensions = 4}).kind == Kind::refused);
}

TEST_CASE("L1: trailers of N bytes pass, and N + 1 are refused") {
    for (const std::size_t limit : {std::size_t{10}, ChunkedLimits{}.trailers}) {
        for (const std::size_t size : {limit - 1, limit, limit + 1}) {
            const std::string line = "A: " + std::string(size - 5, 'x') + "\r\n";
            REQUIRE(line.size() == size);
            CHECK(decode("0\r\n" + line + "\r\n", {}, {.trailers = limit}).kind ==
                  (size <= limit ? Kind::done : Kind::refused));
        }
    }
    CHECK(decode("0\r\nA:b\r\nA:b\r\n\r\n", {}, {.trailers = 10}).kind == Kind::done);
    CHECK(decode("0\r\nA:b\r\nA:b\r\n\r\n", {}, {.trailers = 9}).kind == Kind::refused);
    CHECK(decode("0\r\n\r\n", {}, {.trailers = 0}).kind == Kind::done);
}

TEST_CASE("endless extensions and trailers are refused at the limit, not buffered") {
    ChunkedDecoder decoder;
    CHECK(decoder.decode("1;").kind == Kind::need_more);
    const std::string some(1024, 'a');
    int steps = 0;
    while (decoder.decode(some).kind == Kind::need_more) ++steps;
    CHECK(steps == 15);  // with the ';' they hold one byte less than 16 KiB
    CHECK(decoder.status() == 400);
}

TEST_CASE("data is a view into the input") {
    ChunkedDecoder decoder;
    const std::string bytes = "5\r\nhello\r\n0\r\n\r\n";
    const auto step = decoder.decode(bytes);
    REQUIRE(step.kind == Kind::data);
    CHECK(step.data.data() == bytes.data() + 3);
    CHECK(step.data == "hello");
    CHECK(step.consumed == 8);
}

TEST_CASE("after the end and after a refusal nothing more is consumed, until reset") {
    ChunkedDecoder decoder;
    CHECK(decoder.decode("0\r\n\r\nmore").consumed == 5);
    CHECK(decoder.decode("more").kind == Kind::done);
    CHECK(decoder.decode("more").consumed == 0);
    decoder.reset();
    CHECK(decoder.decode("x").kind == Kind::refused);
    CHECK(decoder.decode("0\r\n\r\n").kind == Kind::refused);
    CHECK(decoder.decode("0\r\n\r\n").consumed == 0);
    CHECK(decoder.status() == 400);
    decoder.reset();
    CHECK(decoder.status() == 0);
    CHECK(decoder.reason().empty());
    CHECK(decoder.decode("0\r\n\r\n").kind == Kind::done);
}

TEST_CASE("what the encoder writes, the decoder reads") {
    std::string bytes;
    std::string body;
    for (const std::size_t size : {1u, 9u, 10u, 15u, 16u, 17u, 255u, 256u, 4096u, 65535u}) {
        const std::string data(size, static_cast<char>('a' + size % 26));
        http1::append_chunk(bytes, data);
        http1::append_chunk(bytes, "");  // must not end the body
        body += data;
    }
    bytes += http1::last_chunk;
    const Outcome outcome = decode(bytes);
    CHECK(outcome.kind == Kind::done);
    CHECK(outcome.body == body);
    CHECK(outcome.consumed == bytes.size());
    std::string one;
    http1::append_chunk(one, "hello world, 26 bytes long");
    CHECK(one == "1a\r\nhello world, 26 bytes long\r\n");
}

}  // namespace test_chunked
