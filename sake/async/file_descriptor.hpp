// The outcome of a system call, and the owner of a descriptor, without any system calls. sys.hpp makes the
// calls.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <utility>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The outcome of a system call: `value` if `error` is 0, else the errno.
struct SysResult {
    ssize_t value;
    int error;

    [[nodiscard]] bool ok() const noexcept { return error == 0; }
    [[nodiscard]] bool would_block() const noexcept {
        if constexpr (EWOULDBLOCK != EAGAIN) {
            if (error == EWOULDBLOCK) return true;
        }
        return error == EAGAIN;
    }
};

/// Owns one file descriptor and closes it.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~FileDescriptor() {
        if (fd_ >= 0) close();
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Releases ownership: another owner closes it.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    void close() noexcept;

  private:
    int fd_ = -1;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
