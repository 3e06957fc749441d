// A light load client: one thread, one epoll, a fixed request. Each connection keeps PIPELINE requests under
// way and replaces those answered at once, so it asks as fast as it is answered (a closed loop: the latencies
// are those of a saturated server and say nothing of a paced one). One line of JSON goes to standard output.
//
//     load PORT PATH CONNECTIONS PIPELINE SECONDS [BODY]          POSTs of BODY bytes instead of GETs

#include "client.hpp"

namespace {

using namespace bench;

struct Options {
    std::uint16_t port;
    std::string path;
    std::uint32_t connections;
    std::uint32_t pipeline;
    std::uint32_t seconds;
    std::uint32_t body;
};

struct Connection {
    int fd = -1;
    bool connected = false;
    std::size_t unsent = 0;  // bytes of requests already begun that the socket would not take
    std::uint32_t oldest = 0;
    std::vector<std::uint64_t> sent_at;  // a ring: when each request under way was sent
    AnswerCounter answers;
};

class Load {
  public:
    explicit Load(Options options);
    ~Load();
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    void run();
    void print() const;

  private:
    void open(std::uint32_t index);
    void open_some();
    void reopen(std::uint32_t index);
    void turn(std::uint64_t deadline);
    void await_connections();
    bool handle(Connection& connection, std::uint32_t events);
    bool become_connected(Connection& connection);
    bool receive(Connection& connection);
    bool note_answers(Connection& connection, std::uint64_t complete);
    void ask(Connection& connection, std::uint32_t count, std::uint64_t now);
    bool flush(Connection& connection);

    static constexpr std::uint64_t most_errors = 1000;
    // Less than the usual backlog: more at once would meet dropped SYNs and their retry after a second.
    static constexpr std::uint32_t most_in_progress = 1024;

    Options options_;
    std::string requests_;  // as many as the pipeline is deep
    std::size_t request_size_ = 0;
    std::size_t answer_size_ = 0;
    int epoll_ = -1;
    std::vector<Connection> connections_;
    std::vector<char> buffer_ = std::vector<char>(262144);
    Histogram latencies_;
    std::uint32_t opened_ = 0;
    std::uint32_t connected_ = 0;
    bool measuring_ = false;
    std::uint64_t answered_ = 0;
    std::uint64_t sent_bytes_ = 0;
    std::uint64_t received_bytes_ = 0;
    std::uint64_t errors_ = 0;
    double elapsed_ = 0;
    double cpu_ = 0;
};

Load::Load(Options options) : options_(std::move(options)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    const std::string request = request_for(options_.port, options_.path, options_.body);
    for (std::uint32_t i = 0; i < options_.pipeline; ++i) requests_ += request;
    request_size_ = request.size();
    answer_size_ = learn_answer_size(options_.port, request);
    connections_.resize(options_.connections);
}

Load::~Load() {
    for (const Connection& connection : connections_) {
        if (connection.fd >= 0) ::close(connection.fd);
    }
    ::close(epoll_);
}

void Load::open(std::uint32_t index) {
    Connection& connection = connections_[index];
    connection.fd = open_connection(options_.port, SOCK_NONBLOCK, index);
    if (connection.fd < 0) fail("cannot open a connection: errno " + std::to_string(errno));
    connection.sent_at.assign(options_.pipeline, 0);
    watch(epoll_, connection.fd, index);
}

void Load::reopen(std::uint32_t index) {
    Connection& connection = connections_[index];
    ::close(connection.fd);
    if (connection.connected) --connected_;
    connection = {};
    if (++errors_ > most_errors) fail("more than 1000 failed connections or answers");
    open(index);
}

void Load::run() {
    await_connections();
    const double cpu_before = cpu_seconds();
    const std::uint64_t begin = now_ns();
    measuring_ = true;
    for (std::uint32_t i = 0; i < options_.connections; ++i) {
        ask(connections_[i], options_.pipeline, begin);
        if (!flush(connections_[i])) reopen(i);
    }
    const std::uint64_t deadline = begin + std::uint64_t{options_.seconds} * 1'000'000'000;
    while (now_ns() < deadline) turn(deadline);
    elapsed_ = static_cast<double>(now_ns() - begin) / 1e9;
    cpu_ = cpu_seconds() - cpu_before;
}

void Load::open_some() {
    while (opened_ < options_.connections && opened_ - connected_ < most_in_progress) open(opened_++);
}

void Load::await_connections() {
    const std::uint64_t deadline = now_ns() + 10'000'000'000;
    while (connected_ < options_.connections) {
        if (now_ns() >= deadline) fail("the connections were not accepted within 10 s");
        open_some();
        turn(deadline);
    }
}

void Load::turn(std::uint64_t deadline) {
    std::array<epoll_event, 512> events;
    const std::uint64_t now = now_ns();
    const int patience = now < deadline ? static_cast<int>((deadline - now) / 1'000'000 + 1) : 0;
    const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), patience);
    for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (!handle(connections_[event.data.u32], event.events)) reopen(event.data.u32);
    }
}

