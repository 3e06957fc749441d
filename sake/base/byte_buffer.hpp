// ByteBuffer: bytes in one growing piece of memory. Unlike a string, it provides room without filling it
// first, which for message heads would cost as much as writing them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class ByteBuffer {
  public:
    ByteBuffer() = default;
    ByteBuffer(const ByteBuffer&) = delete;
    ByteBuffer& operator=(const ByteBuffer&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::string_view view() const noexcept { return {memory_.get(), size_}; }

    /// Room for `count` bytes behind the last, to be written and then kept by `end_at`.
    [[nodiscard]] char* make_room(std::size_t count) {
        if (capacity_ - size_ < count) grow(count);
        return memory_.get() + size_;
    }
    /// Keeps the bytes that were written up to `end`.
    void end_at(const char* end) noexcept { size_ = static_cast<std::size_t>(end - memory_.get()); }

    ByteBuffer& append(std::string_view bytes) {
        char* const place = make_room(bytes.size());
        if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
        size_ += bytes.size();
        return *this;
    }
    void reserve(std::size_t capacity) {
        if (capacity > capacity_) grow(capacity - size_);
    }
    /// Empties it and keeps its memory.
    void clear() noexcept { size_ = 0; }

  private:
    void grow(std::size_t count) {
        const std::size_t capacity = std::max(size_ + count, 2 * capacity_);
        OwningPtr<char[]> memory(new char[capacity]);
        if (size_ != 0) std::memcpy(memory.get(), memory_.get(), size_);
        memory_ = std::move(memory);
        capacity_ = capacity;
    }

    OwningPtr<char[]> memory_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
