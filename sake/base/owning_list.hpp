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

    /// An element that was taken off the list; deletes it.
    struct Taken {
        explicit Taken(T* element) noexcept : node(element) {}
        Taken(const Taken&) = delete;
        Taken& operator=(const Taken&) = delete;
        ~Taken() { delete node; }
        T* operator->() const noexcept { return node; }
        T* node;
    };
    /// The list must not be empty.
    [[nodiscard]] Taken take_front() noexcept {
        T* const taken = first_;
        first_ = taken->next;
        return Taken(taken);
    }
    void clear() noexcept {
        while (first_ != nullptr) static_cast<void>(take_front());
    }
    /// Moves all elements of `other` behind those of this list.
    void append(OwningList& other) noexcept {
        while (other.first_ != nullptr) {
            T* const moved = other.first_;
            other.first_ = moved->next;
            push_back(moved);
        }
    }

  private:
    T* first_ = nullptr;
    T* last_ = nullptr;  // while there is a first
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
