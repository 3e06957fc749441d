// How a route is set, described and made into a chain of handlers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/route.hpp"
#include "sake/base/owning_list.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void Scope::require_unfrozen() const {
    if (is_frozen) throw std::logic_error("routes and middleware must be registered before the engine runs");
}

SAKE_INLINE RouteEntry::RouteEntry(const Scope& scope, RouteInfo info, Handler handler)
    : scope_(&scope),
      info_(std::move(info)),
      param_count_(check_pattern(info_.pattern).params),
      description_(describe()),
      handler_(std::move(handler)) {}

SAKE_INLINE bool RouteEntry::is_within(const Scope& scope) const noexcept {
    const Scope* each = scope_;
    while (each != nullptr && each != &scope) each = each->outer;
    return each != nullptr;
}

SAKE_INLINE void RouteEntry::refuse_both_sides() const {
    throw std::invalid_argument(description_ +
                                ": a worker route has its whole body; with stream_body(), drop worker() "
                                "and compute in the handler by co_await sake::background(...)");
}

SAKE_INLINE void RouteEntry::refuse_upgrade_in_worker() const {
    throw std::invalid_argument(description_ +
                                ": a WebSocket cannot be a worker route; compute in its handler by "
                                "co_await sake::background(...)");
}

SAKE_INLINE void RouteEntry::build_chain(bool has_carrier) {
    chain_.clear();
    suspends_ = is_worker() && has_carrier;
    append_scope(scope_);
    has_outer_middleware_ = !chain_.empty();
    append(middleware);
    append(handler_);
    check_order();
}

SAKE_INLINE void RouteEntry::check_order() const {
    const Scope* engine = scope_;
    while (engine->outer != nullptr) engine = engine->outer;
    std::size_t of_engine = 0;  // they come first
    for (const Middleware* each = engine->middleware.first(); each != nullptr; each = each->next) ++of_engine;
    for (std::size_t place = 0; place < chain_.size(); ++place) {
        const StepInfo* const step = chain_[place]->step();
        if (step == nullptr) continue;
        if (step->only_on_engine != nullptr && place >= of_engine) {
            const std::string name(step->name);
            refuse_order(name + " on a group or route", step->only_on_engine,
                         "add " + name + " to the engine");
        }
        for (const StepRule* rule = step->rules; rule->other != nullptr; ++rule) check_rule(place, *rule);
    }
}

SAKE_INLINE void RouteEntry::check_rule(std::size_t place, const StepRule& rule) const {
    const bool is_of_order = rule.kind == StepRule::Kind::not_behind;
    const std::size_t end = is_of_order ? place : chain_.size();
    for (std::size_t at = 0; at < end; ++at) {
        const StepInfo* const other = chain_[at]->step();
        if (at == place || other == nullptr || std::string_view(other->name) != rule.other) continue;
        const std::string name(chain_[place]->step()->name);
        if (name == rule.other) refuse_order(name + " twice", rule.reason, "leave one out");
        if (!is_of_order) refuse_order(name + " and " + rule.other, rule.reason, "leave one out");
        refuse_order(name + " behind " + rule.other, rule.reason, "add " + name + " before " + rule.other);
    }
}

SAKE_INLINE void RouteEntry::refuse_order(const std::string& has, const char* reason,
                                          const std::string& cure) const {
    throw std::invalid_argument("middleware: " + description_ + " has " + has + ": " + reason + "; " + cure);
}

SAKE_INLINE void RouteEntry::append(const Handler& handler) {
    chain_.push_back(&handler);
    suspends_ = suspends_ || handler.is_coroutine();
}

SAKE_INLINE void RouteEntry::append(const OwningList<Middleware>& list) {
    for (const Middleware* each = list.first(); each != nullptr; each = each->next) append(each->handler);
}

SAKE_INLINE void RouteEntry::append_scope(const Scope* scope) {
    if (scope == nullptr) return;
    append_scope(scope->outer);
    append(scope->middleware);
}

SAKE_INLINE std::string RouteEntry::describe() const {
    return (info_.method == any_method ? "ANY" : info_.method) + " " +
           (info_.pattern.empty() ? "(no route)" : info_.pattern) + " (" + info_.file + ":" +
           std::to_string(info_.line) + ")";
}

SAKE_INLINE std::string_view param_name(const Call& call, std::size_t index) noexcept {
    std::string_view rest = call.route->pattern();
    std::string_view name = take_param_name(rest);
    while (index-- > 0) name = take_param_name(rest);
    return name;
}

}  // namespace detail

SAKE_INLINE Route& Route::set_max_body(std::int64_t written, std::size_t bytes) {
    entry_->require_unfrozen();
    if (written < 0) {
        throw std::invalid_argument(description() + ": max_body must be at least 0, not " +
                                    std::to_string(written));
    }
    entry_->max_body = bytes;
    return *this;
}

SAKE_INLINE Route& Route::stream_body() {
    entry_->require_unfrozen();
    if (!entry_->handler().is_coroutine()) {
        throw std::invalid_argument(description() +
                                    ": stream_body needs a handler that is a coroutine, one that returns "
                                    "sake::Task<>, since reading waits for the client");
    }
    for (const detail::SignaturePart& part : entry_->handler().signature()) {
        if (part.place == detail::SignaturePlace::body || part.place == detail::SignaturePlace::form) {
            throw std::invalid_argument(description() +
                                        ": with stream_body(), the handler reads the body by ctx.read() or "
                                        "ctx.read_form(), and takes no sake::Body or sake::FormBody");
        }
    }
    if (entry_->is_worker()) entry_->refuse_both_sides();
    entry_->streams_body = true;
    return *this;
}

SAKE_INLINE Route& Route::add_middleware(detail::Handler middleware) {
    entry_->require_unfrozen();
    entry_->middleware.push_back(new detail::Middleware(std::move(middleware)));
    return *this;
}

SAKE_INLINE std::string_view Route::method() const noexcept { return entry_->method(); }
SAKE_INLINE std::string_view Route::pattern() const noexcept { return entry_->pattern(); }
SAKE_INLINE const std::string& Route::description() const noexcept { return entry_->description(); }

}  // namespace SAKE_ABI
}  // namespace sake
