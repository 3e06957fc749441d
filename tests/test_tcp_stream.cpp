// TcpStream and TcpListener: reading, writing, deadlines, half-close, ways to connect, and peers that go.
#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace test_tcp_stream {

using namespace std::chrono_literals;
using harness::failure_of;
using harness::let_the_others_run;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::TaskHandle;
using sake::TcpListener;
using sake::TcpStream;

namespace {

std::string local(const TcpListener& listener) { return "127.0.0.1:" + std::to_string(listener.port()); }

/// The body of a test with both ends of a connection, on each backend; afterwards nothing is left.
template <class Body>
void with_pair(Body body) {
    harness::grow_info_scopes(32);
    for (const auto kind : {sake::PollerKind::epoll, sake::PollerKind::poll, sake::PollerKind::kqueue}) {
        CAPTURE(static_cast<int>(kind));
        harness::Oracle oracle;
        const auto whole = [&]() -> Task<> {
            TcpListener listener("127.0.0.1:0");
            auto accepting = spawn(listener.accept());
            TcpStream near = co_await TcpStream::connect(local(listener));
            TcpStream far = co_await accepting;
            co_await body(near, far);
        };
        run_until_complete(whole(), kind);
        CHECK(oracle.check_returned_to_baseline());
    }
}

Task<std::string> read_all(TcpStream& stream, std::size_t at_a_time = 4096) {
    std::string all;
    std::vector<char> buffer(at_a_time);
    for (;;) {
        const std::size_t size = co_await stream.read(buffer);
        if (size == 0) co_return all;
        all.append(buffer.data(), size);
    }
}

Task<> write_and_end(TcpStream& stream, std::string text) {
    co_await stream.write_all(text);
    stream.shutdown_write();
}

/// A directory that goes with all that is in it.
struct Folder {
    Folder() {
        char name[] = "/tmp/sake-test-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    ~Folder() { ::rmdir(path.c_str()); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string path;
};

}  // namespace

TEST_CASE("what one end writes the other reads, and half-closed it can still answer") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        CHECK(near.peer_address() == "127.0.0.1");
        co_await near.write_all("question");
        near.shutdown_write();
        const std::string question = co_await read_all(far);
        CHECK(question == "question");
        co_await write_and_end(far, "answer");
        const std::string answer = co_await read_all(near, 1);
        CHECK(answer == "answer");
        char none[1];
        const std::size_t after = co_await near.read(none);
        CHECK(after == 0);
    });
}

TEST_CASE("megabytes pass both ways at once, whoever is slower") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        const std::string there = harness::pattern_bytes(4 << 20, 1);
        const std::string back = harness::pattern_bytes(4 << 20, 2);
        auto both = co_await sake::when_all(write_and_end(near, there), write_and_end(far, back),
                                            read_all(near, 1 << 16), read_all(far, 100'000));
        CHECK(std::get<2>(both) == back);
        CHECK(std::get<3>(both) == there);
    });
}

TEST_CASE("lines come one by one, however they were split, and what follows them stays to be read") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        const auto write_slowly = [&]() -> Task<> {
            for (const char c : std::string("one\r\ntwo\r\n\r\n4567rest")) {
                co_await near.write_all(std::string_view(&c, 1));
                co_await sake::yield();
            }
            near.shutdown_write();
        };
        auto writing = spawn(write_slowly());
        for (const char* expected : {"one", "two", ""}) {
            const auto line = co_await far.read_until("\r\n");
            REQUIRE(line.has_value());
            CHECK(*line == expected);
        }
        const std::string exactly = co_await far.read_exactly(4);
        CHECK(exactly == "4567");
        const std::string rest = co_await read_all(far);
        CHECK(rest == "rest");
        co_await writing;
        const auto none = co_await far.read_until("\n");
        CHECK_FALSE(none.has_value());
    });
}

TEST_CASE("thousands of lines that came at once are read in turn") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        std::string text;
        for (int i = 0; i < 5000; ++i) text += std::to_string(i) + "\n";
        auto writing = spawn(write_and_end(near, text));
        int expected = 0;
        for (;;) {
            const auto line = co_await far.read_until("\n");
            if (!line) break;
            REQUIRE(*line == std::to_string(expected++));
        }
        CHECK(expected == 5000);
        co_await writing;
    });
}

