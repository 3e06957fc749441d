// How BodyBytes has and grows its memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "sake/app/body_bytes.hpp"
#include "sake/async/sys.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void BodyBytes::append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (room() < bytes.size()) grow(std::max(size_ + bytes.size(), 2 * capacity_));
    std::memcpy(end(), bytes.data(), bytes.size());
    took(bytes.size());
}

SAKE_INLINE bool BodyBytes::is_in_pages(std::size_t capacity) noexcept {
    return sys::has_page_memory && capacity >= sys::worth_large_pages;
}

[[gnu::noinline]] inline void BodyBytes::grow(std::size_t capacity) {
    if (is_in_pages(capacity)) {
        capacity = (capacity + sys::large_page - 1) / sys::large_page * sys::large_page;
        if (is_in_pages(capacity_)) {
            char* const grown = sys::grow_pages(memory_, capacity_, capacity);
            if (grown == nullptr) throw std::bad_alloc();
            memory_ = grown;
            capacity_ = capacity;
            return;
        }
    }
    char* const memory =
        is_in_pages(capacity) ? sys::make_pages(capacity) : static_cast<char*>(::operator new(capacity));
    if (memory == nullptr) throw std::bad_alloc();
    const std::size_t size = size_;
    if (size != 0) std::memcpy(memory, memory_, size);
    release();
    memory_ = memory;
    capacity_ = capacity;
    size_ = size;
}

[[gnu::noinline]] inline void BodyBytes::release() noexcept {
    char* const memory = std::exchange(memory_, nullptr);
    const std::size_t capacity = std::exchange(capacity_, 0);
    size_ = 0;
    if (is_in_pages(capacity)) return sys::free_pages(memory, capacity);
    ::operator delete(memory);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
