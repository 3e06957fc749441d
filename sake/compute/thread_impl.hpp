// Definitions of thread.hpp: the names of threads.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/async/sys.hpp"
#include "sake/compute/thread.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace thread {

SAKE_INLINE Name::Name(std::string_view text) noexcept {
    const auto is_inside_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    std::size_t size = text.size();
    if (size >= text_.size()) {
        size = text_.size() - 1;
        while (size > 0 && is_inside_character(text[size])) --size;
    }
    text.copy(text_.data(), size);
}

}  // namespace thread

namespace detail {

SAKE_INLINE void name_this_thread(const thread::Name& name) noexcept {
    if (*name.c_str() != '\0') sys::set_thread_name(name.c_str());
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
