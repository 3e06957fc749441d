// BodyBytes: what the body of a request is received into. A string would have to fill its memory before bytes
// may be received there, and to copy all of it whenever it grows: for a large body, three times the work of
// receiving it.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/version.hpp"

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

    void append(std::string_view bytes);

    /// Empties it and keeps its memory.
    void clear() noexcept { size_ = 0; }
    /// Empties it and gives large memory back.
    void shrink() noexcept {
        constexpr std::size_t kept = 16 * 1024;
        size_ = 0;
        if (capacity_ > kept) release();
    }

  private:
    [[nodiscard]] static bool is_in_pages(std::size_t capacity) noexcept;
    void grow(std::size_t capacity);
    void release() noexcept;

    char* memory_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
