// The subscriptions of a WebSocket: for each topic of a hub, a task that sends its messages.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sake/async/spawn.hpp"
#include "sake/base/owning_list.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct WsPump {
    const void* hub;
    std::string topic;
    TaskHandle<void> task;
    WsPump* next = nullptr;
};

/// The subscriptions of one link. Dropping one cancels its task.
class WsPumps {
  public:
    WsPumps() = default;
    WsPumps(const WsPumps&) = delete;
    WsPumps& operator=(const WsPumps&) = delete;

    [[nodiscard]] bool has(const void* hub, std::string_view topic) const noexcept {
        const WsPump* const pump = find(hub, topic);
        return pump != nullptr && !pump->task.is_done();
    }
    void add(const void* hub, std::string_view topic, TaskHandle<void> task) {
        remove(hub, topic);
        try {
            pumps_.push_front(new WsPump{hub, std::string(topic), std::move(task)});
        } catch (...) {
            task.cancel();
            throw;
        }
    }
    void remove(const void* hub, std::string_view topic) noexcept {
        WsPump* const pump = find(hub, topic);
        if (pump != nullptr) pumps_.take(*pump)->task.cancel();
    }
    void clear() noexcept {
        for (WsPump* each = pumps_.first(); each != nullptr; each = each->next) each->task.cancel();
        pumps_.clear();
    }

  private:
    [[nodiscard]] WsPump* find(const void* hub, std::string_view topic) const noexcept {
        WsPump* each = pumps_.first();
        while (each != nullptr && !(each->hub == hub && each->topic == topic)) each = each->next;
        return each;
    }

    OwningList<WsPump> pumps_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
