// The reactor whose loop runs on this thread. A shared library that is loaded at run time may have a variable
// of its own for it: where its symbols are hidden, or the program exports none. What a program registers
// notes the variable of the library in which that was compiled, and then a loop sets all of them.
#pragma once

#include "sake/base/owning_list.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Reactor;

namespace detail {

// A coroutine that moves between threads would read a cached thread-local on clang 14 and 15 if this were
// inlined.
[[gnu::noinline]] inline Reactor*& current_reactor() noexcept {
    thread_local Reactor* current = nullptr;
    return current;
}

/// The variables of several modules of the program; each once.
class ReactorSlots {
  public:
    using Slot = Reactor*& (*)() noexcept;

    void add(Slot slot) {
        for (const Known* each = known_.first(); each != nullptr; each = each->next) {
            if (each->slot == slot) return;
        }
        known_.push_front(new Known{slot});
    }
    void add(const ReactorSlots& more) {
        for (const Known* each = more.known_.first(); each != nullptr; each = each->next) add(each->slot);
    }
    /// On this thread.
    void set(Reactor* reactor) const noexcept {
        for (const Known* each = known_.first(); each != nullptr; each = each->next) each->slot() = reactor;
    }

  private:
    struct Known {
        Slot slot;
        Known* next = nullptr;
    };
    OwningList<Known> known_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
