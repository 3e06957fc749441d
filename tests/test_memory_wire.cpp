// Connections in memory: what a wire gives, what its watch is told, and TcpStream over it.
#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace test_memory_wire {

using namespace std::chrono_literals;
using harness::failure_of;
using harness::let_the_others_run;
using sake::Reactor;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::TcpStream;
using sake::detail::ByteRing;
using sake::detail::FileDescriptor;
using sake::detail::make_memory_wires;
using sake::detail::Socket;
using sake::detail::SysResult;

namespace {

/// Two sockets that are each other's peer.
struct Pair {
    explicit Pair(std::size_t capacity = sake::detail::memory_wire_capacity) {
        auto wires = make_memory_wires(capacity);
        near = std::make_unique<Socket>(reactor, FileDescriptor(), std::move(wires.first));
        far = std::make_unique<Socket>(reactor, FileDescriptor(), std::move(wires.second));
        forget(*near);
        forget(*far);
    }

    /// Nothing is known any more but the ends, so that the next event can be told.
    static void forget(Socket& socket) {
        socket.watch().drained();
        socket.watch().filled();
    }

    Reactor reactor;
    std::unique_ptr<Socket> near;
    std::unique_ptr<Socket> far;
};

/// The outcome of a call: how many bytes, or the errno made negative.
int outcome(const SysResult& result) { return result.ok() ? static_cast<int>(result.value) : -result.error; }

int send(Socket& socket, std::string_view text) { return outcome(socket.send(text.data(), text.size())); }

int receive(Socket& socket, std::string& text, std::size_t most = 100) {
    std::vector<char> bytes(most);
    const SysResult result = socket.receive(bytes.data(), bytes.size());
    text.assign(bytes.data(), result.ok() ? static_cast<std::size_t>(result.value) : 0);
    return outcome(result);
}
int receive(Socket& socket) {
    std::string text;
    return receive(socket, text);
}

/// What the watch knows, as letters: readable, writable, end of the peer, broken.
std::string known(Socket& socket) {
    const sake::detail::Watch& watch = socket.watch();
    std::string letters;
    if (watch.is_readable()) letters += 'r';
    if (watch.is_writable()) letters += 'w';
    if (watch.peer_has_ended() && !watch.is_broken()) letters += 'e';
    if (watch.is_broken()) letters += 'b';
    return letters;
}

template <class Body>
void with_streams(std::size_t capacity, Body body) {
    harness::grow_info_scopes(32);
    harness::Oracle oracle;
    const auto whole = [&]() -> Task<> {
        auto wires = make_memory_wires(capacity);
        Reactor& reactor = *Reactor::current();
        TcpStream near = sake::detail::make_stream(reactor, FileDescriptor(), std::move(wires.first));
        TcpStream far = sake::detail::make_stream(reactor, FileDescriptor(), std::move(wires.second));
        co_await body(near, far);
    };
    run_until_complete(whole());
    CHECK(oracle.check_returned_to_baseline());
}

Task<std::string> read_all(TcpStream& stream) {
    for (;;) {
        const std::size_t more = co_await stream.read_more();
        if (more == 0) break;
    }
    co_return std::string(stream.unread());
}

Task<> write_and_end(TcpStream& stream, std::string text) {
    co_await stream.write_all(text);
    stream.shutdown_write();
}

}  // namespace

TEST_CASE("a ring gives back what it took, in order, wherever it wraps") {
    for (std::size_t capacity = 1; capacity <= 9; ++capacity) {
        ByteRing ring(capacity);
        const std::string text = harness::pattern_bytes(200, static_cast<unsigned>(capacity));
        std::string back;
        std::size_t put = 0;
        for (std::size_t step = 0; back.size() < text.size(); ++step) {
            put += ring.put(text.data() + put, std::min(text.size() - put, step % 4));
            REQUIRE(ring.size() + ring.room() == capacity);
            char bytes[3];
            back.append(bytes, ring.take(bytes, step % 3 + 1));
        }
        CHECK(back == text);
    }
}

