// The request head and its framing: the outcome does not depend on how the bytes were split, and what is
// accepted lies inside the input.
#include <string>

#include "fuzz.hpp"

namespace http = sake::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = fuzz::text(data, size);
    http::RequestParser at_once;
    http::RequestHead head;
    const auto result = at_once.parse(input, head);

    http::RequestParser bytewise;
    http::RequestHead same;
    auto stepwise = http::RequestParser::Result::need_more;
    for (std::size_t length = 0; length <= size && stepwise == http::RequestParser::Result::need_more;
         ++length) {
        stepwise = bytewise.parse(input.substr(0, length), same);
    }
    fuzz::require(result == stepwise, "the outcome is that of the bytes one by one");
    fuzz::require(at_once.status() == bytewise.status(), "so is the status");
    if (result == http::RequestParser::Result::refused) {
        fuzz::require(at_once.status() >= 400 && !at_once.reason().empty(),
                      "a refusal has a status and a reason");
    }
    if (result != http::RequestParser::Result::done) return 0;

    fuzz::require(head.size <= size && head.size == same.size, "a head ends inside the input");
    for (const http::FieldSlice& field : head.fields) {
        fuzz::require(http::is_valid_field_name(field.name.of(input.data())), "names are tokens");
        fuzz::require(http::is_valid_field_value(field.value.of(input.data())),
                      "values hold no control bytes");
    }
    const http::Framing framing = http::decide_framing(head, input.data());
    fuzz::require(framing.refuse_status == 0 || framing.refuse_status >= 400, "a refusal has a status");
    return 0;
}
