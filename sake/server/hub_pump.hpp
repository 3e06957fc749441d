// WebSocket::subscribe: a pump that sends what is published to a topic of a Hub.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sake/app/hub_impl.hpp"
#include "sake/app/hub_waiter.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/websocket/websocket_impl.hpp"
#include "sake/websocket/ws_pump.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class HubPump final : public WsPump, private HubWaiter {
  public:
    HubPump(WsLink& link, Hub& hub, std::string_view topic, std::uint64_t after_id)
        : WsPump(link, &hub, topic), subscription_(hub.subscribe(topic, after_id)) {}

  private:
    Step send_next() override {
        const bool is_last = reader().core->is_closed();  // before it is asked: nothing comes after that
        const std::optional<HubMessage> message = subscription_.try_next();
        if (message)
            return message->is_stale || link().send_published(message->data) ? Step::sent : Step::over;
        if (subscription_.was_too_slow()) link().say_close(ws_try_again, "the client is too slow");
        return is_last || subscription_.was_too_slow() ? Step::over : Step::nothing_there;
    }
    void await_next() override { reader().group_on(link().reactor()).enter(*this); }

    [[nodiscard]] bool is_served() const noexcept override { return reader().is_served(); }
    void go_on() noexcept override { look_again(); }
    [[nodiscard]] HubReader& reader() const noexcept { return *subscription_.reader_; }

    Subscription subscription_;
};

}  // namespace detail

SAKE_INLINE void WebSocket::subscribe(Hub& hub, std::string_view topic, std::uint64_t after_id) {
    detail::WsLink& link = this->link();
    if (!link.is_open() || link.pumps().has(&hub, topic)) return;
    link.pumps().add(detail::OwningPtr<detail::WsPump>(new detail::HubPump(link, hub, topic, after_id)));
}
SAKE_INLINE void WebSocket::unsubscribe(Hub& hub, std::string_view topic) {
    if (detail::WsPumps* const pumps = link().pumps_if_any()) pumps->remove(&hub, topic);
}

}  // namespace SAKE_ABI
}  // namespace sake
