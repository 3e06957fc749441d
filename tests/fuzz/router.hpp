// Patterns and paths: a pattern is taken or refused with words, and a path that is found gives parameters
// that lie inside it.
#pragma once

#include <stdexcept>
#include <string>

#include "fuzz.hpp"

namespace fuzz {

inline void router(std::string_view input) {
    const std::size_t line = std::min(input.find('\n'), input.size());
    const std::string_view patterns = input.substr(0, line);
    const std::string_view path = input.substr(std::min(line + 1, input.size()));

    sake::Engine app(sake::Config{.handle_signals = false, .announce = false});
    sake::detail::Router<const int> router;
    const int value = 7;
    for (std::size_t begin = 0; begin < patterns.size();) {
        const std::size_t end = std::min(patterns.find(' ', begin), patterns.size());
        const std::string pattern(patterns.substr(begin, end - begin));
        begin = end + 1;
        try {
            app.get(sake::runtime(pattern), [](sake::Context&) {});
        } catch (const std::invalid_argument&) {
            continue;
        }
        router.add(pattern, "GET", value);
    }
    sake::detail::PathParams params;
    if (router.find(path, sake::detail::Method::get, "GET", params) == nullptr) return;
    for (std::size_t i = 0; i < params.count; ++i) {
        require(params.values[i].offset + params.values[i].length <= path.size(),
                "parameters are of the path");
    }
}

}  // namespace fuzz
