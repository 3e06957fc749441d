// The response head, as a client reads it, with the same promises as the request head.
#pragma once

#include "parsing.hpp"

namespace fuzz {

inline void response(std::string_view input) {
    sake::http::ReceivedHead head;
    if (!parses<sake::http::ResponseParser>(input, head)) return;
    require(head.status >= 100 && head.status <= 999, "a status has three digits");
}

}  // namespace fuzz
