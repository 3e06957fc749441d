// Definitions of file.hpp: the calls that block, and the threads that make them.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/error.hpp"
#include "sake/compute/background.hpp"
#include "sake/io/file.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline FileDescriptor open_or_throw(const std::string& path, int flags) {
    demand_no_nul(path);
    // A pipe without an other end would hold its thread without end.
    const SysResult opened = sys::open(path.c_str(), flags | O_NONBLOCK, 0666);
    if (!opened.ok()) throw_system_error(opened.error, path);
    FileDescriptor file(static_cast<int>(opened.value));
    struct stat status{};
    if (::fstat(file.get(), &status) == 0 && S_ISFIFO(status.st_mode))
        throw_system_error(EINVAL, path + " is a pipe");
    return file;
}

/// Appends at most `most` bytes; fewer only at the end.
inline void read_up_to(int fd, std::string& text, std::size_t most, const std::string& path) {
    const std::size_t end = text.size() + most;
    while (text.size() < end) {
        const std::size_t before = text.size();
        const std::size_t room = std::min<std::size_t>(end - before, 256 * 1024);
        text.resize(before + room);
        const SysResult result = sys::read(fd, text.data() + before, room);
        text.resize(before + (result.ok() ? static_cast<std::size_t>(result.value) : 0));
        if (!result.ok()) throw_system_error(result.error, path);
        if (result.value == 0) return;
    }
}

inline std::string read_whole_file(const std::string& path, std::size_t longest) {
    const FileDescriptor file = open_or_throw(path, O_RDONLY);
    std::string text;
    read_up_to(file.get(), text, longest, path);
    std::string more;
    read_up_to(file.get(), more, 1, path);
    if (!more.empty())
        throw std::length_error(path + ": the file is longer than " + std::to_string(longest) + " bytes");
    return text;
}

inline void write_whole_file(const std::string& path, std::string_view content) {
    const FileDescriptor file = open_or_throw(path, O_WRONLY | O_CREAT | O_TRUNC);
    while (!content.empty()) {
        const SysResult result = sys::write(file.get(), content.data(), content.size());
        if (!result.ok()) throw_system_error(result.error, path);
        content.remove_prefix(static_cast<std::size_t>(result.value));
    }
}

template <class Unused>
Task<std::string> read_named_file(std::string path, std::size_t longest) {
    return run_blocking<ForFiles>(
        [name = std::move(path), longest] { return read_whole_file(name, longest); });
}

template <class Unused>
Task<> write_named_file(std::string path, std::string content) {
    return run_blocking<ForFiles>(
        [name = std::move(path), bytes = std::move(content)] { write_whole_file(name, bytes); });
}

template <class Unused>
Task<FileReader> open_file_at(std::string path) {
    return run_blocking<ForFiles>(
        [name = std::move(path)] { return FileReader(open_or_throw(name, O_RDONLY), name); });
}

}  // namespace detail

SAKE_INLINE FileReader::FileReader(detail::FileDescriptor opened, std::string path)
    : file_(new detail::OpenFile(std::move(opened), std::move(path))) {}

template <class Unused>
Task<std::string> FileReader::read(std::size_t most) {
    return detail::run_blocking<detail::ForFiles>([file = file_, most] {
        std::string piece;
        detail::read_up_to(file->descriptor.get(), piece, most, file->path);
        return piece;
    });
}

#if defined(SAKE_IMPLEMENTATION)
namespace detail {

template Task<std::string> read_named_file<void>(std::string path, std::size_t longest);
template Task<> write_named_file<void>(std::string path, std::string content);
template Task<FileReader> open_file_at<void>(std::string path);

}  // namespace detail

template Task<std::string> FileReader::read<void>(std::size_t most);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