TEST_CASE("a line may be as long as allowed, and not longer") {
    for (const std::size_t length : {9U, 10U, 11U}) {
        with_pair([&](TcpStream& near, TcpStream& far) -> Task<> {
            const std::string text(length, 'x');
            co_await near.write_all(text + "\r\n");
            const auto read = [&]() -> Task<> {
                const auto line = co_await far.read_until("\r\n", 10);
                CHECK(line == text);
            };
            const std::string why = co_await failure_of(read());
            CHECK((why == "no exception") == (length <= 10));
            if (length > 10) static_cast<void>(co_await far.read_exactly(length + 2));
            // Without its end it is refused as soon as that can be known.
            co_await near.write_all("xxxxxxxxxxxx");
            const std::string endless = co_await failure_of(read());
            CHECK(endless.find("no delimiter") != std::string::npos);
        });
    }
}

TEST_CASE("a line may be allowed any length, a delimiter that has not all come included") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        co_await near.write_all("li");
        auto reading = spawn(far.read_until("\r\n", static_cast<std::size_t>(-1)));
        co_await let_the_others_run();
        co_await near.write_all("ne\r");
        co_await let_the_others_run();
        co_await near.write_all("\n");
        const auto line = co_await reading;
        CHECK(line == "line");
    });
}

TEST_CASE("reads grow while much comes, and shrink when little does") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        const auto take = [&]() -> Task<std::size_t> {
            const std::size_t size = co_await far.read_more();
            far.skip(far.unread().size());
            co_return size;
        };
        co_await near.write_all(std::string(200'000, 'x'));
        const std::size_t first = co_await take();
        CHECK(first == 4096);
        const std::size_t second = co_await take();
        CHECK(second > 4096);
        for (std::size_t left = 200'000 - first - second; left > 0;) left -= co_await take();
        co_await near.write_all("x");
        static_cast<void>(co_await take());
        co_await near.write_all(std::string(10'000, 'x'));
        const std::size_t after = co_await take();
        CHECK(after == 4096);
    });
}

TEST_CASE("an end in the middle of what was asked for is an error") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        co_await write_and_end(near, "half a line");
        const auto line = [&]() -> Task<> { co_await far.read_until("\n"); };
        const std::string why = co_await failure_of(line());
        CHECK(why.find("the delimiter did not arrive") != std::string::npos);
        const auto block = [&]() -> Task<> { co_await far.read_exactly(100); };
        const std::string short_of = co_await failure_of(block());
        CHECK(short_of.find("not all bytes arrived") != std::string::npos);
        const std::string rest = co_await read_all(far);
        CHECK(rest == "half a line");
    });
}

TEST_CASE("reads and writes that take too long throw TimedOut, and the stream goes on") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        const auto read_late = [&]() -> Task<> { co_await near.read_until("\n", 100, 1ms); };
        CHECK(sake::TimedOut().what() == co_await failure_of(read_late()));
        const std::string much(16 << 20, 'x');
        const std::string why = co_await failure_of(near.write_all(much, 5ms));
        CHECK(why == sake::TimedOut().what());
        near.shutdown_write();
        const std::string some = co_await read_all(far, 1 << 20);
        CHECK(some.size() < much.size());
        co_await far.write_all("late\n");
        const auto line = co_await near.read_until("\n", 100, 1h);
        CHECK(line == "late");
    });
}

TEST_CASE("a cancelled read has taken nothing, and two readers at a time are refused") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        auto first = spawn(failure_of(near.read_exactly(1)));
        co_await let_the_others_run();
        const std::string why = co_await failure_of(near.read_exactly(1));
        CHECK(why.find("two coroutines") != std::string::npos);
        first.cancel();
        const std::string cancelled = co_await first;
        CHECK(cancelled == "Cancelled");
        co_await far.write_all("a");
        const std::string one = co_await near.read_exactly(1);
        CHECK(one == "a");
    });
}

