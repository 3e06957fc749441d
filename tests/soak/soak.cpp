// R2: a server under the whole mix for minutes, in rounds with quiet moments between; at each, its memory is
// looked at. The clients are a process of their own, so that theirs is not seen.
//
//   soak [SECONDS]     120 unless told
#define DOCTEST_CONFIG_IMPLEMENT  // there are no test cases, only headers that are made for some

#include <malloc.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/mixed_load.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace {

using namespace harness;
using Clock = std::chrono::steady_clock;

constexpr double mebibyte = 1024 * 1024;
constexpr double slope_limit = 1;  // MiB per hour

// ---- the clients: told of a round, they tell how it was

struct Round {
    int port = 0;
    std::uint64_t first_seed = 0;
    std::chrono::milliseconds length{0};
};
struct Outcome {
    std::int64_t sessions = 0;
    std::int64_t answers = 0;
    bool is_right = true;
};

Outcome load_for(const Round& round) {
    constexpr int batch = 100;
    Outcome outcome;
    MixedLoad load(round.port);
    const auto until = Clock::now() + round.length;
    while (Clock::now() < until) {
        load.run(round.first_seed + static_cast<std::uint64_t>(outcome.sessions), batch, 4);
        outcome.sessions += batch;
    }
    load.level_caches();
    outcome.answers = load.answers();
    outcome.is_right = load.failures().empty();
    std::fputs(load.failures().c_str(), stderr);
    return outcome;
}

/// Until the other end is closed.
void serve_as_clients(int channel) {
    Round round;
    while (::read(channel, &round, sizeof round) == sizeof round) {
        Outcome outcome;
        try {
            outcome = load_for(round);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            outcome.is_right = false;
        }
        if (::write(channel, &outcome, sizeof outcome) != sizeof outcome) break;
    }
}

// ---- the samples

struct Sample {
    double hours;
    double resident;  // MiB
    std::int64_t live_bytes;
};

struct Slope {
    double value;
    double standard_error;
};

/// The least-squares line through RSS over time.
Slope slope_of(const std::vector<Sample>& samples) {
    const auto n = static_cast<double>(samples.size());
    double mean_x = 0;
    double mean_y = 0;
    for (const Sample& each : samples) {
        mean_x += each.hours / n;
        mean_y += each.resident / n;
    }
    double xx = 0;
    double xy = 0;
    for (const Sample& each : samples) {
        xx += (each.hours - mean_x) * (each.hours - mean_x);
        xy += (each.hours - mean_x) * (each.resident - mean_y);
    }
    const double slope = xy / xx;
    double residual = 0;
    for (const Sample& each : samples) {
        const double off = each.resident - mean_y - slope * (each.hours - mean_x);
        residual += off * off;
    }
    return {slope, std::sqrt(residual / (n - 2) / xx)};
}

int failed = 0;
int passed = 0;
void expect(bool holds, const char* what) {
    ++(holds ? passed : failed);
    if (!holds) std::printf("FAILED: %s\n", what);
}

void judge(const std::vector<Sample>& samples) {
    const auto [lowest, highest] =
        std::minmax_element(samples.begin(), samples.end(),
                            [](const Sample& a, const Sample& b) { return a.live_bytes < b.live_bytes; });
    const std::int64_t grown = highest->live_bytes - samples.front().live_bytes;
    const Slope slope = slope_of(samples);
    std::printf("RSS slope: %+.2f MiB/h over %zu samples (limit %.0f MiB/h beyond the noise of %.2f MiB/h)\n",
                slope.value, samples.size(), slope_limit, slope.standard_error);
    std::printf("live bytes: %+lld\n", static_cast<long long>(grown));
    expect(grown == 0 && lowest->live_bytes == highest->live_bytes,
           "live bytes are the same at every quiet moment");
    expect(slope.standard_error <= slope_limit, "the samples of RSS are steady enough to tell");
    expect(slope.value - slope.standard_error <= slope_limit, "RSS does not grow");
}

/// Rounds of load until `seconds` have passed. `channel` leads to the clients.
void soak(int channel, double seconds) {
    TestServer server(MixedLoad::add_routes, MixedLoad::config(quiet_config()));
    const allocations::Exempt not_the_servers;
    const auto began = Clock::now();
    const auto passed_seconds = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
    std::vector<Sample> samples;
    std::int64_t sessions = 0;
    std::int64_t answers = 0;
    bool is_right = true;
    bool is_quiet = true;
    Round round{server.port(), 1, 2s};
    int descriptors = 0;
    for (double next_line = 10; is_right && passed_seconds() < seconds;) {
        Outcome outcome;
        is_right = ::write(channel, &round, sizeof round) == sizeof round &&
                   ::read(channel, &outcome, sizeof outcome) == sizeof outcome && outcome.is_right;
        round.first_seed += static_cast<std::uint64_t>(outcome.sessions);
        sessions += outcome.sessions;
        answers += outcome.answers;
        if (descriptors == 0) descriptors = settled_fds(server);
        is_quiet = eventually([&] { return Snapshot::take().fds <= descriptors; }) && is_quiet;
        const Oracle calm;
        ::malloc_trim(0);  // what is free goes back first: it comes and goes by more than a leak would add
        samples.push_back({passed_seconds() / 3600, static_cast<double>(resident_bytes()) / mebibyte,
                           calm.baseline().live_bytes});
        if (passed_seconds() < next_line) continue;
        next_line += 10;
        std::printf(
            "%4.0f s: RSS %.2f MiB, live bytes %lld, heap %zu used and %zu free, descriptors %d, threads %d, "
            "%lld sessions, %lld answers\n",
            passed_seconds(), samples.back().resident, static_cast<long long>(samples.back().live_bytes),
            ::mallinfo2().uordblks, ::mallinfo2().fordblks, calm.baseline().fds, calm.baseline().threads,
            static_cast<long long>(sessions), static_cast<long long>(answers));
        std::fflush(stdout);
    }
    expect(is_right, "every answer is right");
    expect(is_quiet, "descriptors are closed at every quiet moment");
    expect(server.ping(), "the server answers at the end");
    expect(server.stop() == 0, "run() returns 0");
    samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 4));
    if (samples.size() < 3) return expect(false, "there are enough samples: give it 20 seconds at least");
    judge(samples);
}

// The allocator's pools for threads and its growing thresholds make RSS wander by more than a leak would add.
// What a thread keeps of freed blocks can only be switched off from outside: hence the program starts anew,
// once.
void settle_the_allocator(char** argv) {
    if (::getenv("GLIBC_TUNABLES") == nullptr) {
        ::setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
        ::execv("/proc/self/exe", argv);
    }
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    ::mallopt(M_TRIM_THRESHOLD, 64 * 1024);
}

}  // namespace

int main(int argc, char** argv) {
    settle_the_allocator(argv);
    const double seconds = argc > 1 ? std::atof(argv[1]) : 120;
    int channel[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) return 2;
    const pid_t clients = ::fork();  // before there are threads
    if (clients < 0) return 2;
    if (clients == 0) {
        ::close(channel[0]);
        serve_as_clients(channel[1]);
        ::_exit(0);
    }
    ::close(channel[1]);
    soak(channel[0], seconds);
    ::close(channel[0]);
    ::waitpid(clients, nullptr, 0);
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
