// The limit that every other server here is measured against: one thread, one epoll, no parsing. Whatever
// comes, each blank line in it, and the body of a size known beforehand that follows, is answered with the
// same canned bytes. By default there is no body, and the answer has the length of Sake's to GET /. Not an
// HTTP server: it looks at no method, no path and no field.
//
//     raw_epoll [REQUEST_BODY ANSWER_BODY] PORT          serves 127.0.0.1:PORT until it is killed

#include <cstring>

#include "client.hpp"

namespace {

constexpr std::string_view hello = "Hello, World!";
constexpr std::string_view blank_line = "\r\n\r\n";
constexpr std::size_t send_size = 131072;  // at most, unless one answer is longer
constexpr std::size_t receive_size = 65536;
constexpr std::size_t tail_size = blank_line.size() - 1;

// The last bytes of the previous recv: a blank line may be split between two.
struct Tail {
    std::array<char, tail_size> bytes{};
    std::size_t size = 0;
};

struct Connection {
    Tail tail;
    std::size_t body_left = 0;  // of the request under way
    std::size_t unsent = 0;     // bytes of answers that the socket would not take
};

/// What a request and its answer carry.
struct Bodies {
    std::size_t request = 0;
    std::size_t answer = hello.size();
};

class Server {
  public:
    Server(std::uint16_t port, Bodies bodies);
    [[noreturn]] void run();

  private:
    void accept_all();
    void serve(int fd, std::uint32_t events);
    bool receive_once(int fd, Connection& connection, bool& drained);
    std::size_t count_requests(Connection& connection, std::size_t received);
    bool flush(int fd, Connection& connection) const;

    int listener_ = -1;
    int epoll_ = -1;
    std::size_t request_body_;
    std::size_t answer_size_;
    std::vector<Connection> connections_;  // by file descriptor
    std::string canned_;                   // many answers, end to end
    std::vector<char> buffer_;
};

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
}

void watch(int epoll, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

int listen_on(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = bench::loopback(0, port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
    if (::listen(fd, 4096) != 0) fail("listen");
    return fd;
}

std::string answer_with(std::size_t body) {
    const std::string head =
        "HTTP/1.1 200 OK\r\n"
        "Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: " +
        std::to_string(body) + "\r\n\r\n";
    return head + (body == hello.size() ? std::string(hello) : std::string(body, 'x'));
}

Server::Server(std::uint16_t port, Bodies bodies)
    : listener_(listen_on(port)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      request_body_(bodies.request),
      buffer_(tail_size + receive_size) {
    const std::string answer = answer_with(bodies.answer);
    answer_size_ = answer.size();
    do {
        canned_ += answer;
    } while (canned_.size() + answer_size_ <= send_size);
    watch(epoll_, listener_, EPOLLIN);
}

void Server::run() {
    std::array<epoll_event, 512> events;
    for (;;) {
        const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < ready; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.fd == listener_) {
                accept_all();
            } else {
                serve(event.data.fd, event.events);
            }
        }
    }
}

void Server::accept_all() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN) return;
            fail("accept4");
        }
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const auto index = static_cast<std::size_t>(fd);
        if (connections_.size() <= index) connections_.resize(index + 1);
        connections_[index] = {};
        watch(epoll_, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    }
}

// Edge-triggered without a second recv to see EAGAIN: a recv that did not fill the buffer emptied the socket,
// and there is none at all when an edge says only that the socket takes more. After a hang-up there is no
// further edge, so it reads on until the end.
void Server::serve(int fd, std::uint32_t events) {
    Connection& connection = connections_[static_cast<std::size_t>(fd)];
    if (connection.unsent > 0 && !flush(fd, connection)) {
        ::close(fd);
        return;
    }
    const bool hung_up = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    for (bool drained = (events & EPOLLIN) == 0; !drained || hung_up;) {
        if (!receive_once(fd, connection, drained)) {
            ::close(fd);
            return;
        }
    }
}

bool Server::receive_once(int fd, Connection& connection, bool& drained) {
    const ssize_t n = ::recv(fd, buffer_.data() + tail_size, receive_size, 0);
    if (n < 0) {
        drained = errno == EAGAIN;
        return drained || errno == EINTR;
    }
    if (n == 0) return false;
    const auto received = static_cast<std::size_t>(n);
    drained = received < receive_size;
    connection.unsent += count_requests(connection, received) * answer_size_;
    return flush(fd, connection);
}

std::size_t Server::count_requests(Connection& connection, std::size_t received) {
    Tail& tail = connection.tail;
    const char* at = buffer_.data() + tail_size - tail.size;
    const char* const end = buffer_.data() + tail_size + received;
    std::memcpy(buffer_.data() + tail_size - tail.size, tail.bytes.data(), tail.size);
    std::size_t count = 0;
    bool in_body = connection.body_left > 0;
    for (;;) {
        if (!in_body) {
            const void* found = ::memmem(at, static_cast<std::size_t>(end - at), blank_line.data(), 4);
            if (found == nullptr) break;
            at = static_cast<const char*>(found) + blank_line.size();
            connection.body_left = request_body_;
        }
        const std::size_t part = std::min(connection.body_left, static_cast<std::size_t>(end - at));
        at += part;
        connection.body_left -= part;
        if (connection.body_left > 0) break;
        in_body = false;
        ++count;
    }
    tail.size = std::min(static_cast<std::size_t>(end - at), tail_size);
    std::memcpy(tail.bytes.data(), end - tail.size, tail.size);
    return count;
}

// The answers are all alike, so that how many bytes are owed tells where in one of them the next byte is.
bool Server::flush(int fd, Connection& connection) const {
    while (connection.unsent > 0) {
        const std::size_t begin = (answer_size_ - connection.unsent % answer_size_) % answer_size_;
        const std::size_t bytes = std::min(connection.unsent, canned_.size() - begin);
        const ssize_t n = ::send(fd, canned_.data() + begin, bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        connection.unsent -= static_cast<std::size_t>(n);
        if (static_cast<std::size_t>(n) < bytes) return true;  // full: an edge tells when it takes more
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 4) {
        std::fputs("usage: raw_epoll [REQUEST_BODY ANSWER_BODY] PORT\n", stderr);
        return 2;
    }
    Bodies bodies;
    if (argc == 4) bodies = {bench::argument(argv[1], 0, 1u << 30), bench::argument(argv[2], 0, 1u << 30)};
    Server(static_cast<std::uint16_t>(bench::argument(argv[argc - 1], 1, 65535)), bodies).run();
}
