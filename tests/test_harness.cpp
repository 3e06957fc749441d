// Tests of the test harness itself: a fault that does not fire, or a leak that is not seen, would make every
// other test worthless. Nothing here needs the library.
#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/oracle.hpp"
#include "support/raw_client.hpp"

namespace test_harness {

namespace faults = harness::faults;
namespace allocations = harness::allocations;
using harness::FaultPlan;
using harness::RawClient;
using harness::ScopedFaults;
using std::chrono::milliseconds;

namespace {

/// Runs f on a server thread and waits for it.
template <class F>
void on_server_thread(F f) {
    std::thread([&] {
        faults::apply_to_this_thread();
        f();
    }).join();
}

/// Keeps clang from eliding an allocation that nobody looks at.
void escape(const void* block) { asm volatile("" : : "r"(block) : "memory"); }

struct SocketPair {
    int ends[2] = {-1, -1};

    explicit SocketPair(int flags = SOCK_NONBLOCK) {
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends) != 0) throw std::bad_alloc();
    }
    ~SocketPair() {
        for (int i : {0, 1}) close_end(i);
    }
    SocketPair(const SocketPair&) = delete;
    SocketPair& operator=(const SocketPair&) = delete;

    void close_end(int i) {
        if (ends[i] >= 0) ::close(ends[i]);
        ends[i] = -1;
    }
    int give_away(int i) { return std::exchange(ends[i], -1); }
};

void write_all(int fd, std::string_view text) {
    REQUIRE(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// A listener on a free port whose only connection gets a canned answer, then FIN.
class CannedServer {
  public:
    explicit CannedServer(std::string answer) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener_, generic, length) == 0);
        REQUIRE(::listen(listener_, 8) == 0);
        REQUIRE(::getsockname(listener_, generic, &length) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, text = std::move(answer)] { serve(text); });
    }
    ~CannedServer() {
        thread_.join();
        ::close(listener_);
    }
    [[nodiscard]] int port() const { return port_; }

  private:
    void serve(const std::string& text) const {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        std::string request;
        char block[512];
        while (request.find("\r\n\r\n") == std::string::npos) {
            const auto got = ::recv(fd, block, sizeof block, 0);
            if (got <= 0) break;
            request.append(block, static_cast<std::size_t>(got));
        }
        ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        ::close(fd);
    }

    int listener_;
    int port_ = 0;
    std::thread thread_;
};

/// A client whose peer has written this and closed.
RawClient client_that_got(std::string_view bytes) {
    SocketPair pair(0);
    write_all(pair.ends[1], bytes);
    return RawClient::adopt(pair.give_away(0));
}

}  // namespace

// ---- faults

TEST_CASE("calls are counted on server threads only") {
    SocketPair pair;
    char byte = 0;
    faults::reset_calls();
    CHECK(::recv(pair.ends[0], &byte, 1, 0) == -1);
    CHECK(faults::calls("recv") == 0);
    on_server_thread([&] {
        for (int i = 0; i < 3; ++i) CHECK(::recv(pair.ends[0], &byte, 1, 0) == -1);
        CHECK(::send(pair.ends[0], "x", 1, MSG_NOSIGNAL) == 1);
    });
    CHECK(faults::calls("recv") == 3);
    CHECK(faults::calls("send") == 1);
    CHECK_THROWS_AS((void)faults::calls("no_such_call"), std::invalid_argument);
}

TEST_CASE("the Nth call fails, once, with the errno of the plan") {
    SocketPair pair;
    write_all(pair.ends[1], "abc");
    const ScopedFaults active(FaultPlan().fail_nth("recv", 2, ECONNRESET));
    on_server_thread([&] {
        char byte = 0;
        CHECK(::recv(pair.ends[0], &byte, 1, 0) == 1);
        errno = 0;
        CHECK(::recv(pair.ends[0], &byte, 1, 0) == -1);
        CHECK(errno == ECONNRESET);
        CHECK(::recv(pair.ends[0], &byte, 1, 0) == 1);
        CHECK(byte == 'b');
    });
    CHECK(active.fired() == 1);
    CHECK(active.fired("recv") == 1);
    CHECK(active.fired("send") == 0);
}

