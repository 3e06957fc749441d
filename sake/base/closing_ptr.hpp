// ClosingPtr: an object that a handle, such as a TcpStream, shares with its operations in progress.
#pragma once

#include <utility>

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Owns a T, and calls `close()` on it in the destructor. The memory stays until the last operation that
/// shares it has ended: an operation in progress meets a closed T, never a destroyed one. Movable, not
/// copyable.
template <class T>
class ClosingPtr {
  public:
    /// Of what was made by new.
    explicit ClosingPtr(T* owned) noexcept : owned_(owned) {}
    ClosingPtr(ClosingPtr&&) noexcept = default;
    ClosingPtr& operator=(ClosingPtr&& other) noexcept {
        if (this != &other) {
            reset();
            owned_ = std::move(other.owned_);
        }
        return *this;
    }
    ~ClosingPtr() { reset(); }

    void reset() noexcept {
        if (owned_ != nullptr) owned_->close();
        owned_.reset();
    }
    /// For an operation in progress.
    [[nodiscard]] const CountedPtr<T>& share() const noexcept { return owned_; }
    [[nodiscard]] T& operator*() const noexcept { return *owned_; }
    [[nodiscard]] T* operator->() const noexcept { return owned_.get(); }
    [[nodiscard]] explicit operator bool() const noexcept { return owned_ != nullptr; }

  private:
    CountedPtr<T> owned_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