TEST_CASE("what one end sends the other receives, in pieces of any size") {
    Pair pair;
    CHECK(receive(*pair.far) == -EAGAIN);
    CHECK(pair.far->blocked(sake::detail::readable) == sake::detail::readable);
    iovec pieces[3] = {{const_cast<char*>("one "), 4}, {nullptr, 0}, {const_cast<char*>("two"), 3}};
    CHECK(outcome(pair.near->send(pieces, 3)) == 7);
    std::string text;
    CHECK(receive(*pair.far, text, 5) == 5);
    CHECK(text == "one t");
    CHECK(receive(*pair.far, text, 5) == 2);
    CHECK(text == "wo");
    CHECK(receive(*pair.far) == -EAGAIN);
    CHECK(receive(*pair.near) == -EAGAIN);
    CHECK(pair.near->fd() == -1);
    CHECK(pair.near->protocol().empty());
}

TEST_CASE("bytes that arrive are told, and so is room that comes back") {
    Pair pair(4);
    CHECK(known(*pair.far) == "");
    CHECK(send(*pair.near, "abcdef") == 4);
    CHECK(known(*pair.far) == "rw");  // an event tells all that holds
    CHECK(send(*pair.near, "ef") == -EAGAIN);
    CHECK(pair.near->blocked(sake::detail::writable) == sake::detail::writable);
    CHECK(known(*pair.near) == "");
    CHECK(pair.near->unacknowledged() == 4);
    std::string text;
    CHECK(receive(*pair.far, text, 1) == 1);
    CHECK(known(*pair.near) == "w");
    CHECK(pair.near->unacknowledged() == 3);
    CHECK(send(*pair.near, "e") == 1);
    // A sender that has not found it full is not told of room.
    Pair::forget(*pair.near);
    CHECK(receive(*pair.far, text) == 4);
    CHECK(text == "bcde");
    CHECK(known(*pair.near) == "");
    CHECK(pair.near->unacknowledged() == 0);
}

TEST_CASE("each piece that arrives is told anew") {
    Pair pair;
    for (int i = 0; i < 3; ++i) {
        CHECK(send(*pair.near, "a") == 1);
        CHECK(known(*pair.far) == "rw");
        Pair::forget(*pair.far);
    }
    CHECK(receive(*pair.far) == 3);
}

TEST_CASE("what is there before the other end has a socket is told to it at once") {
    Reactor reactor;
    auto wires = make_memory_wires();
    auto near = std::make_unique<Socket>(reactor, FileDescriptor(), std::move(wires.first));
    CHECK(send(*near, "early") == 5);
    near.reset();
    Socket far(reactor, FileDescriptor(), std::move(wires.second));
    CHECK(known(far) == "rwb");
    CHECK(receive(far) == 5);
    CHECK(receive(far) == 0);
}

TEST_CASE("an end that is half closed still receives") {
    Pair pair;
    CHECK(send(*pair.near, "question") == 8);
    CHECK(pair.near->end_output().ok());
    CHECK(pair.near->end_output().ok());
    CHECK(send(*pair.near, "more") == -EPIPE);
    CHECK(known(*pair.far) == "rwe");
    CHECK(receive(*pair.far) == 8);
    CHECK(receive(*pair.far) == 0);
    pair.far->watch().drained();
    CHECK(known(*pair.far) == "rwe");  // what follows the end is no event
    CHECK(known(*pair.near) == "");
    CHECK(send(*pair.far, "answer") == 6);
    CHECK(known(*pair.near) == "rw");
    CHECK(receive(*pair.near) == 6);
    CHECK(receive(*pair.near) == -EAGAIN);
}

TEST_CASE("two ends that are half closed are closed") {
    Pair pair;
    CHECK(pair.near->end_output().ok());
    CHECK(send(*pair.far, "last") == 4);
    CHECK(pair.far->end_output().ok());
    CHECK(known(*pair.near) == "rwb");
    CHECK(receive(*pair.near) == 4);
    CHECK(receive(*pair.near) == 0);
    CHECK(send(*pair.near, "x") == -EPIPE);
}

