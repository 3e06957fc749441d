// BodyBytes: the memory into which the body of a request is received. A std::string would fill its memory
// before bytes can be received there, and copy all of it to grow: for a large body, three times the work.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Bytes in one growing piece of memory. Small pieces are from the heap. Large pieces are pages of their own,
/// where the system has them: it moves them instead of copying their bytes.
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

    /// Reserves memory for this many bytes in all. Throws std::bad_alloc.
    void reserve(std::size_t capacity) {
        if (capacity > capacity_) grow(capacity);
    }
    /// The place for the next bytes; `took` reports how many were written there.
    [[nodiscard]] char* end() noexcept { return memory_ + size_; }
    void took(std::size_t count) noexcept { size_ += count; }

    void append(std::string_view bytes);

    /// Empties it and keeps its memory.
    void clear() noexcept { size_ = 0; }
    /// Empties it and releases large memory.
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
