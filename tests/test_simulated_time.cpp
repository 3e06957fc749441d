// Virtual time: a clock that jumps to the next timer when nothing else can happen, and stands still for
// threads and descriptors. And watches without a descriptor, which need no poller.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"

namespace test_simulated_time {

using namespace std::chrono_literals;
using harness::failure_of;
using sake::Channel;
using sake::Event;
using sake::PollerKind;
using sake::Reactor;
using sake::sleep;
using sake::spawn;
using sake::Task;
using sake::detail::Deadlock;
using sake::detail::FileDescriptor;
using sake::detail::HangupListener;
using sake::detail::SimulatedPoller;
using sake::detail::SimulationOptions;
using sake::detail::Watch;
namespace detail = sake::detail;

namespace {

/// A reactor in virtual time.
struct Simulation {
    explicit Simulation(SimulationOptions options = {}, PollerKind real = PollerKind::automatic)
        : poller(new SimulatedPoller(options, real)) {}

    /// Runs a task to its end.
    template <class T>
    T run(Task<T> task) {
        auto handle = detail::spawn_on(reactor, std::move(task));
        reactor.run_until([&] { return handle.is_done(); });
        return handle.take();
    }
    /// Starts a task that runs with what runs later.
    void start(Task<> task) { detail::spawn_on(reactor, std::move(task)).detach(); }

    /// How much time has passed.
    [[nodiscard]] detail::Clock::duration passed() const { return reactor.present() - began; }

