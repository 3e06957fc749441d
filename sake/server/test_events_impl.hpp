// How TestEvents reads the events of its stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/http/event_reader.hpp"
#include "sake/http/headers.hpp"
#include "sake/server/test_answer_reader.hpp"
#include "sake/server/test_client_impl.hpp"
#include "sake/server/test_events.hpp"
#include "sake/server/test_stream_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {

SAKE_INLINE TestEvents TestClient::events(std::string_view target, const http::Headers& headers,
                                          std::string_view method, std::string_view body) {
    http::Headers fields = headers;
    if (!fields.contains("Accept")) fields.set("Accept", "text/event-stream");
    TestStream stream = open(method, target, fields, body);
    if (stream.status() == 200 && detail::is_event_stream(stream.response_)) {
        return TestEvents(*this, std::move(stream));
    }
    const std::string_view type = stream.header("Content-Type");
    std::string complaint = std::string(method) + " " + std::string(target) + ": ";
    complaint += std::to_string(stream.status()) + ", ";
    complaint += type.empty() ? "no Content-Type" : type;
    throw std::runtime_error(complaint + ", where an event stream was asked for");
}

SAKE_INLINE TestEvents::TestEvents(TestClient& client, TestStream stream)
    : client_(&client), stream_(std::move(stream)), reader_(new detail::EventReader) {}
SAKE_INLINE TestEvents::TestEvents(TestEvents&& other) noexcept = default;
SAKE_INLINE TestEvents& TestEvents::operator=(TestEvents&& other) noexcept = default;
SAKE_INLINE TestEvents::~TestEvents() = default;

SAKE_INLINE std::optional<http::StreamEvent> TestEvents::hand_out() {
    if (reader_ == nullptr) return std::nullopt;
    std::optional<http::StreamEvent> event = reader_->next();
    if (event) last_taken_id_ = event->id;
    return event;
}

SAKE_INLINE void TestEvents::take_now() {
    const std::string bytes = stream_.receive_now();  // throws if this was moved from
    reader_->take(bytes);
}

SAKE_INLINE std::optional<http::StreamEvent> TestEvents::next_now() {
    take_now();
    return hand_out();
}

SAKE_INLINE bool TestEvents::has_ended() {
    take_now();
    return !reader_->has_next() && stream_.has_ended();
}

SAKE_INLINE std::string TestEvents::last_event_id() const {
    return reader_ == nullptr || reader_->has_next() ? last_taken_id_ : reader_->last_event_id();
}

SAKE_INLINE std::optional<std::chrono::milliseconds> TestEvents::retry() const noexcept {
    if (reader_ == nullptr) return std::nullopt;
    return reader_->retry();
}

SAKE_INLINE std::uint64_t TestEvents::comments() {
    take_now();
    return reader_->comments();
}

SAKE_INLINE std::optional<http::StreamEvent> TestEvents::next() {
    const detail::TimePoint begun = client_->reactor().present();
    for (;;) {
        if (auto event = hand_out()) return event;
        if (client_->reactor().present() - begun > std::chrono::hours(24)) {
            throw std::runtime_error("no event has come for a day of virtual time");
        }
        const std::string bytes = stream_.receive();
        if (bytes.empty()) return std::nullopt;
        reader_->take(bytes);
    }
}

}  // namespace SAKE_ABI
}  // namespace sake
