// What a Hub and its subscriptions do, with the core that they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/hub.hpp"
#include "sake/app/hub_core.hpp"
#include "sake/app/hub_ring.hpp"
#include "sake/app/hub_waiters.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/reactor_locals.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
SAKE_INLINE HubMessage::HubMessage(detail::HubItem item) noexcept
    : topic(item.post->topic),
      id(item.post->id),
      data(item.post->data),
      is_stale(item.is_stale),
      lost(item.lost),
      post_(std::move(item.post)) {}
SAKE_INLINE HubMessage::HubMessage(const HubMessage&) noexcept = default;
SAKE_INLINE HubMessage::HubMessage(HubMessage&&) noexcept = default;
SAKE_INLINE HubMessage& HubMessage::operator=(const HubMessage&) noexcept = default;
SAKE_INLINE HubMessage& HubMessage::operator=(HubMessage&&) noexcept = default;
SAKE_INLINE HubMessage::~HubMessage() = default;

SAKE_INLINE Subscription::Subscription(detail::OwningPtr<detail::HubReader> reader) noexcept
    : reader_(std::move(reader)) {}
SAKE_INLINE Subscription::Subscription(Subscription&&) noexcept = default;
SAKE_INLINE Subscription& Subscription::operator=(Subscription&&) noexcept = default;
SAKE_INLINE Subscription::~Subscription() = default;

SAKE_INLINE bool Subscription::was_too_slow() const noexcept {
    return reader_ != nullptr && reader_->is_too_slow;
}
SAKE_INLINE auto Subscription::next() noexcept -> detail::Operation<NextWait, Subscription&> {
    return detail::Operation<NextWait, Subscription&>(*this);
}
SAKE_INLINE std::optional<HubMessage> Subscription::take(detail::HubReader& reader) {
    detail::HubItem item = reader.core->take(reader);
    if (item.post == nullptr) return std::nullopt;
    return HubMessage(std::move(item));
}
SAKE_INLINE std::optional<HubMessage> Subscription::try_next() {
    if (reader_ == nullptr || !reader_->is_served()) return std::nullopt;
    return take(*reader_);
}

// Still waiting only where a thread ends in the middle of it.
SAKE_INLINE Subscription::NextWait::~NextWait() {
    if (is_waiting_here_) reader_->is_awaited = false;
}
// Cancelled even after the wait was over, it takes nothing.
SAKE_INLINE std::optional<HubMessage> Subscription::NextWait::await_resume() {
    if (std::exchange(is_waiting_here_, false)) {
        reader_->is_awaited = false;
        if (was_cancelled() || take_late_cancellation()) throw Cancelled();
    }
    throw_if_cancelled();
    if (reader_ == nullptr) return std::nullopt;
    if (reader_->is_awaited) throw std::logic_error("Subscription: two coroutines wait for its next message");
    return take(*reader_);
}
SAKE_INLINE bool Subscription::NextWait::has_next() const noexcept { return reader_->is_served(); }
SAKE_INLINE bool Subscription::NextWait::must_wait() const noexcept {
    return reader_ != nullptr && !reader_->is_awaited && !has_next();
}
SAKE_INLINE void Subscription::NextWait::find_group(Reactor& reactor) {
    static_cast<void>(reader_->group_on(reactor));
}
SAKE_INLINE void Subscription::NextWait::enter_group() noexcept {
    reader_->is_awaited = is_waiting_here_ = true;
    reader_->group->enter(*this);
}

namespace detail {

inline HubLimits limits_of(const HubOptions& options) {
    using Size = std::size_t;
    return {limit_of<Size>(1, options.messages, "HubOptions: messages"),
            limit_of<Size>(1, options.bytes, "HubOptions: bytes"),
            limit_of<Size>(0, options.topics, "HubOptions: topics"),
            limit_of<Size>(0, options.unused_bytes, "HubOptions: unused_bytes"), options.slow};
}

}  // namespace detail

SAKE_INLINE Hub::Hub(const HubOptions& options) : Hub(options, detail::HubCore::id_of_this_moment()) {}
SAKE_INLINE Hub::Hub(const HubOptions& options, std::uint64_t before_first_id)
    : core_(new detail::HubCore(detail::limits_of(options), before_first_id)) {}
SAKE_INLINE Hub::~Hub() { core_->close(); }

SAKE_INLINE std::uint64_t Hub::publish(std::string_view topic, std::string text) {
    return core_->publish(topic, std::move(text));
}
SAKE_INLINE Subscription Hub::subscribe(std::string_view topic, std::uint64_t after_id) {
    detail::OwningPtr<detail::HubReader> reader(new detail::HubReader(core_));
    core_->subscribe(*reader, topic, after_id);
    return Subscription(std::move(reader));
}
SAKE_INLINE void Hub::close() noexcept { core_->close(); }
SAKE_INLINE bool Hub::is_closed() const noexcept { return core_->is_closed(); }
SAKE_INLINE int Hub::topics() const noexcept { return static_cast<int>(core_->topics()); }
SAKE_INLINE int Hub::subscribers(std::string_view topic) const noexcept {
    return static_cast<int>(core_->subscribers(topic));
}

}  // namespace SAKE_ABI
}  // namespace sake
