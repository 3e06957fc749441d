// StallWatch: logs handlers that block the reactor's thread, once per route and minute, and counts them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "sake/app/config.hpp"
#include "sake/app/route.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_list.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class StallWatch {
  public:
    /// Watches a reactor whose work is named by its RouteEntry. Must outlive the reactor's last turn.
    StallWatch(Reactor& reactor, const Config& config, bool has_carrier)
        : reactor_(reactor), log_(config.log), has_carrier_(has_carrier) {
        reactor.watch_stalls(config.stall_warning, [this](const void* work, Clock::duration held) {
            report(static_cast<const RouteEntry*>(work), held);
        });
        reactor.name_work([](const void* work) noexcept -> std::string_view {
            return static_cast<const RouteEntry*>(work)->description();
        });
    }
    StallWatch(const StallWatch&) = delete;
    StallWatch& operator=(const StallWatch&) = delete;

    /// From any thread.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

  private:
    void report(const RouteEntry* route, Clock::duration held) noexcept {
        ++count_;
        try {
            if (!warning_of(route).take_turn(reactor_.now(), std::chrono::minutes(1))) return;
            const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(held).count();
            const std::string line = (route != nullptr ? route->description() : std::string("a task")) +
                                     " held the event loop for " + std::to_string(ms) +
                                     " ms, and all other connections waited" + advice(route);
            log_quietly(log_, LogLevel::warning, line, {});
        } catch (const std::bad_alloc&) {
            // No memory for the line: it is counted all the same.
        }
    }

    // One for each route that has blocked the loop; there are few.
    struct Warning {
        const RouteEntry* route;
        PacedWarning paced;
        Warning* next = nullptr;
    };
    PacedWarning& warning_of(const RouteEntry* route) {
        Warning* each = warnings_.first();
        while (each != nullptr && each->route != route) each = each->next;
        if (each == nullptr) each = &warnings_.push_front(new Warning{route, {}});
        return each->paced;
    }

    const char* advice(const RouteEntry* route) const noexcept {
        if (route == nullptr) return ": compute in co_await sake::background(...)";
        if (!route->is_worker())
            return ": mark the route .worker(), or compute in co_await sake::background(...)";
        if (!has_carrier_) return ": its worker pool is off, by Config::enable_worker_pool";
        return ": the cause is its middleware, or a large request or answer, which becomes JSON on the loop";
    }

    Reactor& reactor_;
    const LogSink& log_;
    bool has_carrier_;
    OwningList<Warning> warnings_;
    std::atomic<std::uint64_t> count_{0};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
