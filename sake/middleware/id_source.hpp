// Unique, unpredictable ids for requests and traces.
#pragma once

#include <atomic>
#include <cstdint>

#include "sake/async/sleep.hpp"
#include "sake/base/hash.hpp"
#include "sake/base/random.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Unique ids of 128 bits that cannot be predicted; one costs a hash. Do not use them as login secrets: a
/// forked child knows the key. From any thread.
class IdSource {
  public:
    [[nodiscard]] Hash128 next() noexcept {
        const auto time = sake::now().time_since_epoch();
        SipState state(key_);
        state.take(count_.fetch_add(1, std::memory_order_relaxed));
        state.take(static_cast<std::uint64_t>(time.count()));  // children of one fork differ by it
        Hash128 id = state.finish();
        if (id.low == 0) id.low = 1;  // an id of zeros stands for none
        if (id.high == 0) id.high = 1;
        return id;
    }

  private:
    const HashKey key_ = make_random_key();
    alignas(64) std::atomic<std::uint64_t> count_{0};  // not in the line of the key, which all threads read
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
