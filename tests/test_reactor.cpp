// The reactor on each poller: posted work, yield, sleep, and the readiness of watched descriptors.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <ratio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/attempts.hpp"
#include "support/faults.hpp"
#include "support/listeners.hpp"
#include "support/machinery.hpp"

namespace test_reactor {

using namespace std::chrono_literals;
using sake::Cancelled;
using sake::PollerKind;
using sake::Reactor;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::detail::FileDescriptor;
using sake::detail::wait_readable;
using sake::detail::wait_writable;
using sake::detail::Watch;
using Clock = std::chrono::steady_clock;
namespace sys = sake::detail::sys;

namespace {

struct NamedPoller {
    PollerKind kind;
    std::string_view name;
};
constexpr NamedPoller pollers[] = {
    {PollerKind::epoll, "epoll"}, {PollerKind::kqueue, "kqueue"}, {PollerKind::poll, "poll"}};

bool is_supported(const NamedPoller& poller) {
    try {
        const Reactor reactor(poller.kind);
        return true;
    } catch (const std::invalid_argument&) {
        MESSAGE("skipped: this build has no ", std::string(poller.name));
        return false;
    }
}

/// Runs a test once on each poller of this build. `test` takes the PollerKind.
template <class Test>
void on_each_poller(Test test) {
    for (const NamedPoller& poller : pollers) {
        if (!is_supported(poller)) continue;
        CAPTURE(poller.name);
        test(poller.kind);
    }
}

/// Runs `body(reactor)`, a coroutine, once on each poller.
template <class Body>
void in_coroutine_on_each_poller(Body body) {
    on_each_poller([&](PollerKind kind) {
        const auto call = [&]() -> Task<> {
            Reactor& reactor = *Reactor::current();
            co_await body(reactor);
        };
        run_until_complete(call(), kind);
    });
}

Task<> let_the_others_run() {
    for (int i = 0; i < 5; ++i) co_await sake::yield();
}

/// Two connected sockets: what is written to one can be read from the other.
struct Sockets {
    FileDescriptor ours;
    FileDescriptor theirs;
    Sockets() {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        ours = FileDescriptor(ends[0]);
        theirs = FileDescriptor(ends[1]);
    }
};

/// Two ends of a TCP connection inside this machine.
std::pair<FileDescriptor, FileDescriptor> tcp_pair() {
    sake::detail::Listener listener = std::move(harness::listen_at("127.0.0.1:0", 1).front());
    FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(listener.port);
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    sys::set_nonblocking_cloexec(listener.socket.get());
    sockaddr_storage peer{};
    socklen_t size = 0;
    const auto accepted = sys::accept(listener.socket.get(), peer, size);
    REQUIRE(accepted.ok());
    return {FileDescriptor(static_cast<int>(accepted.value)), std::move(client)};
}

void put(const FileDescriptor& fd, std::string_view text) {
    REQUIRE(sys::write(fd.get(), text.data(), text.size()).value == static_cast<ssize_t>(text.size()));
}

/// Reads all that is there; marks the watch as drained at its end. Nothing: the stream has ended.
std::optional<std::string> take(Watch& watch) {
    std::string text;
    char buffer[1024];
    for (;;) {
        const auto result = sys::read(watch.fd(), buffer, sizeof buffer);
        if (result.would_block()) {
            watch.drained();
            return text;
        }
        if (!result.ok() || result.value == 0) return text.empty() ? std::nullopt : std::optional(text);
        text.append(buffer, static_cast<std::size_t>(result.value));
    }
}

/// The next bytes of a watched descriptor; nothing at its end.
Task<std::optional<std::string>> receive(Watch& watch) {
    for (;;) {
        const bool is_ready = co_await wait_readable(watch);
        if (!is_ready) throw Cancelled();
        std::optional<std::string> text = take(watch);
        if (!text || !text->empty()) co_return text;
    }
}

/// Fills the socket until the kernel takes no more; returns how much that was.
std::size_t fill(Watch& watch) {
    const std::string block(4096, 'f');
    std::size_t sum = 0;
    for (;;) {
        const auto result = sys::write(watch.fd(), block.data(), block.size());
        if (result.would_block()) break;
        REQUIRE(result.ok());
        sum += static_cast<std::size_t>(result.value);
    }
    watch.filled();
    return sum;
}

}  // namespace

// ---- The reactor itself ----

TEST_CASE("each poller says its name, automatic is the best of the system, and an unknown one is refused") {
    on_each_poller([](PollerKind kind) {
        const Reactor reactor(kind);
        bool known = false;
        for (const NamedPoller& poller : pollers) {
            known = known || (poller.kind == kind && poller.name == reactor.poller_name());
        }
        CHECK(known);
    });
    CHECK(Reactor().poller_name() == Reactor(PollerKind::automatic).poller_name());
    CHECK(Reactor().poller_name() != "poll");  // every system that the suite runs on has a better one
    CHECK_THROWS_AS(Reactor(static_cast<PollerKind>(99)), std::invalid_argument);
}

TEST_CASE("the current reactor is the one whose loop runs on this thread, and none outside") {
    CHECK(Reactor::current() == nullptr);
    Reactor reactor;
    CHECK(Reactor::current() == nullptr);
    Reactor* seen = nullptr;
    reactor.post([&] { seen = Reactor::current(); });
    reactor.run_until([&] { return seen != nullptr; });
    CHECK(seen == &reactor);
    CHECK(Reactor::current() == nullptr);
    Reactor* on_other_thread = &reactor;
    bool done = false;
    reactor.post([&] {
        std::thread([&] { on_other_thread = Reactor::current(); }).join();
        done = true;
    });
    reactor.run_until([&] { return done; });
    CHECK(on_other_thread == nullptr);
}

TEST_CASE("run_until turns the loop only until it is done, and can go on later") {
    on_each_poller([](PollerKind kind) {
        Reactor reactor(kind);
        int ran = 0;
        reactor.post([&] { ++ran; });
        reactor.run_until([] { return true; });
        CHECK(ran == 0);
        reactor.run_until([&] { return ran == 1; });
        reactor.post([&] { ++ran; });
        reactor.run_until([&] { return ran == 2; });
        CHECK(ran == 2);
    });
}

TEST_CASE("a loop inside a loop is a logic error, on the same reactor and on another") {
    Reactor reactor;
    Reactor other;
    int caught = 0;
    reactor.post([&] {
        for (Reactor* each : {&reactor, &other}) {
            try {
                each->run_until([] { return true; });
            } catch (const std::logic_error&) {
                ++caught;
            }
        }
    });
    reactor.run_until([&] { return caught == 2; });
    CHECK(caught == 2);
}

TEST_CASE("a loop is not entered where one runs, the same or another, and goes on") {
    Reactor reactor;
    Reactor other;
    int caught = 0;
    int entered = 0;
    reactor.post([&] {
        for (Reactor* each : {&reactor, &other}) {
            try {
                each->enter([&] { ++entered; });
            } catch (const std::logic_error&) {
                ++caught;
            }
            CHECK(Reactor::current() == &reactor);
        }
    });
    reactor.run_until([&] { return caught == 2; });
    CHECK(entered == 0);
    CHECK(Reactor::current() == nullptr);
    bool has_thrown = false;
    reactor.enter([&] {
        try {
            other.enter([&] { ++entered; });
        } catch (const std::logic_error&) {
            has_thrown = true;
        }
    });
    CHECK(has_thrown);
    reactor.enter([&] { ++entered; });
    CHECK(entered == 1);
}

TEST_CASE("two reactors run side by side on two threads") {
    std::atomic<int> sum = 0;
    const auto work = [&]() -> Task<> {
        for (int i = 0; i < 100; ++i) co_await sake::yield();
        co_await sake::sleep(1ms);
        ++sum;
    };
    std::thread a([&] { run_until_complete(work()); });
    std::thread b([&] { run_until_complete(work(), PollerKind::poll); });
    a.join();
    b.join();
    CHECK(sum == 2);
}

// ---- Posted work ----

TEST_CASE("posted work runs in order, also what was posted before the loop ran or from posted work") {
    on_each_poller([](PollerKind kind) {
        Reactor reactor(kind);
        std::vector<int> order;
        reactor.post([&] {
            order.push_back(1);
            reactor.post([&] { order.push_back(3); });
        });
        reactor.post([&] { order.push_back(2); });
        reactor.run_until([&] { return order.size() == 3; });
        CHECK(order == std::vector{1, 2, 3});
    });
}

TEST_CASE("a coroutine can be woken by work that another thread posts") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        sake::Event event;
        std::thread poster([&] { reactor.post([&] { event.set(); }); });
        co_await event.wait();
        poster.join();
        CHECK(event.is_set());
    });
}

