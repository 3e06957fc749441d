// FileBody: the body of an answer that is not one text: ranges of a file, with texts between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/base/array.hpp"
#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A range of a file, which is sent without being read.
struct FileRange {
    FileDescriptor file;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    int borrowed = -1;           // in place of the file, if a later piece of the same body owns that
    std::uint64_t asked_to = 0;  // up to here the system was asked to read it ahead

    [[nodiscard]] int fd() const noexcept { return file ? file.get() : borrowed; }
};

/// One of: a text, bytes that are there for as long as the program, or a range of a file.
struct BodyPiece {
    std::string text = {};
    std::string_view lasting = {};
    FileRange range = {};
};

struct FileBody {
    std::string type;          // of the content; its place tells Response that this is the body
    Array<BodyPiece> pieces;   // only the last of them owns a file
    std::uint64_t length = 0;  // of all of them
    std::string path;          // on a worker: of the file that the reactor opens

    FileBody() = default;
    /// For middleware whose changes may have to be undone. Throws std::system_error if no descriptor is free.
    FileBody(const FileBody& other) : type(other.type), length(other.length), path(other.path) {
        int file = -1;
        for (const BodyPiece& each : other.pieces) {
            pieces.push_back({each.text, each.lasting, {}});
            FileRange& range = pieces.back().range;
            range.offset = each.range.offset;
            range.length = each.range.length;
            if (!each.range.file) continue;
            range.file = sys::own_or_throw(sys::duplicate(each.range.file.get()), "dup");
            file = range.file.get();
        }
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            if (other.pieces[i].range.borrowed >= 0) pieces[i].range.borrowed = file;
        }
    }
    FileBody& operator=(const FileBody&) = delete;
    ~FileBody() = default;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
