// OwningList: a list of objects that link themselves, for the few things of which there are mostly none. It
// costs a program that uses it a handful of functions to compile, where a standard container costs a hundred.
#pragma once

namespace sake {
inline namespace v0 {
namespace detail {

/// Owns its elements, which are made by new and have a member `T* next`.
template <class T>
class OwningList {
  public:
    OwningList() = default;
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

    /// An element that is in no list: deletes it, unless it is released.
    struct Owned {
        explicit Owned(T* element) noexcept : node(element) {}
        Owned(const Owned&) = delete;
        Owned& operator=(const Owned&) = delete;
        ~Owned() { delete node; }
        T& operator*() const noexcept { return *node; }
        T* operator->() const noexcept { return node; }
        [[nodiscard]] T* release() noexcept {
            T* const released = node;
            node = nullptr;
            return released;
        }
        T* node;
    };
    /// The list must not be empty.
    [[nodiscard]] Owned take_front() noexcept {
        T* const taken = first_;
        first_ = taken->next;
        return Owned(taken);
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
}  // namespace v0
}  // namespace sake
