// Reading and writing files without blocking the loop. The system cannot wait for a disk as it waits for a
// socket, so each call runs on a thread that may block.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <utility>

#include "sake/async/file_descriptor.hpp"
#include "sake/async/task.hpp"
#include "sake/base/owning_ptr.hpp"

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

/// What the threads are for that open, read and write files.
struct ForFiles;

// Templates: see task.hpp.
template <class Unused = void>
Task<std::string> read_named_file(std::string path, std::size_t longest);
template <class Unused = void>
Task<> write_named_file(std::string path, std::string content);
template <class Unused = void>
Task<FileReader> open_file_at(std::string path);

}  // namespace detail

/// The content of a file. Throws std::system_error that names the file, std::length_error if the file is
/// longer than `longest` bytes, and Cancelled.
template <detail::Path P>
Task<std::string> read_file(P path, std::size_t longest = std::size_t{1} << 30) {
    return detail::read_named_file(std::string(std::move(path)), longest);
}

/// Creates a file or empties it, and writes `content`. Throws std::system_error that names the file. After
/// Cancelled, a part may have been written, and writing may still go on.
template <detail::Path P>
Task<> write_file(P path, std::string content) {
    return detail::write_named_file(std::string(std::move(path)), std::move(content));
}

/// Opens a file to be read piece by piece. Throws std::system_error that names the file.
template <detail::Path P>
Task<FileReader> open_file(P path);

/// A file that is read from its beginning to its end. Movable, not copyable; one read at a time.
///
///     auto file = co_await open_file("log.txt");
///     for (;;) {
///         const std::string piece = co_await file.read(64 * 1024);
///         if (piece.empty()) break;
///         ...
///     }
class FileReader {
  public:
    /// The next bytes, at most `most`; empty at the end of the file. After Cancelled, the position is
    /// unknown.
    template <class Unused = void>
    Task<std::string> read(std::size_t most = 64 * 1024);

  private:
    template <class Unused>
    friend Task<FileReader> detail::open_file_at(std::string path);
    FileReader(detail::FileDescriptor opened, std::string path);

    detail::CountedPtr<detail::OpenFile>
        file_;  // a read that was cancelled holds it too, until its thread is done
};

template <detail::Path P>
Task<FileReader> open_file(P path) {
    return detail::open_file_at(std::string(std::move(path)));
}

}  // namespace SAKE_ABI
}  // namespace sake
