// TestEvents: server-sent events that a TestClient receives, in virtual time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/base/owning_ptr.hpp"
#include "sake/http/stream_event.hpp"
#include "sake/server/test_client.hpp"
#include "sake/server/test_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class EventReader;

}  // namespace detail

/// What TestClient::events returns. The TestClient must outlive it:
///
///     sake::TestEvents events = client.events("/prices");
///     hub.publish("prices", "7.20");
///     const auto event = events.next();
///     REQUIRE(event);  // std::nullopt once the server has ended the stream
///     CHECK(event->data == "7.20");
class TestEvents {
  public:
    TestEvents(TestEvents&& other) noexcept;
    TestEvents& operator=(TestEvents&& other) noexcept;
    ~TestEvents();

    [[nodiscard]] int status() const noexcept { return stream_.status(); }
    /// The first header field of that name, in any case; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return stream_.header(name);
    }

    /// Waits for the next event in virtual time; std::nullopt if the server has ended the stream. Throws
    /// std::runtime_error if the stream was cut, or if only comments have arrived for 24 hours.
    [[nodiscard]] std::optional<http::StreamEvent> next();
    /// The next event that has arrived by now, without waiting.
    [[nodiscard]] std::optional<http::StreamEvent> next_now();
    /// Whether the stream has ended by now, and all its events were read.
    [[nodiscard]] bool has_ended();

    /// The Last-Event-ID that a reconnecting client would send, and the retry time that the stream has set.
    [[nodiscard]] std::string last_event_id() const;
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept;
    /// The number of comment lines that have arrived by now.
    [[nodiscard]] std::uint64_t comments();

    /// Disconnects the client.
    void close() noexcept { stream_.close(); }

  private:
    friend class TestClient;
    TestEvents(TestClient& client, TestStream stream);
    void take_now();
    [[nodiscard]] std::optional<http::StreamEvent> hand_out();

    TestClient* client_;
    TestStream stream_;
    detail::OwningPtr<detail::EventReader> reader_;
    std::string last_taken_id_;
};

}  // namespace SAKE_ABI
}  // namespace sake
