// A client that asks at a steady pace, whether or not it is answered: RATE requests a second, in turn over
// CONNECTIONS connections that are made as their first request falls due. Latency counts from the moment a
// request was due, so that one who is late, client or server, shows. One line of JSON goes to standard
// output.
//
//     paced PORT PATH CONNECTIONS RATE REQUESTS

#include <sys/timerfd.h>

#include "connection.hpp"

namespace {

using namespace bench;

constexpr std::uint32_t timer_index = ~0u;
constexpr std::uint64_t patience_ns = 5'000'000'000;  // after the last request was due

struct Options {
    Target target;
    std::uint32_t connections;
    std::uint32_t rate;
    std::uint32_t requests;
};

class Paced {
  public:
    explicit Paced(Options options);

    void run();
    void print() const;

  private:
    void ask_what_is_due();
    void ask(std::uint32_t index, std::uint64_t due);
    void lose(Connection& connection);

    Options options_;
    Question question_;
    Descriptor epoll_;
    Descriptor timer_;
    std::vector<Connection> connections_;
    Tally tally_;
    std::uint64_t begin_ = 0;
    std::uint64_t asked_ = 0;
    std::uint64_t lost_ = 0;
};

Paced::Paced(Options options)
    : options_(std::move(options)),
      question_(options_.target),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      connections_(options_.connections) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = timer_index;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
}

void Paced::run() {
    const auto interval = static_cast<long>(1'000'000'000 / options_.rate);
    itimerspec pace{};
    pace.it_interval = {interval / 1'000'000'000, interval % 1'000'000'000};
    pace.it_value.tv_nsec = 1;
    begin_ = now_ns();
    ::timerfd_settime(timer_.get(), 0, &pace, nullptr);
    const std::uint64_t end =
        begin_ + std::uint64_t{options_.requests} * 1'000'000'000 / options_.rate + patience_ns;
    std::array<epoll_event, 512> events;
    while (tally_.answered + lost_ < options_.requests && now_ns() < end) {
        const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
        for (int i = 0; i < ready; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.u32 == timer_index) {
                std::uint64_t expirations = 0;
                [[maybe_unused]] const ssize_t n = ::read(timer_.get(), &expirations, sizeof expirations);
                ask_what_is_due();
            } else if (Connection& connection = connections_[event.data.u32];
                       connection.is_open() && !connection.handle(event.events, question_, tally_)) {
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
    if (!connection.is_open()) connection.open(epoll_.get(), options_.target.port, index);
    if (!connection.ask(question_, tally_, due)) lose(connection);
}

void Paced::lose(Connection& connection) {
    lost_ += connection.under_way().size();
    connection = {};
}

void Paced::print() const {
    std::printf(
        "{\"requests\": %u, \"answered\": %llu, \"dropped\": %llu, \"seconds\": %.3f, \"p50_us\": %.1f, "
        "\"p99_us\": %.1f, \"worst_us\": %.1f}\n",
        options_.requests, static_cast<unsigned long long>(tally_.answered),
        static_cast<unsigned long long>(options_.requests - tally_.answered),
        static_cast<double>(now_ns() - begin_) / 1e9, tally_.latencies.percentile_us(0.5),
        tally_.latencies.percentile_us(0.99), tally_.latencies.percentile_us(1));
}

}  // namespace

int main(int argc, char** argv) {
    Target target = target_of(argc, argv, 5, 5, "paced PORT PATH CONNECTIONS RATE REQUESTS");
    raise_open_files();
    Paced paced({std::move(target), argument(argv[3], 1, 60000), argument(argv[4], 1, 100'000),
                 argument(argv[5], 1, 100'000'000)});
    paced.run();
    paced.print();
}
