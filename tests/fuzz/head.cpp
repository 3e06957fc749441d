// The request head and its framing: the outcome does not depend on how the bytes were split, and what is
// accepted lies inside the input.
#include "parsing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = fuzz::text(data, size);
    sake::http::RequestHead head;
    if (!fuzz::parses<sake::http::RequestParser>(input, head)) return 0;
    const sake::http::Framing framing = sake::http::decide_framing(head, input.data());
    fuzz::require(framing.refuse_status == 0 || framing.refuse_status >= 400, "a refusal has a status");
    return 0;
}
