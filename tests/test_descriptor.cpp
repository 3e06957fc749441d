// readable and writable: waiting for descriptors that belong to somebody else, on every backend.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/faults.hpp"
#include "support/oracle.hpp"

namespace test_descriptor {

using namespace std::chrono_literals;
using harness::failure_of;
using harness::let_the_others_run;
using sake::readable;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::writable;

namespace {

/// Two ends of a connection that belong to nobody's reactor.
struct Pair {
    Pair() {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        near = sake::detail::FileDescriptor(ends[0]);
        far = sake::detail::FileDescriptor(ends[1]);
    }
    void send(const char* text) const { REQUIRE(::send(far.get(), text, 1, 0) == 1); }
    char take() const {
        char c = 0;
        return ::recv(near.get(), &c, 1, 0) == 1 ? c : '\0';
    }
    void fill() const {
        const char zeros[4096] = {};
        while (::send(near.get(), zeros, sizeof zeros, MSG_NOSIGNAL) > 0) {
        }
    }
    void empty() const {
        char bytes[4096];
        while (::recv(far.get(), bytes, sizeof bytes, 0) > 0) {
        }
    }
    sake::detail::FileDescriptor near, far;
};

/// Runs the body once on each backend; afterwards no descriptor is left.
template <class Body>
void on_each_poller(Body body) {
    for (const auto kind : {sake::PollerKind::epoll, sake::PollerKind::poll, sake::PollerKind::kqueue}) {
        CAPTURE(static_cast<int>(kind));
        const int before = harness::Snapshot::take().fds;
        run_until_complete(body(), kind);
        CHECK(harness::Snapshot::take().fds == before);
    }
}

}  // namespace

TEST_CASE("what can be read already is not waited for, and what cannot is") {
    on_each_poller([]() -> Task<> {
        const Pair pair;
        CHECK_FALSE(sake::is_readable(pair.near.get()));
        pair.send("a");
        co_await readable(pair.near.get());
        CHECK(sake::is_readable(pair.near.get()));
        CHECK(pair.take() == 'a');
        for (const char* text : {"b", "c"}) {
            auto waiting = spawn(readable(pair.near.get()));
            co_await let_the_others_run();
            CHECK_FALSE(waiting.is_done());
            pair.send(text);
            co_await waiting;
            CHECK(pair.take() == *text);
        }
    });
}

TEST_CASE("what takes bytes is writable, and what is full is when the peer has read") {
    on_each_poller([]() -> Task<> {
        const Pair pair;
        co_await writable(pair.near.get());
        pair.fill();
        auto waiting = spawn(writable(pair.near.get()));
        co_await let_the_others_run();
        CHECK_FALSE(waiting.is_done());
        pair.empty();
        co_await waiting;
    });
}

TEST_CASE("many wait for the same descriptor, in both directions") {
    on_each_poller([]() -> Task<> {
        const Pair pair;
        pair.fill();
        auto one = spawn(readable(pair.near.get()));
        auto other = spawn(readable(pair.near.get()));
        auto writer = spawn(writable(pair.near.get()));
        co_await let_the_others_run();
        pair.send("a");
        co_await one;
        co_await other;
        CHECK_FALSE(writer.is_done());
        pair.empty();
        co_await writer;
        auto first = co_await sake::when_any(readable(pair.far.get()), writable(pair.far.get()));
        CHECK(first.index() == 1);
    });
}

TEST_CASE("the end of the peer is readable, and so is a descriptor that has failed") {
    on_each_poller([]() -> Task<> {
        Pair pair;
        auto waiting = spawn(readable(pair.near.get()));
        co_await let_the_others_run();
        pair.far.close();
        co_await waiting;
        co_await writable(pair.near.get());
        co_await readable(1'000'000);  // no descriptor at all: the call that follows will say so
    });
}

TEST_CASE("a file on a disk is always ready") {
    on_each_poller([]() -> Task<> {
        const sake::detail::FileDescriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        co_await readable(file.get());
    });
}

TEST_CASE("a limit throws TimedOut, and the descriptor can be waited for again") {
    on_each_poller([]() -> Task<> {
        const Pair pair;
        const std::string why = co_await failure_of(readable(pair.near.get(), 1ms));
        CHECK(why == sake::TimedOut().what());
        const std::string at_once = co_await failure_of(readable(pair.near.get(), 0s));
        CHECK(at_once == sake::TimedOut().what());
        pair.send("a");
        co_await readable(pair.near.get(), 0s);
        co_await readable(pair.near.get(), 1h);
        pair.fill();
        const std::string full = co_await failure_of(writable(pair.near.get(), 1ms));
        CHECK(full == sake::TimedOut().what());
    });
}

TEST_CASE("who finds bytes every time lets the others have a turn") {
    on_each_poller([]() -> Task<> {
        const Pair pair;
        pair.send("a");
        auto other = spawn([]() -> Task<> { co_return; });
        int times = 0;
        for (; !other.is_done() && times < 1000; ++times) co_await readable(pair.near.get());
        CHECK(times <= 65);
        co_await other;
    });
}

TEST_CASE("a cancellation ends the wait") {
    on_each_poller([]() -> Task<> {
        const Pair pair;
        auto waiting = spawn(failure_of(readable(pair.near.get(), 1h)));
        co_await let_the_others_run();
        waiting.cancel();
        const std::string why = co_await waiting;
        CHECK(why == "Cancelled");
    });
}

TEST_CASE("without descriptors left the wait says so") {
    const harness::FaultPlan plan = harness::FaultPlan().fail_nth("fcntl", 1, EMFILE);
    std::string why;
    const Pair pair;
    const auto body = [&]() -> Task<> {
        harness::faults::apply_to_this_thread();
        const harness::ScopedFaults faults(plan);
        why = co_await failure_of(readable(pair.near.get()));
        harness::faults::spare_this_thread();
    };
    run_until_complete(body());
    CHECK(why.find("Too many open files") != std::string::npos);
}

}  // namespace test_descriptor