TEST_CASE("every wrapped call can be made to fail") {
    FaultPlan plan;
    for (const auto name : faults::wrapped_names()) plan.fail_nth(name, 1, ENOMEM);
    SocketPair pair;
    const int closed_later = ::dup(pair.ends[0]);
    const ScopedFaults active(plan);
    on_server_thread([&] {
        char bytes[8] = {};
        int ends[2];
        socklen_t length = 0;
        epoll_event event{};
        iovec piece{bytes, 1};
        msghdr message{};
        CHECK(::accept4(0, nullptr, nullptr, 0) == -1);
        CHECK(::bind(0, nullptr, 0) == -1);
        CHECK(::connect(0, nullptr, 0) == -1);
        CHECK(::epoll_create1(0) == -1);
        CHECK(::epoll_ctl(0, EPOLL_CTL_ADD, 0, &event) == -1);
        CHECK(::epoll_wait(0, &event, 1, 0) == -1);
        CHECK(::eventfd(0, 0) == -1);
        CHECK(::fcntl(pair.ends[0], F_GETFD) == -1);
        CHECK(::getsockname(0, nullptr, &length) == -1);
        CHECK(::getsockopt(pair.ends[0], SOL_SOCKET, SO_TYPE, bytes, &length) == -1);
        CHECK(::linkat(AT_FDCWD, "", AT_FDCWD, "", 0) == -1);
        CHECK(::listen(0, 1) == -1);
        CHECK(::madvise(bytes, 0, MADV_NORMAL) == -1);
        CHECK(::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
        CHECK(::mremap(bytes, 4096, 8192, 0) == MAP_FAILED);
        CHECK(::munmap(bytes, 4096) == -1);
        CHECK(::open("/dev/null", O_RDONLY) == -1);
        CHECK(::openat(0, "null", O_RDONLY) == -1);
        CHECK(::pipe2(ends, 0) == -1);
        CHECK(::poll(nullptr, 0, 0) == -1);
        CHECK(::pread(0, bytes, 1, 0) == -1);
        CHECK(::preadv2(0, &piece, 1, 0, 0) == -1);
        CHECK(::read(0, bytes, 1) == -1);
        CHECK(::recv(0, bytes, 1, 0) == -1);
        CHECK(::send(0, bytes, 1, 0) == -1);
        CHECK(::sendfile(0, 0, nullptr, 1) == -1);
        CHECK(::sendmsg(0, &message, 0) == -1);
        CHECK(::setsockopt(0, SOL_SOCKET, SO_REUSEADDR, bytes, 4) == -1);
        CHECK(::shutdown(0, SHUT_WR) == -1);
        CHECK(::socket(AF_INET, SOCK_STREAM, 0) == -1);
        CHECK(::syscall(SYS_openat2, 0, nullptr, nullptr, 0) == -1);
        CHECK(::unlink("") == -1);
        CHECK(::write(0, bytes, 1) == -1);
        CHECK(::writev(0, &piece, 1) == -1);
        errno = 0;
        CHECK(::close(closed_later) == -1);
        CHECK(errno == ENOMEM);
        CHECK(::fcntl(closed_later, F_GETFD) == -1);  // the number was given back all the same
    });
    CHECK(active.fired() == faults::wrapped_names().size());
}

TEST_CASE("a range of calls fails, and no others") {
    const ScopedFaults active(FaultPlan().fail_range("socket", 2, 3, EMFILE));
    std::string pattern;
    on_server_thread([&] {
        for (int i = 0; i < 6; ++i) {
            const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            pattern += fd < 0 ? 'x' : '.';
            if (fd >= 0) ::close(fd);
        }
    });
    CHECK(pattern == ".xxx..");
}

TEST_CASE("the raw client's thread is never touched, not even when all the others are") {
    const ScopedFaults active(FaultPlan().fail_randomly("socket", 1.0, EMFILE));
    const auto opens = [] {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0) ::close(fd);
        return fd >= 0;
    };
    CHECK(opens());
    {
        const faults::AllOtherThreads everybody;
        CHECK(opens());
        bool worker_opens = true;
        bool spared_opens = false;
        std::thread([&] { worker_opens = opens(); }).join();
        std::thread([&] {
            faults::spare_this_thread();
            spared_opens = opens();
        }).join();
        CHECK_FALSE(worker_opens);
        CHECK(spared_opens);
    }
    bool later_opens = false;
    std::thread([&] { later_opens = opens(); }).join();
    CHECK(later_opens);
}

