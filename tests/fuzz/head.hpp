// The request head and its framing: the outcome does not depend on how the bytes were split, and what is
// accepted lies inside the input.
#pragma once

#include "parsing.hpp"

namespace fuzz {

inline void head(std::string_view input) {
    sake::http::RequestHead head;
    if (!parses<sake::http::RequestParser>(input, head)) return;
    const sake::http::Framing framing = sake::http::decide_framing(head, input.data());
    require(framing.refuse_status == 0 || framing.refuse_status >= 400, "a refusal has a status");
}

}  // namespace fuzz
