// A client that asks at a steady pace, whether or not it is answered: RATE requests a second, in turn over
// CONNECTIONS connections that are made as their first request falls due. Latency counts from the moment a
// request was due, so that one who is late, client or server, shows. One line of JSON goes to standard
// output.
//
//     paced PORT PATH CONNECTIONS RATE REQUESTS

#include <sys/timerfd.h>

#include <deque>

#include "client.hpp"

namespace {

using namespace bench;

constexpr std::uint32_t timer_index = ~0u;
constexpr std::uint64_t patience_ns = 5'000'000'000;  // after the last request was due

struct Options {
    std::uint16_t port;
    std::string path;
    std::uint32_t connections;
    std::uint32_t rate;
    std::uint32_t requests;
};

struct Connection {
    int fd = -1;
    std::size_t unsent = 0;         // bytes
    std::deque<std::uint64_t> due;  // when each request under way was due
    AnswerCounter answers;
};

class Paced {
  public:
    explicit Paced(Options options);
    ~Paced();
    Paced(const Paced&) = delete;
    Paced& operator=(const Paced&) = delete;

    void run();
    void print() const;

  private:
    void ask_what_is_due();
    void ask(std::uint32_t index, std::uint64_t due);
    void lose(Connection& connection);
    bool handle(Connection& connection, std::uint32_t events);
    bool flush(Connection& connection);
    bool receive(Connection& connection);

    Options options_;
    std::string request_;
    std::size_t answer_size_;
    int epoll_;
    int timer_;
    std::vector<Connection> connections_;
    Histogram latencies_;
    std::uint64_t begin_ = 0;
    std::uint64_t asked_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t lost_ = 0;
};

Paced::Paced(Options options)
    : options_(std::move(options)),
      request_(request_for(options_.port, options_.path)),
      answer_size_(learn_answer_size(options_.port, request_)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      connections_(options_.connections) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = timer_index;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
}

Paced::~Paced() {
    for (const Connection& connection : connections_) {
        if (connection.fd >= 0) ::close(connection.fd);
    }
    ::close(timer_);
    ::close(epoll_);
}

void Paced::run() {
    const auto interval = static_cast<long>(1'000'000'000 / options_.rate);
    itimerspec pace{};
    pace.it_interval = {interval / 1'000'000'000, interval % 1'000'000'000};
    pace.it_value.tv_nsec = 1;
    begin_ = now_ns();
    ::timerfd_settime(timer_, 0, &pace, nullptr);
    const std::uint64_t end =
        begin_ + std::uint64_t{options_.requests} * 1'000'000'000 / options_.rate + patience_ns;
    std::array<epoll_event, 512> events;
    while (answered_ + lost_ < options_.requests && now_ns() < end) {
        const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
        for (int i = 0; i < ready; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.u32 == timer_index) {
                std::uint64_t expirations = 0;
                [[maybe_unused]] const ssize_t n = ::read(timer_, &expirations, sizeof expirations);
                ask_what_is_due();
            } else if (Connection& connection = connections_[event.data.u32];
                       connection.fd >= 0 && !handle(connection, event.events)) {
                lose(connection);
            }
        }
    }
}

void Paced::ask_what_is_due() {
    const std::uint64_t now = now_ns();
    while (asked_ < options_.requests) {
        const std::uint64_t due = begin_ + asked_ * 1'000'000'000 / options_.rate;
        if (due > now) return;
        ask(static_cast<std::uint32_t>(asked_++ % options_.connections), due);
    }
}

void Paced::ask(std::uint32_t index, std::uint64_t due) {
    Connection& connection = connections_[index];
    const bool is_new = connection.fd < 0;
    if (is_new) {
        connection.fd = open_connection(options_.port, SOCK_NONBLOCK);
        if (connection.fd < 0) fail("cannot open a connection: errno " + std::to_string(errno));
        watch(epoll_, connection.fd, index);
    }
    connection.due.push_back(due);
    connection.unsent += request_.size();
    if (!is_new && !flush(connection)) lose(connection);
}

void Paced::lose(Connection& connection) {
    lost_ += connection.due.size();
    ::close(connection.fd);
    connection = {};
}

bool Paced::handle(Connection& connection, std::uint32_t events) {
    if ((events & EPOLLIN) != 0 && !receive(connection)) return false;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) return false;
    return flush(connection);
}

bool Paced::flush(Connection& connection) {
    while (connection.unsent > 0) {
        const std::size_t part = (connection.unsent - 1) % request_.size() + 1;
        const char* from = request_.data() + request_.size() - part;
        const ssize_t n = ::send(connection.fd, from, part, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN || errno == ENOTCONN;
        connection.unsent -= static_cast<std::size_t>(n);
    }
    return true;
}

bool Paced::receive(Connection& connection) {
    std::array<char, 16384> chunk;
    for (;;) {
        const ssize_t n = ::recv(connection.fd, chunk.data(), chunk.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        if (n == 0) return false;
        std::uint64_t complete = 0;
        if (!connection.answers.take({chunk.data(), static_cast<std::size_t>(n)}, answer_size_, complete))
            return false;
        if (complete > connection.due.size()) return false;
        const std::uint64_t now = now_ns();
        for (; complete > 0; --complete, ++answered_) {
            latencies_.add(now - connection.due.front(), 1);
            connection.due.pop_front();
        }
    }
}

void Paced::print() const {
    std::printf(
        "{\"requests\": %u, \"answered\": %llu, \"dropped\": %llu, \"seconds\": %.3f, \"p50_us\": %.1f, "
        "\"p99_us\": %.1f, \"worst_us\": %.1f}\n",
        options_.requests, static_cast<unsigned long long>(answered_),
        static_cast<unsigned long long>(options_.requests - answered_),
        static_cast<double>(now_ns() - begin_) / 1e9, latencies_.percentile_us(0.5),
        latencies_.percentile_us(0.99), latencies_.percentile_us(1));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6 || argv[2][0] != '/') {
        std::fputs("usage: paced PORT PATH CONNECTIONS RATE REQUESTS\n", stderr);
        return 2;
    }
    raise_open_files();
    Paced paced({static_cast<std::uint16_t>(argument(argv[1], 1, 65535)), argv[2],
                 argument(argv[3], 1, 60000), argument(argv[4], 1, 100'000),
                 argument(argv[5], 1, 100'000'000)});
    paced.run();
    paced.print();
}
