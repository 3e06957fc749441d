// OwningList: a list of objects that link themselves, for objects of which there are mostly none. It costs a
// handful of functions to compile, a standard container a hundred.
#pragma once

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Owns its elements, which are made by new and have a member `T* next`.
template <class T>
class OwningList {
  public:
    OwningList() = default;
    OwningList(OwningList&& other) noexcept { append(other); }
    OwningList(const OwningList&) = delete;
    OwningList& operator=(const OwningList&) = delete;
    ~OwningList() { clear(); }

    /// The first element; nullptr if there is none. The others follow by `next`.
    [[nodiscard]] T* first() const noexcept { return first_; }
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

    T& push_back(T* element) noexcept {
        element->next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = element;
        last_ = element;
        return *element;
    }
    T& push_front(T* element) noexcept {
        element->next = first_;
        if (first_ == nullptr) last_ = element;
        first_ = element;
        return *element;
    }

    /// Takes all elements of another list, behind those that are here.
    void append(OwningList& other) noexcept {
        if (other.empty()) return;
        (first_ == nullptr ? first_ : last_->next) = other.first_;
        last_ = other.last_;
        other.first_ = nullptr;
    }

    /// The list must not be empty.
    [[nodiscard]] OwningPtr<T> take_front() noexcept {
        T* const taken = first_;
        first_ = taken->next;
        return OwningPtr<T>(taken);
    }
    /// The element must be in the list.
    [[nodiscard]] OwningPtr<T> take(T& element) noexcept {
        T* before = nullptr;
        for (T* each = first_; each != &element; each = each->next) before = each;
        (before == nullptr ? first_ : before->next) = element.next;
        if (last_ == &element) last_ = before;
        return OwningPtr<T>(&element);
    }
    void clear() noexcept {
        while (first_ != nullptr) {
            T* const first = first_;
            first_ = first->next;
            delete first;
        }
    }

  private:
    T* first_ = nullptr;
    T* last_ = nullptr;  // while there is a first
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
