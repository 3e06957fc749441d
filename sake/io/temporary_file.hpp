// Files without a name, which end with their descriptor or the process, and files that get their name only
// when they are complete. All functions block: for threads that may block.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline void write_all(int fd, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const SysResult result = sys::write(fd, bytes.data(), bytes.size());
        if (!result.ok()) throw_system_error(result.error, path);
        bytes.remove_prefix(static_cast<std::size_t>(result.value));
    }
}

/// What a program has given, or the system's directory for temporary files: TMPDIR, else /tmp.
inline std::string temporary_directory_or(std::string_view given) {
    if (!given.empty()) return std::string(given);
    const char* const of_user = std::getenv("TMPDIR");
    return of_user != nullptr && *of_user != '\0' ? of_user : "/tmp";
}

/// A new file with a name that nobody knows, which is removed again at the end of this object. Throws
/// std::system_error that names the directory.
class NamedTemporary {
  public:
    NamedTemporary(const std::string& directory, mode_t mode) {
        static std::atomic<unsigned> made{0};
        // Names may be guessed: O_EXCL follows no link, and opens nothing that is there already.
        SysResult opened{-1, EEXIST};
        for (int tries = 0; tries < 100 && opened.error == EEXIST; ++tries) {
            path_ = directory + "/.sake-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
            opened = sys::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL, mode);
        }
        if (!opened.ok()) throw_system_error(opened.error, "a temporary file in " + directory);
        file_ = FileDescriptor(static_cast<int>(opened.value));
    }
    NamedTemporary(const NamedTemporary&) = delete;
    NamedTemporary& operator=(const NamedTemporary&) = delete;
    ~NamedTemporary() { static_cast<void>(sys::unlink(path_.c_str())); }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] FileDescriptor& file() noexcept { return file_; }

  private:
    std::string path_;
    FileDescriptor file_;
};

[[noreturn]] inline void throw_not_saved(int error, const std::string& path) {
    throw_system_error(error, "cannot save " + path);
}

/// For a file system without hard links: what is written is seen before it is complete.
template <class Fill>
void fill_new_file(const std::string& path, Fill fill) {
    const SysResult opened = sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (!opened.ok()) throw_not_saved(opened.error, path);
    const FileDescriptor file(static_cast<int>(opened.value));
    try {
        fill(file.get());
    } catch (...) {
        static_cast<void>(sys::unlink(path.c_str()));
        throw;
    }
}

/// Makes a file of this name, of what `fill(fd)` writes. It has its name when it is complete; if anything
/// has that name already, or something fails, there is no new file. Throws std::system_error that names the
/// path.
template <class Fill>
void save_new_file(const std::string& path, Fill fill) {
    demand_no_nul(path);
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (const SysResult unnamed = sys::open_unnamed(directory.c_str(), 0666); unnamed.ok()) {
        const FileDescriptor file(static_cast<int>(unnamed.value));
        fill(file.get());
        const SysResult linked = sys::link_open_file(file.get(), path.c_str());
        if (linked.ok()) return;
        if (linked.error == EEXIST) throw_not_saved(EEXIST, path);
    }
    // The way of systems that have no such files, or no /proc.
    NamedTemporary named(directory, 0666);
    fill(named.file().get());
    const SysResult linked = sys::link(named.path().c_str(), path.c_str());
    if (linked.ok()) return;
    const bool has_no_links = linked.error == EPERM || linked.error == EOPNOTSUPP || linked.error == ENOSYS;
    if (!has_no_links) throw_not_saved(linked.error, path);
    fill_new_file(path, fill);
}

inline void save_bytes(const std::string& path, std::string_view bytes) {
    save_new_file(path, [&](int fd) { write_all(fd, bytes, path); });
}

/// A file without a name: it ends with its descriptor, whatever happens to the process.
class TemporaryFile : public Counted {
  public:
    /// Closes a large file: the system frees its blocks then, which takes 60 ms for 1 GiB.
    using Close = void (*)(FileDescriptor file) noexcept;

    /// Makes one in `directory`, or in the system's if that is "". Throws std::system_error that names the
    /// directory.
    explicit TemporaryFile(std::string_view directory, Close close_large = nullptr)
        : place_(temporary_directory_or(directory)), close_large_(close_large) {
        demand_no_nul(place_);
        // With the mode that it shall have if it gets a name.
        if (const SysResult unnamed = sys::open_unnamed(place_.c_str(), 0666); unnamed.ok()) {
            file_ = FileDescriptor(static_cast<int>(unnamed.value));
            may_be_linked_ = true;
        } else {
            file_ = std::move(NamedTemporary(place_, 0600).file());
        }
        place_.insert(0, "a temporary file in ");
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        constexpr std::uint64_t large = std::uint64_t{4} * 1024 * 1024;
        if (close_large_ != nullptr && size_ >= large) close_large_(std::move(file_));
    }

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Appends.
    void write(std::string_view bytes) {
        write_all(file_.get(), bytes, place_);
        size_ += bytes.size();
    }

    /// Up to `most` bytes from `offset` on; fewer only at the end.
    [[nodiscard]] std::string read(std::uint64_t offset, std::size_t most) const {
        std::string bytes(
            cast_to<std::size_t>(std::min<std::uint64_t>(size_ - std::min(offset, size_), most)), '\0');
        for (std::size_t done = 0; done < bytes.size();) {
            const SysResult got =
                sys::read_at(file_.get(), bytes.data() + done, bytes.size() - done, offset + done);
            if (!got.ok() || got.value == 0) throw_system_error(got.ok() ? EIO : got.error, place_);
            done += static_cast<std::size_t>(got.value);
        }
        return bytes;
    }

    /// Gives it this name, or makes a copy where it cannot have it: on another file system, or for the second
    /// time. As save_new_file. Several threads may save it at once: one of them gives it its name.
    void save(const std::string& path) {
        demand_no_nul(path);
        if (may_be_linked_.exchange(false)) {
            const SysResult linked = sys::link_open_file(file_.get(), path.c_str());
            if (linked.ok()) return;
            may_be_linked_ = true;
            if (linked.error == EEXIST) throw_not_saved(EEXIST, path);
        }
        save_new_file(path, [&](int fd) {
            constexpr std::size_t piece = std::size_t{256} * 1024;
            for (std::uint64_t at = 0; at < size_; at += piece) write_all(fd, read(at, piece), path);
        });
    }

  private:
    std::string place_;  // for messages
    FileDescriptor file_;
    std::uint64_t size_ = 0;
    Close close_large_;
    std::atomic<bool> may_be_linked_{false};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
