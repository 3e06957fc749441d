// The page that shows what is in a directory: see StaticOptions::listing.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/uri_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline void append_html(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
}

struct ListedName {
    std::string name;
    bool is_directory = false;
};

/// Directories first. `path` is that of the request, which ends with a slash. A template, like what calls it:
/// only programs that serve files compile it.
template <class Listed = ListedName>
std::string listing_page(std::string_view path, Array<Listed> names, bool has_parent) {
    std::sort(names.begin(), names.end(), [](const Listed& a, const Listed& b) {
        if (a.is_directory != b.is_directory) return a.is_directory;
        return a.name < b.name;
    });
    std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Index of ";
    append_html(page, path);
    page += "</title></head>\n<body>\n<h1>Index of ";
    append_html(page, path);
    page += "</h1>\n<ul>\n";
    if (has_parent) page += "<li><a href=\"../\">../</a></li>\n";
    for (const Listed& each : names) {
        const std::string_view slash = each.is_directory ? "/" : "";
        page += "<li><a href=\"./";  // so that no name is a scheme
        append_html(page, http::percent_encode(each.name));
        page.append(slash).append("\">");
        append_html(page, each.name);
        page.append(slash).append("</a></li>\n");
    }
    return page += "</ul>\n</body>\n</html>\n";
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
