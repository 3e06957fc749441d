// Calls anything callable, including pointers to members: std::invoke without the compile time of
// <functional>.
#pragma once

#include <type_traits>
#include <utility>

#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The object that a member is wanted of: the one given, or the one that it points or refers to.
template <class T, class Member, class Object>
decltype(auto) object_of(Member T::*, Object&& object) {
    using Given = std::remove_cvref_t<Object>;
    if constexpr (std::is_same_v<T, Given> || std::is_base_of_v<T, Given>)
        return std::forward<Object>(object);
    else if constexpr (requires { *std::forward<Object>(object); })
        return *std::forward<Object>(object);
    else
        return std::forward<Object>(object).get();  // of a std::reference_wrapper
}

/// `f(args...)`; or the member of the first argument that `f` points to, called if it is a function. To be
/// called by its full name, since namespaces of users may have a `call` too.
template <class F, class... Args>
std::invoke_result_t<F, Args...> call(F&& f, Args&&... args) {
    static_assert(!is_task<std::invoke_result_t<F, Args...>>,
                  "a coroutine would not run here: give a plain function, and await where the call is");
    using Function = std::remove_cvref_t<F>;
    if constexpr (std::is_member_function_pointer_v<Function>) {
        return [&](auto&& object, auto&&... others) -> decltype(auto) {
            return (detail::object_of(f, std::forward<decltype(object)>(object)).*
                    f)(std::forward<decltype(others)>(others)...);
        }(std::forward<Args>(args)...);
    } else if constexpr (std::is_member_object_pointer_v<Function>) {
        return (detail::object_of(f, std::forward<Args>(args)...).*f);
    } else {
        return std::forward<F>(f)(std::forward<Args>(args)...);
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
