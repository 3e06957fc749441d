#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_body_reader {

using namespace std::string_literals;
using sake::detail::http1::BodyReader;
using sake::detail::http1::ChunkedLimits;
using sake::detail::http1::Framing;
using Body = Framing::Body;
using Kind = BodyReader::Step::Kind;

namespace {

Framing framing_of(Body body, std::uint64_t length = 0) {
    Framing framing;
    framing.body = body;
    framing.length = length;
    return framing;
}

struct Outcome {
    Kind kind = Kind::need_more;
    std::string body;
    std::size_t consumed = 0;
    int status = 0;
    std::string reason;

    bool operator==(const Outcome&) const = default;
};

/// Gives the reader the pieces of `bytes` between `cuts`, each in memory of its own.
Outcome read(BodyReader& reader, std::string_view bytes, std::vector<std::size_t> cuts = {}) {
    cuts.push_back(bytes.size());
    Outcome outcome;
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
        const std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                      bytes.begin() + static_cast<std::ptrdiff_t>(cut));
        std::string_view rest(piece.data(), piece.size());
        begin = cut;
        for (;;) {
            const auto step = reader.read(rest);
            rest.remove_prefix(step.consumed);
            outcome.consumed += step.consumed;
            outcome.kind = step.kind;
            outcome.body += step.data;
            REQUIRE(step.data.empty() == (step.kind != Kind::data));
            if (step.kind != Kind::data) break;
        }
        if (outcome.kind != Kind::need_more) break;
        REQUIRE(rest.empty());
    }
    outcome.status = reader.status();
    outcome.reason = reader.reason();
    return outcome;
}

Outcome read(const Framing& framing, std::string_view bytes, const std::vector<std::size_t>& cuts = {},
             ChunkedLimits limits = {}) {
    BodyReader reader(limits);
    reader.reset(framing);
    return read(reader, bytes, cuts);
}

struct Message {
    Framing framing;
    std::string bytes;
};

const std::vector<Message>& messages() {
    static const std::vector<Message> all = {
        {framing_of(Body::none), ""},
        {framing_of(Body::none), "GET / HTTP/1.1\r\n\r\n"},
        {framing_of(Body::length, 5), "hello"},
        {framing_of(Body::length, 5), "helloGET /"},
        {framing_of(Body::length, 6), "hello"},
        {framing_of(Body::length, UINT64_MAX), "hello"},
        {framing_of(Body::to_the_end), ""},
        {framing_of(Body::to_the_end), "all of it\r\n\r\n"},
        {framing_of(Body::chunked), "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX: y\r\n\r\nGET /"},
        {framing_of(Body::chunked), "5\r\nhel"},
        {framing_of(Body::chunked), "5\r\nhelloX\r\n"},
        {framing_of(Body::chunked), "5x\r\nhello"},
    };
    return all;
}

}  // namespace

TEST_CASE("a body without bytes is done before any have come") {
    CHECK(read(framing_of(Body::none), "") == Outcome{Kind::done, "", 0, 0, ""});
    CHECK(read(framing_of(Body::none), "next") == Outcome{Kind::done, "", 0, 0, ""});
    CHECK(BodyReader().kind() == Body::none);
}

TEST_CASE(
    "a body with a length ends there, one byte before it does not, and the rest is the next message's") {
    CHECK(read(framing_of(Body::length, 5), "hell") == Outcome{Kind::need_more, "hell", 4, 0, ""});
    CHECK(read(framing_of(Body::length, 5), "hello") == Outcome{Kind::done, "hello", 5, 0, ""});
    CHECK(read(framing_of(Body::length, 5), "hello!") == Outcome{Kind::done, "hello", 5, 0, ""});
}

TEST_CASE("a body up to the end of the connection is never done") {
    CHECK(read(framing_of(Body::to_the_end), "0\r\n\r\n") == Outcome{Kind::need_more, "0\r\n\r\n", 5, 0, ""});
    CHECK(read(framing_of(Body::to_the_end), "") == Outcome{});
}

