// Request targets, hosts, percent escapes, queries and cookies: nothing is read outside the input, and what
// is decoded is text.
#include <string>

#include "fuzz.hpp"

namespace http = sake::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = fuzz::text(data, size);
    for (const http::Method method : {http::Method::get, http::Method::options, http::Method::connect}) {
        if (input.empty()) break;
        const auto target = http::parse_target(method, input);
        if (!target) continue;
        fuzz::require(target->path.size() + target->query.size() + target->authority.size() <= size + 1,
                      "the parts of a target are no longer than it");
        if (const auto path = http::decode_path(target->path)) {
            fuzz::require(sake::is_valid_utf8(*path), "a decoded path is UTF-8");
            fuzz::require(path->find('\0') == std::string::npos, "and holds no NUL");
        }
    }
    static_cast<void>(http::is_valid_host(input));
    const std::string_view name = input.substr(0, size / 4);
    static_cast<void>(http::query_value(input, name));
    static_cast<void>(http::cookie_value(input, name));
    if (const auto bytes = sake::base64_decode(input)) {
        fuzz::require(sake::base64_encode(*bytes) == input, "base64 has one form");
    }
    fuzz::require(sake::base64_decode(sake::base64_encode(input)) == input, "base64 there and back");
    return 0;
}