bool Load::handle(Connection& connection, std::uint32_t events) {
    if (!connection.connected) return become_connected(connection);
    if ((events & EPOLLIN) != 0 && !receive(connection)) return false;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) return false;
    return connection.unsent == 0 || flush(connection);
}

bool Load::become_connected(Connection& connection) {
    if (connect_error(connection.fd) != 0) return false;
    connection.connected = true;
    ++connected_;
    if (!measuring_) return true;
    ask(connection, options_.pipeline, now_ns());
    return flush(connection);
}

bool Load::receive(Connection& connection) {
    for (;;) {
        const ssize_t n = ::recv(connection.fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return true;
        if (n <= 0) return false;
        const auto received = static_cast<std::size_t>(n);
        received_bytes_ += received;
        std::uint64_t complete = 0;
        if (!connection.answers.take({buffer_.data(), received}, answer_size_, complete)) return false;
        if (!note_answers(connection, complete)) return false;
        if (received < buffer_.size()) return true;
    }
}

bool Load::note_answers(Connection& connection, std::uint64_t complete) {
    if (complete == 0) return true;
    if (complete > options_.pipeline) return false;
    const std::uint64_t now = now_ns();
    for (std::uint64_t i = 0; i < complete; ++i) {
        latencies_.add(now - connection.sent_at[connection.oldest], 1);
        connection.sent_at[connection.oldest] = now;
        connection.oldest = connection.oldest + 1 == options_.pipeline ? 0 : connection.oldest + 1;
    }
    answered_ += complete;
    connection.unsent += complete * request_size_;
    return flush(connection);
}

void Load::ask(Connection& connection, std::uint32_t count, std::uint64_t now) {
    std::fill(connection.sent_at.begin(), connection.sent_at.end(), now);
    connection.unsent = count * request_size_;
}

// The requests are all alike, so the unsent bytes are always the last ones of the block of requests.
bool Load::flush(Connection& connection) {
    while (connection.unsent > 0) {
        const char* from = requests_.data() + requests_.size() - connection.unsent;
        const ssize_t n = ::send(connection.fd, from, connection.unsent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        connection.unsent -= static_cast<std::size_t>(n);
        sent_bytes_ += static_cast<std::size_t>(n);
    }
    return true;
}

void Load::print() const {
    std::printf(
        "{\"requests\": %llu, \"seconds\": %.3f, \"requests_per_second\": %.0f, \"p50_us\": %.1f, "
        "\"p99_us\": %.1f, \"errors\": %llu, \"connections\": %u, \"pipeline\": %u, \"answer_bytes\": %zu, "
        "\"sent_bytes\": %llu, \"received_bytes\": %llu, \"client_cpu_seconds\": %.3f}\n",
        static_cast<unsigned long long>(answered_), elapsed_, static_cast<double>(answered_) / elapsed_,
        latencies_.percentile_us(0.5), latencies_.percentile_us(0.99),
        static_cast<unsigned long long>(errors_), options_.connections, options_.pipeline, answer_size_,
        static_cast<unsigned long long>(sent_bytes_), static_cast<unsigned long long>(received_bytes_), cpu_);
}

}  // namespace

int main(int argc, char** argv) {
    if ((argc != 6 && argc != 7) || argv[2][0] != '/') {
        std::fputs("usage: load PORT PATH CONNECTIONS PIPELINE SECONDS [BODY]\n", stderr);
        return 2;
    }
    raise_open_files();
    Load load({static_cast<std::uint16_t>(argument(argv[1], 1, 65535)), argv[2], argument(argv[3], 1, 60000),
               argument(argv[4], 1, 1024), argument(argv[5], 1, 3600),
               argc == 7 ? argument(argv[6], 0, 1u << 30) : 0});
    load.run();
    load.print();
}