TEST_CASE("a random plan hits at its rate, and the same seed gives the same faults") {
    const auto pattern_of = [](std::uint64_t seed) {
        const ScopedFaults active(FaultPlan(seed).fail_randomly("poll", 0.25, EINTR));
        std::string pattern;
        on_server_thread([&] {
            for (int i = 0; i < 2000; ++i) pattern += ::poll(nullptr, 0, 0) < 0 ? 'x' : '.';
        });
        return pattern;
    };
    const std::string first = pattern_of(7);
    const auto hits = std::count(first.begin(), first.end(), 'x');
    CHECK(hits > 400);
    CHECK(hits < 600);
    CHECK(pattern_of(7) == first);
    CHECK(pattern_of(8) != first);
}

TEST_CASE("short I/O moves at most so many bytes, gathered writes too") {
    SocketPair pair;
    const ScopedFaults active(FaultPlan()
                                  .short_io("recv", 1.0, 2)
                                  .short_io("send", 1.0, 3)
                                  .short_io("sendmsg", 1.0, 4)
                                  .short_io("writev", 1.0, 1));
    char ab[] = "ab";
    char cdef[] = "cdef";
    on_server_thread([&] {
        std::array<iovec, 2> pieces{iovec{ab, 2}, iovec{cdef, 4}};
        msghdr message{};
        message.msg_iov = pieces.data();
        message.msg_iovlen = pieces.size();
        CHECK(::send(pair.ends[0], "12345", 5, MSG_NOSIGNAL) == 3);
        CHECK(::sendmsg(pair.ends[0], &message, MSG_NOSIGNAL) == 4);
        CHECK(::writev(pair.ends[0], pieces.data(), 2) == 1);
        char buffer[16];
        CHECK(::recv(pair.ends[1], buffer, sizeof buffer, 0) == 2);
    });
    RawClient rest = RawClient::adopt(pair.give_away(1));
    CHECK(rest.read_exactly(6) == "3abcda");
}

TEST_CASE("random faults stay plausible") {
    SocketPair blocking(0);
    write_all(blocking.ends[1], "abc");
    const int wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    FaultPlan plan;
    for (const char* name : {"recv", "read", "write"})
        plan.fail_randomly(name, 1.0, EAGAIN).short_io(name, 1.0, 3);
    const ScopedFaults active(plan);
    on_server_thread([&] {
        char buffer[8] = {1};
        CHECK(::recv(blocking.ends[0], buffer, 3, 0) == 3);  // a blocking socket has no EAGAIN
        CHECK(::write(wake, buffer, 8) == 8);                // no wake-up is lost, nor cut in two
        CHECK(::read(wake, buffer, 8) == -1);                // reading it may well say EAGAIN
    });
    ::close(wake);
    CHECK(active.fired() == 1);
}

