// Pieces of a message by offset, so that the bytes may move while a Slice refers to them.
#pragma once

#include <cstdint>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A piece of the buffer by offset, so that the buffer may move between two calls of the parser.
struct Slice {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;

    /// The text, given where the buffer is now.
    [[nodiscard]] std::string_view of(const char* base) const noexcept { return {base + offset, length}; }
};

/// One header field; the value comes without the white space around it.
struct FieldSlice {
    Slice name;
    Slice value;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
