// The limit that every other server here is measured against: one thread, one epoll, no parsing. Whatever
// comes, each blank line in it is answered with the same canned bytes, which have the length of Sake's answer
// to GET /. Not an HTTP server: it looks at no method, no path and no body, and a client that reads slowly is
// cut off.
//
//     raw_epoll PORT          serves 127.0.0.1:PORT until it is killed

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 13\r\n"
    "\r\n"
    "Hello, World!";

constexpr std::string_view blank_line = "\r\n\r\n";
constexpr std::size_t answers_at_once = 1024;
constexpr std::size_t receive_size = 65536;
constexpr std::size_t tail_size = blank_line.size() - 1;

// The last bytes of the previous recv: a blank line may be split between two.
struct Tail {
    std::array<char, tail_size> bytes{};
    std::size_t size = 0;
};

class Server {
  public:
    explicit Server(std::uint16_t port);
    [[noreturn]] void run();

  private:
    void accept_all();
    void serve(int fd, bool hung_up);
    bool receive_once(int fd, bool& drained);
    std::size_t count_requests(Tail& tail, std::size_t received);
    bool send_answers(int fd, std::size_t count) const;

    int listener_ = -1;
    int epoll_ = -1;
    std::vector<Tail> tails_;  // by file descriptor
    std::string canned_;       // answers_at_once answers, end to end
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
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
    if (::listen(fd, 4096) != 0) fail("listen");
    return fd;
}

Server::Server(std::uint16_t port)
    : listener_(listen_on(port)), epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(tail_size + receive_size) {
    canned_.reserve(answer.size() * answers_at_once);
    for (std::size_t i = 0; i < answers_at_once; ++i) canned_ += answer;
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
                serve(event.data.fd, (event.events & EPOLLRDHUP) != 0);
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
        if (tails_.size() <= index) tails_.resize(index + 1);
        tails_[index].size = 0;
        watch(epoll_, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
    }
}

// Edge-triggered without a second recv to see EAGAIN: a recv that did not fill the buffer emptied the socket.
// After a hang-up there is no further edge, so it reads on until the end.
void Server::serve(int fd, bool hung_up) {
    for (bool drained = false; !drained || hung_up;) {
        if (!receive_once(fd, drained)) {
            ::close(fd);
            return;
        }
    }
}

bool Server::receive_once(int fd, bool& drained) {
    const ssize_t n = ::recv(fd, buffer_.data() + tail_size, receive_size, 0);
    if (n < 0) {
        drained = errno == EAGAIN;
        return drained || errno == EINTR;
    }
    if (n == 0) return false;
    const auto received = static_cast<std::size_t>(n);
    drained = received < receive_size;
    return send_answers(fd, count_requests(tails_[static_cast<std::size_t>(fd)], received));
}

std::size_t Server::count_requests(Tail& tail, std::size_t received) {
    const char* at = buffer_.data() + tail_size - tail.size;
    const char* const end = buffer_.data() + tail_size + received;
    std::memcpy(buffer_.data() + tail_size - tail.size, tail.bytes.data(), tail.size);
    std::size_t count = 0;
    while (const void* found = ::memmem(at, static_cast<std::size_t>(end - at), blank_line.data(), 4)) {
        at = static_cast<const char*>(found) + blank_line.size();
        ++count;
    }
    tail.size = std::min(static_cast<std::size_t>(end - at), tail_size);
    std::memcpy(tail.bytes.data(), end - tail.size, tail.size);
    return count;
}

// A send that falls short ends the connection: the limit keeps no output, and the load client always reads.
bool Server::send_answers(int fd, std::size_t count) const {
    while (count > 0) {
        const std::size_t now = std::min(count, answers_at_once);
        const std::size_t bytes = now * answer.size();
        if (::send(fd, canned_.data(), bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes)) return false;
        count -= now;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view text = argc == 2 ? argv[1] : "";
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size()) {
        std::fputs("usage: raw_epoll PORT\n", stderr);
        return 2;
    }
    Server(port).run();
}
