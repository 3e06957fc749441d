// Engine::openapi: the route that serves the document, made once in a run, with an entity tag of its bytes.
#pragma once

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake/app/api_info.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/file_answer.hpp"
#include "sake/app/file_tree.hpp"
#include "sake/app/group.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/openapi_document.hpp"
#include "sake/app/route_table.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The handler. The routes stand still while it is called.
template <class Unused = void>
class OpenApiSite {
  public:
    OpenApiSite(const RouteTable& table, const Scope& scope, ApiInfo info)
        : table_(&table), scope_(&scope), info_(std::move(info)) {}

    static void serve(void* self, Call& call) { static_cast<OpenApiSite*>(self)->serve(call); }
    static void destroy(void* self) noexcept { delete static_cast<OpenApiSite*>(self); }

  private:
    void serve(Call& call) {
        if (call.request.has_given_params) {
            throw std::logic_error(
                "the OpenAPI document is sent by the reactor: its route cannot have worker()");
        }
        make();
        http::Headers& headers = call.response.headers;
        if (!headers.contains("Cache-Control")) headers.set("Cache-Control", "no-cache");
        FoundFile found;
        found.kind = FoundFile::Kind::file;
        found.bytes = text_;
        found.size = text_.size();
        found.tag = tag_;
        FileAnswer(call, std::move(found), "application/json").make();
    }

    /// Between two runs of an engine, routes may be added.
    void make() {
        const std::lock_guard lock(mutex_);
        if (run_ == table_->runs()) return;
        text_ = openapi_document<>(*table_, *scope_, info_);
        tag_ = tag_of_bytes(text_);
        run_ = table_->runs();
    }

    const RouteTable* table_;
    const Scope* scope_;
    ApiInfo info_;
    std::mutex mutex_;  // guards what follows, while it is made
    unsigned run_ = 0;  // in which it was made; the first is 1
    std::string text_;
    std::string tag_;
};

inline void check_api_info(const ApiInfo& info) {
    if (info.title.empty() || info.version.empty()) {
        throw std::invalid_argument("openapi: the title and the version of an API must not be empty");
    }
}

template <class Unused>
std::string openapi_document(const RouteTable& table, const Scope& scope, const ApiInfo& info) {
    check_api_info(info);
    return OpenApiDocument<>(table, scope, info).text();
}

template <class Unused>
Route& add_openapi(RouteTable& table, Scope& scope, const PatternInfo& pattern, ApiInfo info) {
    check_api_info(info);
    Handler handler(ServerHandler{new OpenApiSite<>(table, scope, std::move(info)), &OpenApiSite<>::serve,
                                  nullptr, &OpenApiSite<>::destroy});
    RouteEntry& entry = table.add(scope, "GET", pattern, std::move(handler));
    entry.handler_reads_body = false;
    entry.is_hidden = true;
    return entry.route;
}

#if defined(SAKE_IMPLEMENTATION)
template std::string openapi_document<void>(const RouteTable& table, const Scope& scope, const ApiInfo& info);
template Route& add_openapi<void>(RouteTable& table, Scope& scope, const PatternInfo& pattern, ApiInfo info);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