TEST_CASE("an injected EAGAIN or short read loses no edge") {
    for (const bool is_short : {false, true}) {
        CAPTURE(is_short);
        SocketPair pair;
        std::string received;
        int waits_with_nothing = 0;
        FaultPlan plan(3);
        is_short ? plan.short_io("recv", 1.0, 1) : plan.fail_randomly("recv", 0.5, EAGAIN);
        const ScopedFaults active(plan);
        write_all(pair.ends[1], "0123456789");
        on_server_thread([&] {
            const int queue = ::epoll_create1(EPOLL_CLOEXEC);
            epoll_event event{};
            event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
            event.data.u64 = 0xABCDEF0123456789ULL;
            REQUIRE(::epoll_ctl(queue, EPOLL_CTL_ADD, pair.ends[0], &event) == 0);
            while (received.size() < 10 && waits_with_nothing < 3) {
                std::array<epoll_event, 4> events;
                const int count = ::epoll_wait(queue, events.data(), 4, 200);
                if (count == 0) ++waits_with_nothing;
                REQUIRE(count <= 1);  // one descriptor, one event
                if (count == 0) continue;
                const std::uint64_t data = events[0].data.u64;  // packed: no reference to it
                const std::uint32_t seen = events[0].events;
                REQUIRE(data == 0xABCDEF0123456789ULL);
                REQUIRE((seen & EPOLLIN) != 0);
                // As Sake does: only a full buffer is followed by another receive.
                char buffer[4];
                ssize_t got = 4;
                while (got == 4) {
                    got = ::recv(pair.ends[0], buffer, sizeof buffer, 0);
                    if (got > 0) received.append(buffer, static_cast<std::size_t>(got));
                }
            }
            ::close(queue);
        });
        CHECK(received == "0123456789");
        CHECK(waits_with_nothing == 0);
        CHECK(active.fired() > 0);
    }
}

TEST_CASE("a hidden readiness goes with its descriptor, and leaves other events alone") {
    SocketPair hidden;
    SocketPair other;
    write_all(hidden.ends[1], "x");
    const ScopedFaults active(FaultPlan().fail_nth("recv", 1, EAGAIN).fail_nth("recv", 2, EAGAIN));
    on_server_thread([&] {
        const int queue = ::epoll_create1(EPOLL_CLOEXEC);
        for (int i : {0, 1}) {
            epoll_event event{};
            event.events = EPOLLIN | EPOLLET;
            event.data.fd = (i == 0 ? hidden : other).ends[0];
            REQUIRE(::epoll_ctl(queue, EPOLL_CTL_ADD, event.data.fd, &event) == 0);
        }
        std::array<epoll_event, 4> events;
        char byte = 0;
        CHECK(::epoll_wait(queue, events.data(), 4, 0) == 1);
        CHECK(::recv(hidden.ends[0], &byte, 1, 0) == -1);
        write_all(other.ends[1], "y");
        CHECK(::epoll_wait(queue, events.data(), 4, 0) == 2);
        CHECK(::recv(hidden.ends[0], &byte, 1, 0) == -1);
        hidden.close_end(0);
        CHECK(::epoll_wait(queue, events.data(), 4, 0) == 0);
        ::close(queue);
    });
}

TEST_CASE("one plan at a time, and unknown names are refused") {
    CHECK_THROWS_AS(FaultPlan().fail_nth("fork", 1, EINTR), std::invalid_argument);
    CHECK_THROWS_AS(FaultPlan().fail_nth("recv", 0, EINTR), std::invalid_argument);
    const FaultPlan plan;
    const ScopedFaults active(plan);
    CHECK_THROWS_AS(ScopedFaults{plan}, std::logic_error);
}

// ---- allocations

TEST_CASE("live figures are exact for every form of new and delete") {
    struct alignas(64) Wide {
        char bytes[100];
    };
    const auto blocks = allocations::live_blocks();
    const auto bytes = allocations::live_bytes();
    std::array<std::int64_t, 3> during{};
    bool aligned = false;
    {
        const auto plain = std::make_unique<int>(1);
        const auto array = std::make_unique<char[]>(1000);
        const std::unique_ptr<Wide> wide(new Wide);
        const std::unique_ptr<Wide[]> wides(new (std::nothrow) Wide[3]);
        for (const void* block :
             {static_cast<const void*>(plain.get()), static_cast<const void*>(array.get()),
              static_cast<const void*>(wide.get()), static_cast<const void*>(wides.get())}) {
            escape(block);
        }
        aligned = reinterpret_cast<std::uintptr_t>(wide.get()) % 64 == 0;
        during = {allocations::live_blocks() - blocks, allocations::live_bytes() - bytes, 0};
    }
    const auto blocks_after = allocations::live_blocks();
    const auto bytes_after = allocations::live_bytes();
    CHECK(aligned);
    CHECK(during[0] == 4);
    CHECK(during[1] == 4 + 1000 + 128 + 3 * 128);
    CHECK(blocks_after == blocks);
    CHECK(bytes_after == bytes);
}

