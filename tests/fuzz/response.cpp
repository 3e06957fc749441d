// The response head, as a client reads it, with the same promises as the request head.
#include "parsing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    sake::http::ReceivedHead head;
    if (!fuzz::parses<sake::http::ResponseParser>(fuzz::text(data, size), head)) return 0;
    fuzz::require(head.status >= 100 && head.status <= 999, "a status has three digits");
    return 0;
}
