// Data that a program keeps with a call: one object per type, values as JSON, and functions for its end.
#pragma once

#include <string_view>

#include "sake/base/json.hpp"
#include "sake/base/owning_list.hpp"

namespace sake {
inline namespace SAKE_ABI {
class Context;

namespace detail {

struct Call;

/// One object for each type that the program asked for. The last made is destroyed first.
class TypedSlots {
  public:
    template <class T>
    [[nodiscard]] T& get() {
        if (T* const found = find<T>()) return *found;
        return static_cast<SlotOf<T>&>(slots_.push_front(new SlotOf<T>())).object;
    }
    /// The object; nullptr if `get` has not made it.
    template <class T>
    [[nodiscard]] T* find() noexcept {
        for (Slot* slot = slots_.first(); slot != nullptr; slot = slot->next) {
            if (slot->type == &type_of<T>) return &static_cast<SlotOf<T>*>(slot)->object;
        }
        return nullptr;
    }
    void clear() noexcept { slots_.clear(); }

  private:
    struct Slot {
        explicit Slot(const char* of_type) noexcept : type(of_type) {}
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        virtual ~Slot() = default;
        const char* type;
        Slot* next = nullptr;
    };
    template <class T>
    struct SlotOf final : Slot {
        SlotOf() : Slot(&type_of<T>) {}
        T object{};
    };
    template <class T>
    static inline char type_of = 0;  // whose address stands for the type

    OwningList<Slot> slots_;
};

/// The values of Context::set, in a slot of the call. Only a program that sets something compiles JSON for
/// it.
template <class Value>
struct KeptValues {
    KeptValues() = default;
    KeptValues(const KeptValues&) = delete;
    KeptValues& operator=(const KeptValues&) = delete;
    ~KeptValues() { dismantle(object); }
    Value object = Value::object();
};

/// A function that Context::after was given.
struct After {
    After() = default;
    After(const After&) = delete;
    After& operator=(const After&) = delete;
    virtual ~After() = default;
    virtual void run(Context& ctx) = 0;
    After* next = nullptr;
};

/// Where Context::set keeps a value.
template <class Value>
Value& kept_value(Call& call, std::string_view key);
/// What Context::state is had from.
TypedSlots& slots_of(Call& call) noexcept;
/// Takes the function, to run it when the answer is made.
void add_after(Call& call, After* after) noexcept;

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
