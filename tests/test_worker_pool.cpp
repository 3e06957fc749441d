// WorkerPool by itself: order, limits, and jobs that fail, end their thread or never return.
#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace test_worker_pool {

using namespace std::chrono_literals;
using harness::eventually;
using sake::WorkerPool;

namespace {

/// A gate that jobs wait behind.
class Gate {
  public:
    void open() { opened_.count_down(); }
    void wait() const { opened_.wait(); }

  private:
    std::latch opened_{1};
};

}  // namespace

TEST_CASE("one thread runs jobs in the order of their submission, and the destructor waits for all") {
    std::vector<int> order;
    {
        WorkerPool pool(1, 1000);
        for (int i = 0; i < 1000; ++i) REQUIRE(pool.submit([&order, i] { order.push_back(i); }));
    }
    REQUIRE(order.size() == 1000);
    for (int i = 0; i < 1000; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a pool has the size that was asked for, and one thread per usable CPU if none was") {
    CHECK(WorkerPool(3).size() == 3);
    CHECK(WorkerPool().size() == sake::usable_cpus());
    CHECK(sake::usable_cpus() >= 1);
    CHECK_THROWS_WITH_AS(WorkerPool(-1), "WorkerPool: size must be at least 0, not -1",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(WorkerPool(1, -2), "WorkerPool: queue_limit must be at least 0, not -2",
                         std::invalid_argument);
    CHECK_THROWS_AS(WorkerPool(1, std::int64_t{-1}), std::invalid_argument);
    CHECK_THROWS_AS(WorkerPool(1, std::numeric_limits<std::size_t>::max() - 1), std::invalid_argument);
    CHECK_THROWS_WITH_AS(WorkerPool(1).stop(std::chrono::milliseconds(-1)),
                         "WorkerPool::stop: patience must be at least 0 ms, not -1 ms",
                         std::invalid_argument);
}

TEST_CASE("L1 the largest limit of a queue, of whatever type, is none") {
    const auto takes_all = [](auto limit) {
        Gate gate;
        WorkerPool pool(1, limit);
        for (int i = 0; i < 1000; ++i) {
            if (!pool.submit([&] { gate.wait(); })) return false;
        }
        gate.open();
        return true;
    };
    CHECK(takes_all(std::numeric_limits<int>::max()));
    CHECK(takes_all(std::numeric_limits<unsigned>::max()));
    CHECK(takes_all(std::numeric_limits<std::size_t>::max()));
    CHECK(takes_all(std::numeric_limits<std::int64_t>::max()));
    CHECK(takes_all(std::int64_t{5'000'000'000}));
}

TEST_CASE(
    "L1 as many jobs wait as the queue's limit says, besides those that run, and one more is rejected") {
    for (const int limit : {0, 1, 2, 8}) {
        CAPTURE(limit);
        Gate gate;
        std::atomic<int> ran{0};
        WorkerPool pool(2, limit);
        const auto job = [&] {
            gate.wait();
            ++ran;
        };
        for (int i = 0; i < 2 + limit; ++i) CHECK(pool.submit(job));
        CHECK_FALSE(pool.submit(job));
        CHECK(eventually([&] { return pool.stats().running == 2; }));
        CHECK(pool.stats().queued == limit);
        CHECK_FALSE(pool.submit(job));
        CHECK(pool.stats().rejected == 2);
        gate.open();
        CHECK(eventually([&] { return pool.stats().done == static_cast<std::uint64_t>(2 + limit); }));
        CHECK(pool.submit([&] { ++ran; }));
        CHECK(eventually([&] { return ran == 3 + limit; }));
    }
}

TEST_CASE("W4 a job that throws costs nobody else anything") {
    harness::Oracle oracle;
    {
        WorkerPool pool(1, 10);
        std::atomic<bool> ran{false};
        CHECK(pool.submit([] { throw std::runtime_error("expected by the test"); }));
        CHECK(pool.submit([] { throw 7; }));
        CHECK(pool.submit([&] { ran = true; }));
        CHECK(eventually([&] { return ran.load(); }));
        CHECK(pool.stats().replaced == 0);
    }
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("W5 a thread that a job ends is replaced, a thousand times, and nothing is left of it") {
    harness::Oracle oracle;
    const int times = harness::rounds(1000);
    {
        WorkerPool pool(2, 10);
        std::atomic<int> destroyed{0};
        for (int i = 0; i < times; ++i) {
            struct Guard {
                std::atomic<int>& count;
                ~Guard() { ++count; }
            };
            REQUIRE(pool.submit([&] {
                const Guard guard{destroyed};
                pthread_exit(nullptr);
            }));
            REQUIRE(eventually([&] { return pool.stats().done == static_cast<std::uint64_t>(i) + 1; }));
        }
        CHECK(destroyed == times);
        CHECK(eventually([&] { return pool.stats().replaced == static_cast<std::uint64_t>(times); }));
        std::atomic<bool> ran{false};
        CHECK(pool.submit([&] { ran = true; }));
        CHECK(eventually([&] { return ran.load(); }));
    }
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("a pool that is stopped drops what is queued, and leaves a job that does not return to itself") {
    auto gate = std::make_shared<Gate>();
    auto ended = std::make_shared<std::atomic<bool>>(false);
    auto dropped = std::make_shared<int>(0);
    std::atomic<bool> ran{false};
    {
        WorkerPool pool(1, 10);
        CHECK(pool.submit([gate, ended] {
            gate->wait();
            *ended = true;
        }));
        CHECK(eventually([&] { return pool.stats().running == 1; }));
        CHECK(pool.submit([&ran, dropped] { ran = true; }));
        CHECK(pool.stop(20ms) == 1);
        CHECK(dropped.use_count() == 1);
        CHECK_FALSE(pool.submit([&] { ran = true; }));
        CHECK(pool.stop(1ms) == 1);
        gate->open();
        CHECK(eventually([&] { return pool.stats().running == 0; }));
    }
    CHECK(eventually([&] { return ended->load() && ended.use_count() == 1; }));
    CHECK_FALSE(ran);
}

TEST_CASE("W9 with four producers and four threads each job runs once, or was reported as rejected") {
    const int per_producer = harness::rounds(10'000'000) / 4;
    std::vector<std::atomic<unsigned char>> runs(static_cast<std::size_t>(per_producer) * 4);
    std::atomic<int> rejected{0};
    {
        WorkerPool pool(4, 1000);
        std::vector<std::jthread> producers;
        for (int producer = 0; producer < 4; ++producer) {
            producers.emplace_back([&, producer] {
                for (int i = 0; i < per_producer; ++i) {
                    auto& run = runs[static_cast<std::size_t>(producer * per_producer + i)];
                    if (pool.submit([&run] { run.fetch_add(1, std::memory_order_relaxed); })) continue;
                    run.fetch_add(1, std::memory_order_relaxed);
                    rejected.fetch_add(1, std::memory_order_relaxed);
                    std::this_thread::yield();
                }
            });
        }
        producers.clear();
        const auto accepted = static_cast<std::uint64_t>(per_producer * 4 - rejected);
        CHECK(eventually([&] { return pool.stats().done == accepted; }));
        CHECK(pool.stats().rejected == static_cast<std::uint64_t>(rejected));
    }
    std::size_t wrong = 0;
    for (const auto& run : runs) wrong += run == 1 ? 0U : 1U;
    CHECK(wrong == 0);
}

TEST_CASE("threads of a pool block the signals that their maker blocks, and SIGPIPE") {
    std::atomic<bool> is_so{false};
    WorkerPool pool(1);
    sigset_t of_the_maker;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &of_the_maker);
    CHECK(pool.submit([&] {
        sigset_t mask;
        ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
        bool same = ::sigismember(&mask, SIGPIPE) == 1;
        for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGSEGV}) {
            same = same && ::sigismember(&mask, each) == ::sigismember(&of_the_maker, each);
        }
        is_so = same;
    }));
    CHECK(eventually([&] { return is_so.load(); }));
}

TEST_CASE("a quota of cgroups is CPUs, rounded up") {
    using sake::detail::cpus_of_quota;
    CHECK(cpus_of_quota("200000 100000\n") == 2);
    CHECK(cpus_of_quota("150000 100000\n") == 2);
    CHECK(cpus_of_quota("100000 100000") == 1);
    CHECK(cpus_of_quota("100001 100000") == 2);
    CHECK(cpus_of_quota("1 100000") == 1);
    for (const char* none : {"max 100000\n", "", "-1 100000", "100000", "0 100000", "1 0", "x y", "1  2"}) {
        CAPTURE(none);
        CHECK(cpus_of_quota(none) == sake::detail::any_number_of_cpus);
    }
}

TEST_CASE("the tightest quota counts, of the process's own group and of those around it") {
    char folder[] = "/tmp/sake-cgroup-XXXXXX";
    REQUIRE(::mkdtemp(folder) != nullptr);
    const std::string root = folder;
    const auto write = [&](const std::string& path, const std::string& text) {
        std::ofstream(root + path) << text;
    };
    ::mkdir((root + "/a").c_str(), 0700);
    ::mkdir((root + "/a/b").c_str(), 0700);
    using sake::detail::cgroup_cpus;
    const std::string member = "1:name=x:/other\n0::/a/b\n";
    CHECK(cgroup_cpus(root, member) == sake::detail::any_number_of_cpus);
    write("/a/b/cpu.max", "max 100000\n");
    CHECK(cgroup_cpus(root, member) == sake::detail::any_number_of_cpus);
    write("/a/cpu.max", "300000 100000\n");
    CHECK(cgroup_cpus(root, member) == 3);
    write("/a/b/cpu.max", "800000 100000\n");
    CHECK(cgroup_cpus(root, member) == 3);
    write("/cpu.max", "200000 100000\n");
    CHECK(cgroup_cpus(root, member) == 2);
    CHECK(cgroup_cpus(root, "") == 2);
    for (const char* file : {"/a/b/cpu.max", "/a/cpu.max", "/cpu.max"}) ::unlink((root + file).c_str());
    ::mkdir((root + "/cpu").c_str(), 0700);
    write("/cpu/cpu.cfs_quota_us", "50000\n");
    write("/cpu/cpu.cfs_period_us", "100000\n");
    CHECK(cgroup_cpus(root, "") == 1);
    for (const char* file : {"/cpu/cpu.cfs_quota_us", "/cpu/cpu.cfs_period_us"})
        ::unlink((root + file).c_str());
    for (const char* each : {"/a/b", "/a", "/cpu", ""}) ::rmdir((root + each).c_str());
}

TEST_CASE("a pool that its own job destroys does not wait for itself, and does all that is queued") {
    std::atomic<int> done{0};
    std::atomic<bool> is_destroyed{false};
    const auto before = harness::Snapshot::take_in_calm();
    for (const int size : {1, 3}) {
        done = 0;
        is_destroyed = false;
        auto pool = std::make_unique<WorkerPool>(size, 100);
        WorkerPool& same = *pool;
        std::latch may_begin(1);
        REQUIRE(same.submit([&] {
            may_begin.wait();
            pool.reset();
            is_destroyed = true;
            ++done;
        }));
        for (int i = 0; i < 20; ++i) REQUIRE(same.submit([&] { ++done; }));
        may_begin.count_down();
        CHECK(harness::eventually([&] { return is_destroyed && done == 21; }));
    }
    // A thread of an earlier test may have ended since.
    CHECK(harness::eventually([&] { return harness::Snapshot::take().threads <= before.threads; }));
}

TEST_CASE("stop, called by a job of its pool, says so instead of waiting for itself") {
    WorkerPool pool(1, 10);
    std::atomic<bool> has_thrown{false};
    REQUIRE(pool.submit([&] {
        try {
            static_cast<void>(pool.stop(10s));
        } catch (const std::logic_error&) {
            has_thrown = true;
        }
    }));
    CHECK(harness::eventually([&] { return has_thrown.load(); }));
}

}  // namespace test_worker_pool
