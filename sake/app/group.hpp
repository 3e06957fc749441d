// The functions that register routes, on an engine and on a group of routes under a common prefix.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/api_info.hpp"
#include "sake/app/docs_options.hpp"
#include "sake/app/embed.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/route_table.hpp"
#include "sake/app/static_options.hpp"
#include "sake/app/ws_handler.hpp"
#include "sake/async/current_reactor.hpp"
#include "sake/websocket/websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Engine;

namespace detail {

enum class SiteKind : bool { files, frontend };

// A template, so that only programs with such a page compile it; defined in docs_page.hpp.
template <class Unused = void>
Route& add_docs(RouteTable& table, Scope& scope, const PatternInfo& pattern, DocsOptions options);

// Templates, so that only programs that serve files compile them; defined in static_files.hpp.
template <class Unused = void>
Route& add_directory(RouteTable& table, Scope& scope, const PatternInfo& prefix, std::string directory,
                     StaticOptions options, SiteKind kind);
template <class Unused = void>
Route& add_embedded(RouteTable& table, Scope& scope, const PatternInfo& prefix, EmbeddedFiles files,
                    StaticOptions options, SiteKind kind);

// The same for programs with WebSockets; defined in server/ws_session.hpp.
template <class Unused = void>
Handler make_ws_handler(WsHandler handler, WebSocketOptions options);

// The same for programs that describe their API; defined in openapi_impl.hpp.
template <class Unused = void>
Route& add_openapi(RouteTable& table, Scope& scope, const PatternInfo& pattern, ApiInfo info);
template <class Unused = void>
std::string openapi_document(const RouteTable& table, const Scope& scope, const ApiInfo& info);

/// The functions that Engine and RouterGroup share. A pattern is a literal, which is checked while compiling,
/// or runtime(text). docs/routing.md describes handlers. If two routes conflict, registration throws
/// std::invalid_argument that names both. While the engine serves, registration throws std::logic_error.
template <class Self, PatternUse Use>
class Verbs {
  public:
    template <class F>
    using PatternOf = PatternArgument<std::type_identity_t<F>, Use>;

    template <class F>
    Route& get(PatternOf<F> pattern, F&& handler) {
        return add("GET", pattern, std::forward<F>(handler));
    }
    template <class F>
    Route& post(PatternOf<F> pattern, F&& handler) {
        return add("POST", pattern, std::forward<F>(handler));
    }
    template <class F>
    Route& put(PatternOf<F> pattern, F&& handler) {
        return add("PUT", pattern, std::forward<F>(handler));
    }
    template <class F>
    Route& patch(PatternOf<F> pattern, F&& handler) {
        return add("PATCH", pattern, std::forward<F>(handler));
    }
    template <class F>
    Route& del(PatternOf<F> pattern, F&& handler) {
        return add("DELETE", pattern, std::forward<F>(handler));
    }
    template <class F>
    Route& head(PatternOf<F> pattern, F&& handler) {
        return add("HEAD", pattern, std::forward<F>(handler));
    }
    template <class F>
    Route& options(PatternOf<F> pattern, F&& handler) {
        return add("OPTIONS", pattern, std::forward<F>(handler));
    }
    /// QUERY (RFC 10008): safe like GET, with a body that describes what is wanted. A request without
    /// Content-Type is answered with 400.
    template <class F>
    Route& query(PatternOf<F> pattern, F&& handler) {
        return add("QUERY", pattern, std::forward<F>(handler)).use([](Context& ctx) {
            if (ctx.header("Content-Type").empty())
                throw HttpError(400, "a QUERY request needs the field Content-Type");
        });
    }
    /// A WebSocket (RFC 6455). The handshake is a GET with Upgrade. It passes the middleware, which may
    /// refuse it with an ordinary answer; ctx.after sees its 101. Then the handler runs for as long as the
    /// connection. The handler is a coroutine: it accepts an optional Context&, then WebSocket&, then path
    /// parameters and a Query. Throws std::invalid_argument that names an invalid option.
    template <class F>
    Route& ws(PatternOf<WsPattern<F>> pattern, F&& handler, WebSocketOptions options = {}) {
        Handler made = make_ws_handler<>(WsHandler(std::forward<F>(handler)), std::move(options));
        RouteEntry& entry = self().table().add(self().scope(), "GET", pattern.info(), std::move(made));
        entry.is_hidden = entry.upgrades = true;
        return noted(entry.route);
    }
    /// Every method that has no route of its own on this pattern, including unknown methods.
    template <class F>
    Route& any(PatternOf<F> pattern, F&& handler) {
        return add(any_method, pattern, std::forward<F>(handler));
    }
    /// A method by its name in capitals: "PROPFIND".
    template <class F>
    Route& route(std::string_view method, PatternOf<F> pattern, F&& handler) {
        return add(method, pattern, std::forward<F>(handler));
    }
    /// Middleware for every route of this engine or group, including routes that are registered later. The
    /// first added is the outermost. A logger sees all answers of the server, so it is accepted on the engine
    /// only.
    template <class F>
    Self& use(F&& middleware) {
        if constexpr (ObservesAnswers<F>) {
            constexpr bool is_engine = std::is_same_v<Self, Engine>;
            static_assert(is_engine,
                          "a logger is told of every answer: give it to the engine, not to a group");
            if constexpr (is_engine) self().on_answered(std::forward<F>(middleware));
        } else {
            self().table().add_middleware(self().scope(), make_middleware(std::forward<F>(middleware)));
            note_module();
        }
        return self();
    }

