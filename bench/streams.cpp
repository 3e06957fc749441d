// Event streams that are silent, and readers that have stalled: what they cost a server of Sake, and what
// others notice. The server is a process of its own, and figures are its own.
//
//     streams [STREAMS [PERIODS]]      10,000 silent streams over two of their keep-alive periods, unless
//     told
//
// Prints what each stream takes of memory and of CPU, the comments that arrived, and what the server's
// threads are. Then the latency of others: 1,000 connections that ask at a steady rate, alone and beside
// 1,000 stalled readers of endless answers, by turns. What other programs do on the machine shows in the
// slowest hundredth: `chrt -f 50 streams 10 1`, as root and with sched_rt_runtime_us at -1, keeps them out of
// it.

#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <thread>

#include "client.hpp"
#include "sake.hpp"

namespace {

using namespace bench;
using namespace std::chrono_literals;

constexpr auto period = 15s;
constexpr std::uint32_t crowd = 1000;  // of stalled readers, and of others
constexpr std::uint32_t paced_requests = 4000;

/// A server in a process of its own, which ends with it.
class Server {
  public:
    Server() {
        int channel[2];
        if (::pipe(channel) != 0) fail("no pipe");
        process_ = ::fork();
        if (process_ == 0) {
            ::close(channel[0]);
            ::_exit(serve(channel[1]));
        }
        ::close(channel[1]);
        if (process_ < 0 || ::read(channel[0], &port_, sizeof port_) != sizeof port_) fail("no server");
        ::close(channel[0]);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
    }

    std::uint16_t port() const { return port_; }
    double cpu() const { return cpu_seconds_of(process_); }
    double resident_bytes() const {
        std::FILE* const file = std::fopen(("/proc/" + std::to_string(process_) + "/statm").c_str(), "r");
        long pages = 0;
        if (file == nullptr || std::fscanf(file, "%*d %ld", &pages) != 1) fail("no statm");
        std::fclose(file);
        return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    }
    long threads() const {
        const std::filesystem::directory_iterator tasks("/proc/" + std::to_string(process_) + "/task");
        return std::distance(tasks, {});
    }

  private:
    static int serve(int channel) {
        sake::Hub hub;
        sake::Engine app(sake::Config{.max_connections = 100'000,
                                      .keep_alive_timeout = 1h,
                                      .event_keep_alive = period,
                                      .log = [](sake::LogLevel, std::string_view) {}});
        app.get("/plain", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
        app.get("/events", [&](sake::Context& ctx) { return hub.serve(ctx, "topic"); });
        const std::string piece(300'000, 'x');
        app.get("/endless", [&](sake::Context& ctx) -> sake::Task<> {
            sake::BodyWriter out = ctx.stream("text/plain");
            for (;;) co_await out.write(piece);
        });
        app.listen("127.0.0.1:0");
        const auto port = static_cast<std::uint16_t>(app.port());
        if (::write(channel, &port, sizeof port) != sizeof port) return 1;
        return app.run();
    }

    pid_t process_ = -1;
    std::uint16_t port_ = 0;
};

/// Connections that have sent one request each, and are looked after by an epoll.
class Clients {
  public:
    Clients(std::uint16_t port, const char* path, std::uint32_t count, int receive_buffer = 0)
        : request_(request_for(port, path)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        for (std::uint32_t i = 0; i < count; ++i) {
            const int fd = open_connection(port, 0, i);
            if (fd < 0) fail("cannot connect: " + std::to_string(errno));
            if (receive_buffer > 0)
                ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
            fds_.push_back(fd);
            epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
            if (receive_buffer == 0) ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
            ask(i);
        }
    }
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;
    ~Clients() {
        for (const int fd : fds_) ::close(fd);
        ::close(epoll_);
    }

    std::uint32_t size() const { return static_cast<std::uint32_t>(fds_.size()); }
    void ask(std::uint32_t index) {
        const auto sent = ::send(fds_[index], request_.data(), request_.size(), MSG_NOSIGNAL);
        if (sent != static_cast<ssize_t>(request_.size())) fail("cannot send a request");
    }
    /// Calls `take(index, bytes)` for what comes until then.
    template <class Take>
    void receive_until(std::uint64_t until, Take take) {
        std::array<epoll_event, 256> events;
        std::array<char, 16 * 1024> bytes;
        for (std::uint64_t now = now_ns(); now < until; now = now_ns()) {
            const auto left = static_cast<int>((until - now) / 1'000'000);
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), left);
            for (int i = 0; i < count; ++i) {
                const std::uint32_t index = events[static_cast<std::size_t>(i)].data.u32;
                const ssize_t got = ::recv(fds_[index], bytes.data(), bytes.size(), MSG_DONTWAIT);
                if (got <= 0) fail("a connection has ended");
                take(index, std::string_view(bytes.data(), static_cast<std::size_t>(got)));
            }
        }
    }

