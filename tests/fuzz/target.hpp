// Request targets, hosts, percent escapes, queries and cookies: nothing is read outside the input, and what
// is decoded is text.
#pragma once

#include <string>

#include "fuzz.hpp"

namespace fuzz {

inline void target(std::string_view input) {
    for (const sake::detail::Method method :
         {sake::detail::Method::get, sake::detail::Method::options, sake::detail::Method::connect}) {
        if (input.empty()) break;
        const auto target = sake::detail::parse_target(method, input);
        if (!target) continue;
        require(target->path.size() + target->query.size() + target->authority.size() <= input.size() + 1,
                "the parts of a target are no longer than it");
        if (const auto path = sake::detail::decode_path(target->path)) {
            require(sake::is_valid_utf8(*path), "a decoded path is UTF-8");
            require(path->find('\0') == std::string::npos, "and holds no NUL");
        }
    }
    static_cast<void>(sake::detail::is_valid_host(input));
    const std::string_view name = input.substr(0, input.size() / 4);
    static_cast<void>(sake::detail::query_value(input, name));
    static_cast<void>(sake::detail::cookie_value(input, name));
    if (const auto bytes = sake::base64_decode(input)) {
        require(sake::base64_encode(*bytes) == input, "base64 has one form");
    }
    require(sake::base64_decode(sake::base64_encode(input)) == input, "base64 there and back");
}

}  // namespace fuzz
