// The documents of worker routes: hostile ones are refused by JsonError and nothing else, accepted ones cross
// again exactly, and any bytes survive the way there and back.
#pragma once

#include <string>

#include "fuzz.hpp"

namespace fuzz {

template <class Document>
void crosses(std::string_view text) {
    try {
        const auto document = sake::from_text<Document>(text, {.bytes = 1 << 20, .depth = 32});
        const std::string again = sake::to_text(document);
        require(sake::to_text(sake::from_text<Document>(again)) == again, "what was read crosses again");
    } catch (const sake::JsonError&) {
    }
}

inline void worker_context(std::string_view input) {
    crosses<sake::WorkerContext>(input);
    crosses<sake::WorkerResponse>(input);

    sake::WorkerContext request;
    const std::size_t half = input.size() / 2;
    request.path = request.body = std::string(input);
    request.headers = {{std::string(input.substr(0, half)), std::string(input.substr(half))}};
    request.values["key"] = std::string(input.substr(half));
    require(sake::from_text<sake::WorkerContext>(sake::to_text(request)) == request, "any bytes survive");
}

}  // namespace fuzz
