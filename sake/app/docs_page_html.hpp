// The page of an API's documentation as HTML: a frame, which its script fills. See docs_page_script.hpp.
#pragma once

#include <string>
#include <string_view>

#include "sake/app/listing.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Relative addresses, as the page has them: they hold behind a proxy that takes a prefix away.
struct DocsLinks {
    std::string files;    // the folder of the script and the style, with a slash at its end
    std::string root;     // the root of the engine
    std::string openapi;  // the document
};

/// The page is strict about what it loads: its own script and style, and answers of its own origin.
inline constexpr std::string_view docs_page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A template, like what calls it: only programs with such a page compile it.
template <class Links = DocsLinks>
std::string docs_page(const Links& links, std::string_view title) {
    std::string page;
    const auto add = [&page](std::string_view html, std::string_view text) {
        page += html;
        append_html(page, text);
    };
    const std::string_view shown = title.empty() ? "API documentation" : title;
    add(R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>)html",
        shown);
    add(R"html(</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href=")html",
        links.files);
    add(R"html(page.css">
<script defer src=")html",
        links.files);
    add(R"html(page.js"></script>
</head>
<body data-root=")html",
        links.root);
    add(R"html(" data-openapi=")html", links.openapi);
    add(R"html(" data-title=")html", title);
    add(R"html(">
<main>
<h1>)html",
        shown);
    page += R"html(</h1>
<noscript><p>This page needs JavaScript. The document that it shows can be read as it is: )html";
    add(R"html(<a href=")html", links.openapi);
    page += R"html(">the OpenAPI document</a>.</p></noscript>
</main>
</body>
</html>
)html";
    return page;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
