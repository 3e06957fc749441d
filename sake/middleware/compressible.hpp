// Which media types become smaller: texts. Everything else is compressed already, or not known.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// For a Content-Type, in any case and with or without parameters.
constexpr bool is_worth_compressing(std::string_view content_type) noexcept {
    constexpr std::string_view types[] = {
        "application/javascript", "application/json", "application/jsonl", "application/rtf",
        "application/wasm",       "application/xml",  "application/yaml",  "application/x-ndjson",
    };
    constexpr std::string_view suffixes[] = {"+json", "+xml", "+yaml"};
    constexpr std::string_view text = "text/";

    const std::string_view type = trim_ows(content_type.substr(0, content_type.find(';')));
    if (type.size() > text.size() && iequals(type.substr(0, text.size()), text)) return true;
    for (const std::string_view each : types) {
        if (iequals(type, each)) return true;
    }
    for (const std::string_view suffix : suffixes) {
        const bool is_longer = type.size() > suffix.size();
        if (is_longer && iequals(type.substr(type.size() - suffix.size()), suffix)) return true;
    }
    return false;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
