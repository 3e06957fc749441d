// The connections of the clients: each sends the same request as often as it is told to, and knows of every
// answer how long it took.
#pragma once

#include <deque>
#include <utility>

#include "client.hpp"

namespace bench {

class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

/// What all connections of a client ask, and the length of each answer.
struct Question {
    explicit Question(const Target& target, std::size_t body = 0, std::uint32_t depth = 1) {
        const std::string request = request_for(target.port, target.path, body);
        for (std::uint32_t i = 0; i < depth; ++i) block += request;
        request_size = request.size();
        answer_size = learn_answer_size(target.port, request);
    }

    std::string block;  // as many requests as go out together
    std::size_t request_size = 0;
    std::size_t answer_size = 0;
};

/// Sums over all connections of a client.
struct Tally {
    Histogram latencies;
    std::uint64_t answered = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_bytes = 0;
};

/// Recognises answers of one known length in a stream of bytes, and that each begins with a status of 200.
class AnswerCounter {
  public:
    /// Takes what was received and adds the answers it completes to `complete`; false when one is not a 200.
    bool take(std::string_view bytes, std::size_t size, std::uint64_t& complete) {
        while (!bytes.empty()) {
            const auto part = bytes.substr(0, size - got_);
            if (got_ < good_status.size()) {
                const auto expected = good_status.substr(got_, part.size());
                if (!part.starts_with(expected)) return false;
            }
            got_ += part.size();
            bytes.remove_prefix(part.size());
            if (got_ == size) {
                got_ = 0;
                ++complete;
            }
        }
        return true;
    }

  private:
    std::size_t got_ = 0;  // bytes of the answer under way
};

class Connection {
  public:
    /// Begins to connect; events in `epoll` bear the index.
    void open(int epoll, std::uint16_t port, std::uint32_t index);

    bool is_open() const { return descriptor_.get() >= 0; }
    bool is_connected() const { return connected_; }

    /// When each request that has no answer yet was begun.
    const std::deque<std::uint64_t>& under_way() const { return under_way_; }

    /// Sends another request, or as much of it as the socket takes now, whose latency counts from `begin`.
    /// False, here and below, when the connection is lost.
    bool ask(const Question& question, Tally& tally, std::uint64_t begin, std::uint64_t count = 1);

    /// Does what an event asks for: becomes connected, receives, sends what is left.
    bool handle(std::uint32_t events, const Question& question, Tally& tally);

  private:
    bool flush(const Question& question, Tally& tally);
    bool receive(const Question& question, Tally& tally);

    Descriptor descriptor_;
    bool connected_ = false;
    std::size_t unsent_ = 0;  // bytes of requests that the socket would not take
    std::deque<std::uint64_t> under_way_;
    AnswerCounter answers_;
};

inline void Connection::open(int epoll, std::uint16_t port, std::uint32_t index) {
    *this = {};
    descriptor_ = Descriptor(open_connection(port, SOCK_NONBLOCK, index));
    if (!is_open()) fail("cannot open a connection: errno " + std::to_string(errno));
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u32 = index;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor_.get(), &event) != 0) fail("epoll_ctl failed");
}

inline bool Connection::ask(const Question& question, Tally& tally, std::uint64_t begin,
                            std::uint64_t count) {
    under_way_.insert(under_way_.end(), count, begin);
    unsent_ += count * question.request_size;
    return flush(question, tally);
}

inline bool Connection::handle(std::uint32_t events, const Question& question, Tally& tally) {
    if (!connected_) {
        if (connect_error(descriptor_.get()) != 0) return false;
        connected_ = true;
    }
    if ((events & EPOLLIN) != 0 && !receive(question, tally)) return false;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) return false;
    return flush(question, tally);
}

