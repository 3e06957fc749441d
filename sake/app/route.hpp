// Routes, groups of routes, and the table that holds them: what is registered before serving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/carrier.hpp"
#include "sake/app/config.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/router.hpp"

namespace sake {
inline namespace v0 {

namespace detail {

/// A prefix and the middleware under it. The engine is the outermost scope, each group one inside another.
struct Scope {
    const Scope* outer = nullptr;
    std::string prefix;
    std::deque<Handler> middleware;
};

class RouteTable;

}  // namespace detail

/// A registered route. What is set here holds for this route only; set it before serving.
class Route {
  public:
    Route(const detail::Scope& scope, std::string_view method, std::string pattern, const char* file,
          int line, detail::Handler handler)
        : scope_(&scope),
          method_(method),
          pattern_(std::move(pattern)),
          description_((method == detail::any_method ? "ANY" : method_) + " " + pattern_ + " (" + file + ":" +
                       std::to_string(line) + ")"),
          handler_(std::move(handler)) {}
    Route(const Route&) = delete;
    Route& operator=(const Route&) = delete;

    /// Accepts bodies up to this size instead of Config::max_body. Throws std::invalid_argument for a size
    /// that was negative before it was converted.
    Route& max_body(std::size_t bytes) {
        if (bytes > detail::largest_size) {
            throw std::invalid_argument(description_ + ": max_body must be at least 0, not " +
                                        std::to_string(static_cast<std::int64_t>(bytes)));
        }
        max_body_ = bytes;
        return *this;
    }

    /// The handler takes much computing: it runs on the worker pool instead of the reactor's thread, unless
    /// Config::enable_worker_pool is off. Its middleware stays on the reactor.
    Route& worker(bool on = true) noexcept;

    [[nodiscard]] std::string_view method() const noexcept { return method_; }
    [[nodiscard]] std::string_view pattern() const noexcept { return pattern_; }
    /// "GET /users/:id (main.cpp:12)", for logs and errors.
    [[nodiscard]] const std::string& description() const noexcept { return description_; }

    // What follows is for the server.

    /// Middleware, outermost first, then the handler.
    [[nodiscard]] const std::vector<const detail::Handler*>& chain() const noexcept { return chain_; }
    [[nodiscard]] bool is_worker() const noexcept { return make_workers_ != nullptr; }
    [[nodiscard]] detail::MakeWorkers make_workers() const noexcept { return make_workers_; }
    /// Whether any of them is a coroutine or runs in a worker, so that the request must outlive this turn of
    /// the loop.
    [[nodiscard]] bool suspends() const noexcept { return suspends_; }
    [[nodiscard]] std::size_t body_limit(std::size_t common) const noexcept {
        return max_body_.value_or(common);
    }

    /// False if the answer never depends on the body: then a client that waits to be asked for it is not.
    [[nodiscard]] bool reads_body() const noexcept { return reads_body_ || chain_.size() > 1; }
    void set_reads_body(bool on) noexcept { reads_body_ = on; }

    /// Finds the handlers that a request passes: done when serving starts, since middleware may be added
    /// until then.
    void build_chain(bool has_workers) {
        chain_.clear();
        for (const detail::Scope* scope = scope_; scope != nullptr; scope = scope->outer) {
            for (auto each = scope->middleware.rbegin(); each != scope->middleware.rend(); ++each) {
                chain_.push_back(&*each);
            }
        }
        std::reverse(chain_.begin(), chain_.end());
        chain_.push_back(&handler_);
        suspends_ =
            (is_worker() && has_workers) ||
            std::any_of(chain_.begin(), chain_.end(), [](const auto* each) { return each->is_coroutine(); });
    }

  private:
    const detail::Scope* scope_;
    std::string method_;
    std::string pattern_;
    std::string description_;
    detail::Handler handler_;
    std::vector<const detail::Handler*> chain_;
    std::optional<std::size_t> max_body_;
    detail::MakeWorkers make_workers_ = nullptr;
    bool suspends_ = false;
    bool reads_body_ = true;
};

namespace detail {

/// All routes of an engine. Addresses are stable: routes and scopes never move.
class RouteTable {
  public:
    RouteTable() { scopes_.emplace_back(); }

    [[nodiscard]] Scope& root() noexcept { return scopes_.front(); }

    Scope& add_scope(const Scope& outer, const PatternInfo& prefix) {
        require_unfrozen();
        std::string full = outer.prefix + std::string(prefix.text);
        if (!full.empty() && full.back() == '/') full.pop_back();
        return scopes_.emplace_back(Scope{&outer, std::move(full), {}});
    }

    void add_middleware(Scope& scope, Handler handler) {
        require_unfrozen();
        if (handler.param_count() != 0) throw std::invalid_argument("middleware takes no path parameters");
        scope.middleware.push_back(std::move(handler));
    }

    /// Throws std::invalid_argument that names both routes of a conflict.
    Route& add(Scope& scope, std::string_view method, const PatternInfo& pattern, Handler handler) {
        require_unfrozen();
        if (method != any_method && !is_token(method))
            throw std::invalid_argument("route: the method is no token");
        if (method == "CONNECT")
            throw std::invalid_argument("route: a CONNECT has no path that a pattern could match");
        // In a group, "/" is the prefix itself.
        const bool is_prefix = !scope.prefix.empty() && pattern.text == "/";
        std::string full = is_prefix ? scope.prefix : scope.prefix + std::string(pattern.text);
        const PatternCheck check = check_pattern(full);
        const std::size_t taken = handler.param_count();
        Route& route = routes_.emplace_back(scope, method, std::move(full), pattern.file, pattern.line,
                                            std::move(handler));
        try {
            check_route(route, check, taken);
        } catch (...) {
            routes_.pop_back();
            throw;
        }
        return route;
    }

    /// The route that answers where there is none: for 404, 405 and OPTIONS.
    Route& set_fallback(Handler handler) {
        require_unfrozen();
        fallback_.clear();
        return fallback_.emplace_back(root(), any_method, "(no route)", __FILE__, __LINE__,
                                      std::move(handler));
    }

    /// Serving begins: from now on the table is only read.
    void freeze(bool has_workers) {
        for (Route& route : routes_) route.build_chain(has_workers);
        fallback_.back().build_chain(has_workers);
        frozen_ = true;
    }
    [[nodiscard]] bool has_method(std::string_view name) const noexcept {
        return std::any_of(routes_.begin(), routes_.end(),
                           [&](const Route& each) { return each.method() == name; });
    }
    /// The methods that the server takes on some path.
    [[nodiscard]] std::vector<std::string> methods() const {
        std::vector<std::string> methods;
        for (const Route& each : routes_) {
            if (each.method() == any_method) {
                methods.insert(methods.end(), {"DELETE", "GET", "PATCH", "POST", "PUT"});
            } else {
                methods.emplace_back(each.method());
            }
        }
        add_implied_methods(methods);
        return methods;
    }
    /// What makes the workers, or nullptr if there are no worker routes.
    [[nodiscard]] MakeWorkers make_workers() const noexcept {
        const auto found =
            std::find_if(routes_.begin(), routes_.end(), [](const Route& each) { return each.is_worker(); });
        return found == routes_.end() ? nullptr : found->make_workers();
    }
    void unfreeze() noexcept { frozen_ = false; }
    void require_unfrozen() const {
        if (frozen_) throw std::logic_error("routes and middleware are registered before serving starts");
    }

    [[nodiscard]] const Router<const Route>& router() const noexcept { return router_; }
    [[nodiscard]] const Route& fallback() const noexcept { return fallback_.back(); }

  private:
    void check_route(const Route& route, const PatternCheck& check, std::size_t taken) {
        if (check.error != PatternError::none) {
            throw std::invalid_argument(route.description() + ": the pattern " + to_string(check.error));
        }
        if (taken != 0 && taken != check.params) {
            throw std::invalid_argument(route.description() + ": the handler takes " + std::to_string(taken) +
                                        " path parameters, the pattern has " + std::to_string(check.params));
        }
        if (const Route* other = router_.add(route.pattern(), route.method(), route)) {
            throw std::invalid_argument("route " + route.description() + " conflicts with " +
                                        other->description());
        }
    }

    std::deque<Scope> scopes_;
    std::deque<Route> routes_;
    std::deque<Route> fallback_;
    Router<const Route> router_;
    bool frozen_ = false;
};

inline std::string_view param_name(std::string_view pattern, std::size_t index) noexcept {
    while (!pattern.empty()) {
        const std::string_view segment = take_segment(pattern);
        if (is_param(segment) && index-- == 0) return segment.substr(1);
    }
    return {};
}

inline std::string_view param_name(const Context& ctx, std::size_t index) noexcept {
    return param_name(ContextAccess::route(ctx)->pattern(), index);
}

/// The verbs that Engine and RouterGroup share. A pattern is a literal, checked while compiling, or
/// runtime(text); the handler is described in API's "Handlers". Each throws std::invalid_argument on a
/// conflict, naming both routes.
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
    /// Every method that has no route of its own on this pattern.
    template <class F>
    Route& any(PatternOf<F> pattern, F&& handler) {
        return add(any_method, pattern, std::forward<F>(handler));
    }
    /// A method by name, in capitals: "PROPFIND".
    template <class F>
    Route& route(std::string_view method, PatternOf<F> pattern, F&& handler) {
        return add(method, pattern, std::forward<F>(handler));
    }
    /// Middleware for every route of this engine or group, whenever registered. The first added is the
    /// outermost.
    template <class F>
    Self& use(F&& middleware) {
        self().table().add_middleware(self().scope(), Handler(std::forward<F>(middleware)));
        return self();
    }

  private:
    template <class Pattern, class F>
    Route& add(std::string_view method, const Pattern& pattern, F&& handler) {
        return self().table().add(self().scope(), method, pattern.info(), Handler(std::forward<F>(handler)));
    }
    Self& self() noexcept { return static_cast<Self&>(*this); }
};

}  // namespace detail

/// Routes under a common prefix with middleware of their own. A handle: copy it freely; the engine owns what
/// it names.
class RouterGroup : public detail::Verbs<RouterGroup, detail::PatternUse::route_in_group> {
  public:
    RouterGroup(detail::RouteTable& table, detail::Scope& scope) noexcept : table_(&table), scope_(&scope) {}

    /// A group inside this one; it adds its prefix and passes this group's middleware first.
    [[nodiscard]] RouterGroup group(detail::GroupPrefix prefix) const {
        return {*table_, table_->add_scope(*scope_, prefix.info())};
    }

  private:
    friend class detail::Verbs<RouterGroup, detail::PatternUse::route_in_group>;
    [[nodiscard]] detail::RouteTable& table() const noexcept { return *table_; }
    [[nodiscard]] detail::Scope& scope() const noexcept { return *scope_; }

    detail::RouteTable* table_;
    detail::Scope* scope_;
};

inline std::string_view Context::param(std::string_view name) {
    for (std::size_t i = 0; i < request_.params.count; ++i) {
        if (detail::param_name(*this, i) == name) return request_.param(i);
    }
    throw std::out_of_range("ctx.param: the pattern has no parameter named '" + std::string(name) + "'");
}

}  // namespace v0
}  // namespace sake
