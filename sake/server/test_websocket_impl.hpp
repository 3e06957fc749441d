// How a TestWebSocket sends and receives.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/http/headers.hpp"
#include "sake/http/ws_close.hpp"
#include "sake/http/ws_frame.hpp"
#include "sake/http/ws_handshake.hpp"
#include "sake/http/ws_reader.hpp"
#include "sake/server/test_client_impl.hpp"
#include "sake/server/test_stream_impl.hpp"
#include "sake/server/test_websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

/// No key of a browser: which one is sent does not matter to a server.
inline constexpr std::string_view test_ws_key = "dGhlIHNhbXBsZSBub25jZQ==";
/// The largest message that a test receives.
inline constexpr WsRules test_ws_rules{WsRole::client, {std::size_t{1} << 30, std::size_t{1} << 30, 1 << 30}};

}  // namespace detail

struct TestWebSocket::State {
    detail::WsReader reader{detail::test_ws_rules};
    std::optional<Message> message;
    std::string input;
    std::string last_pong;
    std::string reason;
    std::uint64_t pings = 0;
    std::uint64_t pongs = 0;
    int code = 0;  // of the Close
    bool answers_pings = true;
    bool has_said_close = false;
};

SAKE_INLINE TestWebSocket::TestWebSocket(TestClient& client, TestStream stream)
    : client_(&client), stream_(std::move(stream)), state_(new State) {
    state_->input.swap(stream_.connection_.input());
}
SAKE_INLINE TestWebSocket::TestWebSocket(TestWebSocket&& other) noexcept = default;
SAKE_INLINE TestWebSocket& TestWebSocket::operator=(TestWebSocket&& other) noexcept = default;
SAKE_INLINE TestWebSocket::~TestWebSocket() = default;

SAKE_INLINE TestWebSocket::State& TestWebSocket::state() const {
    if (state_ == nullptr) throw std::logic_error("TestWebSocket: it was moved from");
    return *state_;
}

SAKE_INLINE void TestWebSocket::send_frame(int opcode, std::string_view payload) {
    constexpr std::uint32_t mask = 0x12345678;  // like any other, and the same in every run
    const auto kind = static_cast<detail::WsOpcode>(opcode);
    std::string frame(detail::WsHeadText::masked(mask, kind, payload.size()).view());
    const std::size_t head = frame.size();
    frame += payload;
    detail::ws_mask(frame.data() + head, payload.size(), mask, 0);
    send_raw(frame);
}
/// What a client sends by itself, if the server is still there.
SAKE_INLINE void TestWebSocket::answer(int opcode, std::string_view payload) {
    try {
        send_frame(opcode, payload);
    } catch (const std::system_error&) {
        // It has closed behind what it sent.
    }
}
SAKE_INLINE TestWebSocket& TestWebSocket::send(std::string_view text) {
    send_frame(1, text);
    return *this;
}
SAKE_INLINE TestWebSocket& TestWebSocket::send_binary(std::string_view bytes) {
    send_frame(2, bytes);
    return *this;
}
SAKE_INLINE TestWebSocket& TestWebSocket::ping(std::string_view payload) {
    send_frame(9, payload);
    return *this;
}
SAKE_INLINE TestWebSocket& TestWebSocket::send_raw(std::string_view bytes) {
    static_cast<void>(state());
    stream_.connection_.send(bytes);
    return *this;
}

/// Reads on up to a message, the Close, or the end of what has come.
SAKE_INLINE void TestWebSocket::take_input(bool may_wait) {
    State& state = this->state();
    while (!state.message && state.code == 0) {
        if (state.input.empty()) {
            state.input = may_wait ? stream_.connection_.receive() : stream_.connection_.receive_now();
            if (state.input.empty()) {
                if (may_wait || stream_.connection_.is_closed()) state.code = detail::ws_abnormal;
                return;
            }
        }
        std::string_view bytes = state.input;
        detail::WsContent content;
        const detail::WsEvent event = state.reader.read(bytes, content);
        state.input.erase(0, state.input.size() - bytes.size());
        if (event == detail::WsEvent::message) {
            state.message = Message{std::move(content.message), content.is_text};
        } else if (event == detail::WsEvent::ping) {
            ++state.pings;
            if (state.answers_pings) answer(10, content.control());
        } else if (event == detail::WsEvent::pong) {
            ++state.pongs;
            state.last_pong = content.control();
        } else if (event == detail::WsEvent::close) {
            state.code = content.close_code();
            state.reason = content.close_reason();
            if (!std::exchange(state.has_said_close, true)) {
                answer(8, detail::WsCloseText(state.code).view());
            }
        } else if (event == detail::WsEvent::failed) {
            throw std::runtime_error(std::string("the server violates the protocol: ") +
                                     content.failure.reason);
        }
    }
}

SAKE_INLINE void TestWebSocket::take_now() { take_input(false); }

SAKE_INLINE std::optional<Message> TestWebSocket::receive_now() {
    take_now();
    return std::exchange(state().message, std::nullopt);
}
SAKE_INLINE std::optional<Message> TestWebSocket::receive() {
    take_input(true);
    return receive_now();
}

SAKE_INLINE void TestWebSocket::close(int code, std::string_view reason) {
    State& state = this->state();
    if (!std::exchange(state.has_said_close, true)) send_frame(8, detail::WsCloseText(code, reason).view());
    while (receive()) continue;
}

SAKE_INLINE bool TestWebSocket::is_closed() { return close_code() != 0; }
SAKE_INLINE int TestWebSocket::close_code() {
    take_now();
    return state().code;
}
SAKE_INLINE std::string TestWebSocket::close_reason() {
    take_now();
    return state().reason;
}
SAKE_INLINE std::uint64_t TestWebSocket::pings() {
    take_now();
    return state().pings;
}
SAKE_INLINE std::uint64_t TestWebSocket::pongs() {
    take_now();
    return state().pongs;
}
SAKE_INLINE std::string TestWebSocket::last_pong() {
    take_now();
    return state().last_pong;
}
SAKE_INLINE void TestWebSocket::answer_pings(bool on) { state().answers_pings = on; }

SAKE_INLINE TestWebSocket TestClient::websocket(std::string_view target, const http::Headers& headers) {
    http::Headers fields = headers;
    fields.set("Connection", "Upgrade");
    fields.set("Upgrade", "websocket");
    if (!fields.contains("Sec-WebSocket-Version")) fields.set("Sec-WebSocket-Version", "13");
    if (!fields.contains("Sec-WebSocket-Key")) fields.set("Sec-WebSocket-Key", detail::test_ws_key);
    TestStream stream = open("GET", target, fields);
    if (stream.status() == 101) return TestWebSocket(*this, std::move(stream));
    std::string complaint = "GET " + std::string(target) + ": " + std::to_string(stream.status());
    throw std::runtime_error(complaint +
                             " in answer to the handshake of a WebSocket: " + stream.receive_all());
}

}  // namespace SAKE_ABI
}  // namespace sake
