// TestWebSocket: a WebSocket client of a TestClient, in virtual time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/base/owning_ptr.hpp"
#include "sake/server/test_client.hpp"
#include "sake/server/test_stream.hpp"
#include "sake/websocket/websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What TestClient::websocket returns. The TestClient must outlive it:
///
///     sake::TestWebSocket ws = client.websocket("/echo");
///     ws.send("hi");
///     const auto message = ws.receive();
///     REQUIRE(message);  // std::nullopt once the server has closed
///     CHECK(message->data == "hi");
///
/// While one of its functions runs, it answers pings and a Close by itself. It does not compress.
class TestWebSocket {
  public:
    TestWebSocket(TestWebSocket&& other) noexcept;
    TestWebSocket& operator=(TestWebSocket&& other) noexcept;
    ~TestWebSocket();

    /// Sends a text message, a binary message, or a ping. Throws std::system_error if the server has closed.
    TestWebSocket& send(std::string_view text);
    TestWebSocket& send_binary(std::string_view bytes);
    TestWebSocket& ping(std::string_view payload = {});
    /// Sends raw bytes: an invalid frame, or a part of one.
    TestWebSocket& send_raw(std::string_view bytes);

    /// Waits for the next message in virtual time; std::nullopt once the server has closed. Throws
    /// std::runtime_error if the server violates the protocol, std::logic_error after 24 hours.
    [[nodiscard]] std::optional<Message> receive();
    /// The next message that has arrived by now, without waiting.
    [[nodiscard]] std::optional<Message> receive_now();

    /// Sends a Close and waits until the server has closed as well. Messages on their way are dropped.
    void close(int code = 1000, std::string_view reason = {});
    /// Disconnects without a Close, or with a reset.
    void vanish() noexcept { stream_.close(); }
    void reset() noexcept { stream_.reset(); }

    /// Whether the server has closed by now.
    [[nodiscard]] bool is_closed();
    /// The close code of the server (RFC 6455 section 7.4); 1005 if its Close had no code, 1006 if it
    /// disconnected without a Close, 0 while the WebSocket is open.
    [[nodiscard]] int close_code();
    [[nodiscard]] std::string close_reason();

    /// How many pings and pongs have arrived by now, and the payload of the last pong.
    [[nodiscard]] std::uint64_t pings();
    [[nodiscard]] std::uint64_t pongs();
    [[nodiscard]] std::string last_pong();
    /// Sets whether it answers pings. It does by default.
    void answer_pings(bool on);

    /// A header field of the answer to the handshake; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return stream_.header(name);
    }
    /// The subprotocol that the server chose; "" for none.
    [[nodiscard]] std::string_view protocol() const noexcept { return header("Sec-WebSocket-Protocol"); }

  private:
    friend class TestClient;
    struct State;
    TestWebSocket(TestClient& client, TestStream stream);
    [[nodiscard]] State& state() const;
    void send_frame(int opcode, std::string_view payload);
    void answer(int opcode, std::string_view payload);
    void take_now();
    void take_input(bool may_wait);

    TestClient* client_;
    TestStream stream_;
    detail::OwningPtr<State> state_;
};

}  // namespace SAKE_ABI
}  // namespace sake
