// What the compiler says of a value that has no JSON form where one is needed.
#pragma once

#include <type_traits>

#include "sake/async/task.hpp"
#include "sake/base/json.hpp"
#include "sake/base/shape_of.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What neither Sake nor nlohmann/json writes.
template <class T>
concept HasNoJson = !HasShape<T> && !std::is_constructible_v<Json, const T&>;

/// What holds another value: a sake::Body, a pointer.
template <class T>
concept Holder = requires(const T& value) { *value; };

/// Stops the compiler with the words for it.
template <class T>
void refuse_json() {
    static_assert(!is_task<T>,
                  "a Task has no JSON form, but its result may have one: co_await it first, auto value = "
                  "co_await f();");
    static_assert(!Holder<T>, "this type has no JSON form, but what it holds may have one: write *value");
    static_assert(
        is_task<T> || Holder<T>,
        "this type has no JSON form: it must be a number, bool, text, enum, optional, list, map of texts, "
        "variant or a plain struct of them (no constructors, bases or private members), or have "
        "nlohmann's to_json");
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
