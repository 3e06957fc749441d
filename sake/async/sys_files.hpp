// The system calls about files and directories; see sys.hpp.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sake/async/sys.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace sys {

/// Opens a file, close-on-exec.
inline SysResult open(const char* path, int flags, mode_t mode = 0) noexcept {
    return above_standard_streams(retry([=] { return ::open(path, flags | O_CLOEXEC, mode); }));
}

/// Opens what has this name in a directory, close-on-exec.
inline SysResult open_at(int directory, const char* name, int flags) noexcept {
    return above_standard_streams(retry([=] { return ::openat(directory, name, flags | O_CLOEXEC); }));
}

/// The same for a path, which never leads out of the directory, whatever links it passes: else EXDEV. ENOSYS
/// where the system does not have it (Linux before 5.6).
inline SysResult open_beneath([[maybe_unused]] int directory, [[maybe_unused]] const char* path,
                              [[maybe_unused]] int flags) noexcept {
#if SAKE_HAS_EPOLL && defined(SYS_openat2)
    // From linux/openat2.h, which not every system has that has the call.
    struct {
        std::uint64_t flags;
        std::uint64_t mode;
        std::uint64_t resolve;
    } how{static_cast<std::uint64_t>(flags | O_CLOEXEC), 0, 0};
    constexpr std::uint64_t no_magic_links = 0x02;
    constexpr std::uint64_t beneath = 0x08;
    how.resolve = beneath | no_magic_links;
    return above_standard_streams(
        retry([&] { return ::syscall(SYS_openat2, directory, path, &how, sizeof how); }));
#else
    return {-1, ENOSYS};
#endif
}

/// For a directory that is opened only to find what is in it.
#if SAKE_HAS_O_PATH
inline constexpr int to_search = O_PATH | O_DIRECTORY;
#else
inline constexpr int to_search = O_RDONLY | O_DIRECTORY;
#endif

/// The text of a symbolic link: how long it is, cut at `size`. EINVAL for anything else.
inline SysResult read_link_at(int directory, const char* name, char* text, std::size_t size) noexcept {
    return retry([=] { return ::readlinkat(directory, name, text, size); });
}

inline SysResult status_of(int fd, struct stat& status) noexcept {
    return retry([&] { return ::fstat(fd, &status); });
}

/// When a file was modified.
inline timespec modified_at(const struct stat& status) noexcept {
#if defined(__APPLE__)
    return status.st_mtimespec;
#else
    return status.st_mtim;
#endif
}

/// A file is about to be read from here to its end: the system reads larger pieces ahead.
inline void read_in_order([[maybe_unused]] int fd, [[maybe_unused]] std::uint64_t offset) noexcept {
#if defined(POSIX_FADV_SEQUENTIAL)
    ::posix_fadvise(fd, static_cast<off_t>(offset), 0, POSIX_FADV_SEQUENTIAL);
#endif
}

/// Bytes that nobody can guess; at most 256.
inline SysResult random_bytes(void* bytes, std::size_t size) noexcept {
    return retry([=] { return ::getentropy(bytes, size); });
}

/// Calls f(name, is_directory) for what is in an open directory, which it takes over, but for "." and "..",
/// until f returns false. A link does not count as a directory here.
template <class F>
SysResult for_each_name(FileDescriptor directory, F f) {
    struct Close {
        DIR* open;
        ~Close() {
            if (open != nullptr) ::closedir(open);
        }
    };
    const Close names{::fdopendir(directory.get())};
    if (names.open == nullptr) return {-1, errno};
    const int fd = directory.release();
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(names.open);
        if (entry == nullptr) return {0, errno};
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        struct stat status{};
        const bool is_directory =
            ::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
        if (!f(name, is_directory)) return {0, 0};
    }
}

/// Opens a file without a name in this directory, for reading and writing; close-on-exec. EOPNOTSUPP where
/// the system or the file system has no such files.
inline SysResult open_unnamed([[maybe_unused]] const char* directory, [[maybe_unused]] mode_t mode) noexcept {
#if defined(O_TMPFILE)
    return open(directory, O_TMPFILE | O_RDWR, mode);
#else
    return {-1, EOPNOTSUPP};
#endif
}

/// Gives a file one more name, if nothing has that name; EEXIST otherwise.
inline SysResult link(const char* from, const char* path, int flags = 0) noexcept {
    return retry([=] { return ::linkat(AT_FDCWD, from, AT_FDCWD, path, flags); });
}

/// The same for a file that is open, and that may have no name yet.
inline SysResult link_open_file(int fd, const char* path) noexcept {
    char from[32] = "/proc/self/fd/";
    *std::to_chars(from + std::strlen(from), from + sizeof from - 1, fd).ptr = '\0';
    return link(from, path, AT_SYMLINK_FOLLOW);
}

inline SysResult unlink(const char* path) noexcept {
    return retry([=] { return ::unlink(path); });
}

}  // namespace sys
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
