// Where served files come from: a directory, or a table in the program. Both find the same kind of thing.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/app/embed.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/array.hpp"
#include "sake/base/error.hpp"
#include "sake/io/directory.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A file, with what an answer says of it.
struct FoundFile {
    using Kind = OpenedFile::Kind;

    Kind kind = Kind::nothing;
    FileDescriptor descriptor;
    std::string_view bytes;  // of an embedded file
    std::uint64_t size = 0;
    std::string tag;  // of an ETag, without quotes
    std::optional<std::int64_t> modified;
    std::uint32_t modified_ns = 0;

    [[nodiscard]] bool is_file() const noexcept { return kind == Kind::file; }
    /// Whether it was made before the other one was changed.
    [[nodiscard]] bool is_older_than(const FoundFile& other) const noexcept {
        if (modified != other.modified) return modified < other.modified;
        return modified_ns < other.modified_ns;
    }
};

/// Numbers into one, so that none of them can be read from it.
constexpr std::uint64_t mix(std::uint64_t sum, std::uint64_t number) noexcept {
    std::uint64_t z = (sum ^ number) + 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EB;
    return z ^ (z >> 31U);
}

inline void append_hex(std::string& out, std::uint64_t number) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
    out.append(digits, end);
}

inline std::string tag_of(std::uint64_t mixed, std::uint64_t size) {
    std::string tag;
    append_hex(tag, mixed);
    tag += '-';
    append_hex(tag, size);
    return tag;
}

/// Of bytes in memory.
inline std::string tag_of_bytes(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return tag_of(mix(0, hash), bytes.size());
}

/// Takes what was opened. Throws HttpError 503 for want of resources, and std::system_error if the disk
/// failed.
inline FoundFile found_file(OpenedFile opened, std::string_view path) {
    if (opened.error == EIO) throw_system_error(opened.error, std::string(path));
    if (opened.error != 0) {
        throw HttpError(503, "the server has no resources to spare for this request")
            .header("Retry-After", "1");
    }
    FoundFile found;
    found.kind = opened.kind;
    found.descriptor = std::move(opened.descriptor);
    found.size = opened.size;
    found.modified = opened.modified;
    found.modified_ns = opened.modified_ns;
    if (!found.is_file()) return found;
    const auto seconds = static_cast<std::uint64_t>(opened.modified);
    found.tag = tag_of(mix(mix(mix(0, opened.inode), seconds), opened.modified_ns), found.size);
    return found;
}

// What a site serves is a tree of files: `find(path)` says what is under a path without a slash at its ends,
// "" being the root; `for_each_name(path, f)` calls f(name, is_directory) for what is in that directory until
// f returns false.

class DirectoryTree {
  public:
    /// Throws std::system_error that names the path.
    explicit DirectoryTree(std::string path) : directory_(std::move(path)) {}

    [[nodiscard]] FoundFile find(std::string_view path) const {
        return found_file(directory_.open(path), path);
    }
    template <class F>
    void for_each_name(std::string_view path, F f) const {
        FoundFile found = find(path);
        if (found.kind != FoundFile::Kind::directory) return;
        const SysResult read = sys::for_each_name(std::move(found.descriptor), f);
        if (!read.ok()) throw_system_error(read.error, directory_.path() + "/" + std::string(path));
    }

  private:
    Directory directory_;
};

class EmbeddedTree {
  public:
    explicit EmbeddedTree(EmbeddedFiles files) : files_(std::move(files)) {
        for (const EmbeddedFile& each : files_.files()) {
            tags_.push_back(tag_of_bytes(each.bytes));
        }
    }

    [[nodiscard]] FoundFile find(std::string_view path) const {
        FoundFile found;
        const std::size_t place = place_of(path);
        if (place < files_.files().size() && files_.files()[place].name == path) {
            found.kind = FoundFile::Kind::file;
            found.bytes = files_.files()[place].bytes;
            found.size = found.bytes.size();
            found.tag = tags_[place];
        } else if (path.empty() || is_in(folder(path), place_of(folder(path)))) {
            found.kind = FoundFile::Kind::directory;
        }
        return found;
    }
    template <class F>
    void for_each_name(std::string_view path, F f) const {
        const std::string inside = path.empty() ? "" : folder(path);
        std::string_view before;
        for (std::size_t i = place_of(inside); is_in(inside, i); ++i) {
            const std::string_view rest = std::string_view(files_.files()[i].name).substr(inside.size());
            const std::size_t slash = rest.find('/');
            const std::string_view name = rest.substr(0, slash);
            if (name == before) continue;
            before = name;
            if (!f(name, slash != std::string_view::npos)) return;
        }
    }

  private:
    static std::string folder(std::string_view path) { return std::string(path) + "/"; }
    /// Of the first that is not before it.
    [[nodiscard]] std::size_t place_of(std::string_view name) const noexcept {
        const auto& files = files_.files();
        const auto found =
            std::lower_bound(files.begin(), files.end(), name,
                             [](const EmbeddedFile& a, std::string_view b) { return a.name < b; });
        return static_cast<std::size_t>(found - files.begin());
    }
    [[nodiscard]] bool is_in(std::string_view folder, std::size_t place) const noexcept {
        if (place >= files_.files().size()) return false;
        return std::string_view(files_.files()[place].name).substr(0, folder.size()) == folder;
    }

    EmbeddedFiles files_;
    Array<std::string> tags_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
