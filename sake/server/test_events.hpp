// TestEvents: server-sent events as a TestClient reads them, in virtual time.
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

/// What TestClient::events returns, which its TestClient must outlive:
///
///     sake::TestEvents events = client.events("/prices");
///     hub.publish("prices", "7.20");
///     const auto event = events.next();
///     REQUIRE(event);  // empty once the server has ended the stream
///     CHECK(event->data == "7.20");
class TestEvents {
  public:
    TestEvents(TestEvents&& other) noexcept;
    TestEvents& operator=(TestEvents&& other) noexcept;
    ~TestEvents();

    [[nodiscard]] int status() const noexcept { return stream_.status(); }
    /// The first field of that name in any case; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return stream_.header(name);
    }

    /// The next event, after waiting for it in virtual time; nothing if the server has ended the stream.
    /// Throws std::runtime_error if it was cut off instead, or if nothing but comments has come for a day.
    [[nodiscard]] std::optional<http::StreamEvent> next();
    /// The next event that has come by now.
    [[nodiscard]] std::optional<http::StreamEvent> next_now();
    /// Whether the stream has ended, by now, and all its events were taken.
    [[nodiscard]] bool has_ended();

    /// What a client that comes again would say, and after how long: it is told so by the stream.
    [[nodiscard]] std::string last_event_id() const;
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept;
    /// How many lines of comments have come by now.
    [[nodiscard]] std::uint64_t comments();

    /// The client leaves.
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
