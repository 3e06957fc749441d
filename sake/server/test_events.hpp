// TestEvents: server-sent events as a TestClient reads them, in virtual time.
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
#include "sake/server/test_client.hpp"
#include "sake/server/test_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What TestClient::events returns, which its TestClient must outlive:
///
///     sake::TestEvents events = client.events("/prices");
///     hub.publish("prices", "7.20");
///     const auto event = events.next();
///     REQUIRE(event);  // empty once the server has ended the stream
///     CHECK(event->data == "7.20");
class TestEvents {
  public:
    [[nodiscard]] int status() const noexcept { return stream_.status(); }
    /// The first field of that name in any case; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return stream_.header(name);
    }

    /// The next event, after waiting for it in virtual time; nothing if the server has ended the stream.
    /// Throws std::runtime_error if it was cut off instead, or if nothing but comments has come for a day.
    [[nodiscard]] std::optional<http::StreamEvent> next();
    /// The next event that has come by now.
    [[nodiscard]] std::optional<http::StreamEvent> next_now() {
        reader_.take(stream_.receive_now());
        return hand_out();
    }
    /// Whether the stream has ended, by now, and all its events were taken.
    [[nodiscard]] bool has_ended() {
        reader_.take(stream_.receive_now());
        return !reader_.has_next() && stream_.has_ended();
    }

    /// What a client that comes again would say, and after how long: it is told so by the stream.
    [[nodiscard]] std::string last_event_id() const {
        return reader_.has_next() ? last_taken_id_ : reader_.last_event_id();
    }
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept { return reader_.retry(); }
    /// How many lines of comments have come by now.
    [[nodiscard]] std::uint64_t comments() {
        reader_.take(stream_.receive_now());
        return reader_.comments();
    }

    /// The client leaves.
    void close() noexcept { stream_.close(); }

  private:
    friend class TestClient;
    TestEvents(TestClient& client, TestStream stream) : client_(&client), stream_(std::move(stream)) {}
    [[nodiscard]] std::optional<http::StreamEvent> hand_out() {
        std::optional<http::StreamEvent> event = reader_.next();
        if (event) last_taken_id_ = event->id;
        return event;
    }

    TestClient* client_;
    TestStream stream_;
    detail::EventReader reader_;
    std::string last_taken_id_;
};

inline TestEvents TestClient::events(std::string_view target, const http::Headers& headers,
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

inline std::optional<http::StreamEvent> TestEvents::next() {
    const detail::TimePoint begun = client_->reactor().present();
    for (;;) {
        if (auto event = hand_out()) return event;
        if (client_->reactor().present() - begun > std::chrono::hours(24)) {
            throw std::runtime_error("no event has come for a day of virtual time");
        }
        const std::string bytes = stream_.receive();
        if (bytes.empty()) return std::nullopt;
        reader_.take(bytes);
    }
}

}  // namespace SAKE_ABI
}  // namespace sake
