#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/raw_client.hpp"

namespace test_input_output {

using harness::RawClient;
using sake::detail::Input;
using sake::detail::Output;
using sake::detail::OutputPiece;

namespace {

/// Our end of a connection, non-blocking, and the peer's.
struct SocketPair {
    explicit SocketPair(sake::Reactor& reactor) : SocketPair(reactor, make()) {}
    sake::detail::Socket ours;
    RawClient peer;

  private:
    struct Ends {
        int a;
        int b;
    };
    static Ends make() {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        return {ends[0], ends[1]};
    }
    SocketPair(sake::Reactor& reactor, Ends ends)
        : ours(reactor, sake::detail::FileDescriptor(ends.a)), peer(RawClient::adopt(ends.b)) {}
};

struct InputTest {
    sake::Reactor reactor;
    Input input;
    SocketPair sockets{reactor};

    Input::Received receive() { return input.receive(sockets.ours); }
    /// The next turn of the same connection.
    void take_turn() { input.restore(input.hold()); }
    /// Where the bytes are while the connection keeps none.
    [[nodiscard]] bool is_shared() const {
        const char* const self = reinterpret_cast<const char*>(&input);
        return input.bytes().data() >= self && input.bytes().data() < self + sizeof input;
    }
};

struct OutputTest {
    sake::Reactor reactor;
    SocketPair sockets{reactor};
    sake::detail::ByteBuffer gathered;
    Output output;

    Output::Result flush() { return output.flush(sockets.ours, gathered); }
    Output::Result flush_with(std::string_view body) {
        OutputPiece piece{std::string(body)};
        return output.flush_with(sockets.ours, gathered, &piece);
    }

    /// Reads what the peer gets while flushing until everything is sent.
    std::string drain() {
        std::string got;
        for (Output::Result result = Output::Result::blocked; result == Output::Result::blocked;) {
            got += sockets.peer.read_some(1 << 20);
            result = flush();
        }
        sockets.ours.end_output();
        return got + sockets.peer.read_until_close();
    }
};

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
    return text;
}

}  // namespace

TEST_CASE("input is received into the shared buffer and consumed piece by piece") {
    InputTest test;
    CHECK(test.receive().result.would_block());
    CHECK(test.input.bytes().empty());
    test.sockets.peer.send("hello world");
    const Input::Received received = test.receive();
    CHECK(received.result.value == 11);
    CHECK_FALSE(received.full);
    CHECK(test.input.bytes() == "hello world");
    CHECK(test.is_shared());
    test.input.consume(6);
    CHECK(test.input.bytes() == "world");
    test.input.consume(5);
    CHECK(test.input.bytes().empty());
    test.sockets.peer.close();
    CHECK(test.receive().result.value == 0);
}

TEST_CASE("what is left over is copied before others use the shared buffer") {
    InputTest test;
    test.sockets.peer.send("first, second");
    test.receive();
    test.input.consume(7);
    auto held = test.input.hold();
    CHECK(test.input.bytes().empty());
    SocketPair other(test.reactor);
    other.peer.send("another connection's");
    test.input.restore(nullptr);
    test.input.receive(other.ours);
    CHECK(test.input.bytes() == "another connection's");
    test.input.restore(std::move(held));
    CHECK_FALSE(test.is_shared());
    CHECK(test.input.bytes() == "second");
    test.sockets.peer.send(", third");
    test.receive();
    CHECK(test.input.bytes() == "second, third");
    test.input.consume(13);
    test.sockets.peer.send("fourth");
    test.receive();
    CHECK(test.input.bytes() == "fourth");
    CHECK(test.is_shared());
}

TEST_CASE("an idle connection's input keeps no memory") {
    InputTest test;
    test.sockets.peer.send("something");
    test.receive();
    const auto before = harness::allocations::live_blocks();
    test.take_turn();
    CHECK(harness::allocations::live_blocks() == before + 2);
    CHECK(test.input.bytes_to_hold() == 9);
    test.input.consume(9);
    CHECK(test.input.bytes_to_hold() == 0);
    test.take_turn();
    CHECK(harness::allocations::live_blocks() == before);
}

TEST_CASE("received without holding: the bytes so far move behind one another") {
    InputTest test;
    test.sockets.peer.send("in ");
    test.receive();
    test.sockets.peer.send("one piece");
    test.receive();
    CHECK(test.input.bytes() == "in one piece");
}

