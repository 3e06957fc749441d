// The limit for WebSockets: one thread, one epoll, and what comes with one `recv` is answered with one
// `send`. It knows whole messages in one frame each, unmasks them, and relies on the key of every handshake
// being the one of ws_load. Not a server that anybody could use: it checks nothing, and drops a connection
// that does not take what it sends.
//
//     ws_raw PORT          serves 127.0.0.1:PORT until it is killed

#include <cstring>

#include "connection.hpp"

namespace {

using namespace bench;

constexpr std::string_view welcome =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

enum class Role { none, echo, subscriber, publisher };

struct Client {
    Role role = Role::none;
    std::string held;  // the beginning of what is not whole
};

/// A frame as it came.
struct Frame {
    std::size_t head = 0;
    std::size_t payload = 0;

    explicit Frame(std::string_view bytes) {
        if (bytes.size() < 8) return;
        const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
        const std::size_t length = at(1) & 0x7fU;
        const bool is_long = length == 126;
        head = is_long ? 8 : 6;
        payload = is_long ? std::size_t{at(2)} << 8 | at(3) : length;
    }
    bool is_whole(std::size_t bytes) const { return head > 0 && head + payload <= bytes; }
};

void unmask(char* data, std::size_t size, const char* mask) {
    std::uint64_t pattern;
    std::memcpy(&pattern, mask, 4);
    std::memcpy(reinterpret_cast<char*>(&pattern) + 4, mask, 4);
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        std::uint64_t word;
        std::memcpy(&word, data + at, 8);
        word ^= pattern;
        std::memcpy(data + at, &word, 8);
    }
    for (; at < size; ++at) data[at] = static_cast<char>(data[at] ^ mask[at % 4]);
}

class Server {
  public:
    explicit Server(std::uint16_t port);
    [[noreturn]] void run();

  private:
    void watch(int fd) const;
    void accept_all();
    void serve(int fd);
    std::string_view welcome_first(int fd, Client& client, std::string_view bytes);
    std::string_view answer(int fd, std::string_view bytes);
    void send(int fd, std::string_view bytes);
    void publish();
    void drop(int fd);

    Descriptor listener_;
    Descriptor epoll_;
    std::vector<Client> clients_;  // by file descriptor
    std::vector<int> subscribers_;
    std::string out_;
    std::array<char, 262144> buffer_;
};

Server::Server(std::uint16_t port)
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(0, port);
    const auto* any = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(listener_.get(), any, sizeof address) != 0 || ::listen(listener_.get(), 4096) != 0)
        fail("listen");
    watch(listener_.get());
}

void Server::watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void Server::run() {
    std::array<epoll_event, 512> events;
    for (;;) {
        const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < ready; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            fd == listener_.get() ? accept_all() : serve(fd);
        }
    }
}

void Server::accept_all() {
    for (;;) {
        const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const auto index = static_cast<std::size_t>(fd);
        if (clients_.size() <= index) clients_.resize(index + 1);
        clients_[index] = {};
        watch(fd);
    }
}

void Server::serve(int fd) {
    Client& client = clients_[static_cast<std::size_t>(fd)];
    for (;;) {
        const ssize_t n = ::recv(fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return drop(fd);
        std::string_view bytes(buffer_.data(), static_cast<std::size_t>(n));
        if (!client.held.empty()) bytes = client.held.append(bytes);
        bytes = client.role == Role::none ? welcome_first(fd, client, bytes) : answer(fd, bytes);
        client.held = std::string(bytes);
        if (static_cast<std::size_t>(n) < buffer_.size()) return;
    }
}

std::string_view Server::welcome_first(int fd, Client& client, std::string_view bytes) {
    if (!bytes.ends_with("\r\n\r\n")) return bytes;
    client.role = bytes.starts_with("GET /topic") ? Role::subscriber : Role::echo;
    if (bytes.starts_with("GET /publish")) client.role = Role::publisher;
    if (client.role == Role::subscriber) subscribers_.push_back(fd);
    send(fd, welcome);
    return {};
}

/// Returns what is left: the beginning of a frame.
std::string_view Server::answer(int fd, std::string_view bytes) {
    out_.clear();
    for (Frame frame(bytes); frame.is_whole(bytes.size()); frame = Frame(bytes)) {
        const char* const payload = bytes.data() + frame.head;
        out_ += bytes.front();
        out_ += static_cast<char>(bytes[1] & 0x7f);
        if (frame.head == 8) out_.append(bytes, 2, 2);
        const std::size_t before = out_.size();
        out_.append(payload, frame.payload);
        unmask(out_.data() + before, frame.payload, payload - 4);
        bytes.remove_prefix(frame.head + frame.payload);
    }
    if (clients_[static_cast<std::size_t>(fd)].role == Role::publisher) {
        publish();
    } else if (!out_.empty()) {
        send(fd, out_);
    }
    return bytes;
}

void Server::publish() {
    for (const int each : subscribers_) send(each, out_);
}

void Server::send(int fd, std::string_view bytes) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n != static_cast<ssize_t>(bytes.size())) ::shutdown(fd, SHUT_RDWR);
}

void Server::drop(int fd) {
    std::erase(subscribers_, fd);
    ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) fail("usage: ws_raw PORT");
    raise_open_files();
    static Server server(static_cast<std::uint16_t>(argument(argv[1], 1, 65535)));
    server.run();
}
