// Restricts a dashboard without a guard to this machine.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "sake/app/call.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/peer_address_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/http/origin.hpp"
#include "sake/http/uri_impl.hpp"
#include "sake/middleware/fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Whether a proxy adds this field to what it passes on.
inline bool is_of_a_proxy(std::string_view name) noexcept {
    constexpr std::string_view family = "X-Forwarded-";
    constexpr std::string_view names[] = {"Forwarded",
                                          "Via",
                                          "X-Real-IP",
                                          "X-Client-IP",
                                          "X-Original-Forwarded-For",
                                          "CDN-Loop",
                                          "CF-Connecting-IP",
                                          "True-Client-IP",
                                          "Fly-Client-IP",
                                          "X-Envoy-External-Address"};
    return iequals(name.substr(0, family.size()), family) ||
           std::any_of(std::begin(names), std::end(names),
                       [name](std::string_view each) { return iequals(name, each); });
}

/// Whether this is the name or an address of this machine, with a port or without.
inline bool is_local_host(std::string_view host) noexcept {
    if (!is_valid_host(host)) return false;
    host = host.substr(0, host_length(host));
    if (iequals(host, "localhost")) return true;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto address = PeerAddress::parse(host);
    return address && address->is_local();
}

/// Middleware. The host is looked at because a page of another site can give its own name the address of this
/// machine (DNS rebinding), and the browser then takes the dashboard for a part of that site.
struct LocalGuard {
    void operator()(Context& ctx) const {
        constexpr std::string_view cure =
            "; to show it to others, give it a guard: app.dashboard(path, sake::middleware::basic_auth(...))";
        const auto refuse = [&](std::string why) {
            throw HttpError(403, "the dashboard is for this machine alone: " + why.append(cure));
        };
        const Call& call = Call::of(ctx);
        if (!call.place.peer.is_local()) refuse("this request comes from another one");
        // Older versions of nginx do, and add no field unless they are told to. Browsers do not.
        if (call.request.is_http_1_0) refuse("this request speaks HTTP/1.0, as proxies do");
        for (const auto& [name, value] : ctx.headers()) {
            if (is_of_a_proxy(name))
                refuse("this request has come through a proxy (" + std::string(name) + ")");
        }
        if (!is_local_host(ctx.host())) refuse("this request is for another host than localhost");
    }
};

/// Whether no page of another site asks, as browsers say.
inline bool is_same_site(const SingleField& site, const SingleField& origin, std::string_view host) noexcept {
    using Presence = SingleField::Presence;
    if (site.presence == Presence::repeated || origin.presence == Presence::repeated) return false;
    if (site.presence == Presence::once) return site.value == "same-origin" || site.value == "none";
    return origin.presence == Presence::absent || is_origin_of(origin.value, host);
}

/// Middleware of the feed, behind any guard: pages of other sites could use up the places of viewers, and
/// where a program allows them to read its answers (CORS), could read it.
struct SameSiteGuard {
    void operator()(Context& ctx) const {
        const SingleField site = single_field(ctx, "Sec-Fetch-Site");
        const SingleField origin = single_field(ctx, "Origin");
        if (!is_same_site(site, origin, ctx.host()))
            throw HttpError(403, "a page of another site may not read the dashboard");
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
