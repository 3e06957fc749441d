// Starting a thread with a plain function: std::thread makes a dozen types for each callable that it is
// given, and more for a callable with arguments.
#pragma once

#include <thread>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A thread that calls `run(with)`. Throws std::system_error.
[[nodiscard]] inline std::thread start_thread(void (*run)(void*), void* with) {
    return std::thread([run, with] { run(with); });
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
