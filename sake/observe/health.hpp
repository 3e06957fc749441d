// Engine::health and Engine::ready: liveness and readiness probes.
#pragma once

#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/this_task.hpp"
#include "sake/server/engine.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The two handlers. They are stateless, and their answers must not be cached.
template <class Unused = void>
struct HealthPages {
    static void answer_alive(void* /*none*/, Call& call) { answer(call, 200, "ok\n"); }
    static void answer_ready(void* /*none*/, Call& call) {
        if (!this_task::stop_token().stop_requested()) return answer(call, 200, "ready\n");
        answer(call, 503, "stopping\n");
    }
    static Route& add(RouteTable& table, const PatternInfo& pattern, void (*answer)(void*, Call&)) {
        Handler handler(ServerHandler{nullptr, answer});
        RouteEntry& entry = table.add(table.root(), "GET", pattern, std::move(handler));
        entry.handler_reads_body = false;
        entry.is_hidden = true;
        return entry.route;
    }

  private:
    static void answer(Call& call, int status, std::string_view text) {
        call.response.headers.set("Cache-Control", "no-store");
        call.context.text(status, text);
    }
};

template <class Unused>
Route& add_health(RouteTable& table, const PatternInfo& pattern) {
    return HealthPages<Unused>::add(table, pattern, &HealthPages<Unused>::answer_alive);
}
template <class Unused>
Route& add_ready(RouteTable& table, const PatternInfo& pattern) {
    return HealthPages<Unused>::add(table, pattern, &HealthPages<Unused>::answer_ready);
}

#if defined(SAKE_IMPLEMENTATION)
template Route& add_health<void>(RouteTable& table, const PatternInfo& pattern);
template Route& add_ready<void>(RouteTable& table, const PatternInfo& pattern);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