TEST_CASE("live figures include pages, as they are mapped, grow and are unmapped") {
    const auto blocks = allocations::live_blocks();
    const auto bytes = allocations::live_bytes();
    std::array<std::int64_t, 6> during{};
    void* pages = ::mmap(nullptr, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    during[0] = allocations::live_blocks() - blocks;
    during[1] = allocations::live_bytes() - bytes;
    pages = ::mremap(pages, 8192, 65'536, MREMAP_MAYMOVE);
    during[2] = allocations::live_blocks() - blocks;
    during[3] = allocations::live_bytes() - bytes;
    ::munmap(pages, 65'536);
    during[4] = allocations::live_blocks() - blocks;
    during[5] = allocations::live_bytes() - bytes;
    CHECK(during == std::array<std::int64_t, 6>{1, 8192, 1, 65'536, 0, 0});
}

TEST_CASE("a part of a file can be out of memory, and the longest call is known") {
    const int fd = ::memfd_create("probed", MFD_CLOEXEC);
    REQUIRE(::ftruncate(fd, 100) == 0);
    const ScopedFaults active(FaultPlan().not_in_memory(10, 20));
    faults::reset_calls();
    std::string pattern;
    on_server_thread([&] {
        char bytes[32];
        iovec piece{bytes, 1};
        for (const off_t offset : {0, 9, 10, 19, 20}) {
            pattern += ::preadv2(fd, &piece, 1, offset, 0) < 0 ? 'x' : '.';
        }
        for (const std::size_t length : {5U, 30U, 1U}) CHECK(::pread(fd, bytes, length, 0) > 0);
    });
    ::close(fd);
    CHECK(pattern == "..xx.");
    CHECK(faults::longest("pread") == 30);
    CHECK(faults::longest("read") == 0);
    CHECK_THROWS_AS(FaultPlan().not_in_memory(7, 7), std::invalid_argument);
}

TEST_CASE("exempt blocks are in no balance, wherever they are freed") {
    const auto before = allocations::live_bytes();
    char* exempt = nullptr;
    {
        const allocations::Exempt scope;
        exempt = new char[500];
        escape(exempt);
    }
    const auto during = allocations::live_bytes();
    std::thread([&] { delete[] exempt; }).join();
    const auto after = allocations::live_bytes();
    CHECK(during == before);
    CHECK(after == before);
}

TEST_CASE("allocations are counted by thread") {
    const auto servers_before = allocations::by_server_threads();
    std::uint64_t made = 0;
    on_server_thread([&] {
        const auto before = allocations::by_this_thread();
        for (int i = 0; i < 5; ++i) {
            const auto block = std::make_unique<int>(i);
            escape(block.get());
        }
        made = allocations::by_this_thread() - before;
    });
    CHECK(made == 5);
    CHECK(allocations::by_server_threads() - servers_before >= 5);
    CHECK(allocations::total() >= made);
}

TEST_CASE("the Nth allocation of a server thread fails, and only that one") {
    std::string pattern;
    pattern.reserve(16);
    bool null_from_nothrow = false;
    const auto attempt = [&] {
        try {
            const auto block = std::make_unique<int>(1);
            escape(block.get());
            pattern += '.';
        } catch (const std::bad_alloc&) {
            pattern += 'x';
        }
    };
    on_server_thread([&] {
        allocations::ScopedFailure failure(3, 2);
        for (int i = 0; i < 3; ++i) attempt();
        const std::unique_ptr<int> block(new (std::nothrow) int(1));
        escape(block.get());
        null_from_nothrow = block == nullptr;
        attempt();
        CHECK(failure.fired());
    });
    CHECK(pattern == "..x.");
    CHECK(null_from_nothrow);

    const allocations::ScopedFailure failure(1);
    attempt();  // this thread is no server's
    CHECK(pattern == "..x..");
    CHECK_FALSE(failure.fired());
}

// ---- the oracle

TEST_CASE("the oracle sees a descriptor, a thread and a single byte that stay") {
    harness::Oracle oracle;
    CHECK(oracle.check_returned_to_baseline());

    const int fd = ::eventfd(0, EFD_CLOEXEC);
    const std::string with_fd = oracle.difference();
    ::close(fd);
    CHECK(with_fd.find("descriptors: ") != std::string::npos);
    CHECK(with_fd.find("eventfd") != std::string::npos);

    std::atomic<bool> leave{false};
    std::thread thread([&] { leave.wait(false); });
    const std::string with_thread = oracle.difference();
    leave = true;
    leave.notify_all();
    thread.join();
    CHECK(with_thread.find("threads: ") != std::string::npos);
}

TEST_CASE("the oracle comes back to its baseline, and says so when it does not") {
    harness::Oracle oracle;
    auto leaked = std::make_unique<char>();
    escape(leaked.get());
    const bool is_back_too_early = oracle.check_returned_to_baseline(milliseconds(20));
    leaked.reset();
    const bool is_back = oracle.check_returned_to_baseline();
    CHECK_FALSE(is_back_too_early);
    CHECK(is_back);
}

// ---- the raw client

TEST_CASE("the raw client reads an answer over loopback") {
    CannedServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:  2 \r\n\r\nhello");
    const auto response = harness::get(server.port(), "/");
    CHECK(response.status == 200);
    CHECK(response.reason == "OK");
    CHECK(response.body == "hello");
    CHECK(response.header("x-A") == "1");
    CHECK(response.header_count("X-A") == 2);
    CHECK(response.headers[2].second == "2");
    CHECK_FALSE(response.has_header("Date"));
}

TEST_CASE("pipelined answers of every framing are told apart") {
    auto client = client_that_got(
        "HTTP/1.1 100 Continue\r\n\r\n"
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\nA\r\n0123456789\r\n0\r\nT: "
        "v\r\n\r\n"
        "HTTP/1.1 204 No Content\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        "HTTP/1.1 200 \r\n\r\nto the end");
    const auto chunked = client.read_response();
    CHECK(chunked.body == "abcd0123456789");
    CHECK(chunked.trailers.size() == 1);
    CHECK(client.read_response().status == 204);
    CHECK(client.read_response(true).header("Content-Length") == "99");
    CHECK(client.read_response().status == 404);
    CHECK(client.read_response().body == "to the end");
    CHECK(client.expect_closed());

    auto interim = client_that_got("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching\r\n\r\n");
    CHECK(interim.read_any_response().status == 103);
    CHECK(interim.read_response().status == 101);
}

TEST_CASE("malformed answers throw with what was received") {
    for (const char* bytes : {
             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
             "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
             "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n\r\n",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
             "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
             "HTTP/1.1 200 OK\r\nName : space\r\n\r\n",
             "HTTP/1.1 20 OK\r\n\r\n",
             "HTTP/2 200 OK........\r\n\r\n",
             "HTTP/1.1 200 OK\r\nCont",
         }) {
        CAPTURE(bytes);
        auto client = client_that_got(bytes);
        CHECK_THROWS_WITH_AS((void)client.read_response(), doctest::Contains("received last: \"HTTP/"),
                             std::runtime_error);
    }
    auto silent = client_that_got("");
    CHECK_THROWS_AS((void)silent.read_response(), std::runtime_error);
}

TEST_CASE("deadlines end every wait") {
    SocketPair pair(0);
    RawClient client = RawClient::adopt(pair.give_away(0));
    client.set_deadline(milliseconds(20));
    CHECK_THROWS_AS((void)client.read_some(1), std::runtime_error);
    CHECK_THROWS_AS((void)client.read_exactly(1), std::runtime_error);
    CHECK_THROWS_AS((void)client.read_until_close(), std::runtime_error);
    CHECK_THROWS_AS((void)client.read_response(), std::runtime_error);
    CHECK_FALSE(client.expect_closed());
    CHECK(client.expect_silence(milliseconds(1)));
    const std::string much(1 << 20, 'x');
    CHECK_THROWS_AS((void)client.send(much), std::runtime_error);
    CHECK(client.try_send("x") == 0);
    CHECK_FALSE(client.was_reset());
}

TEST_CASE("the peer sees the pieces, the end and the reset that were asked for") {
    CannedServer server("");
    RawClient first(server.port());
    first.send_split("GET / HTTP/1.1\r\n\r\n", 18);
    CHECK(first.expect_closed());
    CHECK_FALSE(first.was_reset());

    SocketPair pair(0);
    RawClient a = RawClient::adopt(pair.give_away(0));
    RawClient b = RawClient::adopt(pair.give_away(1));
    a.send_cut_at("abcdef", {1, 3}).shutdown_write();
    CHECK(b.read_some(4) == "abcd");
    CHECK(b.read_until_close() == "ef");
    b.send("x").close();
    CHECK_FALSE(a.expect_closed());  // a byte came first
    CHECK(a.read_some(9) == "x");
    CHECK(a.expect_closed());
    CHECK(a.try_send("into the void") == 0);  // and no SIGPIPE
    CHECK(a.was_reset());
}

TEST_CASE("reset() arrives as RST") {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    auto client = RawClient::with_receive_buffer(ntohs(address.sin_port), 4096);
    auto peer = RawClient::adopt(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    ::close(listener);
    client.reset();
    CHECK(peer.expect_closed());
    CHECK(peer.was_reset());
    CHECK_THROWS_AS((void)peer.read_some(1), std::runtime_error);
}

// ---- the double of kqueue

namespace {

struct Kqueue {
    int fd = ::kqueue();
    int marks[2] = {1, 2};

    Kqueue() = default;
    ~Kqueue() { ::close(fd); }
    Kqueue(const Kqueue&) = delete;
    Kqueue& operator=(const Kqueue&) = delete;

    int change(int ident, int filter, unsigned flags) {
        struct kevent event{};
        EV_SET(&event, static_cast<uintptr_t>(ident), static_cast<std::int16_t>(filter),
               static_cast<std::uint16_t>(flags), 0, 0, &marks[0]);
        return ::kevent(fd, &event, 1, nullptr, 0, nullptr);
    }
    [[nodiscard]] std::vector<struct kevent> poll(long timeout_ms = 0) const {
        std::vector<struct kevent> events(16);
        const timespec limit{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000};
        const int count = ::kevent(fd, nullptr, 0, events.data(), 16, &limit);
        REQUIRE(count >= 0);
        events.resize(static_cast<std::size_t>(count));
        return events;
    }
};

}  // namespace

TEST_CASE("the kqueue double is edge-triggered on a pipe") {
    Kqueue queue;
    int ends[2];
    REQUIRE(::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    REQUIRE(queue.change(ends[0], EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
    CHECK(queue.poll().empty());
    REQUIRE(::write(ends[1], "abc", 3) == 3);
    const auto events = queue.poll(1000);
    REQUIRE(events.size() == 1);
    CHECK(events[0].ident == static_cast<uintptr_t>(ends[0]));
    CHECK(events[0].filter == EVFILT_READ);
    CHECK(events[0].data == 3);
    CHECK(events[0].udata == &queue.marks[0]);
    CHECK((events[0].flags & EV_EOF) == 0);
    CHECK(queue.poll().empty());  // reported once, though it is unread
    REQUIRE(::write(ends[1], "d", 1) == 1);
    CHECK(queue.poll(1000).size() == 1);
    ::close(ends[1]);
    const auto ended = queue.poll(1000);
    REQUIRE(ended.size() == 1);
    CHECK((ended[0].flags & EV_EOF) != 0);
    CHECK(ended[0].data == 4);
    ::close(ends[0]);
}

TEST_CASE("the kqueue double reports each filter of a socket, and its end") {
    Kqueue queue;
    SocketPair pair;
    REQUIRE(queue.change(pair.ends[0], EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
    REQUIRE(queue.change(pair.ends[0], EVFILT_WRITE, EV_ADD | EV_CLEAR) == 0);
    const auto writable = queue.poll(1000);
    REQUIRE(writable.size() == 1);
    CHECK(writable[0].filter == EVFILT_WRITE);
    CHECK(writable[0].data > 0);
    CHECK(queue.poll().empty());
    write_all(pair.ends[1], "x");
    const auto readable = queue.poll(1000);
    REQUIRE_FALSE(readable.empty());
    CHECK(readable[0].filter == EVFILT_READ);
    REQUIRE(queue.change(pair.ends[0], EVFILT_WRITE, EV_DELETE) == 0);
    ::shutdown(pair.ends[1], SHUT_WR);
    const auto ended = queue.poll(1000);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].filter == EVFILT_READ);
    CHECK((ended[0].flags & EV_EOF) != 0);
}

TEST_CASE("the kqueue double refuses what kqueue refuses") {
    Kqueue queue;
    SocketPair pair;
    CHECK(queue.change(pair.ends[0], EVFILT_READ, EV_DELETE) == -1);
    CHECK(errno == ENOENT);
    CHECK(queue.change(-1, EVFILT_READ, EV_ADD) == -1);
    CHECK(errno == EBADF);
    CHECK(queue.change(pair.ends[0], EVFILT_TIMER, EV_ADD) == -1);
    CHECK(errno == EINVAL);
    struct kevent events[2] = {};
    EV_SET(&events[0], static_cast<uintptr_t>(pair.ends[0]), EVFILT_WRITE, EV_DELETE, 0, 0, nullptr);
    REQUIRE(::kevent(queue.fd, events, 1, events, 2, nullptr) == 1);
    CHECK(events[0].flags == EV_ERROR);
    CHECK(events[0].data == ENOENT);
}

TEST_CASE("a closed descriptor leaves the kqueue double by itself, and its number may come back") {
    Kqueue queue;
    auto first = std::make_unique<SocketPair>();
    const int number = first->ends[0];
    REQUIRE(queue.change(number, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
    REQUIRE(queue.change(number, EVFILT_WRITE, EV_ADD | EV_CLEAR) == 0);
    first.reset();
    CHECK(queue.poll().empty());
    SocketPair second;
    REQUIRE(second.ends[0] == number);  // the lowest free number, by POSIX
    CHECK(queue.change(number, EVFILT_WRITE, EV_DELETE) == -1);
    REQUIRE(queue.change(number, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
    CHECK(queue.poll().empty());  // the old write filter is gone
    write_all(second.ends[1], "x");
    CHECK(queue.poll(1000).size() == 1);
}

TEST_CASE("an EV_ONESHOT filter of the kqueue double fires once") {
    Kqueue queue;
    SocketPair pair;
    REQUIRE(queue.change(pair.ends[0], EVFILT_READ, EV_ADD | EV_ONESHOT) == 0);
    write_all(pair.ends[1], "x");
    CHECK(queue.poll(1000).size() == 1);
    CHECK(queue.poll().empty());
    CHECK(queue.change(pair.ends[0], EVFILT_READ, EV_DELETE) == -1);
}

TEST_CASE("faults reach the kqueue double, and lose no edge there") {
    Kqueue queue;
    SocketPair pair;
    write_all(pair.ends[1], "x");
    const ScopedFaults active(FaultPlan().fail_nth("recv", 1, EAGAIN));
    on_server_thread([&] {
        char byte = 0;
        REQUIRE(queue.change(pair.ends[0], EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
        CHECK(queue.poll(1000).size() == 1);
        CHECK(::recv(pair.ends[0], &byte, 1, 0) == -1);
        CHECK(queue.poll(1000).size() == 1);
        CHECK(::recv(pair.ends[0], &byte, 1, 0) == 1);
        CHECK(queue.poll().empty());
    });
}

}  // namespace test_harness
