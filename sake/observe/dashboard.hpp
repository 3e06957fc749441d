// Engine::dashboard: where the page and its feed are, and who may see them.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/group.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/route_table.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/io/listener.hpp"
#include "sake/observe/dashboard_feed.hpp"
#include "sake/observe/dashboard_guard.hpp"
#include "sake/observe/dashboard_page.hpp"
#include "sake/observe/observatory.hpp"
#include "sake/server/engine.hpp"
#include "sake/server/engine_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The handler of the page.
template <class Page = DashboardPage>
class DashboardSite {
  public:
    static Handler handler() {
        return Handler(ServerHandler{new DashboardSite, &serve, nullptr,
                                     [](void* self) { delete static_cast<DashboardSite*>(self); }});
    }

  private:
    static void serve(void* self, Call& call) {
        const Page& page = static_cast<const DashboardSite*>(self)->page_;
        call.response.headers.set("Content-Security-Policy", page.policy);
        call.context.html(page.html);
    }

    const Page page_ = make_dashboard_page<Page>();
};

/// Middleware of all that belongs to a dashboard.
struct DashboardFields {
    void operator()(Context& ctx) const {
        ctx.set_header("Cache-Control", "no-store");
        ctx.set_header("X-Content-Type-Options", "nosniff");
        ctx.set_header("Cross-Origin-Resource-Policy", "same-origin");
        ctx.set_header("Referrer-Policy", "no-referrer");
    }
};

/// Throws std::logic_error unless this machine alone reaches these listeners.
template <class List = Listeners>
void require_local(const List& listeners) {
    for (const auto* each = listeners.first(); each != nullptr; each = each->next) {
        if (each->is_local()) continue;
        throw std::logic_error(
            "dashboard: it has no guard, so it is for this machine alone, but the engine listens on port " +
            std::to_string(each->port) +
            " for others: listen on 127.0.0.1, or give it a guard: app.dashboard(path, "
            "sake::middleware::basic_auth(...))");
    }
}

template <class Unused>
void add_dashboard(Engine& engine, const PatternInfo& path, Handler guard) {
    RouteTable& table = EngineInside::table(engine);
    Observatory& figures = EngineInside::observatory(engine);
    Scope& scope = table.add_scope(table.root(), path);
    const bool is_guarded = static_cast<bool>(guard);
    table.add_middleware(scope, Handler(DashboardFields()));
    table.add_middleware(scope, is_guarded ? std::move(guard) : Handler(LocalGuard()));
    const auto add = [&](std::string_view text, Handler handler) -> RouteEntry& {
        const PatternInfo place{text, path.params, path.file, path.line};
        RouteEntry& entry = table.add(scope, "GET", place, std::move(handler));
        entry.handler_reads_body = false;
        entry.is_hidden = true;
        return entry;
    };
    add("/", DashboardSite<>::handler());
    using Feed = DashboardFeed<Unused>;
    RouteEntry& feed =
        add("/events",
            Handler(ServerHandler{new Feed(engine, figures, scope), nullptr, &Feed::serve, &Feed::destroy}));
    feed.route.use(SameSiteGuard());
    if (!is_guarded) EngineInside::check_listeners(engine, &require_local<>);
}

#if defined(SAKE_IMPLEMENTATION)
template void add_dashboard<void>(Engine& engine, const PatternInfo& path, Handler guard);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
