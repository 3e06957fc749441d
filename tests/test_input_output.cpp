#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/machinery.hpp"
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
    Output::Result flush_with(std::vector<OutputPiece>& pieces) {
        for (std::size_t i = 0; i + 1 < pieces.size(); ++i) pieces[i].next = &pieces[i + 1];
        return output.flush_with(sockets.ours, gathered, pieces.empty() ? nullptr : pieces.data());
    }
    /// From now on the socket takes a few kilobytes at a time.
    void make_narrow() {
        const int least = 1;
        REQUIRE(::setsockopt(sockets.ours.fd(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least) == 0);
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

/// A file without a name, with this text.
class TemporaryFile {
  public:
    explicit TemporaryFile(std::string_view text) {
        char path[] = "/tmp/sake-output-XXXXXX";
        file_ = sake::detail::FileDescriptor(::mkstemp(path));
        REQUIRE(file_);
        ::unlink(path);
        REQUIRE(::write(file_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    /// A piece of it, with a descriptor of its own.
    [[nodiscard]] OutputPiece piece(std::uint64_t offset, std::uint64_t length) const {
        return OutputPiece(
            sake::detail::FileRange{sake::detail::FileDescriptor(::dup(file_.get())), offset, length});
    }
    void cut(off_t size) const { REQUIRE(::ftruncate(file_.get(), size) == 0); }

  private:
    sake::detail::FileDescriptor file_;
};

OutputPiece text_piece(std::string_view text) { return OutputPiece(std::string(text)); }

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

TEST_CASE("texts and ranges of files leave in order, and nothing is kept") {
    OutputTest test;
    const TemporaryFile file("0123456789");
    std::vector<OutputPiece> pieces;
    pieces.push_back(text_piece("[text]"));
    pieces.push_back(file.piece(2, 3));
    pieces.push_back(text_piece("[more]"));
    pieces.push_back(text_piece("[and more]"));
    pieces.push_back(file.piece(9, 1));
    pieces.push_back(file.piece(0, 2));
    test.gathered.append("head ");
    CHECK(test.flush_with(pieces) == Output::Result::sent);
    CHECK(test.gathered.empty());
    CHECK_FALSE(test.output.has_unsent());
    CHECK(test.output.held_bytes() == 0);
    CHECK(test.sockets.peer.read_exactly(33) == "head [text]234[more][and more]901");
    // A range does not move the file's own position, so it can be sent again.
    std::vector<OutputPiece> again;
    again.push_back(file.piece(0, 10));
    CHECK(test.flush_with(again) == Output::Result::sent);
    CHECK(test.sockets.peer.read_exactly(10) == "0123456789");
}

TEST_CASE("empty pieces are skipped wherever they are") {
    const TemporaryFile file("file");
    for (const int empty_at : {0, 1, 2, 3}) {
        CAPTURE(empty_at);
        OutputTest test;
        std::vector<OutputPiece> pieces;
        for (int i = 0; i < 4; ++i) {
            if (i == empty_at) {
                pieces.push_back(text_piece(""));
                pieces.push_back(file.piece(2, 0));
                pieces.push_back(file.piece(100, 0));
                pieces.push_back(OutputPiece(sake::detail::FileRange{}));
            }
            if (i == 0) pieces.push_back(text_piece("a"));
            if (i == 1) pieces.push_back(file.piece(0, 4));
            if (i == 2) pieces.push_back(text_piece("b"));
        }
        CHECK(test.flush_with(pieces) == Output::Result::sent);
        CHECK(test.sockets.peer.read_exactly(6) == "afileb");
    }
    OutputTest test;
    std::vector<OutputPiece> none;
    CHECK(test.flush_with(none) == Output::Result::sent);
    none.push_back(text_piece(""));
    none.push_back(file.piece(0, 0));
    CHECK(test.flush_with(none) == Output::Result::sent);
    CHECK(test.sockets.peer.expect_silence(std::chrono::milliseconds(1)));
}

TEST_CASE("more texts than one call takes leave all the same") {
    for (const std::size_t count : {7U, 8U, 9U, 16U, 17U, 100U}) {
        OutputTest test;
        std::vector<OutputPiece> pieces;
        std::string expected = "head";
        for (std::size_t i = 0; i < count; ++i) {
            pieces.push_back(text_piece(std::to_string(i) + ","));
            expected += std::to_string(i) + ",";
        }
        test.gathered.append("head");
        CHECK(test.flush_with(pieces) == Output::Result::sent);
        CHECK(test.sockets.peer.read_exactly(expected.size()) == expected);
    }
}

TEST_CASE("a socket that blocks in the middle of every piece gets all of them, each byte once") {
    OutputTest test;
    test.make_narrow();
    const std::string head = pattern(70'000);
    const std::string one = pattern(80'000);
    const std::string two = pattern(90'000);
    const std::string in_file = pattern(200'000);
    const TemporaryFile file(in_file);
    std::vector<OutputPiece> pieces;
    pieces.push_back(text_piece(one));
    pieces.push_back(file.piece(0, 50'000));
    pieces.push_back(text_piece(""));
    pieces.push_back(file.piece(100'000, 100'000));
    pieces.push_back(text_piece(two));
    const std::string expected = head + one + in_file.substr(0, 50'000) + in_file.substr(100'000) + two;
    test.gathered.append(head);
    REQUIRE(test.flush_with(pieces) == Output::Result::blocked);
    CHECK(test.gathered.empty());
    CHECK_FALSE(test.sockets.ours.watch().is_writable());

    std::string got;
    int blocked_in_file = 0;
    int blocked_in_text = 0;
    std::size_t largest_held = test.output.held_bytes();
    for (Output::Result result = Output::Result::blocked; result == Output::Result::blocked;) {
        const auto& unsent = test.output.unsent();
        CHECK_FALSE(unsent.pieces.first()->is_empty());
        ++(unsent.pieces.first()->is_file() ? blocked_in_file : blocked_in_text);
        // What is sent holds no memory, and no file.
        CHECK(test.output.held_bytes() <= largest_held);
        largest_held = test.output.held_bytes();
        got += test.sockets.peer.read_some(3'000);
        CHECK(got.size() <= unsent.sent);
        result = test.flush();
    }
    CHECK_FALSE(test.output.has_unsent());
    CHECK(test.output.held_bytes() == 0);
    CHECK(blocked_in_file > 10);
    CHECK(blocked_in_text > 10);
    test.sockets.ours.end_output();
    got += test.sockets.peer.read_until_close();
    CHECK((got == expected));
}

TEST_CASE("texts that are kept count as held, ranges of files do not") {
    OutputTest test;
    test.make_narrow();
    const TemporaryFile file(pattern(500'000));
    std::vector<OutputPiece> pieces;
    pieces.push_back(file.piece(0, 500'000));
    pieces.push_back(text_piece(pattern(1'000)));
    CHECK(test.flush_with(pieces) == Output::Result::blocked);
    CHECK(test.output.held_bytes() == 1'000);
    CHECK(test.output.unsent().sent > 0);
    CHECK(test.output.unsent().sent < 500'000);
    CHECK(test.drain().size() == 501'000);
    CHECK(test.output.held_bytes() == 0);
}

TEST_CASE("a file that is shorter than announced fails, before it or in the middle") {
    const std::string text = pattern(300'000);
    {
        const TemporaryFile file("short");
        for (const std::uint64_t offset : {0U, 4U, 5U, 100U}) {
            OutputTest test;
            std::vector<OutputPiece> pieces;
            pieces.push_back(file.piece(offset, 6));
            pieces.push_back(text_piece("never sent"));
            test.gathered.append("head ");
            CHECK(test.flush_with(pieces) == Output::Result::failed);
            CHECK_FALSE(test.output.has_unsent());
            CHECK(test.gathered.empty());
            test.sockets.ours.end_output();
            CHECK(test.sockets.peer.read_until_close() ==
                  "head " + std::string("short").substr(std::min<std::size_t>(offset, 5)));
        }
    }
    const TemporaryFile file(text);
    OutputTest test;
    test.make_narrow();
    std::vector<OutputPiece> pieces;
    pieces.push_back(file.piece(0, text.size()));
    REQUIRE(test.flush_with(pieces) == Output::Result::blocked);
    file.cut(100'000);
    std::string got;
    Output::Result result = Output::Result::blocked;
    while (result == Output::Result::blocked) {
        got += test.sockets.peer.read_some(1 << 16);
        result = test.flush();
    }
    CHECK(result == Output::Result::failed);
    test.sockets.ours.end_output();
    got += test.sockets.peer.read_until_close();
    CHECK(got.size() < text.size());
    CHECK((got == text.substr(0, got.size())));
}

TEST_CASE("what is unsent to a peer that closes fails at the next flush") {
    OutputTest test;
    const TemporaryFile file(pattern(3'000'000));
    std::vector<OutputPiece> pieces;
    pieces.push_back(file.piece(0, 3'000'000));
    REQUIRE(test.flush_with(pieces) == Output::Result::blocked);
    test.sockets.peer.close();
    CHECK(test.flush() == Output::Result::failed);
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
