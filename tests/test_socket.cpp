// Socket over a descriptor: the system's own calls, files sent from the kernel or copied, and accepting.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "sake.hpp"
#include "support/faults.hpp"
#include "support/listeners.hpp"
#include "support/machinery.hpp"
#include "support/reliability.hpp"

namespace test_socket {

using harness::FaultPlan;
using harness::ScopedFaults;
using sake::Reactor;
using sake::detail::Accepted;
using sake::detail::FileDescriptor;
using sake::detail::Socket;
using sake::detail::SysResult;
using sake::detail::Watch;

namespace {

/// A socket, and the descriptor at its other end.
struct Pair {
    Pair() {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        socket.emplace(reactor, FileDescriptor(ends[0]));
        far = FileDescriptor(ends[1]);
    }

    /// All that has come to the far end.
    std::string take() {
        std::string text;
        char bytes[4096];
        for (;;) {
            const SysResult got = sake::detail::sys::receive(far.get(), bytes, sizeof bytes);
            if (!got.ok() || got.value == 0) return text;
            text.append(bytes, static_cast<std::size_t>(got.value));
        }
    }

    Reactor reactor;
    std::optional<Socket> socket;
    FileDescriptor far;
};

/// A file without a name.
FileDescriptor file_of(const std::string& content) {
    char name[] = "/tmp/sake-test-XXXXXX";
    FileDescriptor file(::mkstemp(name));
    REQUIRE(file);
    ::unlink(name);
    REQUIRE(::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    return file;
}

/// Sends a file from `offset` to its end, while the far end reads.
std::string sent_file(Pair& pair, int file, std::uint64_t offset) {
    std::string got;
    for (;;) {
        const std::uint64_t before = offset;
        const SysResult sent = pair.socket->send_file(file, offset, 1'000'000);
        if (sent.would_block()) {
            CHECK(pair.socket->blocked(sake::detail::writable) == sake::detail::writable);
        } else {
            REQUIRE(sent.ok());
            REQUIRE(offset == before + static_cast<std::uint64_t>(sent.value));
            if (sent.value == 0) return got + pair.take();
        }
        got += pair.take();
    }
}

/// Faults for this thread, for as long as it lives.
struct Faulty {
    explicit Faulty(const FaultPlan& plan) : faults(plan) { harness::faults::apply_to_this_thread(); }
    ~Faulty() { harness::faults::spare_this_thread(); }
    Faulty(const Faulty&) = delete;
    Faulty& operator=(const Faulty&) = delete;
    ScopedFaults faults;
};

}  // namespace

TEST_CASE("a socket without a wire makes the calls of the system") {
    static_assert(sizeof(Socket) <= 56);
    Pair pair;
    Socket& socket = *pair.socket;
    CHECK(socket.fd() == socket.watch().fd());
    CHECK_FALSE(socket.has_input());
    CHECK_FALSE(socket.has_pending());
    CHECK(socket.protocol().empty());
    CHECK(socket.send("one ", 4).value == 4);
    char two[] = "two ";
    char three[] = "three";
    iovec pieces[2] = {{two, 4}, {three, 5}};
    CHECK(socket.send(pieces, 2).value == 9);
    CHECK(pair.take() == "one two three");
    char bytes[8];
    CHECK(socket.receive(bytes, sizeof bytes).would_block());
    CHECK(socket.blocked(sake::detail::readable) == sake::detail::readable);
    CHECK_FALSE(socket.watch().is_readable());
    CHECK(socket.watch().is_writable());
    CHECK(::send(pair.far.get(), "answer", 6, 0) == 6);
    CHECK(socket.has_input());
    CHECK(socket.receive(bytes, sizeof bytes).value == 6);
    CHECK(socket.end_output().ok());
    CHECK(::recv(pair.far.get(), bytes, sizeof bytes, 0) == 0);
}

TEST_CASE("what was sent over a Unix socket is with the peer, though it has yet to read it") {
    Pair pair;
    Socket& socket = *pair.socket;
    CHECK(socket.send("unread", 6).value == 6);
    CHECK(socket.unacknowledged() == 0);
    CHECK(socket.end_output().ok());
    pair.socket.reset();  // which closes it
    CHECK(pair.take() == "unread");
}

TEST_CASE("what was sent over TCP and what the peer's system has no room for is unacknowledged") {
    const auto listeners = harness::listen_at("127.0.0.1:0", 16);
    Reactor reactor;
    harness::RawClient client = harness::RawClient::with_receive_buffer(listeners.front().port, 4096);
    const int listening = listeners.front().socket.get();
    REQUIRE(harness::eventually([&] { return sake::detail::sys::is_ready(listening, POLLIN); }));
    sockaddr_storage peer{};
    socklen_t size = 0;
    const SysResult accepted = sake::detail::sys::accept(listening, peer, size);
    REQUIRE(accepted.ok());
    Socket socket(reactor, FileDescriptor(static_cast<int>(accepted.value)));
    const std::string bytes(1'000'000, 'x');
    std::size_t sent = 0;
    while (true) {
        const SysResult result = socket.send(bytes.data(), bytes.size());
        if (!result.ok()) break;
        sent += static_cast<std::size_t>(result.value);
    }
    CHECK(socket.unacknowledged() > 0);
    CHECK(socket.peer_goes_on());
    CHECK_FALSE(socket.peer_goes_on());
    CHECK(client.read_exactly(sent).size() == sent);
    CHECK(harness::eventually([&] { return socket.unacknowledged() == 0; }));
    CHECK(socket.peer_goes_on());
}

TEST_CASE("a file is sent from where it is asked for to its end, by the kernel or copied") {
    const std::string content = harness::pattern_bytes(3'000'000);
    const FileDescriptor file = file_of(content);
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{12'345}, std::uint64_t{2'999'999},
                                       std::uint64_t{3'000'000}, std::uint64_t{4'000'000}}) {
        CAPTURE(offset);
        const std::string expected = offset < content.size() ? content.substr(offset) : "";
        Pair pair;
        CHECK(sent_file(pair, file.get(), offset) == expected);
        for (const int error : {EINVAL, ENOSYS}) {
            const Faulty copied(FaultPlan().fail_range("sendfile", 1, 1'000'000, error));
            CHECK(sent_file(pair, file.get(), offset) == expected);
        }
    }
}

TEST_CASE("short and interrupted calls change no byte of a file") {
    const std::string content = harness::pattern_bytes(20'000);
    const FileDescriptor file = file_of(content);
    Pair pair;
    {
        const Faulty faulty(FaultPlan(3).storm(0.3).short_io("sendfile", 0.9, 500));
        CHECK(sent_file(pair, file.get(), 0) == content);
        CHECK(faulty.faults.fired("sendfile") > 0);
    }
    const Faulty copied(FaultPlan(4).fail_randomly("sendfile", 0.5, EINVAL).short_io("pread", 0.5, 100));
    CHECK(sent_file(pair, file.get(), 0) == content);
    CHECK(copied.faults.fired("pread") > 0);
}

TEST_CASE("a file to a peer that has closed fails with EPIPE, and raises no signal") {
    // SIGPIPE has its default action here: it would end the run.
    const FileDescriptor file = file_of("content");
    Pair pair;
    pair.far.close();
    for (int i = 0; i < 2; ++i) {
        std::uint64_t offset = 0;
        CHECK(pair.socket->send_file(file.get(), offset, 7).error == EPIPE);
        CHECK(offset == 0);
    }
    sigset_t pending;
    ::sigpending(&pending);
    CHECK(::sigismember(&pending, SIGPIPE) == 0);
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    CHECK(::sigismember(&blocked, SIGPIPE) == 0);
    std::uint64_t offset = 0;
    CHECK(pair.socket->send_file(-1, offset, 7).error == EBADF);
}

TEST_CASE("a connection is accepted with its peer's address, and otherwise the reason is told") {
    Reactor reactor;
    const auto listeners = harness::listen_at("127.0.0.1:0", 16);
    const sake::detail::Listener& listener = listeners.front();
    Watch watch(reactor, listener.socket.get());
    CHECK(accept_one(watch).kind == Accepted::Kind::drained);
    CHECK_FALSE(watch.is_readable());

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(listener.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(harness::eventually([&] { return sake::detail::sys::is_ready(watch.fd(), POLLIN); }));
    watch.became_ready(sake::detail::readable);
    const auto with_error = [&](int error) {
        const Faulty faulty(FaultPlan().fail_nth("accept4", 1, error));
        return accept_one(watch);
    };
    for (const int error : {ECONNABORTED, EPROTO, ENETDOWN}) {
        const Accepted lost = with_error(error);
        CHECK(lost.kind == Accepted::Kind::lost);
        CHECK(lost.error == error);
    }
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        const Accepted failed = with_error(error);
        CHECK(failed.kind == Accepted::Kind::no_resources);
        CHECK(failed.error == error);
    }
    CHECK(watch.is_readable());
    const Accepted accepted = accept_one(watch);
    CHECK(accepted.kind == Accepted::Kind::accepted);
    CHECK(accepted.peer.to_string() == "127.0.0.1");
    CHECK((::fcntl(accepted.socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK(accept_one(watch).kind == Accepted::Kind::drained);
}

}  // namespace test_socket