TEST_CASE("an end that closes leaves what it has sent, and takes no more") {
    Pair pair;
    CHECK(send(*pair.near, "goodbye") == 7);
    pair.near.reset();
    CHECK(known(*pair.far) == "rwb");
    CHECK(pair.far->has_input());
    CHECK(send(*pair.far, "x") == -EPIPE);
    CHECK(pair.far->end_output().ok());
    CHECK(pair.far->unacknowledged() == 0);
    std::string text;
    CHECK(receive(*pair.far, text) == 7);
    CHECK(text == "goodbye");
    CHECK(receive(*pair.far) == 0);
    CHECK(receive(*pair.far) == 0);
    CHECK(pair.far->has_input());  // the end
}

TEST_CASE("an end that closes with input unreceived resets the connection") {
    Pair pair;
    CHECK(send(*pair.far, "not read") == 8);
    CHECK(send(*pair.near, "lost") == 4);
    pair.near.reset();
    CHECK(known(*pair.far) == "rwb");
    CHECK(receive(*pair.far) == -ECONNRESET);
    CHECK(receive(*pair.far) == 0);
}

TEST_CASE("a reset drops what was not received, and the first call after it fails with it") {
    for (const bool reads : {true, false}) {
        Pair pair;
        CHECK(send(*pair.near, "lost") == 4);
        CHECK(send(*pair.far, "lost too") == 8);
        pair.near->reset_on_close();
        CHECK(known(*pair.far) == "rwb");
        CHECK(pair.far->has_input());
        CHECK((reads ? receive(*pair.far) : send(*pair.far, "x")) == -ECONNRESET);
        CHECK(receive(*pair.far) == 0);
        CHECK(send(*pair.far, "x") == -EPIPE);
        CHECK(outcome(pair.far->end_output()) == -ENOTCONN);
        CHECK(receive(*pair.near) == 0);
        CHECK(send(*pair.near, "x") == -EPIPE);
        pair.near.reset();
        CHECK(receive(*pair.far) == 0);
    }
}

TEST_CASE("a peer that receives goes on") {
    Pair pair;
    CHECK(send(*pair.near, "abc") == 3);
    CHECK(pair.near->peer_goes_on());  // more than ever was unreceived before
    CHECK_FALSE(pair.near->peer_goes_on());
    std::string text;
    CHECK(receive(*pair.far, text, 1) == 1);
    CHECK(pair.near->peer_goes_on());
    CHECK_FALSE(pair.near->peer_goes_on());
}

TEST_CASE("a wire that acknowledges at once counts what it took as received") {
    auto [near, far] = make_memory_wires(4);
    CHECK(near->send(std::vector<iovec>{{const_cast<char*>("abcdef"), 6}}.data(), 1).value == 4);
    CHECK(near->unacknowledged() == 4);
    near->acknowledge_at_once(true);
    CHECK(near->unacknowledged() == 0);
    CHECK(far->has_input());
}

TEST_CASE("a listener is told of each end once, in the middle of the other end's call") {
    struct Listener final : sake::detail::HangupListener {
        void peer_hung_up(std::uint8_t ready) noexcept override { told.push_back(ready); }
        std::vector<unsigned> told;
    };
    Pair pair;
    Listener listener;
    pair.far->watch().hangup_listener = &listener;
    CHECK(send(*pair.near, "a") == 1);
    CHECK(listener.told.empty());
    CHECK(pair.near->end_output().ok());
    REQUIRE(listener.told.size() == 1);
    CHECK(listener.told[0] == (sake::detail::readable | sake::detail::writable | sake::detail::peer_ended));
    pair.near.reset();
    REQUIRE(listener.told.size() == 2);
    CHECK((listener.told[1] & sake::detail::broken) != 0);
}