TEST_CASE("each post wakes a loop that waits, a thousand times in turn") {
    on_each_poller([](PollerKind kind) {
        Reactor reactor(kind);
        constexpr int rounds = 1000;
        std::atomic<int> ran = 0;
        std::thread poster([&] {
            for (int i = 0; i < rounds; ++i) {
                reactor.post([&] {
                    ++ran;
                    ran.notify_one();
                });
                ran.wait(i);  // the loop has nothing else to do: only the post can wake it
            }
        });
        reactor.run_until([&] { return ran == rounds; });
        poster.join();
        CHECK(ran == rounds);
    });
}

TEST_CASE("a hundred thousand posts of four threads all run once, in the order of each thread") {
    on_each_poller([](PollerKind kind) {
        Reactor reactor(kind);
        constexpr int threads = 4;
        constexpr int posts = 25'000;
        std::array<int, threads> next{};
        int ran = 0;
        bool in_order = true;
        std::vector<std::thread> posters;
        for (std::size_t id = 0; id < threads; ++id) {
            posters.emplace_back([&, id] {
                for (int i = 0; i < posts; ++i) {
                    reactor.post([&, id, i] {
                        in_order = in_order && next[id] == i;
                        next[id] = i + 1;
                        ++ran;
                    });
                }
            });
        }
        reactor.run_until([&] { return ran == threads * posts; });
        for (auto& poster : posters) poster.join();
        CHECK(in_order);
        CHECK(ran == threads * posts);
    });
}

