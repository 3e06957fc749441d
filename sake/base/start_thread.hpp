// Starting a thread with a plain function: std::thread makes a dozen types for each callable that it is
// given.
#pragma once

#include <thread>

namespace sake {
inline namespace v0 {
namespace detail {

/// A thread that calls `run(with)`. Throws std::system_error.
[[nodiscard]] inline std::thread start_thread(void (*run)(void*), void* with) {
    return std::thread(run, with);
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
