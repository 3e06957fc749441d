// Faults in system calls, put in at link time: every call named in wrapped_calls.txt arrives at a wrapper of
// faults.cpp (-Wl,--wrap=NAME), which fails or shortens it when a plan says so. Only threads that opted in,
// the server's, are counted or touched; the raw client of a test never is. The product carries nothing for
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace harness {

namespace faults {

/// From now on this thread is a server thread: plans apply to it and its calls are counted.
void apply_to_this_thread() noexcept;
/// This thread is never touched, not even under AllOtherThreads.
void spare_this_thread() noexcept;
/// Whether plans, counters and allocation failures apply to the calling thread.
[[nodiscard]] bool this_thread_is_included() noexcept;

/// While one of these lives every thread is a server thread, except the one that made it and those that were
/// spared: the way to reach worker threads, which the library starts itself.
class AllOtherThreads {
  public:
    AllOtherThreads() noexcept;
    ~AllOtherThreads();
    AllOtherThreads(const AllOtherThreads&) = delete;
    AllOtherThreads& operator=(const AllOtherThreads&) = delete;
};

/// How often server threads made the call since the start or the last reset_calls(). Failed calls count.
[[nodiscard]] std::uint64_t calls(std::string_view name);
/// The most bytes that a server thread has asked one such call for, since the same moment. Of calls that
/// transfer bytes.
[[nodiscard]] std::uint64_t longest(std::string_view name);
/// Sets all of these figures to zero.
void reset_calls() noexcept;
/// The names that calls() and FaultPlan know, sorted.
[[nodiscard]] std::vector<std::string_view> wrapped_names();

}  // namespace faults

/// What is to go wrong. Call numbers are counted per name from the moment the plan becomes active; the first
/// rule that fits wins. Unknown names throw std::invalid_argument.
///
/// The random kinds stay plausible: EAGAIN only hits descriptors that are non-blocking, and short I/O only
/// sockets, pipes and files (eight bytes of an eventfd are never split). After an injected EAGAIN or a
/// shortened call the next epoll_wait of the thread reports that descriptor again, as a kernel would have: an
/// edge-triggered server loses nothing.
class FaultPlan {
  public:
    /// The same seed and the same calls give the same faults.
    explicit FaultPlan(std::uint64_t seed = 1) : seed_(seed) {}

    /// Fails the nth call (from 1) with this errno.
    FaultPlan& fail_nth(std::string_view name, std::uint64_t n, int error) {
        return fail_range(name, n, 1, error);
    }
    /// Fails `count` calls in a row, the nth and the ones after it.
    FaultPlan& fail_range(std::string_view name, std::uint64_t n, std::uint64_t count, int error);
    /// These bytes of every file are on a disk, and not in memory: preadv2 fails there with EAGAIN.
    FaultPlan& not_in_memory(std::uint64_t begin, std::uint64_t end);
    /// Fails every call with this errno, each with the given probability.
    FaultPlan& fail_randomly(std::string_view name, double probability, int error);
    /// Limits a call that transfers bytes to `most` of them, each with the given probability.
    FaultPlan& short_io(std::string_view name, double probability, std::size_t most);
    /// EINTR, EAGAIN and one-byte I/O at this rate on recv, send, sendfile, sendmsg, read, write, writev and
    /// accept4, and EINTR on the waits: the storm of test F1.
    FaultPlan& storm(double probability);

    /// One line of the plan, as the wrappers read it.
    struct Rule {
        std::size_t call;         // index into the table of names
        std::uint64_t first = 0;  // 0: random
        std::uint64_t count = 0;  // calls hit from `first` on
        double probability = 0;   // of a random rule
        int error = 0;            // errno, or 0 for short I/O
        std::size_t most = 0;     // bytes of short I/O
        std::uint64_t begin = 0;  // of a rule for a part of files
        std::uint64_t end = 0;    // 0: for all calls
    };
    [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
    [[nodiscard]] std::uint64_t seed() const { return seed_; }

  private:
    std::uint64_t seed_;
    std::vector<Rule> rules_;
};

/// Makes a plan active for as long as it lives. One at a time: a second throws std::logic_error.
class ScopedFaults {
  public:
    explicit ScopedFaults(const FaultPlan& plan);
    ~ScopedFaults();
    ScopedFaults(const ScopedFaults&) = delete;
    ScopedFaults& operator=(const ScopedFaults&) = delete;

    /// Faults put in so far, of all names.
    [[nodiscard]] std::uint64_t fired() const;
    /// Faults put in so far into this call.
    [[nodiscard]] std::uint64_t fired(std::string_view name) const;
};

}  // namespace harness