TEST_CASE("posted work may own what only moves, and it goes once the work was run") {
    Reactor reactor;
    const auto token = std::make_shared<int>(0);
    long during = 0;
    reactor.post([copy = token, unique = std::make_unique<int>(1), &during] { during = copy.use_count(); });
    reactor.run_until([&] { return during != 0; });
    CHECK(during == 2);
    CHECK(token.use_count() == 1);
}

TEST_CASE("work that was posted too late to run goes with the reactor, and is not run") {
    const auto token = std::make_shared<int>(0);
    bool ran = false;
    {
        Reactor reactor;
        reactor.post([copy = token, &ran] { ran = true; });
        CHECK(token.use_count() == 2);
    }
    CHECK(token.use_count() == 1);
    CHECK_FALSE(ran);
}

TEST_CASE("posted work that throws is logged and does not keep the rest from running, or run it twice") {
    on_each_poller([](PollerKind kind) {
        auto [reader, writer] = sys::make_pipe();
        std::vector<int> order;
        {
            const FileDescriptor previous(::dup(STDERR_FILENO));
            ::dup2(writer.get(), STDERR_FILENO);
            const sake::detail::AtExit restore([&] { ::dup2(previous.get(), STDERR_FILENO); });
            Reactor reactor(kind);
            reactor.post([&] { order.push_back(1); });
            reactor.post([] { throw std::runtime_error("not today"); });
            reactor.post([&] { order.push_back(2); });
            reactor.run_until([&] { return order.size() >= 2; });
            reactor.post([&] { order.push_back(3); });
            reactor.run_until([&] { return order.size() >= 3; });
        }
        CHECK(order == std::vector{1, 2, 3});
        char text[256] = {};
        static_cast<void>(sys::read(reader.get(), text, sizeof text - 1));
        CHECK(std::string_view(text) == "sake: error: posted work failed: not today\n");
    });
}

// ---- yield ----

TEST_CASE("coroutines that yield take turns") {
    std::vector<int> order;
    const auto task = [&](int id) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            order.push_back(id);
            co_await sake::yield();
        }
    };
    in_coroutine_on_each_poller([&](Reactor&) -> Task<> {
        order.clear();
        auto a = spawn(task, 1);
        auto b = spawn(task, 2);
        auto c = spawn(task, 3);
        co_await a;
        co_await b;
        co_await c;
        CHECK(order == std::vector{1, 2, 3, 1, 2, 3, 1, 2, 3});
    });
}

TEST_CASE("a coroutine that yields in a loop starves neither posts, nor timers, nor descriptors") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        bool stop = false;
        const auto spins = [&]() -> Task<> {
            while (!stop) co_await sake::yield();
        };
        auto spinner = spawn(spins);
        co_await sake::sleep(2ms);
        sake::Event posted;
        std::thread poster([&] { reactor.post([&] { posted.set(); }); });
        co_await posted.wait();
        poster.join();
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        watch.drained();
        put(sockets.theirs, "hello");
        const auto text = co_await receive(watch);
        CHECK(text == "hello");
        stop = true;
        co_await spinner;
    });
}

// ---- sleep ----

TEST_CASE("sleep takes at least its time, on every poller") {
    in_coroutine_on_each_poller([](Reactor&) -> Task<> {
        for (const auto duration : {1us, 500us, 1000us, 5000us}) {
            const auto start = Clock::now();
            co_await sake::sleep(duration);
            CHECK(Clock::now() - start >= duration);
        }
    });
}

TEST_CASE("sleeping for no time, or for less, lets the others have one turn") {
    in_coroutine_on_each_poller([](Reactor&) -> Task<> {
        int turns = 0;
        const auto other = [&]() -> Task<> {
            for (;;) {
                ++turns;
                co_await sake::yield();
            }
        };
        auto handle = spawn(other);
        int sleeps = 0;
        const auto check_one = [&](auto duration) -> Task<> {
            co_await sake::sleep(duration);
            CHECK(turns == ++sleeps);
        };
        co_await check_one(0s);
        co_await check_one(-1ns);
        co_await check_one(-5h);
        co_await check_one(Clock::duration::min());
        co_await check_one(std::chrono::hours::min());
        co_await check_one(std::chrono::years::min());
        co_await check_one(std::chrono::duration<double>(-1e300));
        co_await check_one(std::chrono::duration<double>(-std::numeric_limits<double>::infinity()));
        co_await check_one(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()));
        handle.cancel();
        CHECK_THROWS_AS(co_await handle, Cancelled);  // it uses what is here
    });
}

