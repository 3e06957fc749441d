// Turn: the shared buffers of a shard, for one connection at a time. And Transport, which keeps the rest.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"
#include "support/raw_client.hpp"

namespace test_turn {

using harness::RawClient;
using sake::detail::FileDescriptor;
using sake::detail::Output;
using sake::detail::Transport;
using sake::detail::Turn;
namespace allocations = harness::allocations;
namespace detail = sake::detail;

namespace {

/// A shard without a server around it.
struct ShardTest {
    sake::Reactor reactor;
    sake::Config config =
        sake::Config().with_max_buffered(10'000).with_log([](sake::LogLevel, std::string_view) {});
    detail::RouteTable routes;
    detail::Handler on_error;
    detail::ErrorAnswers errors{on_error, config.log};
    detail::Observers observers;
    detail::Shard shard{reactor, config, routes, errors, observers, 10};
};

/// A connection of that shard, and the peer's end.
struct Connection {
    explicit Connection(ShardTest& test) : Connection(test, make()) {}
    Transport transport;
    RawClient peer;

    /// What it receives in a turn of its own that keeps the rest.
    std::string look(ShardTest& test) {
        Turn turn(test.shard, transport);
        std::string bytes(turn.input().bytes());
        turn.end();
        return bytes;
    }

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
    Connection(ShardTest& test, Ends ends)
        : transport(test.reactor, test.shard.memory, FileDescriptor(ends.a), nullptr),
          peer(RawClient::adopt(ends.b)) {}
};

}  // namespace

TEST_CASE("a turn that is lost drops its input and what was gathered, and the next connection sees neither") {
    ShardTest test;
    Connection lost(test);
    Connection next(test);
    lost.peer.send("half a request");
    {
        Turn turn(test.shard, lost.transport);
        REQUIRE(turn.receive());
        CHECK(turn.input().bytes() == "half a request");
        turn.gathered().append("half an answer");
    }
    Turn turn(test.shard, next.transport);
    CHECK(turn.input().bytes().empty());
    CHECK(turn.gathered().empty());
    turn.gathered().append("an answer");
    CHECK(turn.send() == Output::Result::sent);
    CHECK(next.peer.read_exactly(9) == "an answer");
    turn.end();
    CHECK(lost.look(test).empty());
}

TEST_CASE("a turn that is dropped is over, and its end does nothing to the turn of another") {
    ShardTest test;
    Connection lost(test);
    Connection next(test);
    Turn first(test.shard, lost.transport);
    first.drop();
    next.peer.send("a request");
    Turn second(test.shard, next.transport);
    REQUIRE(second.receive());
    second.gathered().append("an answer");
    first.drop();
    CHECK(second.gathered().view() == "an answer");
    CHECK(second.input().bytes() == "a request");
    second.drop();
    CHECK(second.gathered().empty());
    CHECK(second.input().bytes().empty());
}

TEST_CASE("what a turn does not take is kept for the next one of the same connection") {
    ShardTest test;
    Connection one(test);
    Connection two(test);
    one.peer.send("first, rest");
    {
        Turn turn(test.shard, one.transport);
        REQUIRE(turn.receive());
        turn.input().consume(7);
        turn.end();
    }
    two.peer.send("of another");
    {
        Turn turn(test.shard, two.transport);
        REQUIRE(turn.receive());
        CHECK(turn.input().bytes() == "of another");
        turn.end();
    }
    CHECK(one.look(test) == "rest");
    CHECK(two.look(test) == "of another");
    one.peer.send(" and more");
    {
        Turn turn(test.shard, one.transport);
        REQUIRE(turn.receive());
        CHECK(turn.input().bytes() == "rest and more");
        turn.drop_input();
        turn.end();
    }
    CHECK(one.look(test).empty());
}

TEST_CASE("a turn ends for a handler that waits, and begins again after it") {
    ShardTest test;
    Connection one(test);
    Connection two(test);
    one.peer.send("request, next");
    Turn turn(test.shard, one.transport);
    REQUIRE(turn.receive());
    turn.input().consume(9);
    turn.end();
    two.peer.send("meanwhile");
    {
        Turn other(test.shard, two.transport);
        REQUIRE(other.receive());
        other.gathered().append("lost");
    }
    turn.begin();
    CHECK(turn.input().bytes() == "next");
    CHECK(turn.gathered().empty());
}

TEST_CASE("receive says whether the connection goes on") {
    ShardTest test;
    Connection connection(test);
    Turn turn(test.shard, connection.transport);
    CHECK(turn.receive());  // nothing yet
    CHECK_FALSE(connection.transport.socket().watch().is_readable());
    connection.peer.send("x");
    CHECK(turn.receive());
    CHECK(turn.input().bytes() == "x");
    connection.peer.close();
    CHECK_FALSE(turn.receive());
}

TEST_CASE("a turn accounts for what its connection keeps, and is told when that is too much") {
    ShardTest test;
    Connection one(test);
    Connection two(test);
    one.peer.send(std::string(4'000, 'a'));
    {
        Turn turn(test.shard, one.transport);
        REQUIRE(turn.receive());
        CHECK(turn.account_memory(1'000));
        CHECK(test.shard.memory.used() == 5'000);
        turn.end();
    }
    two.peer.send(std::string(4'000, 'b'));
    {
        Turn turn(test.shard, two.transport);
        REQUIRE(turn.receive());
        CHECK_FALSE(turn.account_memory(1'001));
        CHECK(test.shard.memory.used() == 5'000);
        CHECK(turn.account_memory(1'000));
        CHECK(test.shard.memory.used() == 10'000);
        turn.drop_input();
        CHECK(turn.account_memory(0));
        CHECK(test.shard.memory.used() == 5'000);
        turn.end();
    }
}

TEST_CASE("what a connection has unsent counts as well, and its memory is given back with it") {
    ShardTest test;
    {
        Connection connection(test);
        Turn turn(test.shard, connection.transport);
        turn.gathered().append("head ");
        CHECK(turn.send_with(std::string(3'000'000, 'b')) == Output::Result::blocked);
        CHECK(turn.gathered().empty());
        CHECK(connection.transport.has_unsent());
        CHECK(connection.transport.unsent().sent > 0);
        CHECK(turn.account_memory(0));  // one connection alone may exceed the budget
        CHECK(test.shard.memory.used() == 3'000'000);
        turn.end();
    }
    CHECK(test.shard.memory.used() == 0);
}

namespace {

/// For a thread whose allocations may fail.
void check_end_without_memory() {
    ShardTest test;
    Connection lost(test);
    Connection next(test);
    lost.peer.send("rest");
    {
        Turn turn(test.shard, lost.transport);
        REQUIRE(turn.receive());
        turn.gathered().append("half an answer");
        bool has_thrown = false;
        {
            const allocations::ScopedFailure failure(1);
            try {
                turn.end();
            } catch (const std::bad_alloc&) {
                has_thrown = true;
            }
        }
        CHECK(has_thrown);
    }
    Turn turn(test.shard, next.transport);
    CHECK(turn.input().bytes().empty());
    CHECK(turn.gathered().empty());
    turn.end();
    CHECK(lost.look(test).empty());
}

}  // namespace

TEST_CASE("a turn that cannot keep its rest for want of memory is still open, and drops all at its end") {
    std::thread([] {
        harness::faults::apply_to_this_thread();
        check_end_without_memory();
    }).join();
}

}  // namespace test_turn