TEST_CASE("trickled input arrives whole and in linear memory") {
    InputTest test;
    const std::string text = pattern(20'000);
    const auto before = harness::allocations::total();
    for (const char c : text) {
        test.sockets.peer.send({&c, 1});
        REQUIRE(test.receive().result.value == 1);
        test.take_turn();
    }
    CHECK(harness::allocations::total() - before < 64);
    CHECK(test.input.bytes() == text);
}

TEST_CASE("consumed input makes room for what follows") {
    InputTest test;
    const std::string text = pattern(50'000);
    std::string seen;
    std::size_t sent = 0;
    while (seen.size() < text.size()) {
        const std::string_view piece = std::string_view(text).substr(sent, 777);
        test.sockets.peer.send(piece);
        sent += piece.size();
        test.receive();
        const std::size_t taken = sent == text.size() ? test.input.bytes().size() : piece.size() / 2;
        seen.append(test.input.bytes().substr(0, taken));
        test.input.consume(taken);
        test.take_turn();
    }
    CHECK(seen == text);
}

TEST_CASE("a buffer that was filled tells that there may be more") {
    InputTest test;
    constexpr std::size_t size = 64 * 1024;
    test.sockets.peer.send(pattern(size) + "rest");
    CHECK(test.receive().full);
    CHECK(test.input.bytes().size() == size);
    test.input.consume(test.input.bytes().size());
    CHECK_FALSE(test.receive().full);
    CHECK(test.input.bytes() == "rest");
}

TEST_CASE("answers gather and leave together") {
    OutputTest test;
    CHECK(test.flush() == Output::Result::sent);
    test.gathered.append("one ");
    test.gathered.append("two");
    CHECK(test.flush() == Output::Result::sent);
    CHECK(test.gathered.empty());
    CHECK(test.sockets.peer.read_exactly(7) == "one two");
    test.gathered.append("head ");
    CHECK(test.flush_with("body") == Output::Result::sent);
    CHECK(test.sockets.peer.read_exactly(9) == "head body");
    CHECK(test.flush_with("body alone") == Output::Result::sent);
    CHECK(test.sockets.peer.read_exactly(10) == "body alone");
}

TEST_CASE("what the socket does not take stays, in order, and what was gathered is free") {
    for (const std::size_t head_size : {std::size_t{10}, std::size_t{3'000'000}}) {
        OutputTest test;
        const std::string head(head_size, 'h');
        const std::string body = pattern(3'000'000);
        test.gathered.append(head);
        CHECK(test.flush_with(body) == Output::Result::blocked);
        CHECK(test.output.has_unsent());
        CHECK(test.gathered.empty());
        CHECK_FALSE(test.sockets.ours.watch().is_writable());
        CHECK(test.flush() == Output::Result::blocked);
        CHECK(test.output.unsent().since == test.reactor.now());
        CHECK(test.output.unsent().sent > 0);
        CHECK(test.output.unsent().sent + test.output.held_bytes() >= head.size() + body.size());
        const std::string got = test.drain();
        CHECK_FALSE(test.output.has_unsent());
        CHECK((got == head + body));
    }
}

TEST_CASE("output to a peer that is gone fails without a signal") {
    OutputTest test;
    test.sockets.peer.close();
    test.gathered.append("nobody reads this");
    CHECK(test.flush() == Output::Result::failed);
    CHECK_FALSE(test.output.has_unsent());
    CHECK(test.gathered.empty());
}

TEST_CASE("a client is taken to wait for being asked until its body is there, and no longer") {
    sake::detail::RouteTable routes;
    routes.set_fallback(sake::detail::Handler([](sake::Context&) {}));
    routes.freeze(false);
    const sake::Config config;
    struct Row {
        std::string_view framing;
        std::string_view body;
    };
    for (const Row& row : {Row{"Content-Length: 4\r\n\r\n", "body"},
                           Row{"Transfer-Encoding: chunked\r\n\r\n", "4\r\nbody\r\n0\r\n\r\n"}}) {
        for (const bool is_at_once : {false, true}) {
            CAPTURE(row.framing);
            CAPTURE(is_at_once);
            using Progress = sake::detail::H1Reader::Progress;
            InputTest test;
            sake::detail::Call call;
            sake::detail::H1Reader reader(config, routes, call);
            std::string head = "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n";
            head += row.framing;
            test.sockets.peer.send(is_at_once ? head + std::string(row.body) : head);
            REQUIRE(test.receive().result.ok());
            if (!is_at_once) {
                REQUIRE(reader.read(test.input) == Progress::need_more);
                CHECK(reader.expects_continue());
                test.sockets.peer.send(row.body);
                REQUIRE(test.receive().result.ok());
            }
            REQUIRE(reader.read(test.input) == Progress::complete);
            CHECK(call.request.body == "body");
            CHECK_FALSE(reader.expects_continue());
        }
    }
}

}  // namespace test_input_output
