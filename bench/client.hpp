// What the clients of the benchmarks share, and raw_epoll with them: the command line, sockets to 127.0.0.1,
// clocks, a histogram of latencies, and one exchange made beforehand to learn how long an answer is. Not an
// HTTP client: it relies on every answer to one request having the same length.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

inline constexpr std::string_view good_status = "HTTP/1.1 200";

using Clock = std::chrono::steady_clock;

[[noreturn]] inline void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

/// Nanoseconds of a clock that only goes forward.
inline std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count());
}

/// The whole of `text` as a decimal number; false when it is anything else.
template <typename Number>
bool parse_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

/// An argument of the command line between `least` and `most`; ends the program when it is not.
inline std::uint32_t argument(std::string_view text, std::uint32_t least, std::uint32_t most) {
    std::uint32_t value = 0;
    if (!parse_number(text, value) || value < least || value > most) {
        fail("not a number from " + std::to_string(least) + " to " + std::to_string(most) + ": " +
             std::string(text));
    }
    return value;
}

/// A server's port and one of its paths.
struct Target {
    std::uint16_t port;
    std::string path;
};

/// The first two arguments, PORT and PATH, of `least` to `most`; ends the program with its usage when they
/// are not there.
inline Target target_of(int argc, char** argv, int least, int most, const char* usage) {
    if (argc - 1 < least || argc - 1 > most || argv[2][0] != '/') {
        std::fprintf(stderr, "usage: %s\n", usage);
        std::exit(2);
    }
    return {static_cast<std::uint16_t>(argument(argv[1], 1, 65535)), argv[2]};
}

/// Raises the soft limit of open files to the hard one.
inline void raise_open_files() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Seconds of CPU, user and system, that this process has used.
inline double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The same of another process, running or not; 0 when there is none.
inline double cpu_seconds_of(pid_t process) {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

/// What is read at both ends of the counting.
struct Clocks {
    explicit Clocks(pid_t process)
        : time(now_ns()), client(cpu_seconds()), server(process > 0 ? cpu_seconds_of(process) : 0) {}
    std::uint64_t time;
    double client;
    double server;
};

inline sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
    return address;
}

/// Connects to 127.0.0.1:port, and may not be done when `flags` has SOCK_NONBLOCK; -1 with errno. The
/// `index`th connection: from some 14,000 on, the kernel searches long for a free port, unless the client's
/// address changes.
inline int open_connection(std::uint16_t port, int flags, std::uint32_t index = 0) {
    constexpr std::uint32_t from_one_address = 8192;
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0) return -1;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (index >= from_one_address) {
        const sockaddr_in source = loopback(index / from_one_address, 0);
        ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
            fail("cannot bind to another loopback address");
        }
    }
    const sockaddr_in address = loopback(0, port);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
        errno == EINPROGRESS) {
        return fd;
    }
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
}

/// 0, or the errno with which a non-blocking connect failed.
inline int connect_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/// A GET, or with a body the POST of so many bytes.
inline std::string request_for(std::uint16_t port, std::string_view path, std::size_t body = 0) {
    const std::string target =
        std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\n";
    if (body == 0) return "GET " + target + "\r\n";
    return "POST " + target + "Content-Type: text/plain\r\nContent-Length: " + std::to_string(body) +
           "\r\n\r\n" + std::string(body, 'x');
}

/// The length of head and body of the answer that `bytes` begins with; 0 while the head is incomplete. Ends
/// the program when the status is not 200 or there is no usable Content-Length.
inline std::size_t answer_size(std::string_view bytes) {
    const auto head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return 0;
    std::string head(bytes.substr(0, head_end + 2));
    if (!head.starts_with(good_status))
        fail("the first answer is not a 200: " + head.substr(0, head.find('\r')));
    for (char& c : head) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    const std::string_view name = "\r\ncontent-length:";
    const auto field = head.find(name);
    if (field == std::string::npos) fail("the first answer has no Content-Length");
    const auto begin = head.find_first_not_of(' ', field + name.size());
    std::size_t body = 0;
    if (!parse_number(std::string_view(head).substr(begin, head.find('\r', begin) - begin), body)) {
        fail("the first answer has a bad Content-Length");
    }
    return head_end + 4 + body;
}

/// Makes one exchange on a connection of its own and returns the length of the answer.
inline std::size_t learn_answer_size(std::uint16_t port, std::string_view request) {
    const int fd = open_connection(port, 0);
    if (fd < 0) fail("cannot connect to port " + std::to_string(port));
    const timeval patience{5, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
        fail("cannot send the first request");
    }
    std::string bytes;
    std::size_t size = 0;
    while (size == 0 || bytes.size() < size) {
        std::array<char, 4096> chunk;
        const ssize_t n = ::recv(fd, chunk.data(), chunk.size(), 0);
        if (n <= 0) fail("no complete answer to the first request");
        bytes.append(chunk.data(), static_cast<std::size_t>(n));
        size = answer_size(bytes);
    }
    ::close(fd);
    if (bytes.size() != size) fail("more bytes than one answer to one request");
    return size;
}

/// Counts of durations in 64 steps to each power of two, so that a percentile is right to 1.6 %.
class Histogram {
  public:
    void add(std::uint64_t ns, std::uint64_t count) {
        counts_[bucket(ns)] += count;
        total_ += count;
    }

    /// Microseconds within which `share` (0 to 1) of all durations lie; 0 when there are none.
    double percentile_us(double share) const {
        const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen > 0 && seen >= rank) return static_cast<double>(lower_bound(i)) / 1e3;
        }
        return 0;
    }

  private:
    static constexpr std::size_t steps = 64;

    static std::size_t bucket(std::uint64_t ns) {
        if (ns < steps) return static_cast<std::size_t>(ns);
        const auto shift = static_cast<std::size_t>(std::bit_width(ns)) - 7;
        return (shift + 1) * steps + static_cast<std::size_t>(ns >> shift) - steps;
    }

    static std::uint64_t lower_bound(std::size_t index) {
        if (index < steps) return index;
        return (steps + index % steps) << (index / steps - 1);
    }

    std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(steps * 60);
    std::uint64_t total_ = 0;
};

}  // namespace bench
