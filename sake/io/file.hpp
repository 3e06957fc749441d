// Files, read and written without holding the loop. A disk cannot be waited for as a socket can, so each call
// is made on a thread that may block.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/background.hpp"

namespace sake {
inline namespace SAKE_ABI {

class FileReader;

namespace detail {

/// What names a file. A concept, so that the functions are templates: see task.hpp.
template <class T>
concept Path = std::convertible_to<T, std::string>;

struct OpenFile : Counted {
    OpenFile(FileDescriptor opened, std::string its_path) noexcept
        : descriptor(std::move(opened)), path(std::move(its_path)) {}

    FileDescriptor descriptor;
    std::string path;
};

}  // namespace detail

/// The content of a file. Throws std::system_error that names the file, std::length_error if it is longer
/// than `longest`, and Cancelled.
template <detail::Path P>
[[nodiscard]] Task<std::string> read_file(P path, std::size_t longest = std::size_t{1} << 30);

/// Makes a file, or empties it, and writes `content`. Throws std::system_error that names the file.
/// Cancelled, it may have been written in part or be written still.
template <detail::Path P>
[[nodiscard]] Task<> write_file(P path, std::string content);

/// Opens a file that is to be read piece by piece. Throws std::system_error that names the file.
template <detail::Path P>
[[nodiscard]] Task<FileReader> open_file(P path);

/// A file that is read from its beginning to its end. Moves only; one read at a time.
///
///     auto file = co_await open_file("log.txt");
///     for (;;) {
///         const std::string piece = co_await file.read(64 * 1024);
///         if (piece.empty()) break;
///         ...
///     }
class FileReader {
  public:
    /// The next bytes, at most `most` of them; none at the end. After Cancelled the position is uncertain.
    template <class Unused = void>
    [[nodiscard]] Task<std::string> read(std::size_t most = 64 * 1024);

  private:
    template <detail::Path P>
    friend Task<FileReader> open_file(P path);
    FileReader(detail::FileDescriptor opened, std::string path)
        : file_(new detail::OpenFile(std::move(opened), std::move(path))) {}

    detail::CountedPtr<detail::OpenFile>
        file_;  // a read that was cancelled holds it too, until its thread is done
};

namespace detail {

/// What the threads are for.
struct ForFiles;

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

}  // namespace detail

template <detail::Path P>
Task<std::string> read_file(P path, std::size_t longest) {
    return detail::run_blocking<detail::ForFiles>(
        [name = std::string(std::move(path)), longest] { return detail::read_whole_file(name, longest); });
}

template <detail::Path P>
Task<> write_file(P path, std::string content) {
    return detail::run_blocking<detail::ForFiles>(
        [name = std::string(std::move(path)), bytes = std::move(content)] {
            detail::write_whole_file(name, bytes);
        });
}

template <detail::Path P>
Task<FileReader> open_file(P path) {
    return detail::run_blocking<detail::ForFiles>([name = std::string(std::move(path))] {
        return FileReader(detail::open_or_throw(name, O_RDONLY), name);
    });
}

template <class Unused>
Task<std::string> FileReader::read(std::size_t most) {
    return detail::run_blocking<detail::ForFiles>([file = file_, most] {
        std::string piece;
        detail::read_up_to(file->descriptor.get(), piece, most, file->path);
        return piece;
    });
}

}  // namespace SAKE_ABI
}  // namespace sake
