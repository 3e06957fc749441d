// ctx.form(), which is read as a Form or as a type of the program.
#pragma once

#include <type_traits>

#include "sake/app/context.hpp"
#include "sake/app/form.hpp"
#include "sake/app/form_bind.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The form of a request, which is read if it has not been yet. Throws HttpError, and std::logic_error where
/// only ctx.read_form() may read it.
template <class Unused = void>
Form& whole_form_of(Call& call);

template <class T>
T bind_form(Call& call) {
    const Form& form = whole_form_of<>(call);
    if constexpr (HasShape<T>) {
        Array<NamedText> texts;
        for (const FormField& field : form.fields()) texts.push_back({field.name, field.value});
        return bind_texts<T>(texts, "form");
    } else {
        return form_as<T>(form);
    }
}

}  // namespace detail

template <class T>
std::conditional_t<std::is_same_v<T, Form>, const Form&, T> Context::form() {
    if constexpr (std::is_same_v<T, Form>) {
        return detail::whole_form_of<>(*call_);
    } else {
        return detail::bind_form<T>(*call_);
    }
}

}  // namespace SAKE_ABI
}  // namespace sake
