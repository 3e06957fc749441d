// thread::spawn: results, exceptions, stopping and awaiting; no thread outlives its handle.
#include <doctest/doctest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/numbers.hpp"
#include "support/oracle.hpp"
#include "support/programs.hpp"
#include "support/reliability.hpp"

namespace test_thread {

using namespace std::chrono_literals;
using harness::failure_of;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::Task;
namespace thread = sake::thread;

namespace {

std::string own_name() {
    char text[64] = {};
    ::pthread_getname_np(::pthread_self(), text, sizeof text);
    return text;
}

void wait_for_stop(std::stop_token stop) {
    while (!stop.stop_requested()) std::this_thread::yield();
}

Task<int> await_handle(sake::ThreadHandle<int>& handle) { co_return co_await handle; }

}  // namespace

// ---- Joining ----

TEST_CASE("a spawned thread runs beside the caller, and join gives its result") {
    std::thread::id there;
    auto handle = thread::spawn([&] {
        there = std::this_thread::get_id();
        return 42;
    });
    static_assert(std::is_base_of_v<sake::ThreadHandle<int>, decltype(handle)>);
    CHECK(handle.is_joinable());
    CHECK(handle.join() == 42);
    CHECK_FALSE(handle.is_joinable());
    CHECK(there != std::this_thread::get_id());

    int seen = 0;
    thread::spawn([&] { seen = 7; }).join();
    CHECK(seen == 7);
}

TEST_CASE("what the function throws is thrown by join, of whatever type it is") {
    auto fails = thread::spawn([]() -> int { throw std::runtime_error("no luck"); });
    CHECK_THROWS_WITH_AS(fails.join(), "no luck", std::runtime_error);
    auto odd = thread::spawn([] { throw 7; });
    CHECK_THROWS_AS(odd.join(), int);
    auto cancelled = thread::spawn([] { throw sake::Cancelled(); });
    CHECK_THROWS_AS(cancelled.join(), sake::Cancelled);
}

TEST_CASE("a function that ends its thread by pthread_exit is an exception at join") {
    auto handle = thread::spawn([]() -> int { ::pthread_exit(nullptr); });
    CHECK_THROWS_WITH_AS(handle.join(), "thread: the function ended its thread", std::runtime_error);
}

TEST_CASE("a thread is joined once, and only through the handle that has it") {
    auto handle = thread::spawn([] { return 1; });
    sake::ThreadHandle<int> other = std::move(handle);
    CHECK_FALSE(handle.is_joinable());
    handle.cancel();
    CHECK_THROWS_AS(static_cast<void>(handle.is_done()), std::logic_error);
    CHECK_THROWS_WITH_AS(handle.join(), "the ThreadHandle was moved from", std::logic_error);
    CHECK(other.join() == 1);
    CHECK_THROWS_WITH_AS(other.join(), "thread: it was joined before", std::logic_error);
    CHECK(other.is_done());
    other.cancel();
    static_assert(std::is_same_v<thread::JoinHandle<int>, sake::ThreadHandle<int>>);
    static_assert(!std::is_copy_constructible_v<sake::ThreadHandle<int>>);
    static_assert(std::is_nothrow_move_constructible_v<sake::ThreadHandle<int>>);
}

// ---- What goes in and comes out ----

TEST_CASE("function and arguments are moved or copied into the thread, and what moves only is welcome") {
    auto owned = std::make_unique<int>(20);
    auto function = [held = std::make_unique<int>(1)](std::unique_ptr<int> a, const std::string& text) {
        return std::make_unique<std::string>(text + std::to_string(*a + *held));
    };
    std::string text = "sum ";
    auto handle = thread::spawn(std::move(function), std::move(owned), text);
    text = "changed";
    const std::unique_ptr<std::string> result = handle.join();
    CHECK(*result == "sum 21");

    int counter = 0;
    thread::spawn([](int& n) { ++n; }, std::ref(counter)).join();
    CHECK(counter == 1);
    const int known = 5;
    CHECK(thread::spawn([&]() -> const int& { return known; }).join() == 5);
}

TEST_CASE("a pointer to a member is a function of its object") {
    const harness::Person person(40, "somebody");
    CHECK(thread::spawn(&harness::Person::age_in, person, 2).join() == 42);
    CHECK(thread::spawn(&harness::Person::name, std::cref(person)).join() == "somebody");
    CHECK(thread::spawn(&harness::Person::is_adult, &person).join());
}

TEST_CASE("what a thread was given and has made is destroyed once, also if nobody takes it") {
    harness::Oracle oracle;
    {
        const std::string text(100, 'x');
        auto dropped = thread::spawn([](const std::string& given) { return given + given; }, text);
        auto joined = thread::spawn([](std::string given) { return given; }, text);
        CHECK(joined.join() == text);
    }
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("a name is cut to 15 bytes, at the end of a character") {
    const auto seen = [](std::string_view name) {
        return thread::spawn(thread::Name(name), own_name).join();
    };
    CHECK(seen("loader") == "loader");
    CHECK(seen("123456789012345") == "123456789012345");
    CHECK(seen("1234567890123456") == "123456789012345");
    CHECK(seen("12345678901234\xC3\xA4") == "12345678901234");
    CHECK(seen("1234567890123\xC3\xA4") == "1234567890123\xC3\xA4");
    CHECK(seen("\xE9\x85\x92\xE9\x85\x92\xE9\x85\x92\xE9\x85\x92\xE9\x85\x92\xE9\x85\x92") ==
          "\xE9\x85\x92\xE9\x85\x92\xE9\x85\x92\xE9\x85\x92\xE9\x85\x92");
    CHECK(seen(std::string(40, '\x80')).empty() == false);
    CHECK(seen("") == own_name());
    CHECK(thread::spawn(own_name).join() == own_name());
}

namespace {

/// Which signals this thread blocks, of a few.
std::string blocked_signals() {
    sigset_t mask;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    std::string names;
    for (const auto& [signal, name] :
         {std::pair(SIGTERM, "TERM "), {SIGINT, "INT "}, {SIGUSR1, "USR1 "}, {SIGPIPE, "PIPE "}}) {
        if (::sigismember(&mask, signal) == 1) names += name;
    }
    return names;
}

}  // namespace

TEST_CASE("a thread that is made here blocks the signals of whoever makes it, and SIGPIPE") {
    const std::string before = blocked_signals();
    CHECK(before.empty());
    CHECK(thread::spawn(blocked_signals).join() == "PIPE ");
    auto stages = sake::pipeline([&](int) { return blocked_signals(); });
    CHECK(stages.run(std::vector{1}).front() == "PIPE ");
    in_coroutine([&]() -> Task<> {
        bool is_given = false;
        const auto source = [&]() -> std::optional<int> {
            if (std::exchange(is_given, true)) return std::nullopt;
            return 1;
        };
        const auto masks = co_await stages.run_async(source);
        CHECK(masks.front() == "PIPE ");
        const std::string in_background = co_await sake::background(blocked_signals);
        CHECK(in_background == "PIPE ");
    });
    CHECK(blocked_signals() == before);

    sigset_t some;
    ::sigemptyset(&some);
    ::sigaddset(&some, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &some, nullptr);
    CHECK(thread::spawn(blocked_signals).join() == "USR1 PIPE ");
    CHECK(blocked_signals() == "USR1 ");
    ::pthread_sigmask(SIG_UNBLOCK, &some, nullptr);
}

TEST_CASE("programs that are started on threads that are made here are ended by signals") {
    if (harness::is_thread_sanitized) return;  // a fork of a process of several threads is not for it
    CHECK(harness::programs_end_by_signals());
    CHECK(thread::spawn(harness::programs_end_by_signals).join());
    auto stages = sake::pipeline([&](int) { return harness::programs_end_by_signals(); });
    CHECK(stages.run(std::vector{1}).front());
    const std::vector<int> items{1, 2, 3, 4};
    for (const bool is_ended :
         sake::parallel(items, [](int) { return harness::programs_end_by_signals(); })) {
        CHECK(is_ended);
    }
    in_coroutine([&]() -> Task<> {
        const bool is_ended = co_await sake::background(harness::programs_end_by_signals);
        CHECK(is_ended);
    });
}

// ---- Stopping ----

TEST_CASE("a function that takes a stop token is given the handle's, before its arguments") {
    auto handle = thread::spawn(
        [](std::stop_token stop, int number) {
            wait_for_stop(std::move(stop));
            return number;
        },
        9);
    CHECK_FALSE(handle.is_done());
    handle.cancel();
    handle.cancel();
    while (!handle.is_done()) std::this_thread::yield();
    CHECK(handle.is_joinable());
    CHECK(handle.join() == 9);
    auto plain = thread::spawn([](auto number) { return number; }, 3);
    CHECK(plain.join() == 3);
}

TEST_CASE("dropping a handle, or giving it another thread, stops the thread and waits for its end") {
    harness::Oracle oracle;
    std::atomic<int> ended = 0;
    const auto work = [&](std::stop_token stop) {
        wait_for_stop(std::move(stop));
        ++ended;
    };
    {
        sake::ThreadHandle<void> handle = thread::spawn(work);
        handle = thread::spawn(work);
        CHECK(ended == 1);
        std::vector<sake::ThreadHandle<void>> many;
        for (int i = 0; i < 10; ++i) many.push_back(thread::spawn(work));
    }
    CHECK(ended == 12);
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("an exception that nobody takes goes to the log, unless it is Cancelled") {
    std::vector<std::string> lines;
    sake::Reactor reactor;
    reactor.set_log([&](sake::LogLevel, std::string_view line) { lines.emplace_back(line); });
    reactor.enter([] {
        static_cast<void>(thread::spawn([] { throw std::runtime_error("lost"); }));
        static_cast<void>(thread::spawn([] { throw sake::Cancelled(); }));
    });
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("lost") != std::string::npos);
}

// ---- In coroutines ----

TEST_CASE("a coroutine awaits a thread, on its own loop, which goes on meanwhile") {
    in_coroutine([]() -> Task<> {
        const auto home = std::this_thread::get_id();
        std::atomic<bool> may_end = false;
        auto handle = thread::spawn([&] {
            may_end.wait(false);
            return std::make_unique<int>(4);
        });
        const auto open = [&]() -> Task<> {
            co_await let_the_others_run();
            may_end = true;
            may_end.notify_all();
        };
        auto opener = sake::spawn(open());
        const std::unique_ptr<int> result = co_await handle;
        CHECK(*result == 4);
        CHECK_FALSE(handle.is_joinable());
        CHECK(std::this_thread::get_id() == home);
        co_await opener;

        bool was_run = false;
        co_await thread::spawn([&] { was_run = true; });
        CHECK(was_run);
        auto over = thread::spawn([] { return 5; });
        while (over.is_joinable()) {
            const int five = co_await over;
            CHECK(five == 5);
        }
    });
}

TEST_CASE("what a thread throws arrives at the await, and so does its end by pthread_exit") {
    const auto failure = [](auto function) -> Task<std::string> {
        const auto awaits = [](auto& f) -> Task<> {
            auto handle = thread::spawn(f);
            co_await handle;
        };
        co_return co_await failure_of(awaits(function));
    };
    in_coroutine([&]() -> Task<> {
        const std::string why = co_await failure([] { throw std::runtime_error("no luck"); });
        CHECK(why == "no luck");
    });
    const std::string ended = sake::run_until_complete(failure([] { ::pthread_exit(nullptr); }));
    CHECK(ended == "thread: the function ended its thread");
}

TEST_CASE("a wait that is cancelled leaves the thread running, to be awaited or joined later") {
    in_coroutine([]() -> Task<> {
        std::atomic<bool> may_end = false;
        std::atomic<bool> was_told = false;
        sake::ThreadHandle<int> handle = thread::spawn([&](std::stop_token stop) {
            may_end.wait(false);
            was_told = stop.stop_requested();
            return 6;
        });
        for (int i = 0; i < 3; ++i) {
            auto waiting = sake::spawn(failure_of(await_handle(handle)));
            co_await let_the_others_run();
            waiting.cancel();
            const std::string why = co_await waiting;
            CHECK(why == "Cancelled");
            CHECK(handle.is_joinable());
        }
        bool timed_out = false;
        try {
            co_await sake::timeout(await_handle(handle), 1ms);
        } catch (const sake::TimedOut&) {
            timed_out = true;
        }
        CHECK(timed_out);
        may_end = true;
        may_end.notify_all();
        CHECK(handle.join() == 6);
        CHECK_FALSE(was_told);
    });
}

TEST_CASE("a wait that is cancelled at any moment of the thread's end has its result or has left it") {
    for (int round = 0; round < harness::rounds(2000); ++round) {
        in_coroutine([&]() -> Task<> {
            sake::ThreadHandle<int> handle = thread::spawn([] { return 8; });
            auto waiting = sake::spawn(await_handle(handle));
            for (int i = 0; i < 1 + round % 7; ++i) co_await sake::yield();
            waiting.cancel();
            int result = 0;
            try {
                result = co_await waiting;
            } catch (const sake::Cancelled&) {
            }
            if (result == 0) result = handle.join();
            CHECK(result == 8);
            CHECK_FALSE(handle.is_joinable());
        });
    }
}

TEST_CASE("a handle that goes while a coroutine awaits it fails the wait, and the thread is joined") {
    in_coroutine([]() -> Task<> {
        std::atomic<int> ended = 0;
        auto handle = std::make_unique<sake::ThreadHandle<int>>(thread::spawn([&](std::stop_token stop) {
            wait_for_stop(std::move(stop));
            return ++ended;
        }));
        auto waiting = sake::spawn(failure_of(await_handle(*handle)));
        co_await let_the_others_run();
        handle.reset();
        CHECK(ended == 1);
        const std::string why = co_await waiting;
        CHECK(why == "thread: the handle was destroyed while it was awaited");
    });
    // Cancelled, and in the same round of the loop the handle goes; the other way round as well.
    for (const bool is_cancelled_first : {true, false}) {
        in_coroutine([is_cancelled_first]() -> Task<> {
            auto handle = std::make_unique<sake::ThreadHandle<int>>(thread::spawn([](std::stop_token stop) {
                wait_for_stop(std::move(stop));
                return 0;
            }));
            auto waiting = sake::spawn(failure_of(await_handle(*handle)));
            co_await let_the_others_run();
            if (is_cancelled_first) waiting.cancel();
            handle.reset();
            waiting.cancel();
            const std::string why = co_await waiting;
            CHECK(why == (is_cancelled_first ? "Cancelled"
                                             : "thread: the handle was destroyed while it was awaited"));
        });
    }
}

TEST_CASE("two that await the same thread at a time are told") {
    in_coroutine([]() -> Task<> {
        std::atomic<bool> may_end = false;
        sake::ThreadHandle<int> handle = thread::spawn([&] {
            may_end.wait(false);
            return 1;
        });
        auto first = sake::spawn(await_handle(handle));
        co_await let_the_others_run();
        const std::string why = co_await failure_of(await_handle(handle));
        CHECK(why == "thread: a handle is awaited twice at a time");
        may_end = true;
        may_end.notify_all();
        const int result = co_await first;
        CHECK(result == 1);
        const std::string again = co_await failure_of(await_handle(handle));
        CHECK(again == "thread: it was joined before");
    });
}

TEST_CASE("threads take part in when_all and when_any like tasks") {
    in_coroutine([]() -> Task<> {
        auto both = co_await sake::when_all(thread::spawn([] { return 1; }), thread::spawn([] { return 2; }));
        auto& [one, two] = both;
        CHECK(one + two == 3);
        auto first = co_await sake::when_any(thread::spawn(wait_for_stop), sake::sleep(1ms));
        CHECK(first.index() == 1);
    });
}

TEST_CASE("a wait that goes with the thread of its loop stops its thread and joins it") {
    const auto routes = [](sake::Engine& app) {
        app.get("/leave",
                [](sake::Context&) -> Task<> {
                    const auto awaits = [](sake::ThreadHandle<void> handle) -> Task<> { co_await handle; };
                    auto waiting = sake::spawn(awaits, thread::spawn(wait_for_stop));
                    co_await let_the_others_run();
                    ::pthread_exit(nullptr);
                })
            .worker();
    };
    const auto leave_often = [](harness::TestServer& server) {
        for (int i = 0; i < 5; ++i) {
            harness::RawClient client = server.connect();
            CHECK(client.send(harness::get_request("/leave")).read_response().status == 500);
        }
    };
    harness::with_server(routes, leave_often, harness::quiet_config());
}

TEST_CASE("many threads are spawned and joined, from threads and from a coroutine") {
    harness::Oracle oracle;
    for (int round = 0; round < harness::rounds(500); ++round) {
        auto outer = thread::spawn([round] {
            auto inner = thread::spawn([round] { return round; });
            return inner.join() + 1;
        });
        if (outer.join() != round + 1) FAIL("round ", round, " gave something else");
    }
    CHECK(oracle.check_returned_to_baseline());
}

}  // namespace test_thread
