// A replacement of every global operator new and delete: counts what is live, counts what each thread makes,
// and fails the Nth allocation on server threads (those that faults.hpp includes). Each block carries a
// 16-byte header with its size, so the figures are exact and a wrong sized delete is caught. What mmap maps
// counts as a block too (faults.cpp reports it). Memory from malloc itself is not seen. Works under the
// sanitizers, since the blocks come from malloc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace harness::allocations {

/// Blocks and bytes (as requested) that are live, leaving out what was made under Exempt. Pages that
/// were mapped count until they are unmapped.
[[nodiscard]] std::int64_t live_blocks() noexcept;
[[nodiscard]] std::int64_t live_bytes() noexcept;
/// A mapping of `before` bytes now has `after`: the first is 0 of a new one, the second if it is unmapped.
void pages_changed(std::size_t before, std::size_t after) noexcept;
/// Allocations ever made, by all threads.
[[nodiscard]] std::uint64_t total() noexcept;
/// Allocations ever made by the calling thread: read it twice in a handler to show that a request makes none.
[[nodiscard]] std::uint64_t by_this_thread() noexcept;
/// Allocations ever made by server threads: the same figure, seen from the test.
[[nodiscard]] std::uint64_t by_server_threads() noexcept;

/// What this thread allocates meanwhile belongs to the test, not to the library: it is in no live figure, is
/// never failed, and may be freed at any time by any thread. Scopes nest.
class Exempt {
  public:
    Exempt() noexcept;
    ~Exempt();
    Exempt(const Exempt&) = delete;
    Exempt& operator=(const Exempt&) = delete;
};

/// While it lives, the nth allocation (from 1) of the server threads fails, and `count - 1` after it:
/// bad_alloc, or null from a nothrow form. One at a time: a second throws std::logic_error.
///
///     for (std::uint64_t n = 1;; ++n) {
///         allocations::ScopedFailure failure(n);
///         ...one request...
///         if (!failure.fired()) break;     // a clean run: every allocation has failed once
///     }
class ScopedFailure {
  public:
    explicit ScopedFailure(std::uint64_t n, std::uint64_t count = 1);
    ~ScopedFailure();
    ScopedFailure(const ScopedFailure&) = delete;
    ScopedFailure& operator=(const ScopedFailure&) = delete;

    /// Whether an allocation has failed since construction.
    [[nodiscard]] bool fired() const noexcept;
    /// Allocations of server threads since construction, failed ones too.
    [[nodiscard]] std::uint64_t seen() const noexcept;
};

}  // namespace harness::allocations
