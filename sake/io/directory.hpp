// Directory: files beneath a directory. Whatever a path contains, and whatever links exist, nothing outside
// is opened, and only regular files and directories. If the kernel can resolve such paths (openat2), it does;
// otherwise the path is walked with the same result.
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/array.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/error.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What was found under a path, open for reading.
struct OpenedFile {
    enum class Kind : std::uint8_t { nothing, file, directory };

    Kind kind = Kind::nothing;
    FileDescriptor descriptor;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    std::int64_t modified = 0;  // in seconds since 1970
    std::uint32_t modified_ns = 0;
    int error = 0;  // why there is nothing, if that is for want of resources, or the disk's fault
};

/// Opens without waiting, so that a pipe without a writer, or a device, does not block the thread.
inline constexpr int open_to_send = O_RDONLY | O_NONBLOCK | O_NOCTTY;

/// Whether an open failed for want of resources or through the disk, and not because the file is missing.
constexpr bool is_failure_of_ours(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == EAGAIN;
}

/// What an open gave: a regular file, a directory, or nothing.
[[nodiscard]] inline OpenedFile opened_file(SysResult opened) noexcept {
    OpenedFile file;
    if (!opened.ok()) {
        file.error = is_failure_of_ours(opened.error) ? opened.error : 0;
        return file;
    }
    FileDescriptor descriptor(static_cast<int>(opened.value));
    struct stat status{};
    if (!sys::status_of(descriptor.get(), status).ok()) return file;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return file;
    const timespec modified = sys::modified_at(status);
    file.kind = S_ISREG(status.st_mode) ? OpenedFile::Kind::file : OpenedFile::Kind::directory;
    file.descriptor = std::move(descriptor);
    file.size = cast_to<std::uint64_t>(status.st_size);
    file.inode = cast_to<std::uint64_t>(status.st_ino);
    file.modified = cast_to<std::int64_t>(modified.tv_sec);
    file.modified_ns = cast_to<std::uint32_t>(modified.tv_nsec);
    return file;
}

/// Whether it is names between single slashes, none of which is "." or "..", or holds a backslash, which is a
/// slash elsewhere, or a control byte. The path "" is the directory itself.
[[nodiscard]] constexpr bool is_plain_path(std::string_view path) noexcept {
    if (path.empty()) return true;
    if (path.size() >= 4096) return false;
    for (;;) {
        const std::size_t slash = path.find('/');
        const std::string_view name = path.substr(0, slash);
        if (name.empty() || name == "." || name == ".." || name.size() > 255) return false;
        for (const char c : name) {
            if (c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
        }
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

/// Opens a path beneath a directory, one name after the other. A link is followed if it leads to something
/// beneath the directory, as openat2 does: so not one that begins with a slash.
class BeneathWalk {
  public:
    explicit BeneathWalk(int root) noexcept : root_(root) {}

    SysResult open(std::string_view path, int flags) {
        rest_ = path;
        for (;;) {
            std::string name = take_name();
            if (name.empty()) return sys::open_at(here(), ".", flags);
            if (name == ".") continue;
            if (name == "..") {
                if (inside_.empty()) return {-1, EXDEV};
                inside_.pop_back();
                continue;
            }
            char target[PATH_MAX];
            const SysResult link = sys::read_link_at(here(), name.c_str(), target, sizeof target);
            if (link.ok()) {
                const std::string_view text(target, static_cast<std::size_t>(link.value));
                if (links_left_-- == 0) return {-1, ELOOP};
                if (text.empty() || text[0] == '/') return {-1, EXDEV};
                rest_.insert(0, text);
                continue;
            }
            if (link.error != EINVAL) return link;
            if (rest_.empty()) return sys::open_at(here(), name.c_str(), flags | O_NOFOLLOW);
            const SysResult next = sys::open_at(here(), name.c_str(), sys::to_search | O_NOFOLLOW);
            if (!next.ok()) return next;
            inside_.push_back(FileDescriptor(static_cast<int>(next.value)));
        }
    }

  private:
    [[nodiscard]] int here() const noexcept { return inside_.empty() ? root_ : inside_.back().get(); }

    /// The next name; what is left begins with the slash behind it.
    std::string take_name() {
        const std::size_t begin = std::min(rest_.find_first_not_of('/'), rest_.size());
        const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
        std::string name = rest_.substr(begin, end - begin);
        rest_.erase(0, end);
        return name;
    }

    int root_;
    Array<FileDescriptor> inside_;  // each in the one before it
    std::string rest_;
    int links_left_ = 40;  // as many as Linux follows
};

/// A directory that stays open.
class Directory {
  public:
    enum class Way : std::uint8_t { kernel, walk };

    /// Throws std::system_error that names the path.
    explicit Directory(std::string path) : Directory(std::move(path), Way::kernel) {
        // Containers may forbid the call; whatever its reason, the other way is there.
        const SysResult tried = sys::open_beneath(root_.get(), ".", sys::to_search);
        const FileDescriptor self(tried.ok() ? static_cast<int>(tried.value) : -1);
        if (!tried.ok()) way_ = Way::walk;
    }
    Directory(std::string path, Way way) : path_(std::move(path)), way_(way) {
        demand_no_nul(path_);
        const SysResult opened = sys::open(path_.c_str(), sys::to_search);
        if (!opened.ok()) throw_system_error(opened.error, path_);
        root_ = FileDescriptor(static_cast<int>(opened.value));
    }

    [[nodiscard]] Way way() const noexcept { return way_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// What is under a path that is relative to the directory.
    [[nodiscard]] OpenedFile open(std::string_view path) const {
        if (!is_plain_path(path)) return {};
        const std::string name(path.empty() ? "." : path);
        OpenedFile found = opened_file(open_in(root_.get(), name));
        if (found.kind != OpenedFile::Kind::nothing || found.error != 0 || !was_removed()) return found;
        // A build has made the directory anew.
        const SysResult anew = sys::open(path_.c_str(), sys::to_search);
        if (!anew.ok()) return found;
        const FileDescriptor root(static_cast<int>(anew.value));
        return opened_file(open_in(root.get(), name));
    }

  private:
    [[nodiscard]] SysResult open_in(int root, const std::string& path) const {
        constexpr int most_tries = 8;  // it fails with EAGAIN if something is renamed meanwhile
        for (int tries = 0; way_ == Way::kernel && tries < most_tries; ++tries) {
            const SysResult opened = sys::open_beneath(root, path.c_str(), open_to_send);
            if (opened.error != EAGAIN) return opened;
        }
        return BeneathWalk(root).open(path, open_to_send);
    }

    [[nodiscard]] bool was_removed() const noexcept {
        struct stat status{};
        return sys::status_of(root_.get(), status).ok() && status.st_nlink == 0;
    }

    std::string path_;
    FileDescriptor root_;
    Way way_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
