// The response head, as a client reads it, with the same promises as the request head.
#pragma once

#include "parsing.hpp"

namespace fuzz {

inline void response(std::string_view input) {
    sake::detail::http1::ReceivedHead head;
    if (!parses<sake::detail::http1::ResponseParser>(input, head)) return;
    require(head.status >= 100 && head.status <= 999, "a status has three digits");
}

}  // namespace fuzz
