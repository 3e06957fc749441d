// WebSocket (RFC 6455): one end of a connection that carries messages, for handlers of Engine::ws and for
// clients. ws_link.hpp has the transport.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/async/task.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/websocket/ws_wait.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Hub;

namespace detail {

class WsBox;
class WsLink;

}  // namespace detail

/// One message of the other side.
struct Message {
    std::string data;
    bool is_text = true;  // valid UTF-8; else any bytes
};

/// What happens to a posted message when the client does not read and WebSocketOptions::max_backlog is
/// reached.
enum class SlowSocket : std::uint8_t {
    close,  // the connection closes with the code 1013
    drop    // this message is dropped
};

/// Compression by permessage-deflate (RFC 7692). Needs SAKE_WITH_ZLIB; without it nothing is compressed.
enum class WebSocketCompression : std::uint8_t {
    off,
    shared,    // compresses each message by itself: an idle connection holds no memory for it
    dedicated  // uses earlier messages: smaller, but up to 300 KiB per connection
};

/// The limits of a WebSocket, and what it accepts in the handshake.
struct WebSocketOptions {
    /// Other sites whose pages may connect, such as "https://app.example"; "*" allows all. Pages of the
    /// server's own host are always allowed, and so are clients without Origin, which are not browsers.
    std::vector<std::string> origins = {};
    /// The subprotocols that the server speaks, best first. If a client offers none of them, none is used.
    std::vector<std::string> protocols = {};

    std::size_t max_message = 1024 * 1024;  // bytes, after decompression; a larger one closes with 1009
    int max_fragments = 1000;               // frames of one message, empty ones too; more close with 1008

    /// After this much silence of the other side, a ping is sent. If nothing arrives within pong_timeout, the
    /// connection ends with the code 1006. Time in which this side does not read does not count.
    std::chrono::milliseconds ping_after = std::chrono::seconds(30);
    std::chrono::milliseconds pong_timeout = std::chrono::seconds(30);
    /// How long the other side may take to answer a Close.
    std::chrono::milliseconds close_timeout = std::chrono::seconds(5);

    /// How many bytes may wait for a slow client, a posted message included. Messages of subscriptions wait
    /// in their hub instead: see HubOptions.
    std::size_t max_backlog = 1024 * 1024;
    SlowSocket slow = SlowSocket::close;

    WebSocketCompression compression = WebSocketCompression::shared;
    int window_bits = 12;              // 9 to 15, for WebSocketCompression::dedicated
    std::size_t compress_from = 1024;  // bytes; shorter messages are not compressed
};

/// Sends from other threads, workers or other connections. Copies are cheap, and may outlive the connection.
class WebSocketSender {
  public:
    WebSocketSender(const WebSocketSender&) noexcept;
    WebSocketSender& operator=(const WebSocketSender&) noexcept;
    ~WebSocketSender();

    /// Queues a text message, in the order of the calls. From any thread; never waits. Returns false if the
    /// connection is closed or closing, or if its backlog is full; see WebSocketOptions::slow. Throws
    /// std::invalid_argument if the text is not UTF-8.
    bool post(std::string_view text) const;
    bool post_binary(std::string_view bytes) const;
    /// Closes the connection, soon. From any thread.
    void close(int code = 1000, std::string_view reason = {}) const;
    /// Whether the connection was open a moment ago.
    [[nodiscard]] bool is_open() const noexcept;

  private:
    friend class WebSocket;
    explicit WebSocketSender(detail::CountedPtr<detail::WsBox> box) noexcept;

    detail::CountedPtr<detail::WsBox> box_;
};

class WebSocket;

