// The connections of ws_load: the opening handshake, and messages counted, which are of one length each. Not
// a WebSocket client: it answers no ping and no Close, and relies on the key of every handshake being the
// same.
#pragma once

#include <fcntl.h>

#include <span>

#include "connection.hpp"

namespace bench {

/// What a message looks like on its way to the server: masked, as RFC 6455 section 5.3 demands.
inline std::string masked_frame(std::size_t payload) {
    constexpr std::string_view mask = "\x5a\x13\xc6\x2b";
    std::string frame = "\x81";  // a whole text
    if (payload < 126) {
        frame += static_cast<char>(0x80 | payload);
    } else {
        frame += "\xfe";
        frame += static_cast<char>(payload >> 8);
        frame += static_cast<char>(payload & 0xff);
    }
    frame += mask;
    for (std::size_t i = 0; i < payload; ++i)
        frame += static_cast<char>(('a' + static_cast<int>(i % 26)) ^ mask[i % 4]);
    return frame;
}

/// Counts the messages in a stream of frames from a server, and their bytes.
class MessageCounter {
  public:
    /// False when a Close comes, or a frame that is masked.
    bool take(std::string_view bytes, std::uint64_t& messages, std::uint64_t& payload) {
        while (!bytes.empty()) {
            if (left_ == 0) {
                if (!take_head(bytes)) return false;
                if (left_ > 0 || !is_head_whole()) continue;
            }
            const std::size_t part = std::min<std::size_t>(left_, bytes.size());
            bytes.remove_prefix(part);
            left_ -= part;
            payload += is_control() ? 0 : part;
            if (left_ > 0) return true;
            messages += is_last() && !is_control() ? 1U : 0U;
            size_ = 0;
        }
        return true;
    }

  private:
    bool take_head(std::string_view& bytes) {
        head_[size_++] = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        if (size_ == 2 && ((head_[1] & 0x80) != 0 || (head_[0] & 0xf) == 8)) return false;
        if (!is_head_whole()) return true;
        const std::size_t extended = size_ - 2;
        left_ = extended == 0 ? head_[1] : 0;
        for (std::size_t i = 0; i < extended; ++i) left_ = left_ << 8 | head_[2 + i];
        return true;
    }
    bool is_head_whole() const {
        return size_ >= 2 && size_ == (head_[1] < 126 ? 2U : head_[1] == 126 ? 4U : 10U);
    }
    bool is_last() const { return (head_[0] & 0x80) != 0; }
    bool is_control() const { return (head_[0] & 0x8) != 0; }

    std::array<unsigned char, 10> head_{};
    std::size_t size_ = 0;    // of the head, as far as it has come
    std::uint64_t left_ = 0;  // of the payload under way
};

/// Sums over all connections of a client.
struct MessageTally {
    std::uint64_t messages = 0;
    std::uint64_t payload = 0;
};

class WsConnection {
  public:
    /// Connects and shakes hands; ends the program if the server does not agree. Events in `epoll` bear the
    /// index.
    void open(int epoll, const Target& target, std::uint32_t index);

    std::uint64_t under_way() const { return under_way_; }

    /// Sends so many messages more out of `block`, which is many of them. False, here and below, when the
    /// connection is lost.
    bool send(const std::string& block, std::size_t frame, std::uint64_t count) {
        under_way_ += count;
        unsent_ += count * frame;
        return flush(block);
    }
    /// Does what an event asks for. `count` becomes how many messages have come.
    bool handle(std::uint32_t events, const std::string& block, MessageTally& tally, std::uint64_t& count);

  private:
    void shake_hands(const Target& target);
    bool flush(const std::string& block);

    Descriptor descriptor_;
    std::uint64_t under_way_ = 0;
    std::size_t unsent_ = 0;
    MessageCounter counter_;
};

inline void WsConnection::open(int epoll, const Target& target, std::uint32_t index) {
    descriptor_ = Descriptor(open_connection(target.port, 0, index));
    const int fd = descriptor_.get();
    if (fd < 0) fail("cannot open a connection: errno " + std::to_string(errno));
    shake_hands(target);
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u32 = index;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl failed");
}

// The key and the answer to it are those of RFC 6455 section 1.3.
inline void WsConnection::shake_hands(const Target& target) {
    const std::string request =
        "GET " + target.path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(target.port) +
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    const timeval patience{10, 0};
    ::setsockopt(descriptor_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::send(descriptor_.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) fail("cannot send");
    std::string answer;
    while (!answer.ends_with("\r\n\r\n")) {
        char byte = 0;  // one at a time: what comes behind the answer is left for later
        if (::recv(descriptor_.get(), &byte, 1, 0) != 1) fail("no answer to a handshake: " + answer);
        answer += byte;
    }
    if (!answer.starts_with("HTTP/1.1 101") || answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == answer.npos) {
        fail("the handshake was refused: " + answer);
    }
}

inline bool WsConnection::handle(std::uint32_t events, const std::string& block, MessageTally& tally,
                                 std::uint64_t& count) {
    static std::array<char, 262144> buffer;
    count = 0;
    while ((events & EPOLLIN) != 0) {
        const ssize_t n = ::recv(descriptor_.get(), buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) return false;
        const auto received = static_cast<std::size_t>(n);
        if (!counter_.take({buffer.data(), received}, count, tally.payload)) return false;
        if (received < buffer.size()) break;
    }
    tally.messages += count;
    under_way_ -= std::min(under_way_, count);
    return (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0 && flush(block);
}

// The messages are all alike, so that how many bytes are left tells where in the block the next one is.
inline bool WsConnection::flush(const std::string& block) {
    while (unsent_ > 0) {
        const std::size_t part = (unsent_ - 1) % block.size() + 1;
        const char* from = block.data() + block.size() - part;
        const ssize_t n = ::send(descriptor_.get(), from, part, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        unsent_ -= static_cast<std::size_t>(n);
    }
    return true;
}

/// Many connections to one path, made beforehand.
class WsCrowd {
  public:
    WsCrowd(const Target& target, std::size_t size) : WsCrowd() {
        for (std::size_t i = 0; i < size; ++i) add(target);
    }
    WsCrowd() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

    WsConnection& add(const Target& target) {
        auto& made = connections_.emplace_back();
        made.open(epoll_.get(), target, static_cast<std::uint32_t>(connections_.size() - 1));
        return made;
    }
    std::deque<WsConnection>& connections() { return connections_; }

    /// Waits for events until `deadline` at most, lets the connections handle them, and calls
    /// after(connection, count) for those where messages have come. One that is lost ends the program.
    template <typename After>
    void turn(std::uint64_t deadline, const std::string& block, MessageTally& tally, After after) {
        std::array<epoll_event, 512> events;
        const std::uint64_t now = now_ns();
        const int patience = now < deadline ? static_cast<int>((deadline - now) / 1'000'000 + 1) : 0;
        const int ready =
            ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), patience);
        for (const epoll_event& event :
             std::span(events).first(static_cast<std::size_t>(std::max(ready, 0)))) {
            WsConnection& connection = connections_[event.data.u32];
            std::uint64_t count = 0;
            if (!connection.handle(event.events, block, tally, count)) fail("a connection was lost");
            if (count > 0) after(connection, count);
        }
    }

  private:
    Descriptor epoll_;
    std::deque<WsConnection> connections_;
};

}  // namespace bench