TEST_CASE("a sleep beyond the end of the clock has no end, without overflow, and can be cancelled") {
    in_coroutine_on_each_poller([](Reactor&) -> Task<> {
        int cancelled = 0;
        const auto sleeper = [&](auto duration) -> Task<> {
            try {
                co_await sake::sleep(duration);
            } catch (const Cancelled&) {
                ++cancelled;
            }
        };
        std::vector<sake::TaskHandle<void>> handles;
        handles.push_back(spawn(sleeper, Clock::duration::max()));
        handles.push_back(spawn(sleeper, Clock::duration::max() - 1ns));
        handles.push_back(spawn(sleeper, std::chrono::microseconds::max()));
        handles.push_back(spawn(sleeper, std::chrono::hours::max()));
        handles.push_back(spawn(sleeper, std::chrono::years::max()));
        handles.push_back(spawn(sleeper, std::chrono::duration<double>(1e300)));
        handles.push_back(
            spawn(sleeper, std::chrono::duration<double>(std::numeric_limits<double>::infinity())));
        handles.push_back(spawn(sleeper, std::chrono::duration<long double, std::nano>(9.2e18L)));
        handles.push_back(spawn(sleeper, std::chrono::duration<long long, std::pico>::max()));
        const auto start = Clock::now();
        co_await sake::sleep(3ms);  // beside the endless ones, a short one ends in time
        CHECK(Clock::now() - start < 60s);
        for (auto& handle : handles) {
            CHECK_FALSE(handle.is_done());
            handle.cancel();
        }
        for (auto& handle : handles) co_await handle;
        CHECK(cancelled == static_cast<int>(handles.size()));
    });
}

TEST_CASE("sleepers wake in the order of their deadlines, whatever the order in which they fell asleep") {
    // All must have fallen asleep before the deadlines of two of them could change places.
    const auto test = [](harness::Attempt& attempt) {
        in_coroutine_on_each_poller([&](Reactor&) -> Task<> {
            std::vector<int> order;
            const auto sleeper = [&](int units) -> Task<> {
                attempt.note_step();
                co_await sake::sleep(units * attempt.limit() / 2);
                order.push_back(units);
            };
            attempt.begin();
            std::vector<sake::TaskHandle<void>> handles;
            for (const int units : {4, 1, 3, 2, 5}) handles.push_back(spawn(sleeper, units));
            for (auto& handle : handles) co_await handle;
            if (attempt.counts()) CHECK(order == std::vector{1, 2, 3, 4, 5});
        });
    };
    harness::until_in_time(6ms, test);
}

TEST_CASE("thousands sleep at once; a third is cancelled in the middle and the rest wake, once each") {
    in_coroutine_on_each_poller([](Reactor&) -> Task<> {
        constexpr int count = 3000;
        int woken = 0;
        int cancelled = 0;
        const auto sleeper = [&](int ms) -> Task<> {
            try {
                co_await sake::sleep(std::chrono::milliseconds(ms));
                ++woken;
            } catch (const Cancelled&) {
                ++cancelled;
            }
        };
        std::vector<sake::TaskHandle<void>> handles;
        for (int i = 0; i < count; ++i) handles.push_back(spawn(sleeper, i % 3 == 0 ? 1'000'000 : i % 20));
        co_await sake::sleep(5ms);
        for (std::size_t i = 0; i < handles.size(); i += 3) handles[i].cancel();
        for (auto& handle : handles) co_await handle;
        CHECK(cancelled == count / 3);
        CHECK(woken == count - count / 3);
    });
}

TEST_CASE("now() is the time at which the turn began, and goes on from turn to turn") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        const auto first = reactor.now();
        CHECK(first <= Clock::now());
        co_await sake::sleep(2ms);
        CHECK(reactor.now() >= first + 2ms);
        CHECK(reactor.now() <= Clock::now());
    });
}

TEST_CASE("F1: an interrupted wait of the poller is an empty turn") {
    on_each_poller([](PollerKind kind) {
        std::uint64_t fired = 0;
        int result = 0;
        std::thread server([&] {
            harness::faults::apply_to_this_thread();
            harness::FaultPlan plan;
            plan.fail_range("epoll_wait", 1, 5, EINTR).fail_range("poll", 1, 5, EINTR);
            const harness::ScopedFaults faults(plan);
            const auto task = []() -> Task<int> {
                for (int i = 0; i < 20; ++i) co_await sake::yield();
                co_await sake::sleep(2ms);
                co_return 5;
            };
            result = run_until_complete(task(), kind);
            fired = faults.fired();
        });
        server.join();
        CHECK(result == 5);
        CHECK(fired == 5);
    });
}