namespace detail {

/// Makes a WebSocket, which then has the link.
struct WsMaker {
    [[nodiscard]] static WebSocket make(WsLink& link) noexcept;
};

/// Keeps a link.
class WsHold {
  public:
    explicit WsHold(WsLink& link) noexcept;
    WsHold(WsHold&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
    WsHold& operator=(WsHold&&) = delete;
    ~WsHold();
    [[nodiscard]] WsLink& link() const noexcept { return *link_; }

  private:
    WsLink* link_;
};

}  // namespace detail

/// One connection, for the thread of its reactor. `post` may be called from any thread.
///
///     app.ws("/echo", [](sake::WebSocket& ws) -> sake::Task<> {
///         while (auto message = co_await ws.receive()) co_await ws.send(*message);
///     });
///
/// When the handler ends (or, in a client, this object is destroyed), the connection closes in order with the
/// code 1000; if the handler throws, with 1011. Movable, not copyable: after a move, the source throws
/// std::logic_error. Assigning to one closes the connection that it had. A server's WebSocket must not
/// outlive its server.
class WebSocket {
  public:
    WebSocket(WebSocket&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
    WebSocket& operator=(WebSocket&& other) noexcept;
    ~WebSocket();

    /// Waits for the next message, in the order of sending; std::nullopt once the connection is closed or
    /// closing. The other side is read only as fast as this is called. Throws Cancelled, and then has
    /// consumed no message; std::logic_error if two coroutines wait at a time.
    detail::WsReceive receive() { return detail::WsReceive(link()); }

    /// Sends a text message, and waits while the other side does not read. Returns false if the connection is
    /// closed or closing, and throws Cancelled from the second such call on, so a loop that ignores the
    /// result ends. Throws std::invalid_argument if the text is not UTF-8.
    detail::WsSend send(std::string_view text);
    /// The same for a binary message.
    detail::WsSend send_binary(std::string_view bytes);
    /// The same for a message such as receive() returns: as text or as bytes.
    detail::WsSend send(const Message& message) {
        return message.is_text ? send(message.data) : send_binary(message.data);
    }

    /// Sends a Close and waits for the Close of the other side, at most for close_timeout. Messages that
    /// arrive meanwhile are dropped. Throws std::invalid_argument for a code that may not be sent (allowed:
    /// 1000 to 1003, 1007 to 1014, 3000 to 4999) and for a reason of more than 123 bytes.
    detail::Operation<detail::WsCloseWait, detail::WsToClose> close(int code = 1000,
                                                                    std::string_view reason = {});

    /// Like WebSocketSender::post, while this object lives. From any thread. To post for longer, use a
    /// `sender`.
    bool post(std::string_view text) const { return sender().post(text); }
    bool post_binary(std::string_view bytes) const { return sender().post_binary(bytes); }
    /// A sender for this connection. From any thread.
    [[nodiscard]] WebSocketSender sender() const;

    /// Sends the messages that are published to this topic of a Hub, after the one with this id; each as
    /// text, or as bytes if it is not UTF-8. The connection takes them as fast as its client reads. Messages
    /// that the hub has dropped meanwhile are skipped. If the hub closes the subscription as too slow, the
    /// connection closes with 1013. No effect if it is subscribed to that topic of that hub already.
    void subscribe(Hub& hub, std::string_view topic, std::uint64_t after_id = 0);
    /// Ends the subscription to that topic.
    void unsubscribe(Hub& hub, std::string_view topic);

    /// Whether messages can be sent.
    [[nodiscard]] bool is_open() const;
    /// The close code of the other side; 1005 if it sent none, 1006 if the connection was lost, 0 while it is
    /// open.
    [[nodiscard]] int close_code() const;
    [[nodiscard]] std::string_view close_reason() const;
    /// The subprotocol of the connection; "" for none.
    [[nodiscard]] std::string_view protocol() const;
    /// Whether messages may be compressed.
    [[nodiscard]] bool is_compressed() const;

  private:
    friend struct detail::WsMaker;
    explicit WebSocket(detail::WsLink& link) noexcept;
    [[nodiscard]] detail::WsLink& link() const {
        if (link_ == nullptr) throw_moved_from();
        return *link_;
    }
    [[noreturn]] static void throw_moved_from();

    detail::WsLink* link_;
};

}  // namespace SAKE_ABI
}  // namespace sake
