// Many requests asleep at once: opens CONNECTIONS connections, sends one request on each, and tells when the
// answers came. It stops at two points for whoever measures the server: it prints a line and reads a line.
//
//     sleepers PORT PATH CONNECTIONS
//
//     prints "connected" -> waits for a line -> sends every request, collects every answer
//     prints one line of JSON -> waits for a line -> closes

#include "client.hpp"

namespace {

using namespace bench;

struct Sleeper {
    int fd = -1;
    bool connected = false;
    bool done = false;
    AnswerCounter answers;
};

class Sleepers {
  public:
    Sleepers(std::uint16_t port, std::string_view path, std::uint32_t count);
    ~Sleepers();
    Sleepers(const Sleepers&) = delete;
    Sleepers& operator=(const Sleepers&) = delete;

    void connect_all();
    void ask_all();
    void print() const;

  private:
    void open_some();
    void turn(std::uint64_t deadline, const char* what);
    void handle(Sleeper& sleeper);
    void receive(Sleeper& sleeper);

    // Half of the usual backlog: more at once would meet dropped SYNs and their retry after a second.
    static constexpr std::size_t most_in_progress = 1024;

    std::uint16_t port_;
    std::string request_;
    std::size_t answer_size_;
    int epoll_;
    std::vector<Sleeper> sleepers_;
    std::size_t opened_ = 0;
    std::size_t connected_ = 0;
    std::size_t answered_ = 0;
    std::size_t errors_ = 0;
    std::uint64_t begin_ = 0;
    std::uint64_t all_sent_ = 0;
    std::uint64_t first_answer_ = 0;
    std::uint64_t last_answer_ = 0;
    double connecting_ms_ = 0;
};

double ms_between(std::uint64_t from, std::uint64_t to) {
    return to < from ? 0 : static_cast<double>(to - from) / 1e6;
}

Sleepers::Sleepers(std::uint16_t port, std::string_view path, std::uint32_t count)
    : port_(port),
      request_(request_for(port, path)),
      answer_size_(learn_answer_size(port, request_)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      sleepers_(count) {}

Sleepers::~Sleepers() {
    for (const Sleeper& sleeper : sleepers_) {
        if (sleeper.fd >= 0) ::close(sleeper.fd);
    }
    ::close(epoll_);
}

void Sleepers::connect_all() {
    const std::uint64_t begin = now_ns();
    while (connected_ < sleepers_.size()) {
        open_some();
        turn(begin + 30'000'000'000, "connect");
    }
    connecting_ms_ = ms_between(begin, now_ns());
}

void Sleepers::open_some() {
    while (opened_ < sleepers_.size() && opened_ - connected_ < most_in_progress) {
        Sleeper& sleeper = sleepers_[opened_];
        sleeper.fd = open_connection(port_, SOCK_NONBLOCK, static_cast<std::uint32_t>(opened_));
        if (sleeper.fd < 0) fail("cannot open a connection: errno " + std::to_string(errno));
        watch(epoll_, sleeper.fd, static_cast<std::uint32_t>(opened_));
        ++opened_;
    }
}

void Sleepers::ask_all() {
    begin_ = now_ns();
    for (Sleeper& sleeper : sleepers_) {
        if (sleeper.done) continue;
        const ssize_t n = ::send(sleeper.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
        if (n == static_cast<ssize_t>(request_.size())) continue;
        sleeper.done = true;
        ++errors_;
    }
    all_sent_ = now_ns();
    while (answered_ + errors_ < sleepers_.size()) turn(begin_ + 60'000'000'000, "answers");
}

void Sleepers::turn(std::uint64_t deadline, const char* what) {
    const std::uint64_t now = now_ns();
    if (now >= deadline) {
        fail(std::string("gave up waiting: ") + what + ", " + std::to_string(connected_) + " connected, " +
             std::to_string(answered_) + " answered");
    }
    std::array<epoll_event, 512> events;
    const int patience = static_cast<int>((deadline - now) / 1'000'000 + 1);
    const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), patience);
    for (int i = 0; i < ready; ++i) handle(sleepers_[events[static_cast<std::size_t>(i)].data.u32]);
}

void Sleepers::handle(Sleeper& sleeper) {
    if (sleeper.connected) return receive(sleeper);
    if (const int error = connect_error(sleeper.fd)) fail("connect failed: errno " + std::to_string(error));
    sleeper.connected = true;
    ++connected_;
}

void Sleepers::receive(Sleeper& sleeper) {
    std::array<char, 4096> chunk;
    const ssize_t n = ::recv(sleeper.fd, chunk.data(), chunk.size(), 0);
    if (sleeper.done || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
    std::uint64_t complete = 0;
    const bool good =
        n > 0 && sleeper.answers.take({chunk.data(), static_cast<std::size_t>(n)}, answer_size_, complete);
    if (good && complete == 0) return;
    sleeper.done = true;
    if (!good || begin_ == 0) {
        ++errors_;
        return;
    }
    last_answer_ = now_ns();
    if (++answered_ == 1) first_answer_ = last_answer_;
}

void Sleepers::print() const {
    std::printf(
        "{\"connections\": %zu, \"answered\": %zu, \"errors\": %zu, \"connecting_ms\": %.0f, "
        "\"sending_ms\": %.0f, \"first_answer_ms\": %.0f, \"last_answer_ms\": %.0f}\n",
        sleepers_.size(), answered_, errors_, connecting_ms_, ms_between(begin_, all_sent_),
        ms_between(begin_, first_answer_), ms_between(begin_, last_answer_));
}

void await_line() {
    std::fflush(stdout);
    for (int c = std::getchar(); c != '\n' && c != EOF;) c = std::getchar();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4 || argv[2][0] != '/') {
        std::fputs("usage: sleepers PORT PATH CONNECTIONS\n", stderr);
        return 2;
    }
    raise_open_files();
    Sleepers sleepers(static_cast<std::uint16_t>(argument(argv[1], 1, 65535)), argv[2],
                      argument(argv[3], 1, 60000));
    sleepers.connect_all();
    std::puts("connected");
    await_line();
    sleepers.ask_all();
    sleepers.print();
    await_line();
}
