// BodyBytes: what the body of a request is received into. A string would have to fill its memory before bytes
// may be received there, and to copy all of it whenever it grows: for a large body, three times the work of
// receiving it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Bytes that gather at the end of one piece of memory. Small memory is the heap's; large memory consists of
/// pages of its own where the system has them, which it moves instead of their bytes.
class BodyBytes {
  public:
    BodyBytes() = default;
    BodyBytes(const BodyBytes&) = delete;
    BodyBytes& operator=(const BodyBytes&) = delete;
    ~BodyBytes() { release(); }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::size_t room() const noexcept { return capacity_ - size_; }
    [[nodiscard]] std::string_view view() const noexcept { return {memory_, size_}; }

    /// Memory for so many bytes in all. Throws std::bad_alloc.
    void reserve(std::size_t capacity) {
        if (capacity > capacity_) grow(capacity);
    }
    /// Where the next bytes go, as many as there is room for; `took` says how many were written there.
    [[nodiscard]] char* end() noexcept { return memory_ + size_; }
    void took(std::size_t count) noexcept { size_ += count; }

    void append(std::string_view bytes) {
        if (bytes.empty()) return;
        if (room() < bytes.size()) grow(std::max(size_ + bytes.size(), 2 * capacity_));
        std::memcpy(end(), bytes.data(), bytes.size());
        took(bytes.size());
    }

    /// Empties it and keeps its memory.
    void clear() noexcept { size_ = 0; }
    /// Empties it and gives large memory back.
    void shrink() noexcept {
        constexpr std::size_t kept = 16 * 1024;
        size_ = 0;
        if (capacity_ > kept) release();
    }

  private:
    [[nodiscard]] static bool is_in_pages(std::size_t capacity) noexcept {
        return sys::has_page_memory && capacity >= sys::worth_large_pages;
    }

    [[gnu::noinline]] void grow(std::size_t capacity) {
        if (is_in_pages(capacity)) {
            capacity = (capacity + sys::large_page - 1) / sys::large_page * sys::large_page;
            if (is_in_pages(capacity_)) {
                memory_ = pages_or_throw(sys::grow_pages(memory_, capacity_, capacity));
                capacity_ = capacity;
                return;
            }
        }
        char* const memory = is_in_pages(capacity) ? pages_or_throw(sys::make_pages(capacity))
                                                   : static_cast<char*>(::operator new(capacity));
        const std::size_t size = size_;
        if (size != 0) std::memcpy(memory, memory_, size);
        release();
        memory_ = memory;
        capacity_ = capacity;
        size_ = size;
    }
    static char* pages_or_throw(char* pages) {
        if (pages == nullptr) throw std::bad_alloc();
        return pages;
    }

    [[gnu::noinline]] void release() noexcept {
        char* const memory = std::exchange(memory_, nullptr);
        const std::size_t capacity = std::exchange(capacity_, 0);
        size_ = 0;
        if (is_in_pages(capacity)) return sys::free_pages(memory, capacity);
        ::operator delete(memory);
    }

    char* memory_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
