// WebSocket (RFC 6455): one end of a conversation in messages, as handlers of Engine::ws and clients see it.
// How it travels is in ws_link.hpp.
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
namespace detail {

class WsBox;
class WsLink;

}  // namespace detail

/// What one side has sent at once.
struct Message {
    std::string data;
    bool is_text = true;  // UTF-8, which was checked; else bytes of any kind
};

/// What becomes of a message that is posted for a client that does not read, when
/// WebSocketOptions::max_backlog is reached.
enum class SlowSocket : std::uint8_t {
    close,  // the connection closes, with the code 1013
    drop    // that message is dropped
};

/// permessage-deflate (RFC 7692), by zlib: see SAKE_WITH_ZLIB. Without that, none is agreed on.
enum class WebSocketCompression : std::uint8_t {
    off,
    shared,    // each message by itself: an idle connection holds no memory for it
    dedicated  // with what came before in mind: smaller, and up to 300 KiB for each connection
};

/// The limits of a WebSocket and what it agrees to. Each has a default.
struct WebSocketOptions {
    /// Pages of which other sites may connect, such as "https://app.example"; "*" for all. Those of the
    /// server's own host may always, and so may clients that are no browsers, which send no Origin.
    std::vector<std::string> origins = {};
    /// Subprotocols that the server speaks, the best first. If a client offers none of them, none is agreed
    /// on.
    std::vector<std::string> protocols = {};

    std::size_t max_message = 1024 * 1024;  // bytes, inflated; 1009 beyond
    int max_fragments = 1000;               // frames of one message, empty ones too; 1008 beyond

    /// After so much silence of the other side, it is sent a ping; and if nothing comes for the second time,
    /// the connection ends, with the code 1006. Time in which this side does not read does not count.
    std::chrono::milliseconds ping_after = std::chrono::seconds(30);
    std::chrono::milliseconds pong_timeout = std::chrono::seconds(30);
    /// How long the other side may take to answer a Close.
    std::chrono::milliseconds close_timeout = std::chrono::seconds(5);

    /// What `post` may leave for a client that does not read, in bytes. A subscription leaves the rest to its
    /// hub: see HubOptions.
    std::size_t max_backlog = 1024 * 1024;
    SlowSocket slow = SlowSocket::close;

    WebSocketCompression compression = WebSocketCompression::shared;
    int window_bits = 12;              // 9 to 15, for WebSocketCompression::dedicated
    std::size_t compress_from = 1024;  // bytes; shorter messages are sent as they are
};

/// For sending from elsewhere: from other threads, from workers, from other connections. Copies are cheap,
/// and may outlive the connection.
class WebSocketSender {
  public:
    WebSocketSender(const WebSocketSender&) noexcept;
    WebSocketSender& operator=(const WebSocketSender&) noexcept;
    ~WebSocketSender();

    /// Sends a text, soon, in the order of the calls. From any thread; never waits. False if the connection
    /// is closed or closing, or has more to send already than it may hold; see WebSocketOptions::slow. Throws
    /// std::invalid_argument if the text is not UTF-8.
    bool post(std::string_view text) const;
    bool post_binary(std::string_view bytes) const;
    /// Closes it, soon. From any thread.
    void close(int code = 1000, std::string_view reason = {}) const;
    /// Whether it was open a moment ago.
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

// Subscriptions: for each a task that sends what is published.
[[nodiscard]] bool has_pump(const WsLink& link, const void* hub, std::string_view topic) noexcept;
void add_pump(WsLink& link, const void* hub, std::string_view topic, Task<> task);
void remove_pump(WsLink& link, const void* hub, std::string_view topic) noexcept;
bool send_published(WsLink& link, std::string_view text);
void close_too_slow(WsLink& link);

template <class Subscription>
Task<> pump(WsHold hold, Subscription subscription) {
    WsLink& link = hold.link();
    for (;;) {
        auto message = co_await subscription.next();
        if (!message) break;
        while (message) {
            if (!message->is_stale && !send_published(link, message->data)) co_return;
            message.reset();
            if (has_room(link)) message = subscription.try_next();
        }
        WsRoomWait room(link);
        co_await room;
    }
    if (subscription.was_too_slow()) close_too_slow(link);
}

}  // namespace detail

