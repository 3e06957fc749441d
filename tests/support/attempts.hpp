// Tests of time limits in real time. On a busy machine the test itself may be held up for longer than the
// limit, before it has sent its bytes; then it has tested nothing.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>

namespace harness {

/// One attempt at a test whose own steps have to come before a time limit can end. It measures them. If one
/// came late, the attempt is void: nothing may be checked any more.
class Attempt {
  public:
    using Clock = std::chrono::steady_clock;

    explicit Attempt(std::chrono::milliseconds limit) : limit_(limit) {}

    /// What the test sets as the limit.
    [[nodiscard]] std::chrono::milliseconds limit() const { return limit_; }
    /// A time after which a limit that has begun is over.
    [[nodiscard]] std::chrono::milliseconds past_limit() const { return limit_ * 3 / 2; }

    /// The limit does not begin before this moment.
    void begin() { begun_ = Clock::now(); }
    /// A step has been taken. If that was not well within the limit, in half of it, the attempt is void.
    /// Returns whether it still counts.
    bool note_step() {
        if (Clock::now() - begun_ >= limit_ / 2) is_void_ = true;
        return counts();
    }
    void make_void() { is_void_ = true; }
    [[nodiscard]] bool counts() const { return !is_void_; }

  private:
    const std::chrono::milliseconds limit_;
    Clock::time_point begun_ = Clock::now();
    std::atomic<bool> is_void_{false};  // a server's thread may note a step
};

/// Runs `test(attempt)` until an attempt counts, six times at most. Each has `growth` times the limit of
/// the one before; 1 is for a limit that cannot be set. A fault of the library fails an attempt that counts,
/// and a busy machine costs another attempt.
template <class Test>
void until_in_time(std::chrono::milliseconds limit, Test test, int growth = 4) {
    for (int tries = 0; tries < 6; ++tries, limit *= growth) {
        Attempt attempt(limit);
        test(attempt);
        if (attempt.counts()) return;
    }
    FAIL_CHECK("the machine is too busy for this test: its own steps were late in every attempt");
}

}  // namespace harness
