// The request head and its framing: the outcome does not depend on how the bytes were split, and what is
// accepted lies inside the input.
#pragma once

#include "parsing.hpp"

namespace fuzz {

inline void head(std::string_view input) {
    sake::detail::http1::RequestHead head;
    if (!parses<sake::detail::http1::RequestParser>(input, head)) return;
    static sake::detail::http1::HostCheck known_hosts;
    sake::detail::http1::HostCheck hosts;
    const sake::detail::http1::Framing framing =
        sake::detail::http1::decide_framing(head, input.data(), hosts);
    const sake::detail::http1::Framing again =
        sake::detail::http1::decide_framing(head, input.data(), known_hosts);
    require(framing.refuse_status == again.refuse_status, "a Host known from before changes nothing");
    require(framing.refuse_status == 0 || framing.refuse_status >= 400, "a refusal has a status");
    if (framing.refuse_status != 0) return;
    // Counted anew, since the parser notes these fields as it goes.
    std::size_t lengths = 0;
    std::size_t codings = 0;
    for (const sake::detail::FieldSlice& field : head.fields) {
        lengths += sake::iequals(field.name.of(input.data()), "Content-Length") ? 1U : 0U;
        codings += sake::iequals(field.name.of(input.data()), "Transfer-Encoding") ? 1U : 0U;
    }
    require(codings == 0 || lengths == 0, "the body has one framing");
    require(codings == 0 || head.minor_version == 1, "HTTP/1.0 knows no transfer coding");
    require((framing.body == http1::Framing::Body::chunked) == (codings > 0), "chunked is said, and kept to");
    require(lengths <= 1 && (framing.body != http1::Framing::Body::length || lengths == 1),
            "one length is said");
}

}  // namespace fuzz
