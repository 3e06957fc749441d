// TestWebSocket: a WebSocket of a TestClient, in virtual time.
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

/// What TestClient::websocket returns, which its TestClient must outlive:
///
///     sake::TestWebSocket ws = client.websocket("/echo");
///     ws.send("hi");
///     const auto message = ws.receive();
///     REQUIRE(message);  // empty once the server has closed
///     CHECK(message->data == "hi");
///
/// It answers pings and a Close by itself, while one of its functions is called. It does not compress.
class TestWebSocket {
  public:
    TestWebSocket(TestWebSocket&& other) noexcept;
    TestWebSocket& operator=(TestWebSocket&& other) noexcept;
    ~TestWebSocket();

    /// Sends a text, a message of any bytes, a ping. Throws std::system_error if the server has closed.
    TestWebSocket& send(std::string_view text);
    TestWebSocket& send_binary(std::string_view bytes);
    TestWebSocket& ping(std::string_view payload = {});
    /// Sends these bytes as they are: a frame that is wrong, or a part of one.
    TestWebSocket& send_raw(std::string_view bytes);

    /// The next message, after waiting for it in virtual time; nothing once the server has closed. Throws
    /// std::runtime_error if the server sends what it may not, std::logic_error after 24 hours.
    [[nodiscard]] std::optional<Message> receive();
    /// The next message that has come by now.
    [[nodiscard]] std::optional<Message> receive_now();

    /// Closes, and waits until the server has closed as well. Messages on their way are dropped.
    void close(int code = 1000, std::string_view reason = {});
    /// The client leaves without a word, or with a reset.
    void vanish() noexcept { stream_.close(); }
    void reset() noexcept { stream_.reset(); }

    /// Whether the server has closed, by now.
    [[nodiscard]] bool is_closed();
    /// What the server has closed with; 1005 if it gave no code, 1006 if it left without a Close, 0 while it
    /// is open.
    [[nodiscard]] int close_code();
    [[nodiscard]] std::string close_reason();

    /// How many pings and pongs have come by now, and the payload of the last pong.
    [[nodiscard]] std::uint64_t pings();
    [[nodiscard]] std::uint64_t pongs();
    [[nodiscard]] std::string last_pong();
    /// Whether it answers pings.
    void answer_pings(bool on);

    /// A field of the answer to the handshake; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return stream_.header(name);
    }
    /// The subprotocol that was agreed on; "" for none.
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