TEST_CASE("a peer that resets the connection is an error on both ends of the stream") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        auto reading = spawn(failure_of(near.read_exactly(1)));
        co_await let_the_others_run();
        sake::detail::sys::reset_on_close(far.fd());
        far.close();
        const std::string read = co_await reading;
        CHECK(read.find("reset") != std::string::npos);
        const std::string write = co_await failure_of(near.write_all("x"));
        CHECK(write.find("Broken pipe") != std::string::npos);
        CHECK_FALSE(near.is_quiet());
        near.close();
        CHECK_FALSE(near.is_open());
        const std::string closed = co_await failure_of(near.write_all("x"));
        CHECK(closed == "the TcpStream is closed");
    });
}

TEST_CASE("a stream is quiet while nothing has come") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        CHECK(near.is_quiet());
        co_await far.write_all("a\nb");
        co_await sake::readable(near.fd());
        CHECK_FALSE(near.is_quiet());
        const auto line = co_await near.read_until("\n");
        CHECK(line == "a");
        CHECK_FALSE(near.is_quiet());  // what was read ahead counts
        const std::string rest = co_await near.read_exactly(1);
        CHECK(rest == "b");
        CHECK(near.is_quiet());
        far.close();
        co_await sake::readable(near.fd());
        CHECK_FALSE(near.is_quiet());
    });
}

TEST_CASE("streams are found by name, by IPv6 address and by Unix path") {
    const auto greet_at = [](std::string listen_at, std::string host) -> Task<> {
        TcpListener listener(listen_at);
        std::string address = listen_at;
        if (listener.port() != 0) address = host + std::to_string(listener.port());
        auto accepting = spawn(listener.accept());
        TcpStream near = co_await TcpStream::connect(address, 10s);
        TcpStream far = co_await accepting;
        co_await near.write_all("hello\n");
        const auto line = co_await far.read_until("\n");
        CHECK(line == "hello");
    };
    const auto greet = [&](const std::string& address) {
        return greet_at(address, address.substr(0, address.rfind(':') + 1));
    };
    const Folder folder;
    run_until_complete(greet("localhost:0"));
    run_until_complete(greet("[::1]:0"));
    run_until_complete(greet_at(":0", "127.0.0.1:"));
    run_until_complete(greet_at("*:0", "[::1]:"));
    run_until_complete(greet("unix:" + folder.path + "/socket"));
    run_until_complete(greet("unix:" + folder.path + "/socket"));  // the file has gone with its listener
}

TEST_CASE("a connection that cannot be made says where to, and why") {
    const auto connect = [](std::string address) -> Task<> { co_await TcpStream::connect(address, 10s); };
    const auto why = [&](std::string address) { return run_until_complete(failure_of(connect(address))); };
    for (const char* bad : {"", "localhost", ":80", "127.0.0.1:http", "::1:80", "127.0.0.1:99999"}) {
        CAPTURE(bad);
        CHECK(why(bad).find("not host:port") != std::string::npos);
    }
    int refused_port = 0;
    const auto find_free = [&]() -> Task<> {
        const TcpListener listener("127.0.0.1:0");
        refused_port = listener.port();
        co_return;
    };
    run_until_complete(find_free());
    const std::string refused = "127.0.0.1:" + std::to_string(refused_port);
    CHECK(why(refused) == "cannot connect to " + refused + ": Connection refused");
    CHECK(why("unix:/nowhere/at/all") == "cannot connect to unix:/nowhere/at/all: No such file or directory");
    CHECK(why("unix:" + std::string(200, 'x')).find("File name too long") != std::string::npos);
    CHECK(why("unix:").find("Invalid argument") != std::string::npos);
    try {
        run_until_complete(connect("no-such-host.invalid:80"));
        FAIL("connected");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::address_not_available);
        CHECK(error.code().message() == ::gai_strerror(error.code().value()));
        CHECK(error.what() == "cannot connect to no-such-host.invalid:80: " + error.code().message());
    }
}