// The requests are all alike, so that how many bytes are left tells where in the block the next one is.
inline bool Connection::flush(const Question& question, Tally& tally) {
    while (connected_ && unsent_ > 0) {
        const std::size_t part = (unsent_ - 1) % question.block.size() + 1;
        const char* from = question.block.data() + question.block.size() - part;
        const ssize_t n = ::send(descriptor_.get(), from, part, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        unsent_ -= static_cast<std::size_t>(n);
        tally.sent_bytes += static_cast<std::size_t>(n);
    }
    return true;
}

inline bool Connection::receive(const Question& question, Tally& tally) {
    static std::array<char, 262144> buffer;
    for (;;) {
        const ssize_t n = ::recv(descriptor_.get(), buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return true;
        if (n <= 0) return false;
        const auto received = static_cast<std::size_t>(n);
        tally.received_bytes += received;
        std::uint64_t complete = 0;
        if (!answers_.take({buffer.data(), received}, question.answer_size, complete)) return false;
        if (complete > under_way_.size()) return false;
        const std::uint64_t now = complete > 0 ? now_ns() : 0;
        for (; complete > 0; --complete, ++tally.answered) {
            tally.latencies.add(now - under_way_.front(), 1);
            under_way_.pop_front();
        }
        if (received < buffer.size()) return true;
    }
}

/// Many connections, made beforehand.
class Crowd {
  public:
    Crowd(std::uint16_t port, std::size_t size)
        : port_(port), epoll_(::epoll_create1(EPOLL_CLOEXEC)), connections_(size) {}

    std::size_t size() const { return connections_.size(); }
    std::uint64_t errors() const { return errors_; }
    Connection& operator[](std::size_t index) { return connections_[index]; }
    auto begin() const { return connections_.begin(); }
    auto end() const { return connections_.end(); }

    /// Connects all, and those that fail meanwhile again; ends the program when it takes more than 30 s.
    void connect_all(const Question& question, Tally& tally);

    /// Waits for events until `deadline` at most, lets the connections handle them, and calls
    /// after(index, lives) for each.
    template <typename After>
    void turn(std::uint64_t deadline, const Question& question, Tally& tally, After after);

    /// Counts an error; `open` makes another connection in place of the one that was lost.
    void lose(std::size_t index);
    void open(std::size_t index) {
        connections_[index].open(epoll_.get(), port_, static_cast<std::uint32_t>(index));
    }

  private:
    static constexpr std::uint64_t most_errors = 1000;
    // Less than the usual backlog: more at once would meet dropped SYNs and their retry after a second.
    static constexpr std::size_t most_in_progress = 1024;

    std::uint16_t port_;
    Descriptor epoll_;
    std::vector<Connection> connections_;
    std::size_t connected_ = 0;
    std::uint64_t errors_ = 0;
};

inline void Crowd::connect_all(const Question& question, Tally& tally) {
    const std::uint64_t deadline = now_ns() + 30'000'000'000;
    std::size_t opened = 0;
    while (connected_ < size()) {
        if (now_ns() >= deadline) {
            fail("only " + std::to_string(connected_) + " connections were accepted within 30 s");
        }
        while (opened < size() && opened - connected_ < most_in_progress) open(opened++);
        turn(deadline, question, tally, [this](std::size_t index, bool lives) {
            if (lives) return;
            lose(index);
            open(index);
        });
    }
}

template <typename After>
void Crowd::turn(std::uint64_t deadline, const Question& question, Tally& tally, After after) {
    std::array<epoll_event, 512> events;
    const std::uint64_t now = now_ns();
    const int patience = now < deadline ? static_cast<int>((deadline - now) / 1'000'000 + 1) : 0;
    const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), patience);
    for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        Connection& connection = connections_[event.data.u32];
        const bool was_connected = connection.is_connected();
        const bool lives = connection.handle(event.events, question, tally);
        if (!was_connected && connection.is_connected()) ++connected_;
        after(event.data.u32, lives);
    }
}

inline void Crowd::lose(std::size_t index) {
    if (connections_[index].is_connected()) --connected_;
    connections_[index] = {};
    if (++errors_ > most_errors) fail("more than 1000 failed connections or answers");
}

}  // namespace bench
