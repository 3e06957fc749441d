// OwningPtr and CountedPtr: an object with one owner, and an object with several. Inside Sake they replace
// std::unique_ptr and std::shared_ptr at a tenth of the compile time per type.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Owns an object that was made by new, or none. Moves only.
template <class T>
class OwningPtr {
  public:
    OwningPtr() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): none, as with std::unique_ptr
    OwningPtr(std::nullptr_t) noexcept {}
    explicit OwningPtr(T* object) noexcept : object_(object) {}
    OwningPtr(OwningPtr&& other) noexcept : object_(other.release()) {}
    template <class Derived>
    // NOLINTNEXTLINE(google-explicit-constructor): to the base
    OwningPtr(OwningPtr<Derived>&& other) noexcept : object_(other.release()) {
        static_assert(std::has_virtual_destructor_v<T>);
    }
    OwningPtr& operator=(OwningPtr&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~OwningPtr() {
        static_assert(sizeof(T) > 0);
        delete object_;
    }

    [[nodiscard]] T* get() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    [[nodiscard]] friend bool operator==(const OwningPtr& owner, std::nullptr_t) noexcept {
        return owner.object_ == nullptr;
    }

    [[nodiscard]] T* release() noexcept {
        T* const released = object_;
        object_ = nullptr;
        return released;
    }
    void reset(T* object = nullptr) noexcept {
        T* const old = object_;
        object_ = object;
        delete old;
    }

  private:
    T* object_ = nullptr;
};

/// Owns a row of objects that was made by new[], or none. Moves only.
template <class T>
class OwningPtr<T[]> {
  public:
    OwningPtr() = default;
    explicit OwningPtr(T* first) noexcept : first_(first) {}
    OwningPtr(OwningPtr&& other) noexcept : first_(other.first_) { other.first_ = nullptr; }
    OwningPtr& operator=(OwningPtr&& other) noexcept {
        T* const old = first_;
        first_ = other.first_;
        other.first_ = nullptr;
        delete[] old;
        return *this;
    }
    ~OwningPtr() { delete[] first_; }

    [[nodiscard]] T* get() const noexcept { return first_; }
    [[nodiscard]] T& operator[](std::size_t index) const noexcept { return first_[index]; }
    [[nodiscard]] explicit operator bool() const noexcept { return first_ != nullptr; }

  private:
    T* first_ = nullptr;
};

/// The base of what CountedPtr shares. Its owners may be in several threads.
class Counted {
  public:
    Counted() = default;
    Counted(const Counted&) noexcept {}  // the copy has owners of its own
    Counted& operator=(const Counted&) noexcept { return *this; }

  protected:
    ~Counted() = default;

  private:
    template <class T>
    friend class CountedPtr;
    void add_owner() const noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
    [[nodiscard]] bool drop_owner() const noexcept {
        return owners_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    }

    mutable std::atomic<std::size_t> owners_{0};
};

/// One of the owners of an object that was made by new, or of none. The last of them deletes it.
template <class T>
class CountedPtr {
  public:
    CountedPtr() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): none, as with std::shared_ptr
    CountedPtr(std::nullptr_t) noexcept {}
    explicit CountedPtr(T* object) noexcept : object_(object) {
        if (object_ != nullptr) object_->add_owner();
    }
    CountedPtr(const CountedPtr& other) noexcept : CountedPtr(other.object_) {}
    CountedPtr(CountedPtr&& other) noexcept : object_(other.leave()) {}
    template <class Derived>
    // NOLINTNEXTLINE(google-explicit-constructor): to the base
    CountedPtr(const CountedPtr<Derived>& other) noexcept : CountedPtr(other.get()) {
        static_assert(std::has_virtual_destructor_v<T> || std::is_same_v<std::remove_const_t<T>, Derived>);
    }
    CountedPtr& operator=(const CountedPtr& other) noexcept {
        CountedPtr(other).swap(*this);
        return *this;
    }
    CountedPtr& operator=(CountedPtr&& other) noexcept {
        CountedPtr(static_cast<CountedPtr&&>(other)).swap(*this);
        return *this;
    }
    ~CountedPtr() {
        if (object_ != nullptr && object_->drop_owner()) delete object_;
    }

    [[nodiscard]] T* get() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    [[nodiscard]] friend bool operator==(const CountedPtr& one, const CountedPtr& other) noexcept {
        return one.object_ == other.object_;
    }
    [[nodiscard]] friend bool operator==(const CountedPtr& owner, std::nullptr_t) noexcept {
        return owner.object_ == nullptr;
    }

    void reset() noexcept { CountedPtr().swap(*this); }
    void swap(CountedPtr& other) noexcept {
        T* const object = object_;
        object_ = other.object_;
        other.object_ = object;
    }

  private:
    T* leave() noexcept {
        T* const left = object_;
        object_ = nullptr;
        return left;
    }

    T* object_ = nullptr;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
