// Engine::docs: how the page of an API's documentation, its script and its style are served.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/docs_options.hpp"
#include "sake/app/docs_page_html.hpp"
#include "sake/app/docs_page_operation.hpp"
#include "sake/app/docs_page_schema.hpp"
#include "sake/app/docs_page_script.hpp"
#include "sake/app/docs_page_style.hpp"
#include "sake/app/docs_page_try.hpp"
#include "sake/app/file_answer.hpp"
#include "sake/app/file_tree.hpp"
#include "sake/app/group.hpp"
#include "sake/app/handler.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The handler of one of the texts. Clients keep it, and ask each time whether it is still the same.
template <class Answer = FileAnswer>
class DocsText {
  public:
    static Handler handler(std::string text, std::string_view type) {
        return Handler(ServerHandler{new DocsText(std::move(text), type), &serve, nullptr, &destroy});
    }

  private:
    DocsText(std::string text, std::string_view type)
        : text_(std::move(text)), tag_(tag_of_bytes(text_)), type_(type) {}

    static void destroy(void* self) noexcept { delete static_cast<DocsText*>(self); }
    static void serve(void* self, Call& call) {
        const auto& text = *static_cast<const DocsText*>(self);
        http::Headers& headers = call.response.headers;
        if (!headers.contains("Cache-Control")) headers.set("Cache-Control", "no-cache");
        headers.set("Content-Security-Policy", docs_page_policy);
        headers.set("X-Content-Type-Options", "nosniff");
        FoundFile found;
        found.kind = FoundFile::Kind::file;
        found.bytes = text.text_;
        found.size = text.text_.size();
        found.tag = text.tag_;
        Answer(call, std::move(found), text.type_).make();
    }

    std::string text_;
    std::string tag_;
    std::string_view type_;
};

/// The links of the page at a path. A browser takes them from the last slash of that path on.
template <class Links = DocsLinks>
Links docs_links(std::string_view path, std::string_view openapi) {
    const std::size_t folder = path.rfind('/') + 1;
    Links links;
    links.files = "./";
    if (folder < path.size()) links.files.append(path.substr(folder)).append("/");
    links.root = "./";
    for (auto slashes = std::count(path.begin(), path.end(), '/'); slashes > 1; --slashes)
        links.root += "../";
    links.openapi = links.root + std::string(openapi.substr(1));
    return links;
}

/// Throws std::invalid_argument for what could not work.
inline void check_docs(const std::string& path, const DocsOptions& options) {
    if (is_param(std::string_view(path).substr(path.rfind('/') + 1))) {
        throw std::invalid_argument("docs: the path '" + path +
                                    "' ends with a parameter: end it with a name");
    }
    if (!options.openapi.starts_with('/')) {
        throw std::invalid_argument("docs: openapi must be a path of the engine, not '" + options.openapi +
                                    "': write it as '/openapi.json'");
    }
}

template <class Unused>
Route& add_docs(RouteTable& table, Scope& scope, const PatternInfo& pattern, DocsOptions options) {
    std::string base(pattern.text);
    if (!base.empty() && base.back() == '/') base.pop_back();
    const std::string path = scope.prefix + base;
    check_docs(path, options);
    const auto place = [&](const std::string& text) {
        return PatternInfo{text, pattern.params, pattern.file, pattern.line};
    };
    const auto page_at = [&](const std::string& address) {
        return DocsText<>::handler(docs_page(docs_links(address, options.openapi), options.title),
                                   "text/html; charset=utf-8");
    };
    const auto add = [&](const std::string& text, Handler handler) -> Route& {
        RouteEntry& entry = table.add(scope, "GET", place(text), std::move(handler));
        entry.handler_reads_body = false;
        entry.is_hidden = true;
        return entry.route;
    };
    Route& page = path.empty() ? add("/", page_at("/")) : add(base, page_at(path));
    if (!path.empty()) table.add_yielding(scope, "GET", place(base + "/"), page_at(path + "/"));
    std::string script(docs_page_script);
    script.append(docs_page_schema).append(docs_page_operation).append(docs_page_try);
    add(base + "/page.js", DocsText<>::handler(std::move(script), "text/javascript; charset=utf-8"));
    add(base + "/page.css", DocsText<>::handler(std::string(docs_page_style), "text/css; charset=utf-8"));
    return page;
}

#if defined(SAKE_IMPLEMENTATION)
template Route& add_docs<void>(RouteTable& table, Scope& scope, const PatternInfo& pattern,
                               DocsOptions options);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
