// Unpredictable keys, made of the system's random bytes.
#pragma once

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>

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

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
