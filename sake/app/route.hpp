// Route: a handler under a method and a pattern, and the settings of it alone. Programs see a Route, the
// server the RouteEntry behind it.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/config.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/pattern.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Reactor;
class WorkerPool;

namespace detail {

class Budget;
class Carrier;
class RouteEntry;
class RouteTable;

using MakeCarrier = OwningPtr<Carrier> (*)(Reactor&, const Config&, const CountedPtr<const RouteTable>&,
                                           Budget&);

}  // namespace detail

/// A registered route. Settings made here concern this route only. Make them before the engine serves:
/// afterwards all but the getters throw std::logic_error.
class Route {
  public:
    Route(const Route&) = delete;
    Route& operator=(const Route&) = delete;

    /// Accepts bodies up to this many bytes instead of Config::max_body. The largest value of a type means
    /// "no limit". Throws std::invalid_argument for a negative size.
    template <std::integral Number>
    Route& max_body(Number bytes) {
        return set_max_body(detail::written_number(bytes), detail::as_setting<std::size_t>(bytes));
    }

    /// Runs the handler on the worker pool instead of the reactor's thread, for CPU-heavy work. Its
    /// middleware stays on the reactor. Without a pool (Config::enable_worker_pool is false) it runs on the
    /// reactor.
    template <class Pool = WorkerPool>
    Route& worker(bool on = true);  // in pool_carrier.hpp

    /// Starts the handler as soon as the head of the request is here. It reads the body in pieces, at its own
    /// pace, by `co_await ctx.read()`. Throws std::invalid_argument if the handler is not a coroutine, or if
    /// this is a worker route.
    Route& stream_body();

    /// Middleware for this route alone, inside the middleware of its groups. The first added is the
    /// outermost.
    template <class F>
    Route& use(F&& middleware) {
        return add_middleware(detail::make_middleware(std::forward<F>(middleware)));
    }

    // --- The description of the route for Engine::openapi, in addition to what the handler's types show ---

    /// What the route does, in a few words.
    Route& summary(std::string text);
    /// What the route does, at length, in Markdown.
    Route& description(std::string text);
    /// A heading under which the document lists the route. A route may have several.
    Route& tag(std::string name);
    /// The name of its function in generated clients. By default it is made of method and pattern:
    /// "get_users_id".
    Route& operation_id(std::string id);
    /// Documents an answer with this status and a T as its body. Throws std::invalid_argument for an invalid
    /// status.
    template <class T>
    Route& responds(int code, std::string text = {}) {
        // A constant: of the temporary, clang 14 takes another member.
        constexpr const detail::Shape* shape = detail::part_of_answer<T>().shape;
        return add_answer(code, std::move(text), shape);
    }
    /// Documents an answer without a body. An error is documented with a problem document.
    Route& responds(int code, std::string text = {}) { return add_answer(code, std::move(text), nullptr); }
    /// Names a scheme of ApiInfo::security that clients need. If several are named, any one of them suffices.
    Route& security(std::string scheme);
    /// Marks the route as deprecated.
    Route& deprecated(bool on = true);
    /// Leaves the route out of the document.
    Route& hidden(bool on = true);

    [[nodiscard]] std::string_view method() const noexcept;
    [[nodiscard]] std::string_view pattern() const noexcept;
    /// "GET /users/:id (main.cpp:12)", as logs and errors name the route.
    [[nodiscard]] const std::string& description() const noexcept;

  private:
    friend class detail::RouteEntry;  // makes it, as the view of itself
    explicit Route(detail::RouteEntry& entry) noexcept : entry_(&entry) {}
    Route& set_max_body(std::int64_t written, std::size_t bytes);
    Route& add_middleware(detail::Handler middleware);
    Route& add_answer(int code, std::string text, const detail::Shape* shape);

    detail::RouteEntry* entry_;
};

/// A route in the list that Engine::routes returns.
struct RouteInfo {
    std::string method;   // "GET"; "*" if the route accepts every method
    std::string pattern;  // "/users/:id"
    std::string file;     // the source file that registered it
    int line = 0;
};