  private:
    std::string request_;
    int epoll_;
    std::vector<int> fds_;
};

std::uint64_t after(std::chrono::nanoseconds time) {
    return now_ns() + static_cast<std::uint64_t>(time.count());
}

/// Resident bytes of the server for each of so many connections that have had an answer to this.
double bytes_each(const Server& server, Clients& clients, double before) {
    std::uint32_t answered = 0;
    for (int tries = 0; answered < clients.size() && tries < 600; ++tries) {
        clients.receive_until(after(100ms), [&](std::uint32_t, std::string_view bytes) {
            answered += bytes.starts_with(good_status) ? 1U : 0U;
        });
    }
    if (answered < clients.size()) fail("not all were answered");
    return (server.resident_bytes() - before) / clients.size();
}

void show_silent_streams(std::uint32_t streams, std::uint32_t periods) {
    double idle = 0;
    {
        const Server server;
        const double before = server.resident_bytes();
        Clients clients(server.port(), "/plain", streams);
        idle = bytes_each(server, clients, before);
    }
    const Server server;
    const double before = server.resident_bytes();
    Clients clients(server.port(), "/events", streams);
    const double each = bytes_each(server, clients, before);
    std::printf("%u silent streams: %.0f bytes of resident memory each, %.0f more than an idle connection\n",
                streams, each, each - idle);
    std::vector<std::uint32_t> comments(streams);
    const double cpu = server.cpu();
    clients.receive_until(after(period * periods), [&](std::uint32_t index, std::string_view bytes) {
        comments[index] += bytes == "3\r\n:\n\n\r\n" ? 1U : 100U;
    });
    const double used = server.cpu() - cpu;
    const auto [least, most] = std::minmax_element(comments.begin(), comments.end());
    std::printf(
        "over %u periods of %lld s: %u to %u comments each; %.1f ms of CPU for a period, %.2f us for a "
        "comment\n",
        periods, static_cast<long long>(period.count()), *least, *most, used * 1e3 / periods,
        used * 1e6 / periods / streams);
    std::printf("threads of the server: %ld\n", server.threads());
}

/// 2,000 requests a second, one after the other on each of the connections, for two seconds.
Histogram latencies_of(Clients& clients) {
    constexpr auto interval = 500us;
    Histogram latencies;
    std::vector<std::uint64_t> begun(clients.size());
    const auto take = [&](std::uint32_t index, std::string_view) {
        latencies.add(now_ns() - begun[index], 1);
    };
    std::uint64_t next = now_ns();
    for (std::uint32_t i = 0; i < paced_requests; ++i) {
        begun[i % clients.size()] = next;  // when it was due, however late this program is
        clients.ask(i % clients.size());
        next += static_cast<std::uint64_t>(std::chrono::nanoseconds(interval).count());
        while (now_ns() < next) clients.receive_until(next, take);
    }
    clients.receive_until(after(500ms), take);
    return latencies;
}

/// Until the kernel has taken all that it takes for who does not read: for a tenth of a second, next to
/// nothing is done.
void wait_until_idle(const Server& server) {
    for (int tries = 0; tries < 300; ++tries) {
        const double before = server.cpu();
        std::this_thread::sleep_for(100ms);
        if (server.cpu() - before < 0.001) return;
    }
    fail("the server does not come to rest");
}

void show_stalled_readers() {
    const Server server;
    Clients others(server.port(), "/plain", crowd);
    others.receive_until(after(500ms), [](std::uint32_t, std::string_view) {});
    const auto show = [&](const char* when) {
        const double cpu = server.cpu();
        const Histogram latencies = latencies_of(others);
        std::printf(
            "%s: 50 %% within %.0f us, 90 %% within %.0f us, 99 %% within %.0f us; %.2f us of CPU for a "
            "request\n",
            when, latencies.percentile_us(0.5), latencies.percentile_us(0.9), latencies.percentile_us(0.99),
            (server.cpu() - cpu) * 1e6 / paced_requests);
    };
    for (int round = 0; round < 3; ++round) {
        show("alone");
        const double before = server.resident_bytes();
        const double cpu = server.cpu();
        const Clients stalled(server.port(), "/endless", crowd, 4096);
        wait_until_idle(server);
        std::printf(
            "%u stalled readers: %.0f bytes of resident memory each, %.0f ms of CPU until they stall\n",
            crowd, (server.resident_bytes() - before) / crowd, (server.cpu() - cpu) * 1e3);
        show("beside them");
    }
}

}  // namespace

int main(int argc, char** argv) {
    raise_open_files();
    ::signal(SIGPIPE, SIG_IGN);
    const std::uint32_t streams = argc > 1 ? argument(argv[1], 1, 60'000) : 10'000;
    const std::uint32_t periods = argc > 2 ? argument(argv[2], 1, 1000) : 2;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    show_silent_streams(streams, periods);
    show_stalled_readers();
}