TEST_CASE("a descriptor that runs out while a reactor is made is an error, and nothing leaks") {
    on_each_poller([](PollerKind kind) {
        std::error_code error;
        std::thread server([&] {
            harness::faults::apply_to_this_thread();
            harness::FaultPlan plan;
            plan.fail_nth("pipe2", 1, EMFILE);
            const harness::ScopedFaults faults(plan);
            try {
                const Reactor reactor(kind);
            } catch (const std::system_error& caught) {
                error = caught.code();
            }
        });
        server.join();
        CHECK(error == std::errc::too_many_files_open);
    });
}

// ---- Watches ----

TEST_CASE("a new watch is worth a try in both directions, and says what it watches") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        CHECK(watch.fd() == sockets.ours.get());
        CHECK(&watch.reactor() == &reactor);
        CHECK(watch.is_readable());
        CHECK(watch.is_writable());
        CHECK_FALSE(watch.peer_has_ended());
        CHECK_FALSE(watch.is_broken());
        const bool readable = co_await wait_readable(watch);  // neither waits
        const bool writable = co_await wait_writable(watch);
        CHECK(readable);
        CHECK(writable);
    });
}

TEST_CASE("a watched pipe that was drained is ready again when something is written, every time") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        auto pipe = sys::make_pipe();
        Watch watch(reactor, pipe.first.get());
        int received = 0;
        const auto reads = [&]() -> Task<> {
            for (;;) {
                const auto text = co_await receive(watch);
                if (!text) co_return;
                received += static_cast<int>(text->size());
            }
        };
        auto reader = spawn(reads);
        for (int i = 1; i <= 500; ++i) {
            put(pipe.second, "x");
            while (received < i) co_await sake::yield();
        }
        CHECK(received == 500);
        CHECK_FALSE(watch.is_readable());
        pipe.second.close();
        co_await reader;
        CHECK(watch.peer_has_ended());
    });
}

TEST_CASE("a watched socket drained and written again between two turns is ready again") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        for (int i = 0; i < 100; ++i) {
            put(sockets.theirs, "first");
            const auto first = co_await receive(watch);
            CHECK(first == "first");
            CHECK_FALSE(watch.is_readable());
            put(sockets.theirs, "second");  // before the loop has looked again
            const auto second = co_await receive(watch);
            CHECK(second == "second");
        }
    });
}

TEST_CASE("readiness that nobody waited for is remembered") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        CHECK(take(watch) == "");
        co_await let_the_others_run();
        CHECK_FALSE(watch.is_readable());
        put(sockets.theirs, "unasked");
        co_await let_the_others_run();
        const auto text = co_await receive(watch);
        CHECK(text == "unasked");
    });
}

TEST_CASE("data read only in part is still ready, without another event") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        watch.drained();
        put(sockets.theirs, "abc");
        std::string text;
        for (int i = 0; i < 3; ++i) {
            const bool is_ready = co_await wait_readable(watch);
            REQUIRE(is_ready);
            char c = 0;
            REQUIRE(sys::read(watch.fd(), &c, 1).value == 1);
            text += c;
            co_await let_the_others_run();
        }
        CHECK(text == "abc");
        CHECK(watch.is_readable());
    });
}

TEST_CASE("a full socket is writable again when the peer has read") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        Watch peer(reactor, sockets.theirs.get());
        for (int round = 0; round < 5; ++round) {
            const std::size_t sent = fill(watch);
            CHECK_FALSE(watch.is_writable());
            const auto writes = [&]() -> Task<bool> {
                const bool is_ready = co_await wait_writable(watch);
                co_return is_ready;
            };
            auto writer = spawn(writes);
            co_await let_the_others_run();
            CHECK_FALSE(writer.is_done());
            std::size_t received = 0;
            while (received < sent) {
                const auto text = co_await receive(peer);
                REQUIRE(text.has_value());
                received += text->size();
            }
            const bool is_ready = co_await writer;
            CHECK(is_ready);
            CHECK(watch.is_writable());
        }
    });
}

TEST_CASE("a reader and a writer wait on one watch and are resumed each for its own direction") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        Watch peer(reactor, sockets.theirs.get());
        watch.drained();
        const std::size_t sent = fill(watch);
        const auto reads = [&]() -> Task<bool> {
            const bool is_ready = co_await wait_readable(watch);
            co_return is_ready;
        };
        const auto writes = [&]() -> Task<bool> {
            const bool is_ready = co_await wait_writable(watch);
            co_return is_ready;
        };
        auto reader = spawn(reads);
        auto writer = spawn(writes);
        co_await let_the_others_run();
        CHECK_FALSE(reader.is_done());
        CHECK_FALSE(writer.is_done());
        put(sockets.theirs, "for the reader");
        const bool is_readable = co_await reader;
        CHECK(is_readable);
        CHECK_FALSE(writer.is_done());
        std::size_t received = 0;
        while (received < sent) {
            const auto text = co_await receive(peer);
            REQUIRE(text.has_value());
            received += text->size();
        }
        const bool is_writable = co_await writer;
        CHECK(is_writable);
    });
}

