// Header fields that a program sets: whatever it tries, no line break gets into what is sent.
#pragma once

#include <stdexcept>
#include <string>

#include "fuzz.hpp"

namespace fuzz {

inline void headers(std::string_view input) {
    http::Headers headers;
    std::size_t begin = 0;
    while (begin < input.size()) {
        const auto choice = static_cast<unsigned char>(input[begin]);
        const std::size_t end = std::min<std::size_t>(input.size(), begin + 1 + choice % 16);
        const std::string_view piece = input.substr(begin + 1, end - begin - 1);
        const std::string_view name = piece.substr(0, piece.size() / 2);
        const std::string_view value = piece.substr(piece.size() / 2);
        try {
            switch (choice / 16 % 3) {
                case 0:
                    headers.set(name, value);
                    break;
                case 1:
                    headers.add(name, value);
                    break;
                default:
                    headers.remove(name);
            }
        } catch (const std::invalid_argument&) {
        }
        begin = end;
    }
    std::size_t lines = 0;
    for (std::size_t at = headers.wire().find("\r\n"); at != std::string_view::npos;
         at = headers.wire().find("\r\n", at + 1)) {
        ++lines;
    }
    require(lines == headers.size(), "a line for each field, and no other");
    for (const auto& [name, value] : headers) {
        require(sake::detail::is_valid_field_name(name) && sake::detail::is_valid_field_value(value),
                "fields are valid");
    }
    try {
        const std::string cookie = to_string(http::SetCookie{.name = "n", .value = std::string(input)});
        require(sake::detail::is_valid_field_value(cookie), "a cookie is a field value");
    } catch (const std::invalid_argument&) {
    }
}

}  // namespace fuzz
