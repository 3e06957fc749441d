// What holds for the head of a request and of a response alike.
#pragma once

#include "fuzz.hpp"

namespace fuzz {

/// Parses `input` at once and byte by byte, and requires that nothing depends on it and that what is accepted
/// lies inside the input. Whether it is a head.
template <class Parser, class Head>
bool parses(std::string_view input, Head& head) {
    using Result = typename Parser::Result;
    Parser at_once;
    const auto result = at_once.parse(input, head);

    Parser bytewise;
    Head same;
    auto stepwise = Result::need_more;
    for (std::size_t length = 0; length <= input.size() && stepwise == Result::need_more; ++length) {
        stepwise = bytewise.parse(input.substr(0, length), same);
    }
    require(result == stepwise, "the outcome is that of the bytes one by one");
    require(at_once.status() == bytewise.status(), "so is the status");
    if (result == Result::refused) {
        require(at_once.status() >= 400 && !at_once.reason().empty(), "a refusal has a status and a reason");
    }
    if (result != Result::done) return false;

    require(head.size <= input.size() && head.size == same.size, "a head ends inside the input");
    for (const sake::detail::FieldSlice& field : head.fields) {
        require(sake::detail::is_valid_field_name(field.name.of(input.data())), "names are tokens");
        require(sake::detail::is_valid_field_value(field.value.of(input.data())),
                "values hold no control bytes");
    }
    return true;
}

}  // namespace fuzz