TEST_CASE("a peer that sends no more is seen: what is left is read, then the end, and writing goes on") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        watch.drained();
        put(sockets.theirs, "the last words");
        REQUIRE(sys::shutdown_write(sockets.theirs.get()).ok());
        const auto text = co_await receive(watch);
        CHECK(text == "the last words");
        const auto end = co_await receive(watch);
        CHECK_FALSE(end.has_value());
        CHECK(watch.peer_has_ended());
        CHECK_FALSE(watch.is_broken());
        watch.drained();
        CHECK(watch.is_readable());  // the end can be read again and again
        CHECK(watch.is_writable());
        put(sockets.ours, "an answer");
        char answer[16] = {};
        REQUIRE(sys::read(sockets.theirs.get(), answer, sizeof answer).ok());
        CHECK(std::string_view(answer) == "an answer");
    });
}

TEST_CASE("a peer that has gone for good breaks the watch: both directions stay ready") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        watch.drained();
        static_cast<void>(fill(watch));
        const auto writes = [&]() -> Task<bool> {
            const bool is_ready = co_await wait_writable(watch);
            co_return is_ready;
        };
        auto writer = spawn(writes);
        co_await let_the_others_run();
        CHECK_FALSE(writer.is_done());
        sockets.theirs.close();
        const bool is_ready = co_await writer;
        CHECK(is_ready);
        CHECK(watch.is_broken());
        CHECK(watch.peer_has_ended());
        watch.drained();
        watch.filled();
        CHECK(watch.is_readable());
        CHECK(watch.is_writable());
        co_await let_the_others_run();  // and the loop does not spin on it or lose it
        CHECK(watch.is_broken());
    });
}

TEST_CASE("a TCP connection that is reset breaks the watch, and wakes its reader") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        auto [ours, theirs] = tcp_pair();
        Watch watch(reactor, ours.get());
        watch.drained();
        const auto reads = [&]() -> Task<bool> {
            const bool is_ready = co_await wait_readable(watch);
            co_return is_ready;
        };
        auto reader = spawn(reads);
        co_await let_the_others_run();
        CHECK_FALSE(reader.is_done());
        const linger at_once{1, 0};
        REQUIRE(::setsockopt(theirs.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        theirs.close();
        const bool is_ready = co_await reader;
        CHECK(is_ready);
        CHECK(watch.is_broken());
    });
}

TEST_CASE("cancelling who waits for readiness gives false, and waiting again works, in both directions") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets sockets;
        Watch watch(reactor, sockets.ours.get());
        Watch peer(reactor, sockets.theirs.get());
        watch.drained();
        const std::size_t sent = fill(watch);
        std::vector<bool> seen;
        const auto waits = [&]() -> Task<> {
            const bool read_cut = co_await wait_readable(watch);
            seen.push_back(read_cut);
            const bool readable = co_await wait_readable(watch);
            seen.push_back(readable);
            const bool write_cut = co_await wait_writable(watch);
            seen.push_back(write_cut);
            const bool writable = co_await wait_writable(watch);
            seen.push_back(writable);
        };
        auto handle = spawn(waits);
        co_await let_the_others_run();
        handle.cancel();
        co_await let_the_others_run();
        CHECK(seen == std::vector{false});
        put(sockets.theirs, "x");
        co_await let_the_others_run();
        CHECK(seen == std::vector{false, true});
        handle.cancel();
        co_await let_the_others_run();
        CHECK(seen == std::vector{false, true, false});
        std::size_t received = 0;
        while (received < sent) {
            const auto text = co_await receive(peer);
            REQUIRE(text.has_value());
            received += text->size();
        }
        co_await handle;
        CHECK(seen == std::vector{false, true, false, true});
    });
}

TEST_CASE("a hang-up is told to its listener while nobody reads, with data unread or none") {
    struct Notes final : sake::detail::HangupListener {
        void peer_hung_up(std::uint8_t ready) noexcept override {
            ++calls;
            bits = ready;
        }
        int calls = 0;
        unsigned bits = 0;
    };
    for (const bool with_data : {false, true}) {
        CAPTURE(with_data);
        in_coroutine_on_each_poller([&](Reactor& reactor) -> Task<> {
            Sockets sockets;
            Watch watch(reactor, sockets.ours.get());
            Notes notes;
            watch.hangup_listener = &notes;
            CHECK(take(watch) == "");
            if (with_data) put(sockets.theirs, "unread");
            co_await let_the_others_run();
            CHECK(notes.calls == 0);
            REQUIRE(sys::shutdown_write(sockets.theirs.get()).ok());
            while (notes.calls == 0) co_await sake::yield();
            CHECK((notes.bits & sake::detail::peer_ended) != 0);
            CHECK((notes.bits & sake::detail::broken) == 0);
            sockets.theirs.close();
            // To kqueue it looks like our own end of output, which says nothing about the peer.
            if (reactor.poller_name() != "kqueue") {
                while ((notes.bits & sake::detail::broken) == 0) co_await sake::yield();
                CHECK(watch.is_broken());
            }
            watch.hangup_listener = nullptr;
        });
    }
}

