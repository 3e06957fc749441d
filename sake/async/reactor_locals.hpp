// Objects that a reactor keeps for others, one per type, and notice of its end for objects that may live
// longer.
#pragma once

#include "sake/async/wait.hpp"
#include "sake/base/owning_list.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// An object that uses something of a reactor and may live longer.
class ReactorEndListener : public ListNode {
  public:
    /// The last fiber of the reactor has ended. Nothing of the reactor may be used after this call.
    virtual void reactor_ends() noexcept = 0;

  protected:
    ~ReactorEndListener() = default;
};

/// At most one thing of each type, made from the reactor when it is first asked for.
class ReactorLocals {
  public:
    ReactorLocals() = default;
    ReactorLocals(const ReactorLocals&) = delete;
    ReactorLocals& operator=(const ReactorLocals&) = delete;

    template <class T>
    [[nodiscard]] T& get(Reactor& reactor) {
        static constexpr char key = 0;
        Local* local = locals_.first();
        while (local != nullptr && local->key != &key) local = local->next;
        if (local == nullptr) local = &locals_.push_front(new Holder<T>(&key, reactor));
        return static_cast<Holder<T>*>(local)->value;
    }

    /// The last made goes first.
    void clear() noexcept { locals_.clear(); }

  private:
    struct Local {
        explicit Local(const void* type) noexcept : key(type) {}
        Local(const Local&) = delete;
        Local& operator=(const Local&) = delete;
        virtual ~Local() = default;

        const void* key;  // an address for each type
        Local* next = nullptr;
    };
    template <class T>
    struct Holder final : Local {
        Holder(const void* type, Reactor& reactor) : Local(type), value(reactor) {}
        T value;
    };

    OwningList<Local> locals_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