TEST_CASE("a host is never a path, and no NUL ends it early") {
    using namespace std::string_literals;
    const Folder folder;
    const auto whole = [&]() -> Task<> {
        const std::string path = folder.path + "/80";
        TcpListener trap("unix:" + path);
        bool is_sprung = false;
        const auto watch = [&]() -> Task<> {
            static_cast<void>(co_await trap.accept());
            is_sprung = true;
        };
        auto watching = spawn(failure_of(watch()));
        const std::string there = folder.path + "/80";
        const auto why = [](std::string host) {
            return failure_of(TcpStream::connect(std::move(host), 80, 10s));
        };
        const std::string named = co_await why("unix");
        CHECK(named.find("cannot connect to unix:80: ") == 0);
        const std::string with_path = co_await why("unix:" + folder.path);
        CHECK(with_path.find("cannot connect to [unix:/tmp/") == 0);
        const std::string nul = co_await why("localhost\0.example"s);
        CHECK(nul == "cannot connect to localhost\\x00.example:80: Invalid argument");
        const std::string empty = co_await why("");
        CHECK(empty == "cannot connect to :80: Invalid argument");
        const std::string text = co_await failure_of(TcpStream::connect("unix:80", 10s));
        CHECK(text.find("cannot connect to unix:80: ") == 0);
        CHECK(text.find("No such file") == std::string::npos);
        for (const std::string& bad :
             {"localhost\0:80"s, "127.0.0.1\0x:80"s, "unix:"s + path + "\0x"s, "unix:\0"s}) {
            const std::string refused = co_await failure_of(TcpStream::connect(bad, 10s));
            CHECK(refused.find("Invalid argument") != std::string::npos);
            CHECK(refused.find("\\x00") != std::string::npos);
        }
        TcpListener listener("127.0.0.1:0");
        auto accepting = spawn(listener.accept());
        TcpStream near = co_await TcpStream::connect("127.0.0.1", listener.port(), 10s);
        TcpStream far = co_await accepting;
        CHECK(far.peer_address() == "127.0.0.1");
        CHECK_FALSE(is_sprung);
        watching.cancel();
        static_cast<void>(co_await watching);
    };
    run_until_complete(whole());
}

TEST_CASE("who reads or writes a stream that is closed or destroyed is told, and touches nothing of it") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        const std::string much(16 << 20, 'x');
        char bytes[8];
        const std::string closed = "the TcpStream was closed meanwhile: Operation canceled";
        auto reading = spawn(failure_of(near.read_until("\n")));
        auto writing = spawn(failure_of(near.write_all(much)));
        auto reading_far = spawn(failure_of(far.read(bytes, 1h)));
        co_await let_the_others_run();
        near.close();
        {
            const TcpStream destroyed = std::move(far);
        }
        const std::string read = co_await reading;
        CHECK(read == closed);
        const std::string written = co_await writing;
        CHECK(written == closed);
        const std::string read_far = co_await reading_far;
        CHECK((read_far == closed || read_far == "no exception"));  // something of `much` may have come first
    });
}

TEST_CASE("a stream that is closed at the very moment when something comes is closed") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        auto reading = spawn(failure_of(near.read_exactly(1)));
        co_await let_the_others_run();
        co_await far.write_all("x");
        co_await sake::readable(near.fd());
        near.close();
        const std::string why = co_await reading;
        CHECK((why == "no exception" || why.find("was closed meanwhile") != std::string::npos));
    });
    with_pair([](TcpStream& near, TcpStream&) -> Task<> {
        auto reading = spawn(failure_of(near.read_exactly(1)));
        co_await let_the_others_run();
        near.abort();
        reading.cancel();
        const std::string why = co_await reading;
        CHECK(why == "the TcpStream was closed meanwhile: Operation canceled");
    });
}

TEST_CASE("a stream may be moved while it is read, and before what was asked of it has begun") {
    with_pair([](TcpStream& near, TcpStream& far) -> Task<> {
        auto reading = spawn(near.read_until("\n"));
        auto later = far.read_exactly(5);
        co_await let_the_others_run();
        TcpStream moved = std::move(near);
        TcpStream far_moved = std::move(far);
        CHECK_FALSE(near.is_open());
        co_await far_moved.write_all("line\n");
        const auto line = co_await reading;
        CHECK(line == "line");
        co_await moved.write_all("later");
        const std::string five = co_await std::move(later);
        CHECK(five == "later");
        auto never = moved.read_exactly(1);
        moved.close();
        const std::string why = co_await failure_of(std::move(never));
        CHECK(why == "the TcpStream is closed");
    });
}