TEST_CASE(
    "a watch that is closed in the turn of its event, and its number used again, meets no stale event") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets first;
        auto second = std::make_unique<Sockets>();
        Watch first_watch(reactor, first.ours.get());
        auto second_watch = std::make_unique<Watch>(reactor, second->ours.get());
        const int number = second->ours.get();
        first_watch.drained();
        second_watch->drained();
        std::unique_ptr<Sockets> third;
        std::unique_ptr<Watch> third_watch;
        const auto closes = [&]() -> Task<> {
            static_cast<void>(co_await receive(first_watch));
            CHECK(second_watch->is_readable());  // its event is of this very turn
            second_watch.reset();
            second.reset();
            third = std::make_unique<Sockets>();
            REQUIRE((third->ours.get() == number || third->theirs.get() == number));
            third_watch = std::make_unique<Watch>(reactor, number);
            third_watch->drained();
        };
        auto closer = spawn(closes);
        co_await let_the_others_run();
        put(first.theirs, "go");
        put(second->theirs, "too late");
        co_await closer;
        co_await let_the_others_run();
        CHECK_FALSE(third_watch->is_readable());
        CHECK_FALSE(third_watch->peer_has_ended());
        put(number == third->ours.get() ? third->theirs : third->ours, "fresh");
        const auto text = co_await receive(*third_watch);
        CHECK(text == "fresh");
    });
}

TEST_CASE("a watch may go in the turn in which its waiter was resumed, before the waiter runs") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets first;
        Sockets second;
        Watch first_watch(reactor, first.ours.get());
        auto second_watch = std::make_unique<Watch>(reactor, second.ours.get());
        first_watch.drained();
        second_watch->drained();
        const auto waits = [&](Watch* watch) -> Task<bool> {
            const bool is_ready = co_await wait_readable(*watch);
            second_watch.reset();  // the first to run takes it away from the other
            co_return is_ready;
        };
        auto a = spawn(waits, &first_watch);
        auto b = spawn(waits, second_watch.get());
        co_await let_the_others_run();
        put(first.theirs, "go");
        put(second.theirs, "go");
        const bool first_ready = co_await a;
        const bool second_ready = co_await b;
        CHECK(first_ready);
        CHECK(second_ready);
    });
}

TEST_CASE("more descriptors are ready at once than one turn takes, and none is left out") {
    constexpr std::size_t count = 700;  // above the 256 events of epoll and kqueue and the 512 of poll
    const sake::detail::FileLimit raised(true);
    const std::size_t limit = sys::open_file_limit();
    if (limit < 2 * count + 100) {
        MESSAGE("skipped: this process may open only ", limit, " files");
        return;
    }
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        std::vector<Sockets> sockets(count);
        std::vector<std::unique_ptr<Watch>> watches;
        for (auto& each : sockets) {
            watches.push_back(std::make_unique<Watch>(reactor, each.ours.get()));
            watches.back()->drained();
        }
        std::size_t received = 0;
        const auto reads = [&](Watch* watch) -> Task<> {
            for (int round = 0; round < 2; ++round) {
                const auto text = co_await receive(*watch);
                if (text == "x") ++received;
            }
        };
        std::vector<sake::TaskHandle<void>> readers;
        for (auto& watch : watches) readers.push_back(spawn(reads, watch.get()));
        for (std::size_t round = 1; round <= 2; ++round) {
            co_await let_the_others_run();
            for (auto& each : sockets) put(each.theirs, "x");
            while (received < round * count) co_await sake::yield();
        }
        for (auto& reader : readers) co_await reader;
        CHECK(received == 2 * count);
    });
}

TEST_CASE("watches come and go in any order, and the ones that stay go on working") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        std::vector<Sockets> sockets(20);
        std::vector<std::unique_ptr<Watch>> watches;
        for (auto& each : sockets) watches.push_back(std::make_unique<Watch>(reactor, each.ours.get()));
        for (const std::size_t gone : {0U, 19U, 10U, 9U, 1U, 18U}) watches[gone].reset();
        for (std::size_t i = 0; i < sockets.size(); ++i) {
            if (!watches[i]) continue;
            watches[i]->drained();
            put(sockets[i].theirs, std::to_string(i));
            const auto text = co_await receive(*watches[i]);
            CHECK(text == std::to_string(i));
        }
    });
}