namespace detail {

/// The method of a route that takes every method.
inline constexpr std::string_view any_method = "*";

/// A handler that runs before others.
struct Middleware {
    explicit Middleware(Handler function) noexcept : handler(std::move(function)) {}
    Handler handler;
    Middleware* next = nullptr;
};

/// A prefix and the middleware under it. The engine is the outermost scope, each group one inside another.
struct Scope {
    Scope(const Scope* outside, std::string path, const bool& frozen)
        : outer(outside), prefix(std::move(path)), is_frozen(frozen) {}
    const Scope* outer;
    std::string prefix;
    OwningList<Middleware> middleware;
    const bool& is_frozen;  // of the table: serving has begun
    Scope* next = nullptr;

    /// Throws std::logic_error while the engine serves.
    void require_unfrozen() const;
};

/// What the server knows of a route.
class RouteEntry {
  public:
    RouteEntry(const Scope& scope, RouteInfo info, Handler handler);
    RouteEntry(const RouteEntry&) = delete;
    RouteEntry& operator=(const RouteEntry&) = delete;

    Route route{*this};
    OwningList<Middleware> middleware;  // of this route alone
    std::optional<std::size_t> max_body;
    MakeCarrier make_carrier = nullptr;  // set for worker routes
    bool handler_reads_body = true;
    bool streams_body = false;   // to its handler
    bool upgrades = false;       // its connections: a WebSocket
    bool is_hidden = false;      // from the description of the API
    std::uint32_t number = 0;    // among the routes of this run, from 1 on; 0 where no route matched
    Owned notes;                 // RouteNotes, if the program says anything for that description
    RouteEntry* next = nullptr;  // in the order of registration

    void require_unfrozen() const { scope_->require_unfrozen(); }
    [[nodiscard]] bool is_within(const Scope& scope) const noexcept;
    /// A body is streamed to this side, and a worker has it as a whole.
    [[noreturn]] void refuse_both_sides() const;
    [[noreturn]] void refuse_upgrade_in_worker() const;
    [[nodiscard]] const RouteInfo& info() const noexcept { return info_; }
    [[nodiscard]] std::string_view method() const noexcept { return info_.method; }
    [[nodiscard]] std::string_view pattern() const noexcept { return info_.pattern; }
    [[nodiscard]] std::size_t param_count() const noexcept { return param_count_; }
    [[nodiscard]] const std::string& description() const noexcept { return description_; }
    [[nodiscard]] bool is_worker() const noexcept { return make_carrier != nullptr; }
    [[nodiscard]] const Handler& handler() const noexcept { return handler_; }

    /// Middleware, outermost first, then the handler.
    [[nodiscard]] const Array<const Handler*>& chain() const noexcept { return chain_; }
    /// Whether any of them is a coroutine or runs in a worker, so that the request must outlive this turn of
    /// the loop.
    [[nodiscard]] bool suspends() const noexcept { return suspends_; }
    /// False if the answer never depends on the body: then a client that waits to be asked for it is not.
    [[nodiscard]] bool reads_body() const noexcept { return handler_reads_body || has_outer_middleware_; }

    /// Finds the handlers that a request passes: done when serving starts, since middleware may be added
    /// until then.
    /// Throws std::invalid_argument for middleware in an order that cannot work.
    void build_chain(bool has_carrier);

  private:
    void append(const Handler& handler);
    void append(const OwningList<Middleware>& list);
    void append_scope(const Scope* scope);
    void check_order() const;
    void check_rule(std::size_t place, const StepRule& rule) const;
    [[noreturn]] void refuse_order(const std::string& has, const char* reason, const std::string& cure) const;
    [[nodiscard]] std::string describe() const;

    const Scope* scope_;
    RouteInfo info_;
    std::size_t param_count_;
    std::string description_;
    Handler handler_;
    Array<const Handler*> chain_;
    bool suspends_ = false;
    bool has_outer_middleware_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
