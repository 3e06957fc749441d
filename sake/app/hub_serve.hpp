// The messages of a Hub as server-sent events: Hub::serve.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/event_stream_impl.hpp"
#include "sake/app/hub_impl.hpp"
#include "sake/async/task.hpp"
#include "sake/base/text.hpp"
#include "sake/http/event_text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Appends a message as an event with its id. That some are missing is an event named "stale", whose data is
/// JSON: {"lost":3}, or {"lost":null} if their number is not known.
inline void append_message(std::string& out, const HubMessage& message) {
    if (message.is_stale) out += "event: stale\n";
    out.append("id: ").append(std::to_string(message.id)).append(1, '\n');
    if (message.is_stale) {
        const std::string lost = message.lost == 0 ? "null" : std::to_string(message.lost);
        out.append("data: {\"lost\":").append(lost).append("}\n");
    } else {
        append_event_lines(out, "data: ", message.data);
    }
    out += '\n';
}

}  // namespace detail

// Subscribed before the head leaves, so that a client misses nothing that is published when it has seen that.
template <class>
Task<> Hub::serve_topic(Context& ctx, std::string topic) {
    constexpr std::size_t worth_a_write = 16 * 1024;
    const auto after = parse_decimal<std::uint64_t>(ctx.header("Last-Event-ID"));
    Subscription subscription = subscribe(topic, after.value_or(0));
    EventStream events = ctx.events();
    for (;;) {
        std::optional<HubMessage> message = co_await subscription.next();
        std::string text;
        while (message) {
            detail::append_message(text, *message);
            message.reset();
            if (text.size() < worth_a_write) message = subscription.try_next();
        }
        if (text.empty()) co_return;
        co_await events.write(std::move(text));
    }
}

#if defined(SAKE_IMPLEMENTATION)
template Task<> Hub::serve_topic<void>(Context& ctx, std::string topic);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