TEST_CASE("a broken watch among others can go, and the others stay, on every poller") {
    in_coroutine_on_each_poller([](Reactor& reactor) -> Task<> {
        Sockets a;
        Sockets b;
        Sockets c;
        Watch first(reactor, a.ours.get());
        auto doomed = std::make_unique<Watch>(reactor, b.ours.get());
        auto last = std::make_unique<Watch>(reactor, c.ours.get());
        c.theirs.close();  // the last one breaks, and then takes the place of another
        const bool is_kqueue = reactor.poller_name() == "kqueue";
        while (is_kqueue ? !last->peer_has_ended() : !last->is_broken()) co_await sake::yield();
        doomed.reset();
        CHECK(last->is_broken() == !is_kqueue);
        last.reset();
        first.drained();
        put(a.theirs, "well");
        const auto text = co_await receive(first);
        CHECK(text == "well");
    });
}

TEST_CASE("watching what is no descriptor throws and leaves the reactor as it was") {
    for (const NamedPoller& poller : pollers) {
        if (poller.kind == PollerKind::poll || !is_supported(poller))
            continue;  // poll finds out when it waits
        CAPTURE(poller.name);
        const auto task = []() -> Task<> {
            Reactor& reactor = *Reactor::current();
            CHECK_THROWS_AS(Watch(reactor, 1'000'000'000), std::system_error);
            co_await let_the_others_run();
        };
        run_until_complete(task(), poller.kind);
    }
}

// ---- Descriptors and the seam ----

TEST_CASE("a file descriptor has one owner and is closed once") {
    auto pipe = sys::make_pipe();
    const int number = pipe.second.get();
    CHECK(::fcntl(number, F_GETFD) == FD_CLOEXEC);
    CHECK((::fcntl(number, F_GETFL) & O_NONBLOCK) != 0);
    FileDescriptor moved = std::move(pipe.second);
    CHECK_FALSE(pipe.second);  // NOLINT(bugprone-use-after-move): empty, by its contract
    CHECK(moved.get() == number);
    FileDescriptor& same = moved;
    moved = std::move(same);
    CHECK(::fcntl(number, F_GETFD) == FD_CLOEXEC);
    moved = FileDescriptor();
    CHECK(::fcntl(number, F_GETFD) == -1);
    moved.close();
    CHECK_FALSE(moved);
    char byte = 0;
    CHECK(sys::read(pipe.first.get(), &byte, 1).value == 0);  // the writer has gone
}

TEST_CASE("F1: the seam retries what was interrupted and gives every other error as a value") {
    std::vector<int> errors;
    std::vector<ssize_t> values;
    std::thread server([&] {
        harness::faults::apply_to_this_thread();
        harness::FaultPlan plan;
        plan.fail_range("send", 1, 3, EINTR).fail_nth("send", 5, ECONNRESET).fail_range("recv", 1, 2, EINTR);
        const harness::ScopedFaults faults(plan);
        const Sockets sockets;
        char buffer[8] = {};
        for (const auto result :
             {sys::send(sockets.ours.get(), "abc", 3), sys::send(sockets.ours.get(), "d", 1),
              sys::receive(sockets.theirs.get(), buffer, sizeof buffer),
              sys::receive(sockets.theirs.get(), buffer, sizeof buffer)}) {
            errors.push_back(result.error);
            values.push_back(result.value);
        }
    });
    server.join();
    CHECK(errors == std::vector{0, ECONNRESET, 0, EAGAIN});
    CHECK(values == std::vector<ssize_t>{3, -1, 3, -1});
}

TEST_CASE("sending to a peer that has gone is an error and no signal") {
    Sockets sockets;
    sockets.theirs.close();
    CHECK(sys::send(sockets.ours.get(), "x", 1).error == EPIPE);
    char text[] = "xy";
    iovec vectors[] = {{text, 1}, {text + 1, 1}};
    CHECK(sys::send_vectors(sockets.ours.get(), vectors, 2, 0).error == EPIPE);
}

TEST_CASE("a loop whose poller fails while it ends leaves its tasks behind, and says so") {
    const pid_t child = ::fork();  // what is left behind leaks
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(20);
        harness::faults::apply_to_this_thread();
        std::string logged;
        {
            Reactor reactor(PollerKind::epoll);
            reactor.set_log([&](sake::LogLevel, std::string_view line) { logged = line; });
            const auto waits = []() -> Task<> { co_await sake::sleep(1h); };
            reactor.enter([&] { spawn(waits).detach(); });
            const harness::ScopedFaults faults(harness::FaultPlan().fail_range("epoll_wait", 1, 100, ENOMEM));
            reactor.end_all();
        }
        ::_exit(logged.find("left unfinished") != std::string::npos ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

}  // namespace test_reactor
