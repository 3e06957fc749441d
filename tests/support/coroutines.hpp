// What the tests of the async toolbox share: running the body of a test as a coroutine, and letting others
// run.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include "allocations.hpp"
#include "sake.hpp"

namespace harness {

/// Makes the framework's list of open INFO scopes as long as it will ever be, since it would otherwise grow
/// in the middle of a balance.
inline void grow_info_scopes(int depth) {
    INFO("depth ", depth);
    if (depth > 0) grow_info_scopes(depth - 1);
}

/// Makes what the library makes once per process and keeps, before a balance of the heap is taken.
inline void make_what_stays() {
    grow_info_scopes(32);
    static_cast<void>(sake::detail::process_pool());
}

/// Whether no more blocks are live than were `before`. Threads of the process may let go of theirs a little
/// later than they tell what they have done; those of an earlier test may have done so after `before`.
inline bool is_back_at(std::int64_t before) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (allocations::live_blocks() > before && std::chrono::steady_clock::now() < until) {
        std::this_thread::yield();
    }
    return allocations::live_blocks() <= before;
}

/// Runs the body of a test, a coroutine; afterwards every frame and result is gone.
template <class Body>
void in_coroutine(Body body) {
    make_what_stays();
    const auto before = allocations::live_blocks();
    sake::run_until_complete(body());
    CHECK(is_back_at(before));
}

/// Turns enough of the loop for everything that was spawned or resumed just now to run.
inline sake::Task<> let_the_others_run() {
    for (int i = 0; i < 5; ++i) co_await sake::yield();
}

/// What `task` throws, as text; "no exception" if it does not.
template <class T>
sake::Task<std::string> failure_of(sake::Task<T> task) {
    std::string why = "no exception";
    try {
        co_await std::move(task);
    } catch (const std::exception& error) {
        why = error.what();
    } catch (const sake::Cancelled&) {
        why = "Cancelled";
    }
    co_return why;
}

/// Where the stack stands: the frame itself, as AddressSanitizer may put locals on the heap.
[[gnu::noinline]] inline std::intptr_t stack_position() {
    return reinterpret_cast<std::intptr_t>(__builtin_frame_address(0));
}

/// The farthest that the stack has been from where it was first seen.
class StackMeter {
  public:
    void sample() {
        const std::intptr_t here = stack_position();
        if (start_ == 0) start_ = here;
        const std::intptr_t distance = here > start_ ? here - start_ : start_ - here;
        if (distance > farthest_) farthest_ = distance;
    }
    [[nodiscard]] std::intptr_t farthest() const { return farthest_; }
    /// By more than a few frames.
    [[nodiscard]] bool has_grown() const { return farthest_ > 16 * 1024; }

  private:
    std::intptr_t start_ = 0;
    std::intptr_t farthest_ = 0;
};

}  // namespace harness