    sake::detail::OwningPtr<SimulatedPoller> poller;
    SimulatedPoller& time{*poller};
    Reactor reactor{std::move(poller)};
    const detail::TimePoint began = reactor.present();
};

using Log = std::vector<std::string>;

Task<> sleep_and_note(Log& log, std::chrono::nanoseconds duration, std::string word) {
    co_await sleep(duration);
    log.push_back(std::move(word));
}

Task<> wait_for(Event& event) { co_await event.wait(); }

Task<> tick(int& ticks) {
    for (;;) {
        co_await sleep(1s);
        ++ticks;
    }
}

/// So that a clock that does not stand still would have the time to show it. Nothing depends on how long it
/// takes.
void take_a_while() { std::this_thread::sleep_for(20ms); }

std::pair<FileDescriptor, FileDescriptor> connected_sockets() {
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

void put(const FileDescriptor& fd) { REQUIRE(detail::sys::write(fd.get(), "x", 1).value == 1); }

/// Runs a test once on each poller of this build.
template <class Test>
void on_each_poller(Test test) {
    for (const PollerKind kind : {PollerKind::automatic, PollerKind::kqueue, PollerKind::poll}) {
        CAPTURE(static_cast<int>(kind));
        test(kind);
    }
}

}  // namespace

// ---- The clock ----

TEST_CASE("a sleep of years passes at once, to the nanosecond") {
    Simulation simulation;
    CHECK(simulation.reactor.poller_name() == "simulated");
    const auto task = []() -> Task<> {
        co_await sleep(24h * 365);
        co_await sleep(1ns);
    };
    simulation.run(task());
    CHECK(simulation.passed() == 24h * 365 + 1ns);
    CHECK(simulation.reactor.now() == simulation.reactor.present());
}

TEST_CASE("sleepers wake in the order of their deadlines, each at its moment") {
    Simulation simulation;
    Log log;
    const auto note = [&](std::chrono::nanoseconds duration) -> Task<> {
        co_await sleep(duration);
        log.push_back(std::to_string(simulation.passed().count()));
    };
    for (const auto duration : {300ns, 100ns, 200ns, 1'000'001ns, 100ns}) simulation.start(note(duration));
    simulation.run(note(1h));
    CHECK(log == Log{"100", "100", "200", "300", "1000001", "3600000000000"});
}

TEST_CASE("the time of day begins at a moment that is always the same, and passes with the rest") {
    Simulation simulation;
    constexpr auto new_year = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    CHECK(simulation.reactor.wall_now() == new_year);
    simulation.time.advance(36h);
    CHECK(simulation.reactor.wall_now() == new_year + 36h);
    SimulationOptions leap;
    leap.wall_start = std::chrono::sys_days(std::chrono::year(2028) / 2 / 29);
    CHECK(Simulation(leap).reactor.wall_now() == leap.wall_start);
}

TEST_CASE("time limits pass in virtual time, exactly when they should") {
    Simulation simulation;
    Event never;
    const auto task = [&]() -> Task<std::string> {
        auto limited = sake::timeout(never.wait(), 30s);
        co_return co_await failure_of(std::move(limited));
    };
    CHECK(simulation.run(task()) == sake::TimedOut().what());
    CHECK(simulation.passed() == 30s);
}

TEST_CASE("what a pool keeps idle goes in virtual time") {
    Simulation simulation;
    sake::Pool<int> pool({}, []() -> Task<int> { co_return 7; });
    const auto task = [&]() -> Task<> {
        const auto lease = co_await pool.acquire();
        CHECK(*lease == 7);
    };
    simulation.run(task());
    simulation.time.advance(60s - 1ns);
    CHECK(pool.idle() == 1);
    simulation.time.advance(1ns);
    CHECK(pool.idle() == 0);
}

TEST_CASE("no time passes while tasks are ready, and they do not starve descriptors") {
    on_each_poller([](PollerKind kind) {
        Channel<int> there(1);
        Channel<int> back(1);
        bool is_over = false;
        Simulation simulation({}, kind);
        const auto [ours, theirs] = connected_sockets();
        const auto echo = [&]() -> Task<> {
            while (auto item = co_await there.receive()) co_await back.send(*item);
        };
        const auto play = [&]() -> Task<> {
            while (!is_over) {
                co_await there.send(1);
                static_cast<void>(co_await back.receive());
            }
            there.close();
        };
        const auto outside = [&, fd = ours.get()]() -> Task<> {
            co_await sake::readable(fd);
            is_over = true;
        };
        simulation.start(echo());
        simulation.start(outside());
        std::thread peer([&to = theirs] {
            take_a_while();
            put(to);
        });
        simulation.run(play());
        peer.join();
        CHECK(simulation.passed() == 0s);
    });
}

TEST_CASE("a task that holds the loop is no stall in virtual time") {
    Simulation simulation;
    int stalls = 0;
    simulation.reactor.watch_stalls(0s, [&](const void*, detail::Clock::duration) { ++stalls; });
    const auto task = []() -> Task<> { co_await sleep(1s); };
    simulation.run(task());
    CHECK(stalls == 0);
}

// ---- The world outside ----

TEST_CASE("work in the background is waited for, and no time passes meanwhile") {
    Simulation simulation;
    Log log;
    const auto task = [&]() -> Task<> {
        co_await sake::background([] { take_a_while(); });
        log.push_back("background");
        CHECK(simulation.passed() == 0s);
        CHECK(simulation.reactor.outside_work() == 0);
        co_await sleep(1h);
    };
    simulation.start(sleep_and_note(log, 1ms, "sleep"));
    simulation.run(task());
    CHECK(log == Log{"background", "sleep"});
    CHECK(simulation.passed() == 1h);
}

TEST_CASE("a thread that is awaited is waited for, and a call that blocks, and no time passes meanwhile") {
    Simulation simulation;
    const auto task = [&]() -> Task<> {
        const auto thread = sake::thread::spawn([] { take_a_while(); });
        co_await thread;
        const auto text = co_await sake::read_file("/dev/null");
        CHECK(text.empty());
        CHECK(simulation.passed() == 0s);
    };
    Log log;
    simulation.start(sleep_and_note(log, 1ms, "sleep"));
    simulation.run(task());
    CHECK(log.empty());
    CHECK(simulation.reactor.outside_work() == 0);
}

TEST_CASE("a cancelled wait for work outside leaves the clock free") {
    Simulation simulation;
    std::atomic<bool> may_end = false;
    const auto thread = sake::thread::spawn([&] { may_end.wait(false); });
    const auto task = [&]() -> Task<std::string> {
        const auto wait = [&]() -> Task<> { co_await thread; };
        auto waiting = spawn(wait());
        co_await sake::yield();
        co_await sake::yield();
        CHECK(simulation.reactor.outside_work() == 1);
        waiting.cancel();
        const auto join = [&]() -> Task<> { co_await waiting; };
        co_return co_await failure_of(join());
    };
    CHECK(simulation.run(task()) == "Cancelled");
    CHECK(simulation.reactor.outside_work() == 0);
    may_end = true;
    may_end.notify_all();
}

TEST_CASE("a descriptor that is awaited is waited for, and no time passes meanwhile, on every poller") {
    on_each_poller([](PollerKind kind) {
        Simulation simulation({}, kind);
        const auto [ours, theirs] = connected_sockets();
        const auto task = [&, fd = ours.get()]() -> Task<> {
            co_await sake::readable(fd, 1h);
            CHECK(simulation.passed() == 0s);
        };
        Log log;
        simulation.start(sleep_and_note(log, 1ms, "sleep"));
        std::thread peer([&to = theirs] {
            take_a_while();
            put(to);
        });
        simulation.run(task());
        peer.join();
        CHECK(log.empty());
    });
}

TEST_CASE("a descriptor that keeps silent holds time up for a while only, and its limit passes") {
    SimulationOptions options;
    options.descriptor_patience = 1ms;
    Simulation simulation(options);
    const auto [ours, theirs] = connected_sockets();
    const auto task = [fd = ours.get()]() -> Task<std::string> {
        co_return co_await failure_of(sake::readable(fd, 5s));
    };
    CHECK(simulation.run(task()) == sake::TimedOut().what());
    CHECK(simulation.passed() == 5s);
}

TEST_CASE("a silent descriptor holds time up once, not at every timer") {
    SimulationOptions options;
    options.descriptor_patience = 200ms;
    Simulation simulation(options);
    const auto [ours, theirs] = connected_sockets();
    const auto listen = [fd = ours.get()]() -> Task<> { co_await sake::readable(fd); };
    simulation.start(listen());
    int ticks = 0;
    simulation.start(tick(ticks));
    simulation.time.advance(10'000s);  // half an hour, if it did
    CHECK(ticks == 10'000);
}

TEST_CASE("work that does not end holds time up for a while only") {
    SimulationOptions options;
    options.thread_patience = 1ms;
    Simulation simulation(options);
    const Reactor::OutsideWork stuck(simulation.reactor);
    Log log;
    simulation.run(sleep_and_note(log, 1h, "sleep"));
    CHECK(simulation.passed() == 1h);
}

TEST_CASE("streams and listeners work in virtual time, and wait for each other without any") {
    Simulation simulation;
    const auto task = [&]() -> Task<> {
        sake::TcpListener listener("127.0.0.1:0");
        auto client = co_await sake::TcpStream::connect("127.0.0.1:" + std::to_string(listener.port()), 5s);
        auto server = co_await listener.accept(5s);
        co_await client.write_all("hello\n", 5s);
        const auto line = co_await server.read_until("\n", 64, 5s);
        CHECK(line == "hello");
        CHECK(simulation.passed() == 0s);
    };
    simulation.run(task());
}

// ---- Deadlock ----

TEST_CASE("a deadlock is thrown out of the loop, and says which tasks wait, and for what") {
    Event event;
    Channel<int> channel(1);
    sake::Mutex mutex;
    SimulationOptions options;
    options.grace = 1ms;
    Simulation simulation(options);
    const auto receive = [&]() -> Task<> { static_cast<void>(co_await channel.receive()); };
    const auto lock_twice = [&]() -> Task<> {
        const auto guard = co_await mutex.lock();
        static_cast<void>(co_await mutex.lock());
    };
    const auto any = [&]() -> Task<> {
        co_await sake::when_any(event.wait(), sleep(std::chrono::hours::max()));
    };
    simulation.start(wait_for(event));
    simulation.start(receive());
    simulation.start(lock_twice());
    simulation.start(any());
    std::string why;
    try {
        simulation.reactor.run_until([] { return false; });
    } catch (const std::logic_error& deadlock) {
        why = deadlock.what();
    }
    CHECK(why ==
          "deadlock: nothing can happen any more; 4 tasks wait: a task for an event, a task for an "
          "item of a "
          "Channel, a task for a Semaphore or a Mutex, a task for an event and the end of a "
          "sleep");
    CHECK(simulation.passed() == 0s);
    // The loop may be used again.
    event.set();
    channel.close();
    simulation.time.run_until_idle();
    CHECK(simulation.reactor.describe_waits() == "1 task waits: a task for a Semaphore or a Mutex");
}

TEST_CASE("a deadlock names what a fiber works for, if the owner of the loop can") {
    SimulationOptions options;
    options.grace = 1ms;
    Simulation simulation(options);
    simulation.reactor.name_work(
        [](const void* work) noexcept -> std::string_view { return *static_cast<const std::string*>(work); });
    const std::string work = "GET /x (main.cpp:12)";
    Watch wire(simulation.reactor);
    wire.drained();
    const auto read = [&]() -> Task<> {
        auto& fiber = co_await detail::current_fiber();
        fiber.work = &work;
        static_cast<void>(co_await detail::wait_readable(wire));
    };
    CHECK_THROWS_WITH_AS(simulation.run(read()),
                         "deadlock: nothing can happen any more; 1 task waits: GET /x (main.cpp:12) "
                         "for input from a wire",
                         Deadlock);
    wire.became_ready(detail::readable);
    simulation.time.run_until_idle();
}

TEST_CASE("a deadlock of very many tasks names some of them") {
    Event event;
    SimulationOptions options;
    options.grace = 1ms;
    Simulation simulation(options);
    for (int i = 0; i < 100; ++i) simulation.start(wait_for(event));
    std::vector<Task<>> children;
    for (int i = 0; i < 6; ++i) children.push_back(wait_for(event));
    simulation.time.run_until_idle();
    std::string all = "100 tasks wait: ";
    for (int i = 0; i < 8; ++i) all += "a task for an event, ";
    CHECK(simulation.reactor.describe_waits() == all + "and 92 more");
    event.set();
    simulation.time.run_until_idle();
    event.reset();
    const auto parent = [](std::vector<Task<>> all_of_them) -> Task<> {
        co_await sake::when_all(std::move(all_of_them));
    };
    simulation.start(parent(std::move(children)));
    simulation.time.run_until_idle();
    CHECK(simulation.reactor.describe_waits() ==
          "1 task waits: a task for an event and an event and an event and an event and 2 more");
    event.set();
    simulation.time.run_until_idle();
    CHECK(simulation.reactor.describe_waits() == "no task waits");
}

TEST_CASE("what a thread posts that nobody knows of comes before a deadlock, if it comes in time") {
    SimulationOptions options;
    options.grace = 1min;
    Simulation simulation(options);
    Event event;
    std::thread poster([&] {
        take_a_while();
        simulation.reactor.post([&] { event.set(); });
    });
    simulation.run(wait_for(event));
    poster.join();
    CHECK(simulation.passed() == 0s);
}

TEST_CASE("a loop without timers waits for threads and descriptors as long as it takes") {
    SimulationOptions options;
    options.grace = 0ms;
    options.thread_patience = 0ms;
    options.descriptor_patience = 0ms;
    Simulation simulation(options);
    const auto [ours, theirs] = connected_sockets();
    const auto task = [fd = ours.get()]() -> Task<> {
        co_await sake::background([] { take_a_while(); });
        co_await sake::readable(fd);
    };
    std::thread peer([&to = theirs] {
        take_a_while();
        put(to);
    });
    simulation.run(task());
    peer.join();
}

// ---- By hand ----

TEST_CASE("time is advanced by exactly so much, and all that is due on the way happens in its order") {
    Simulation simulation;
    Log log;
    simulation.start(sleep_and_note(log, 3s, "three"));
    simulation.start(sleep_and_note(log, 1s, "one"));
    simulation.start(sleep_and_note(log, 2s, "two"));
    int ticks = 0;
    simulation.start(tick(ticks));
    simulation.time.advance(1s - 1ns);
    CHECK(log.empty());
    CHECK(simulation.passed() == 1s - 1ns);
    simulation.time.advance(1ns);
    CHECK(log == Log{"one"});
    CHECK(ticks == 1);
    simulation.time.advance(1500ms);
    CHECK(log == Log{"one", "two"});
    CHECK(simulation.passed() == 2500ms);
    simulation.time.advance(1h);
    CHECK(log == Log{"one", "two", "three"});
    CHECK(ticks == 3602);
    CHECK(simulation.passed() == 1h + 2500ms);
    CHECK(simulation.reactor.now() == simulation.reactor.present());
}

TEST_CASE("time is advanced without any timer, and what becomes ready at the last moment has run") {
    Simulation simulation;
    simulation.time.advance(1h);
    CHECK(simulation.passed() == 1h);
    Log log;
    const auto chain = [&]() -> Task<> {
        co_await sleep(1s);
        for (int i = 0; i < 100; ++i) co_await sake::yield();
        co_await sake::background([] { take_a_while(); });
        co_await sleep_and_note(log, 0s, "done");
    };
    simulation.start(chain());
    simulation.time.advance(1s);
    CHECK(log == Log{"done"});
    CHECK(simulation.passed() == 1h + 1s);
}

TEST_CASE("a loop run until it is idle has done all that needs no time") {
    Simulation simulation;
    Log log;
    simulation.start(sleep_and_note(log, 0s, "now"));
    simulation.start(sleep_and_note(log, 1ns, "later"));
    simulation.reactor.post([&] { log.push_back("posted"); });
    simulation.time.run_until_idle();
    CHECK(log == Log{"posted", "now"});
    CHECK(simulation.passed() == 0s);
    simulation.time.run_until_idle();
    CHECK(log.size() == 2);
    simulation.time.advance(1ns);
    CHECK(log.size() == 3);
}

TEST_CASE("inside a coroutine time is not advanced by hand") {
    Simulation simulation;
    const auto task = [&]() -> Task<> {
        CHECK_THROWS_AS(simulation.time.advance(1s), std::logic_error);
        CHECK_THROWS_AS(simulation.time.run_until_idle(), std::logic_error);
        co_await sleep(1s);
    };
    simulation.run(task());
    CHECK(simulation.passed() == 1s);
}

TEST_CASE("a coroutine that tries to advance time does not lead astray who advances it") {
    Simulation simulation;
    int ticks = 0;
    simulation.start(tick(ticks));
    simulation.start([](Simulation& the_same) -> Task<> {
        CHECK_THROWS_AS(the_same.time.advance(1h), std::logic_error);
        CHECK_THROWS_AS(the_same.time.run_until_idle(), std::logic_error);
        co_return;
    }(simulation));
    simulation.time.advance(2s);
    CHECK(simulation.passed() == 2s);
    CHECK(ticks == 2);
}

TEST_CASE("time is not advanced backwards") {
    Simulation simulation;
    simulation.time.advance(1s);
    CHECK_THROWS_AS(simulation.time.advance(-1ns), std::invalid_argument);
    simulation.time.advance(0s);
    CHECK(simulation.passed() == 1s);
}

// ---- Watches without a descriptor ----

namespace {

struct Listener : HangupListener {
    void peer_hung_up(std::uint8_t ready) noexcept override { told.push_back(ready); }
    std::vector<int> told;
};

/// Takes what there is of a wire's input, so often.
Task<> read_times(Watch& wire, int times, int& reads) {
    for (int i = 0; i < times; ++i) {
        const bool is_ready = co_await detail::wait_readable(wire);
        if (!is_ready) co_return;
        wire.drained();
        ++reads;
    }
}

}  // namespace

TEST_CASE(
    "a watch without a descriptor is worth a try at first, and then when it is told to be, on every poller") {
    on_each_poller([](PollerKind kind) {
        Reactor reactor(kind);
        Watch wire(reactor);
        CHECK_FALSE(wire.has_descriptor());
        CHECK(wire.fd() == Watch::no_descriptor);
        CHECK(wire.is_readable());
        CHECK(wire.is_writable());
        int reads = 0;
        int writes = 0;
        const auto write = [&]() -> Task<> {
            wire.filled();
            static_cast<void>(co_await detail::wait_writable(wire));
            ++writes;
        };
        auto reading = detail::spawn_on(reactor, read_times(wire, 3, reads));
        auto writing = detail::spawn_on(reactor, write());
        reactor.run_until([&] { return reads == 1 && wire.waiter(detail::writable) != nullptr; });
        wire.became_ready(detail::readable);
        reactor.run_until([&] { return reads == 2; });
        CHECK(writes == 0);
        wire.became_ready(detail::readable | detail::writable);
        reactor.run_until([&] { return reading.is_done() && writing.is_done(); });
        CHECK(reads == 3);
        CHECK(writes == 1);
    });
}

TEST_CASE("what a wire was told to be ready for is remembered, and its end stays") {
    Simulation simulation;
    Watch wire(simulation.reactor, Watch::no_descriptor, 0);
    CHECK_FALSE(wire.is_readable());
    wire.became_ready(detail::readable);
    int reads = 0;
    simulation.run(read_times(wire, 1, reads));
    CHECK_FALSE(wire.is_readable());
    wire.became_ready(detail::readable | detail::peer_ended);
    simulation.run(read_times(wire, 5, reads));
    CHECK(reads == 6);
    CHECK(wire.peer_has_ended());
    CHECK_FALSE(wire.is_broken());
    CHECK_FALSE(wire.is_writable());
    wire.became_ready(detail::readable | detail::writable | detail::broken);
    wire.filled();
    CHECK(wire.is_writable());
}

TEST_CASE("the end of a wire is told to its listener at once, and once") {
    Simulation simulation;
    Watch wire(simulation.reactor);
    Listener listener;
    wire.hangup_listener = &listener;
    wire.became_ready(detail::readable);
    CHECK(listener.told.empty());
    simulation.time.advance(5s);
    wire.became_ready(detail::readable | detail::peer_ended);
    CHECK(listener.told == std::vector<int>{detail::readable | detail::writable | detail::peer_ended});
    CHECK(simulation.reactor.events_since() == simulation.reactor.present());
    wire.became_ready(detail::readable | detail::peer_ended);
    CHECK(listener.told.size() == 1);
    wire.became_ready(detail::readable | detail::writable | detail::broken);
    CHECK(listener.told.size() == 2);
}

TEST_CASE("a wire is read and written by tasks of one loop, with limits, and nobody waits for real") {
    Simulation simulation;
    Watch wire(simulation.reactor, Watch::no_descriptor, 0);
    int reads = 0;
    const auto feed = [&]() -> Task<> {
        for (int i = 0; i < 3; ++i) {
            co_await sleep(1s);
            wire.became_ready(detail::readable);
        }
    };
    simulation.start(feed());
    simulation.run(read_times(wire, 3, reads));
    CHECK(simulation.passed() == 3s);
    const auto wait = [&]() -> Task<> {
        detail::LimitedReadinessWait ready(wire, detail::readable, simulation.reactor.deadline_in(4s));
        co_await ready;
    };
    const auto task = [&]() -> Task<std::string> { co_return co_await failure_of(wait()); };
    CHECK(simulation.run(task()) == sake::TimedOut().what());
    CHECK(simulation.passed() == 7s);
}

TEST_CASE("who waits for a wire is cancelled like any other, and the wire may be waited for again") {
    Simulation simulation;
    Watch wire(simulation.reactor, Watch::no_descriptor, 0);
    int reads = 0;
    auto reading = detail::spawn_on(simulation.reactor, read_times(wire, 1, reads));
    simulation.time.run_until_idle();
    CHECK(wire.is_awaited());
    reading.cancel();
    simulation.time.run_until_idle();
    CHECK(reading.is_done());
    CHECK_FALSE(wire.is_awaited());
    wire.became_ready(detail::readable);
    simulation.run(read_times(wire, 1, reads));
    CHECK(reads == 1);
}

}  // namespace test_simulated_time