    /// A page that shows the API from its OpenAPI document and can send requests to it. Page, script and
    /// style are part of the program; nothing is loaded from elsewhere. To guard it, register it in a group
    /// with middleware: settings of the returned Route concern the page alone, not its script and style.
    /// Throws std::invalid_argument if the path ends with a parameter, or `openapi` does not begin with a
    /// slash.
    Route& docs(const GroupPrefix& path, DocsOptions options = {}) {
        return noted(add_docs<>(self().table(), self().scope(), path.info(), std::move(options)));
    }

    /// Serves the files of a directory under a prefix, for GET and HEAD. Only regular files are served, and
    /// nothing outside the directory can be reached. Throws std::system_error that names the directory if it
    /// cannot be opened.
    Route& static_files(const GroupPrefix& prefix, std::string directory, StaticOptions options = {}) {
        return noted(add_directory<>(self().table(), self().scope(), prefix.info(), std::move(directory),
                                     std::move(options), SiteKind::files));
    }
    /// The same for files that are part of the program: see embed.
    Route& static_files(const GroupPrefix& prefix, EmbeddedFiles files, StaticOptions options = {}) {
        return noted(add_embedded<>(self().table(), self().scope(), prefix.info(), std::move(files),
                                    std::move(options), SiteKind::files));
    }
    /// Serves a web application that does its routing in the browser. If no file and no other route matches,
    /// a request for a page is answered with the index. Such a request accepts text/html by name, and its
    /// path has no extension. A browser revalidates HTML each time (`no-cache`) and keeps files with a hash
    /// in their name (`immutable`).
    Route& frontend(const GroupPrefix& prefix, std::string directory, StaticOptions options = {}) {
        return noted(add_directory<>(self().table(), self().scope(), prefix.info(), std::move(directory),
                                     std::move(options), SiteKind::frontend));
    }
    Route& frontend(const GroupPrefix& prefix, EmbeddedFiles files, StaticOptions options = {}) {
        return noted(add_embedded<>(self().table(), self().scope(), prefix.info(), std::move(files),
                                    std::move(options), SiteKind::frontend));
    }

    /// Serves the OpenAPI 3.1 document of this engine's or group's routes. It is made at the first request,
    /// from patterns, handler types and what Route::summary and its like set; its own route is left out.
    /// Throws std::invalid_argument if the info has no title or version.
    Route& openapi(const PatternOf<void (*)(Context&)>& pattern, ApiInfo info) {
        return noted(add_openapi<>(self().table(), self().scope(), pattern.info(), std::move(info)));
    }
    /// The same document as text, with the routes registered so far: for a tool that writes it to a file.
    /// Throws std::invalid_argument if two routes have the same operation id, or a route names a security
    /// scheme that the info does not have.
    [[nodiscard]] std::string openapi_document(const ApiInfo& info) {
        return detail::openapi_document<>(self().table(), self().scope(), info);
    }

  private:
    // Compiled in the module that calls it, as all registration is: so it notes the module of the handler.
    void note_module() { self().table().modules.add(&current_reactor); }
    template <class Pattern, class F>
    Route& add(std::string_view method, const Pattern& pattern, F&& handler) {
        Route& route = self()
                           .table()
                           .add(self().scope(), method, pattern.info(), Handler(std::forward<F>(handler)))
                           .route;
        note_module();
        return route;
    }
    Route& noted(Route& route) {
        note_module();
        return route;
    }
    Self& self() noexcept { return static_cast<Self&>(*this); }
};

}  // namespace detail

/// Routes under a common prefix, with middleware of their own. A handle: copy it freely. The engine owns the
/// group.
class RouterGroup : public detail::Verbs<RouterGroup, detail::PatternUse::route_in_group> {
  public:
    /// A group inside this one. Its prefix follows this group's prefix, and its requests pass this group's
    /// middleware first.
    [[nodiscard]] RouterGroup group(detail::GroupPrefix prefix) const {
        return {*table_, table_->add_scope(*scope_, prefix.info())};
    }

  private:
    friend class Engine;  // makes the outermost groups
    friend class detail::Verbs<RouterGroup, detail::PatternUse::route_in_group>;
    RouterGroup(detail::RouteTable& table, detail::Scope& scope) noexcept : table_(&table), scope_(&scope) {}
    [[nodiscard]] detail::RouteTable& table() const noexcept { return *table_; }
    [[nodiscard]] detail::Scope& scope() const noexcept { return *scope_; }

    detail::RouteTable* table_;
    detail::Scope* scope_;
};

}  // namespace SAKE_ABI
}  // namespace sake
