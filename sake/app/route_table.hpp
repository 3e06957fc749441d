// RouteTable: all routes of an engine, registered before it serves and only read while it does.
#pragma once

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/call.hpp"
#include "sake/app/route.hpp"
#include "sake/app/router.hpp"
#include "sake/async/current_reactor.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Addresses are stable: routes and scopes never move.
class RouteTable : public Counted {
  public:
    /// The modules of the program in which handlers were compiled.
    ReactorSlots modules;

    [[nodiscard]] Scope& root() noexcept { return root_; }
    [[nodiscard]] const Scope& root() const noexcept { return root_; }

    Scope& add_scope(const Scope& outer, const PatternInfo& prefix) {
        require_unfrozen();
        std::string full = outer.prefix + std::string(prefix.text);
        if (!full.empty() && full.back() == '/') full.pop_back();
        return scopes_.push_back(new Scope(&outer, std::move(full), frozen_));
    }

    void add_middleware(Scope& scope, Handler middleware) {
        require_unfrozen();
        scope.middleware.push_back(new Middleware(std::move(middleware)));
    }

    /// Throws std::invalid_argument that names both routes of a conflict.
    RouteEntry& add(Scope& scope, std::string_view method, const PatternInfo& pattern, Handler handler) {
        require_unfrozen();
        if (method != any_method && !is_token(method))
            throw std::invalid_argument("route: the method is not a token");
        if (method == "CONNECT")
            throw std::invalid_argument("route: a CONNECT has no path that a pattern could match");
        // In a group, "/" is the prefix itself, with or without a slash at its end.
        const bool is_prefix = !scope.prefix.empty() && pattern.text == "/";
        std::string full = is_prefix ? scope.prefix : scope.prefix + std::string(pattern.text);
        const std::size_t taken = handler.param_count();
        OwningPtr<RouteEntry> entry(new RouteEntry(
            scope, RouteInfo{std::string(method), full, pattern.file, pattern.line}, std::move(handler)));
        check_route(*entry, taken);
        if (is_prefix) router_.add_alias(full + "/", method, *entry);
        return routes_.push_back(entry.release());
    }

    /// Adds a route that gives way to every other one with its pattern, whichever is added first.
    void add_yielding(Scope& scope, std::string_view method, const PatternInfo& pattern, Handler handler) {
        require_unfrozen();
        RouteInfo info{std::string(method), scope.prefix + std::string(pattern.text), pattern.file,
                       pattern.line};
        OwningPtr<RouteEntry> entry(new RouteEntry(scope, std::move(info), std::move(handler)));
        if (!router_.add_alias(entry->pattern(), method, *entry)) return;
        routes_.push_back(entry.release());
    }

    /// The route that answers where there is none: for 404, 405 and OPTIONS.
    RouteEntry& set_fallback(Handler handler) {
        require_unfrozen();
        fallback_.clear();
        return fallback_.push_back(new RouteEntry(
            root(), RouteInfo{std::string(any_method), "", __FILE__, __LINE__}, std::move(handler)));
    }

    /// Finds the route of a call, and where the parameters of its path are.
    void route(Call& call) const noexcept {
        Request& request = call.request;
        const RouteEntry* const found =
            router_.find(request.match_path(), request.known_method, request.method(), request.params);
        call.route = found != nullptr ? found : &fallback();
    }
    [[nodiscard]] const RouteEntry& fallback() const noexcept { return *fallback_.first(); }
    /// The methods that some route takes on this path, sorted, HEAD and OPTIONS included; empty if there is
    /// none.
    [[nodiscard]] Array<std::string> allowed(std::string_view path) const { return router_.allowed(path); }

    /// Serving begins: from now on the table is only read.
    void freeze(bool has_carrier) {
        for (RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
            each->build_chain(has_carrier);
        }
        fallback_.first()->build_chain(has_carrier);
        frozen_ = true;
    }
    void unfreeze() noexcept { frozen_ = false; }
    void require_unfrozen() const { root_.require_unfrozen(); }

    [[nodiscard]] bool has_method(std::string_view name) const noexcept {
        const RouteEntry* each = routes_.first();
        while (each != nullptr && each->method() != name) each = each->next;
        return each != nullptr;
    }
    /// The methods that the server takes on some path.
    [[nodiscard]] Array<std::string> methods() const {
        Array<std::string> methods;
        for (const RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
            if (each->method() == any_method) {
                for (const char* const method : {"DELETE", "GET", "PATCH", "POST", "PUT"}) {
                    add_method(methods, method);
                }
            } else {
                add_method(methods, each->method());
            }
        }
        add_implied_methods(methods);
        return methods;
    }
    [[nodiscard]] std::vector<RouteInfo> list() const {
        std::vector<RouteInfo> infos;
        for (const RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
            infos.push_back(each->info());
        }
        return infos;
    }
    /// The route that was registered with this pattern and takes this method, for calls that come with their
    /// route; nullptr if there is none.
    [[nodiscard]] const RouteEntry* find(std::string_view pattern, std::string_view method) const noexcept {
        const RouteEntry* found = nullptr;
        for (const RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
            if (each->pattern() != pattern) continue;
            if (each->method() == method) return each;
            const bool fits = each->method() == any_method || (each->method() == "GET" && method == "HEAD");
            if (fits && (found == nullptr || found->method() == any_method)) found = each;
        }
        return found;
    }
    /// What makes the carrier of worker routes; nullptr if there are none.
    [[nodiscard]] MakeCarrier make_carrier() const noexcept {
        for (const RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
            if (each->is_worker()) return each->make_carrier;
        }
        return nullptr;
    }

    /// A job that has the table, and may outlive the engine with it.
    class Use {
      public:
        explicit Use(CountedPtr<const RouteTable> table) noexcept : table_(std::move(table)) {
            ++table_->uses_;
        }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        ~Use() { --table_->uses_; }
        const RouteTable& operator*() const noexcept { return *table_; }

      private:
        CountedPtr<const RouteTable> table_;
    };
    [[nodiscard]] bool is_in_use() const noexcept { return uses_ != 0; }

  private:
    using Routes = OwningList<RouteEntry>;

    void check_route(const RouteEntry& entry, std::size_t taken) {
        const PatternCheck check = check_pattern(entry.pattern());
        if (check.error != PatternError::none) {
            throw std::invalid_argument(entry.description() + ": the pattern " + to_string(check.error));
        }
        if (taken != 0 && taken != check.params) {
            throw std::invalid_argument(entry.description() + ": the handler takes " + std::to_string(taken) +
                                        " path parameters, the pattern has " + std::to_string(check.params));
        }
        if (const RouteEntry* other = router_.add(entry.pattern(), entry.method(), entry)) {
            throw std::invalid_argument("route " + entry.description() + " conflicts with " +
                                        other->description());
        }
    }

    bool frozen_ = false;
    Scope root_{nullptr, {}, frozen_};
    OwningList<Scope> scopes_;  // all but the root
    Routes routes_;
    Routes fallback_;  // that one
    Router<const RouteEntry> router_;
    mutable std::atomic<int> uses_{0};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
