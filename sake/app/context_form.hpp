// ctx.form() and ctx.read_form().
#pragma once

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/context.hpp"
#include "sake/app/context_methods.hpp"
#include "sake/app/form.hpp"
#include "sake/app/form_bind.hpp"
#include "sake/app/form_reader.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// The form of a request, once it has been read.
struct FormOfCall {
    std::optional<Form> form;
};

inline Form& form_of(Call& call) {
    std::optional<Form>& form = call.state.get<FormOfCall>().form;
    if (!form) {
        FormReader reader(call.context.header("Content-Type"), *call.place.limits);
        form = reader.parse(call.body());
    }
    return *form;
}

}  // namespace detail

template <class T>
std::conditional_t<std::is_same_v<T, Form>, const Form&, T> Context::form() {
    if constexpr (std::is_same_v<T, Form>) {
        return detail::form_of(*call_);
    } else {
        return detail::form_as<T>(detail::form_of(*call_));
    }
}

template <class F>
Task<F&> Context::read_form() {
    co_return detail::form_of(*call_);
}

}  // namespace v0
}  // namespace sake
