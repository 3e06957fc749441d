// The oracle: what a process holds (descriptors, threads, heap), taken before a server lives and compared
// after it has gone. It judges leaks only; answers are for the test to check.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <string>

namespace harness {

/// What the process holds at one moment. Plain numbers: taking one allocates nothing that is counted.
struct Snapshot {
    int fds = 0;                   // entries of /proc/self/fd
    int threads = 0;               // entries of /proc/self/task
    std::int64_t live_blocks = 0;  // see allocations.hpp
    std::int64_t live_bytes = 0;

    [[nodiscard]] static Snapshot take();
    /// Once nothing has changed for some milliseconds, within reason: the kernel lists a thread for a moment
    /// longer than it takes to join it.
    [[nodiscard]] static Snapshot take_in_calm();
    friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

/// Resident memory of the process.
[[nodiscard]] std::int64_t resident_bytes();

/// Remembers a baseline, taken in calm, when made.
///
/// The test framework allocates too (captured values, failed assertions), so what the test itself does
/// between the two moments belongs under allocations::Exempt; so does state that a handler keeps outside the
/// server. The first server of a process may make statics that stay: with_server (server_fixture.hpp) warms
/// up first.
class Oracle {
  public:
    Oracle();

    /// Waits until descriptors, threads and live heap are exactly what they were, since the kernel takes a
    /// moment to drop a joined thread. Prints the difference and returns false if that does not happen in
    /// time.
    [[nodiscard]] bool check_returned_to_baseline(
        std::chrono::milliseconds timeout = std::chrono::seconds(30));

    /// The baseline against now in words, with the targets of new descriptors.
    [[nodiscard]] std::string difference() const;
    [[nodiscard]] const Snapshot& baseline() const { return baseline_; }

  private:
    static constexpr std::size_t most_fds = 32768;

    Snapshot baseline_;
    std::bitset<most_fds> open_at_baseline_;
};

}  // namespace harness