TEST_CASE("a chunked body is decoded, and refused where its chunks are wrong") {
    CHECK(read(framing_of(Body::chunked), "2\r\nab\r\n0\r\n\r\nrest") ==
          Outcome{Kind::done, "ab", 12, 0, ""});
    const Outcome refused = read(framing_of(Body::chunked), "2\r\nabc");
    CHECK(refused.kind == Kind::refused);
    CHECK(refused.status == 400);
    CHECK(refused.reason == "chunk without its line end");
}

TEST_CASE("the outcome does not depend on how the bytes were split") {
    for (const Message& message : messages()) {
        CAPTURE(message.bytes);
        const Outcome at_once = read(message.framing, message.bytes);
        for (std::size_t first = 0; first <= message.bytes.size(); ++first) {
            for (std::size_t second = first; second <= message.bytes.size(); ++second) {
                REQUIRE(read(message.framing, message.bytes, {first, second}) == at_once);
            }
        }
    }
}

TEST_CASE("a reader reads one body after another, whatever became of the one before") {
    for (const Message& before : messages()) {
        BodyReader reader;
        reader.reset(before.framing);
        static_cast<void>(read(reader, before.bytes));
        for (const Message& message : messages()) {
            CAPTURE(message.bytes);
            reader.reset(message.framing);
            CHECK(reader.kind() == message.framing.body);
            Outcome again = read(reader, message.bytes);
            const Outcome alone = read(message.framing, message.bytes);
            CHECK(again == alone);
        }
    }
}

TEST_CASE("what is announced and has not come is known") {
    BodyReader reader;
    CHECK(reader.left_in_piece() == 0);
    reader.reset(framing_of(Body::length, 5));
    CHECK(reader.left_in_piece() == 5);
    static_cast<void>(read(reader, "hel"));
    CHECK(reader.left_in_piece() == 2);
    static_cast<void>(read(reader, "lo"));
    CHECK(reader.left_in_piece() == 0);
    reader.reset(framing_of(Body::chunked));
    CHECK(reader.left_in_piece() == 0);
    static_cast<void>(read(reader, "ffffffffffffffff\r"));
    CHECK(reader.left_in_piece() == 0);
    static_cast<void>(read(reader, "\n"));
    CHECK(reader.left_in_piece() == UINT64_MAX);
    static_cast<void>(read(reader, "abc"));
    CHECK(reader.left_in_piece() == UINT64_MAX - 3);
    reader.reset(framing_of(Body::to_the_end));
    static_cast<void>(read(reader, "abc"));
    CHECK(reader.left_in_piece() == 0);
}

TEST_CASE("the limits on extensions and trailers hold for each body") {
    BodyReader reader(ChunkedLimits{.extensions = 4, .trailers = 6});
    const auto extended = [](std::size_t size) { return "0;" + std::string(size - 1, 'x') + "\r\n\r\n"; };
    const auto trailed = [](std::size_t size) { return "0\r\nA:" + std::string(size - 4, 'x') + "\r\n\r\n"; };
    for (int round = 0; round < 2; ++round) {
        for (const std::size_t above : {std::size_t{0}, std::size_t{1}}) {
            const Kind expected = above == 0 ? Kind::done : Kind::refused;
            reader.reset(framing_of(Body::chunked));
            CHECK(read(reader, extended(4 + above)).kind == expected);
            reader.reset(framing_of(Body::chunked));
            CHECK(read(reader, trailed(6 + above)).kind == expected);
        }
        reader.reset(framing_of(Body::chunked));
        CHECK(read(reader, trailed(5)).kind == Kind::done);
        reader.reset(framing_of(Body::chunked));
        CHECK(read(reader, extended(3)).kind == Kind::done);
    }
}

}  // namespace test_body_reader
