// How routes are registered, checked against each other, found and listed.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/call.hpp"
#include "sake/app/route_impl.hpp"
#include "sake/app/route_table.hpp"
#include "sake/app/router.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE RouteTable::RouteTable() : router_(new Router<const RouteEntry>) {}
SAKE_INLINE RouteTable::~RouteTable() = default;

SAKE_INLINE Scope& RouteTable::add_scope(const Scope& outer, const PatternInfo& prefix) {
    require_unfrozen();
    std::string full = outer.prefix + std::string(prefix.text);
    if (!full.empty() && full.back() == '/') full.pop_back();
    return scopes_.push_back(new Scope(&outer, std::move(full), frozen_));
}

SAKE_INLINE void RouteTable::add_middleware(Scope& scope, Handler middleware) {
    require_unfrozen();
    scope.middleware.push_back(new Middleware(std::move(middleware)));
}

SAKE_INLINE RouteEntry& RouteTable::add(Scope& scope, std::string_view method, const PatternInfo& pattern,
                                        Handler handler) {
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
    if (is_prefix) router_->add_alias(full + "/", method, *entry);
    return routes_.push_back(entry.release());
}

SAKE_INLINE void RouteTable::add_yielding(Scope& scope, std::string_view method, const PatternInfo& pattern,
                                          Handler handler) {
    require_unfrozen();
    RouteInfo info{std::string(method), scope.prefix + std::string(pattern.text), pattern.file, pattern.line};
    OwningPtr<RouteEntry> entry(new RouteEntry(scope, std::move(info), std::move(handler)));
    if (!router_->add_alias(entry->pattern(), method, *entry)) return;
    entry->is_hidden = true;
    routes_.push_back(entry.release());
}

SAKE_INLINE RouteEntry& RouteTable::set_fallback(Handler handler) {
    require_unfrozen();
    fallback_.clear();
    return fallback_.push_back(new RouteEntry(
        root(), RouteInfo{std::string(any_method), "", __FILE__, __LINE__}, std::move(handler)));
}

SAKE_INLINE void RouteTable::route(Call& call) const noexcept {
    Request& request = call.request;
    const RouteEntry* const found =
        router_->find(request.match_path(), request.known_method, request.method(), request.params);
    call.route = found != nullptr ? found : &fallback();
}

SAKE_INLINE const RouteEntry& RouteTable::fallback() const noexcept { return *fallback_.first(); }

SAKE_INLINE Array<std::string> RouteTable::allowed(std::string_view path) const {
    return router_->allowed(path);
}

SAKE_INLINE void RouteTable::freeze(bool has_carrier) {
    std::uint32_t count = 0;
    for (RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
        each->build_chain(has_carrier);
        each->number = ++count;
    }
    fallback_.first()->build_chain(has_carrier);
    frozen_ = true;
    ++runs_;
}

SAKE_INLINE bool RouteTable::has_method(std::string_view name) const noexcept {
    const RouteEntry* each = routes_.first();
    while (each != nullptr && each->method() != name) each = each->next;
    return each != nullptr;
}

SAKE_INLINE Array<std::string> RouteTable::methods() const {
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

SAKE_INLINE std::vector<RouteInfo> RouteTable::list() const {
    std::vector<RouteInfo> infos;
    for (const RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
        infos.push_back(each->info());
    }
    return infos;
}

SAKE_INLINE const RouteEntry* RouteTable::find(std::string_view pattern,
                                               std::string_view method) const noexcept {
    const RouteEntry* found = nullptr;
    for (const RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
        if (each->pattern() != pattern) continue;
        if (each->method() == method) return each;
        const bool fits = each->method() == any_method || (each->method() == "GET" && method == "HEAD");
        if (fits && (found == nullptr || found->method() == any_method)) found = each;
    }
    return found;
}

SAKE_INLINE MakeCarrier RouteTable::make_carrier() const noexcept {
    for (const RouteEntry* each = routes_.first(); each != nullptr; each = each->next) {
        if (each->is_worker()) return each->make_carrier;
    }
    return nullptr;
}

SAKE_INLINE void RouteTable::check_route(const RouteEntry& entry, std::size_t taken) {
    const PatternCheck check = check_pattern(entry.pattern());
    if (check.error != PatternError::none) {
        throw std::invalid_argument(entry.description() + ": the pattern " + to_string(check.error));
    }
    if (taken != 0 && taken != check.params) {
        throw std::invalid_argument(entry.description() + ": the handler takes " + std::to_string(taken) +
                                    " path parameters, the pattern has " + std::to_string(check.params));
    }
    if (const RouteEntry* other = router_->add(entry.pattern(), entry.method(), entry)) {
        throw std::invalid_argument("route " + entry.description() + " conflicts with " +
                                    other->description());
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