TEST_CASE("an accept whose listener is destroyed is told; one that is moved goes on") {
    const auto whole = []() -> Task<> {
        auto listener = std::make_unique<TcpListener>("127.0.0.1:0");
        const std::string address = local(*listener);
        auto accepting = spawn(listener->accept());
        co_await let_the_others_run();
        TcpListener moved = std::move(*listener);
        listener.reset();
        TcpStream near = co_await TcpStream::connect(address, 10s);
        TcpStream far = co_await accepting;
        auto limited = spawn(failure_of(moved.accept(1h)));
        auto later = moved.accept();
        co_await let_the_others_run();
        {
            const TcpListener destroyed = std::move(moved);
        }
        const std::string why = co_await limited;
        CHECK(why == "the TcpListener was closed meanwhile: Operation canceled");
        const std::string late = co_await failure_of(std::move(later));
        CHECK(late == "the TcpListener is closed");
        const std::string refused = co_await failure_of(TcpStream::connect(address, 10s));
        CHECK(refused.find("Connection refused") != std::string::npos);
    };
    for (const auto kind : {sake::PollerKind::epoll, sake::PollerKind::poll, sake::PollerKind::kqueue}) {
        harness::Oracle oracle;
        run_until_complete(whole(), kind);
        CHECK(oracle.check_returned_to_baseline());
    }
}

TEST_CASE("streams and listeners that outlive their loop were closed at its end") {
    const auto make = []() -> Task<std::pair<TcpListener, TcpStream>> {
        TcpListener listener("127.0.0.1:0");
        auto accepting = spawn(listener.accept());
        TcpStream near = co_await TcpStream::connect(local(listener), 10s);
        static_cast<void>(co_await accepting);
        std::pair<TcpListener, TcpStream> both(std::move(listener), std::move(near));
        co_return std::move(both);
    };
    auto both = run_until_complete(make());
    CHECK(both.first.port() != 0);
    CHECK_FALSE(both.second.is_open());
    CHECK_FALSE(both.second.is_quiet());
    CHECK_THROWS_AS(both.second.skip(0), std::logic_error);
    const auto accept = [&]() -> Task<> { static_cast<void>(co_await both.first.accept()); };
    CHECK(run_until_complete(failure_of(accept())) == "the TcpListener is closed");
    CHECK(run_until_complete(failure_of(both.second.read_exactly(1))) == "the TcpStream is closed");
}

TEST_CASE("addresses of both families take turns, and those behind one that fails are tried") {
    using sake::detail::SocketAddress;
    const auto make = [](const char* text, int port) {
        const auto found = sake::detail::look_up({text, std::to_string(port), false}, AI_NUMERICHOST);
        REQUIRE(found.addresses.size() == 1);
        return found.addresses.front();
    };
    sake::detail::Array<SocketAddress> mixed;
    for (const int port : {1, 2, 3}) mixed.push_back(make("::1", port));
    mixed.push_back(make("127.0.0.1", 4));
    const auto ordered = sake::detail::alternate_families(mixed);
    std::vector<int> families;
    for (const auto& each : ordered) families.push_back(each.family());
    CHECK(families == std::vector<int>{AF_INET6, AF_INET, AF_INET6, AF_INET6});

    const auto race = [&]() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        auto accepting = spawn(listener.accept());
        const std::vector<SocketAddress> addresses = {make("::1", 1), make("127.0.0.1", 1),
                                                      make("127.0.0.1", listener.port())};
        auto connecting = sake::detail::connect_to_any(addresses, "here");
        const auto socket = co_await std::move(connecting);
        CHECK(socket);
        co_await accepting;
        auto failing = sake::detail::connect_to_any(
            std::vector<SocketAddress>{make("::1", 1), make("127.0.0.1", 1)}, "here");
        const auto fails = [&]() -> Task<> { co_await std::move(failing); };
        const std::string why = co_await failure_of(fails());
        CHECK(why == "cannot connect to here: Connection refused");
    };
    run_until_complete(race());
}

