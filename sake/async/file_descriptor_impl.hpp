// Definitions of file_descriptor.hpp: how a descriptor is closed.
#pragma once

#include <unistd.h>

#include <utility>

#include "sake/async/file_descriptor.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// Not retried on EINTR: Linux has freed the number by then, and another thread may own it already.
SAKE_INLINE void FileDescriptor::close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
