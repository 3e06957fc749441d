// Bytes that nobody can foresee, from the system, and ids that are made of few of them.
#pragma once

#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>

#include "sake/base/error.hpp"
#include "sake/base/hash.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A key of the system's random bytes. Throws std::system_error if it has none.
[[nodiscard]] inline HashKey make_random_key() {
    HashKey key;
    if (::getentropy(&key, sizeof key) != 0) throw_system_error(errno, "cannot read random bytes");
    return key;
}

/// Ids of 128 bits that differ and cannot be foreseen, at the cost of a hash. They are no secrets for logins:
/// a forked child knows the key. From any thread.
class IdSource {
  public:
    [[nodiscard]] Hash128 next() noexcept {
        const auto time = std::chrono::steady_clock::now().time_since_epoch();
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
    std::atomic<std::uint64_t> count_{0};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