TEST_CASE("a file goes into the wire as far as there is room") {
    char name[] = "/tmp/sake-test-XXXXXX";
    const FileDescriptor file(::mkstemp(name));
    REQUIRE(file);
    ::unlink(name);
    const std::string content = harness::pattern_bytes(100'000);
    REQUIRE(::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    Pair pair(10'000);
    std::uint64_t offset = 100;
    std::string got;
    std::string piece;
    while (offset < content.size()) {
        const int sent = outcome(pair.near->send_file(file.get(), offset, content.size()));
        REQUIRE((sent > 0 || sent == -EAGAIN));
        if (sent == -EAGAIN) {
            REQUIRE(pair.near->blocked(sake::detail::writable) == sake::detail::writable);
            REQUIRE(receive(*pair.far, piece, 7'000) > 0);
            got += piece;
            REQUIRE(pair.near->watch().is_writable());
        }
    }
    while (receive(*pair.far, piece, 7'000) > 0) got += piece;
    CHECK(got == content.substr(100));
    CHECK(outcome(pair.near->send_file(file.get(), offset, 1)) == 0);
    CHECK(outcome(pair.near->send_file(-1, offset, 1)) == -EBADF);
    pair.far.reset();
    CHECK(outcome(pair.near->send_file(file.get(), offset, 1)) == -EPIPE);
}

TEST_CASE("streams speak over memory as over a socket, with room for much and for one byte") {
    for (const std::size_t capacity : {std::size_t{1}, std::size_t{7}, std::size_t{64 * 1024}}) {
        with_streams(capacity, [&](TcpStream& near, TcpStream& far) -> Task<> {
            CHECK(near.is_quiet());
            CHECK(near.fd() == -1);
            CHECK(near.peer_address() == "unix");
            const std::size_t size = capacity < 1000 ? 3'000 : 1'000'000;
            const std::string there = harness::pattern_bytes(size, 1);
            const std::string back = harness::pattern_bytes(size, 2);
            auto both = co_await sake::when_all(write_and_end(near, there), write_and_end(far, back),
                                                read_all(near), read_all(far));
            CHECK(std::get<2>(both) == back);
            CHECK(std::get<3>(both) == there);
        });
    }
}

TEST_CASE("a stream over memory waits for lines, with a limit, and is told of the end") {
    with_streams(64, [](TcpStream& near, TcpStream& far) -> Task<> {
        auto reading = spawn(far.read_until("\n"));
        co_await let_the_others_run();
        co_await near.write_all("li");
        co_await near.write_all("ne\nrest");
        const auto line = co_await reading;
        CHECK(line == "line");
        CHECK_FALSE(far.is_quiet());
        const auto late = [&]() -> Task<> { co_await near.read_until("\n", 100, 1ms); };
        const std::string why = co_await failure_of(late());
        CHECK(why == sake::TimedOut().what());
        const std::string much(100, 'x');
        const std::string full = co_await failure_of(near.write_all(much, 1ms));
        CHECK(full == sake::TimedOut().what());
        near.shutdown_write();
        const std::string rest = co_await read_all(far);
        CHECK(rest == "rest" + std::string(64, 'x'));  // those that had room before the limit
        far.close();
        char none[1];
        const std::size_t after = co_await near.read(none);
        CHECK(after == 0);
    });
}

TEST_CASE("an abort over memory fails the reader and the writer at the other end") {
    with_streams(16, [](TcpStream& near, TcpStream& far) -> Task<> {
        const std::string much(100, 'x');
        auto reading = spawn(failure_of(near.read_exactly(1)));
        auto writing = spawn(failure_of(near.write_all(much)));
        co_await let_the_others_run();
        far.abort();
        const std::string read = co_await reading;
        CHECK(read.find("reset") != std::string::npos);
        const std::string written = co_await writing;
        CHECK(written.find("Broken pipe") != std::string::npos);
    });
}

TEST_CASE("a warm wire carries bytes without allocating") {
    Pair pair;
    CHECK(send(*pair.near, "warm") == 4);
    CHECK(receive(*pair.far) == 4);
    const auto before = harness::allocations::by_this_thread();
    char byte = 'x';
    for (int i = 0; i < 1000; ++i) {
        static_cast<void>(pair.near->send(&byte, 1));
        static_cast<void>(pair.far->receive(&byte, 1));
    }
    CHECK(harness::allocations::by_this_thread() == before);
}

}  // namespace test_memory_wire
