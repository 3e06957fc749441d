// The allowances of many keys in a table of fixed size: for each key the time at which its allowance is full
// again (GCRA, the generic cell rate algorithm). A key whose time has passed needs no place.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sake/base/hash.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Times are nanoseconds. For any thread. Requests of a key with a place are counted exactly. If the first
/// two requests of a key arrive at the same time, each may take a place; the second place is then unused.
class RateTable {
  public:
    struct Verdict {
        bool is_allowed;
        std::int64_t remaining;    // requests that may follow at once
        std::int64_t until_whole;  // until the whole allowance is back
        std::int64_t until_next;   // until the next request may come, if this one may not
    };

    /// One request per `interval`, and `burst` at once after a pause. Keys fall into groups by chance, so
    /// there are two places per key: with `max_keys` keys, one in a thousand finds its group full.
    RateTable(std::int64_t interval, std::int64_t burst, std::size_t max_keys)
        : interval_(interval),
          tolerance_(interval * burst),
          groups_(2 * std::bit_ceil(std::max(max_keys, group_size)) / group_size),
          entries_(new Entry[groups_ * group_size]) {}

    [[nodiscard]] Verdict take(const Hash128& key, std::int64_t now) noexcept {
        Entry* const group = entries_.get() + (key.high & (groups_ - 1)) * group_size;
        Entry* const shared = group + (group_size - 1);
        for (;;) {
            Entry* free = nullptr;
            std::int64_t free_since = 0;
            for (Entry* each = group; each != shared; ++each) {
                if (each->key.load(relaxed) == key.low) return spend(each->whole_at, now);
                const std::int64_t whole_at = each->whole_at.load(relaxed);
                if (free != nullptr || whole_at > now) continue;
                free = each;
                free_since = whole_at;
            }
            if (free == nullptr) return spend(shared->whole_at, now);
            // The place is taken by exchanging its time: of two keys that want it, one tries again, and a key
            // that has returned to it meanwhile keeps it.
            if (!free->whole_at.compare_exchange_strong(free_since, now + interval_, relaxed)) continue;
            free->key.store(key.low, relaxed);
            return allowed(interval_);
        }
    }

  private:
    static constexpr std::size_t group_size = 16;  // the last place is for keys without one of their own
    static constexpr std::int64_t long_ago = std::numeric_limits<std::int64_t>::min();
    static constexpr auto relaxed = std::memory_order_relaxed;
    using Moment = std::atomic<std::int64_t>;

    struct Entry {
        std::atomic<std::uint64_t> key{0};
        Moment whole_at{long_ago};
    };
    static_assert(sizeof(Entry) == 16);

    [[nodiscard]] Verdict allowed(std::int64_t until_whole) const noexcept {
        return {true, (tolerance_ - until_whole) / interval_, until_whole, 0};
    }
    Verdict spend(Moment& whole_at, std::int64_t now) const noexcept {
        std::int64_t before = whole_at.load(relaxed);
        while (true) {
            const std::int64_t after = std::max(before, now) + interval_;
            const std::int64_t until_whole = after - now;
            if (until_whole > tolerance_)
                return {false, 0, until_whole - interval_, until_whole - tolerance_};
            if (whole_at.compare_exchange_weak(before, after, relaxed)) return allowed(until_whole);
        }
    }

    const std::int64_t interval_;
    const std::int64_t tolerance_;
    const std::size_t groups_;
    const OwningPtr<Entry[]> entries_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