/// One connection, for the thread of its reactor; `post` is for any.
///
///     app.ws("/echo", [](sake::WebSocket& ws) -> sake::Task<> {
///         while (auto message = co_await ws.receive()) co_await ws.send(*message);
///     });
///
/// When the handler ends, or this object in a client, the connection closes in order, with the code 1000; if
/// the handler throws, with 1011. It can be moved, not copied: one that was moved from throws
/// std::logic_error. That of a server must not outlive it.
class WebSocket {
  public:
    WebSocket(WebSocket&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
    WebSocket& operator=(WebSocket&& other) noexcept;
    ~WebSocket();

    /// The next message, in the order in which they were sent; nothing once the connection is closed or
    /// closing. The other side is read only as fast as this is called. Throws Cancelled, and then has taken
    /// none; std::logic_error if two coroutines wait at a time.
    detail::Operation<detail::WsReceiveWait, detail::WsLink&> receive() {
        return detail::Operation<detail::WsReceiveWait, detail::WsLink&>(link());
    }

    /// Sends a text, and waits while the other side does not read. False once the connection is closed or
    /// closing. Throws std::invalid_argument if the text is not UTF-8, which the other side would refuse.
    detail::Operation<detail::WsSendWait, detail::WsToSend> send(std::string_view text);
    /// The same with bytes of any kind.
    detail::Operation<detail::WsSendWait, detail::WsToSend> send_binary(std::string_view bytes);
    /// The same with a message as it was received: a text, or bytes.
    detail::Operation<detail::WsSendWait, detail::WsToSend> send(const Message& message) {
        return message.is_text ? send(message.data) : send_binary(message.data);
    }

    /// Says that nothing more comes, and waits until the other side has said so too, for close_timeout at
    /// most. What that one sends meanwhile is dropped. Throws std::invalid_argument for a code that may not
    /// be sent (1000 to 1003, 1007 to 1014 and 3000 to 4999 may), and for a reason of more than 123 bytes.
    detail::Operation<detail::WsCloseWait, detail::WsToClose> close(int code = 1000,
                                                                    std::string_view reason = {});

    /// As WebSocketSender::post. From any thread, as long as this object lives: for longer, use a `sender`.
    bool post(std::string_view text) const { return sender().post(text); }
    bool post_binary(std::string_view bytes) const { return sender().post_binary(bytes); }
    /// From any thread.
    [[nodiscard]] WebSocketSender sender() const;

    /// From now on sends what is published to this topic of a Hub, each message as a text (as bytes if it is
    /// not UTF-8), after the one with this id. The connection pulls them as fast as its client reads; what
    /// the hub has dropped meanwhile is left out, and a subscription that the hub closes for being too slow
    /// closes the connection, with 1013. No effect if it subscribes to that topic of that hub already.
    template <class H>
    void subscribe(H& hub, std::string_view topic, std::uint64_t after_id = 0) {
        if (detail::has_pump(link(), &hub, topic)) return;
        detail::add_pump(link(), &hub, topic,
                         detail::pump(detail::WsHold(link()), hub.subscribe(topic, after_id)));
    }
    /// Sends no more of that topic.
    template <class H>
    void unsubscribe(H& hub, std::string_view topic) {
        detail::remove_pump(link(), &hub, topic);
    }

    [[nodiscard]] bool is_open() const;
    /// What the other side has closed with; 1005 if it gave no code, 1006 if the connection was lost, and 0
    /// while it is open.
    [[nodiscard]] int close_code() const;
    [[nodiscard]] std::string_view close_reason() const;
    /// The subprotocol that both have agreed on; "" for none.
    [[nodiscard]] std::string_view protocol() const;
    /// Whether both have agreed to compress.
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
