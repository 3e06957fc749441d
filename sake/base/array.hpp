// Array: a sequence that grows at its end, and Row: one that another owns. Inside Sake they replace
// std::vector and std::span at a tenth of the compile time per type.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Items in a row, of a type that moves without exceptions. Growing invalidates pointers to them.
template <class T>
class Array {
  public:
    Array() = default;
    explicit Array(std::size_t size) : Array() { resize(size); }
    Array(const Array& other) : Array() {
        reserve(other.size_);
        for (const T& item : other) push_back(item);
    }
    Array(Array&& other) noexcept { swap(other); }
    Array& operator=(Array other) noexcept {
        swap(other);
        return *this;
    }
    ~Array() {
        clear();
        ::operator delete(first_);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* data() noexcept { return first_; }
    [[nodiscard]] T* begin() noexcept { return first_; }
    [[nodiscard]] T* end() noexcept { return first_ + size_; }
    [[nodiscard]] const T* data() const noexcept { return first_; }
    [[nodiscard]] const T* begin() const noexcept { return first_; }
    [[nodiscard]] const T* end() const noexcept { return first_ + size_; }
    [[nodiscard]] T& operator[](std::size_t index) noexcept { return first_[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return first_[index]; }
    [[nodiscard]] T& front() noexcept { return first_[0]; }
    [[nodiscard]] const T& front() const noexcept { return first_[0]; }
    [[nodiscard]] T& back() noexcept { return first_[size_ - 1]; }
    [[nodiscard]] const T& back() const noexcept { return first_[size_ - 1]; }

    T& push_back(T item) {
        if (size_ == capacity_) reserve(size_ < 4 ? 4 : 2 * size_);
        T& added = *::new (static_cast<void*>(first_ + size_)) T(static_cast<T&&>(item));
        ++size_;
        return added;
    }
    void pop_back() noexcept { first_[--size_].~T(); }
    void clear() noexcept {
        while (size_ > 0) pop_back();
    }
    /// Throws std::bad_alloc if memory is missing, and then is unchanged.
    void reserve(std::size_t capacity) {
        static_assert(std::is_nothrow_move_constructible_v<T>);
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        if (capacity <= capacity_) return;
        T* const grown = static_cast<T*>(::operator new(capacity * sizeof(T)));
        for (std::size_t i = 0; i < size_; ++i) {
            ::new (static_cast<void*>(grown + i)) T(static_cast<T&&>(first_[i]));
            first_[i].~T();
        }
        ::operator delete(first_);
        first_ = grown;
        capacity_ = capacity;
    }
    void resize(std::size_t size, T added = T()) {
        while (size_ > size) pop_back();
        if (size > capacity_) reserve(size < 2 * capacity_ ? 2 * capacity_ : size);
        while (size_ < size) push_back(added);
    }
    /// Before `place`, which is an item or end().
    T& insert(const T* place, T item) {
        const auto index = static_cast<std::size_t>(place - first_);
        push_back(static_cast<T&&>(item));
        for (std::size_t i = size_ - 1; i > index; --i) swap_items(i - 1, i);
        return first_[index];
    }
    void erase(const T* place) noexcept { erase(place, place + 1); }
    /// From `from` up to `to`, without it.
    void erase(const T* from, const T* to) noexcept {
        const auto count = static_cast<std::size_t>(to - from);
        if (count == 0) return;
        for (T* each = first_ + (to - first_); each != end(); ++each) {
            *(each - count) = static_cast<T&&>(*each);
        }
        for (std::size_t i = 0; i < count; ++i) pop_back();
    }
    void swap(Array& other) noexcept {
        T* const first = first_;
        const std::size_t size = size_;
        const std::size_t capacity = capacity_;
        first_ = other.first_;
        size_ = other.size_;
        capacity_ = other.capacity_;
        other.first_ = first;
        other.size_ = size;
        other.capacity_ = capacity;
    }

  private:
    void swap_items(std::size_t one, std::size_t other) noexcept {
        T item(static_cast<T&&>(first_[one]));
        first_[one] = static_cast<T&&>(first_[other]);
        first_[other] = static_cast<T&&>(item);
    }

    T* first_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

/// Items in a row that another owns.
template <class T>
class Row {
  public:
    Row() = default;
    Row(T* first, std::size_t size) noexcept : first_(first), size_(size) {}
    // NOLINTNEXTLINE(google-explicit-constructor): as std::span
    Row(Array<T>& items) noexcept : Row(items.data(), items.size()) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* begin() const noexcept { return first_; }
    [[nodiscard]] T* end() const noexcept { return first_ + size_; }
    [[nodiscard]] T& operator[](std::size_t index) const noexcept { return first_[index]; }

  private:
    T* first_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
