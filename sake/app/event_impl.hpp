// What the functions of Event do.
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake/app/event.hpp"
#include "sake/base/json_writer_impl.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/event_text.hpp"

namespace sake {
inline namespace SAKE_ABI {
SAKE_INLINE Event::Event() noexcept = default;
SAKE_INLINE Event::Event(std::string data) : message_(new detail::EventFields) {
    message_->data = std::move(data);
}
SAKE_INLINE Event::Event(const Event& other) : message_(copy_of(other)) {
    if (other.is_set()) set();
}
SAKE_INLINE Event::Event(Event&& other) noexcept : message_(std::move(other.message_)) {
    if (other.is_set()) set();
}
SAKE_INLINE Event& Event::operator=(const Event& other) { return *this = Event(other); }
SAKE_INLINE Event& Event::operator=(Event&& other) noexcept {
    message_ = std::exchange(other.message_, nullptr);
    if (other.is_set()) {
        set();
    } else {
        reset();
    }
    return *this;
}
SAKE_INLINE Event::~Event() = default;

SAKE_INLINE Event& Event::name(std::string text) & {
    detail::check_event_text("the name of an event", text);
    return message().name = std::move(text), *this;
}
SAKE_INLINE Event& Event::id(std::string text) & {
    detail::check_event_text("the id of an event", text);
    return message().id = std::move(text), *this;
}
SAKE_INLINE void Event::set_retry(detail::Clock::duration time) {
    if (time < time.zero()) throw std::invalid_argument("the retry time of an event is negative");
    message().retry = std::chrono::ceil<std::chrono::milliseconds>(time);
}
SAKE_INLINE std::optional<std::chrono::milliseconds> Event::retry() const noexcept {
    return message_ == nullptr ? std::nullopt : message_->retry;
}

SAKE_INLINE std::string Event::text() const {
    std::string out;
    if (message_ != nullptr) detail::append_event(out, *message_);
    return out;
}

SAKE_INLINE Event::Message Event::copy_of(const Event& other) {
    return other.message_ == nullptr ? nullptr : Message(new detail::EventFields(*other.message_));
}
SAKE_INLINE detail::EventFields& Event::message() {
    if (message_ == nullptr) message_ = Message(new detail::EventFields);
    return *message_;
}

}  // namespace SAKE_ABI
}  // namespace sake