TEST_CASE("an address that keeps silent does not hold up the next one") {
    // A Unix socket with a full queue neither takes a connection nor refuses it.
    using sake::detail::SocketAddress;
    harness::Oracle oracle;
    const Folder folder;
    const auto race = [&]() -> Task<> {
        const std::string full = "unix:" + folder.path + "/full";
        const TcpListener silent(full, 0);
        std::vector<TcpStream> queued;
        queued.push_back(co_await TcpStream::connect(full, 10s));
        const std::string never = co_await failure_of(TcpStream::connect(full, 20ms));
        CHECK(never == "timed out after 20 ms connecting to " + full);
        TcpListener listener("127.0.0.1:0");
        const auto answers =
            sake::detail::look_up({"127.0.0.1", std::to_string(listener.port()), false}, AI_NUMERICHOST);
        const std::vector<SocketAddress> addresses = {sake::detail::unix_address({folder.path + "/full"}),
                                                      answers.addresses.front()};
        auto connecting = sake::detail::connect_to_any(addresses, "here");
        const auto socket = co_await std::move(connecting);
        CHECK(socket);
    };
    run_until_complete(race());
}

TEST_CASE("a listener passes over connections that died, and waits when there are no descriptors") {
    const auto body = [](int error) -> Task<> {
        TcpListener listener("127.0.0.1:0");
        harness::faults::apply_to_this_thread();
        const harness::FaultPlan plan = harness::FaultPlan().fail_nth("accept4", 1, error);
        {
            const harness::ScopedFaults faults(plan);
            auto accepting = spawn(listener.accept(10s));
            TcpStream near = co_await TcpStream::connect(local(listener));
            TcpStream far = co_await accepting;
            CHECK(faults.fired() == 1);
        }
        harness::faults::spare_this_thread();
    };
    for (const int error : {ECONNABORTED, EPROTO, EMFILE, ENOBUFS}) run_until_complete(body(error));
    const auto nobody = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        const auto accept = [&]() -> Task<> { co_await listener.accept(1ms); };
        const std::string why = co_await failure_of(accept());
        CHECK(why == sake::TimedOut().what());
    };
    run_until_complete(nobody());
}

TEST_CASE("F1: short and interrupted reads and writes change no byte") {
    const auto body = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        auto accepting = spawn(listener.accept());
        TcpStream near = co_await TcpStream::connect(local(listener));
        TcpStream far = co_await accepting;
        const std::string text = harness::pattern_bytes(20'000);
        harness::faults::apply_to_this_thread();
        const harness::FaultPlan plan = harness::FaultPlan(7).storm(0.3);
        {
            const harness::ScopedFaults faults(plan);
            auto both = co_await sake::when_all(write_and_end(near, text), read_all(far, 1000));
            CHECK(std::get<1>(both) == text);
            CHECK(faults.fired() > 0);
        }
        harness::faults::spare_this_thread();
    };
    run_until_complete(body());
}

TEST_CASE("a stream adopts a connected socket, and owns it, even where none can be made") {
    harness::Oracle oracle;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const auto body = [&]() -> Task<> {
        TcpStream near = TcpStream::adopt(ends[0]);
        TcpStream far = TcpStream::adopt(ends[1]);
        CHECK(near.fd() == ends[0]);
        auto reading = spawn(far.read_exactly(5));
        co_await let_the_others_run();
        CHECK_FALSE(reading.is_done());
        co_await near.write_all("hello");
        const std::string text = co_await reading;
        CHECK(text == "hello");
    };
    run_until_complete(body());
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    for (const int end : ends) CHECK_THROWS_AS(static_cast<void>(TcpStream::adopt(end)), std::logic_error);
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("streams and listeners belong to a reactor's thread") {
    CHECK_THROWS_AS(TcpListener("127.0.0.1:0"), std::logic_error);
}

}  // namespace test_tcp_stream
