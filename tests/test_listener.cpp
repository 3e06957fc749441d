// Listeners: what listen_at takes, what it refuses and how, and what becomes of the files of Unix sockets.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/faults.hpp"
#include "support/listeners.hpp"
#include "support/machinery.hpp"
#include "support/reliability.hpp"

namespace test_listener {

using namespace std::string_literals;

using harness::listen_at;
using harness::listen_on_all;
using sake::detail::bound_port;
using sake::detail::FileDescriptor;
using sake::detail::Listener;
using sake::detail::PeerAddress;
using sake::detail::SocketAddress;
using sake::detail::split_address;
namespace sys = sake::detail::sys;

namespace {

using Listeners = std::vector<Listener>;

/// The listener of an address that needs one socket.
Listener listen_once(const std::string& address) {
    Listeners listeners = listen_at(address, 16);
    REQUIRE(listeners.size() == 1);
    return std::move(listeners.front());
}

/// A directory of its own for socket files, gone at the end.
class TemporaryDirectory {
  public:
    TemporaryDirectory() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        ::unlink(file("socket").c_str());
        ::unlink(file("link").c_str());
        ::rmdir(path_.c_str());
    }
    [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

  private:
    std::string path_ = "/tmp/sake-test-XXXXXX";
};

bool exists(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
}

/// Connects to 127.0.0.1; the errno, or 0.
int connect_v4(std::uint16_t port) {
    const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                                     : errno;
}

/// Connects to ::1; the errno, or 0.
int connect_v6(std::uint16_t port) {
    const FileDescriptor socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return errno;
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(port);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                                     : errno;
}

int connect_unix(const std::string& path) {
    const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                                     : errno;
}

bool has_ipv6() {
    const FileDescriptor socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    const bool has =
        socket && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!has) MESSAGE("skipped: this machine has no IPv6");
    return has;
}

/// Whether a connection waits there. One may do so a moment later than `connect` returns.
bool has_client(const Listener& listener) { return sys::is_ready(listener.socket.get(), POLLIN); }

/// The peer that the next accepted connection names.
std::string accept_name(const Listener& listener) {
    REQUIRE(harness::eventually([&] { return has_client(listener); }));
    sockaddr_storage peer{};
    socklen_t size = 0;
    const auto accepted = sys::accept(listener.socket.get(), peer, size);
    REQUIRE(accepted.ok());
    const FileDescriptor socket(static_cast<int>(accepted.value));
    CHECK((::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    return PeerAddress(peer).to_string();
}

/// The peers of the connections that wait at any of them, each with a space behind it.
std::string accept_names(const Listeners& listeners) {
    REQUIRE(harness::eventually([&] { return std::any_of(listeners.begin(), listeners.end(), has_client); }));
    std::string names;
    for (const Listener& each : listeners) {
        if (has_client(each)) names += accept_name(each) + " ";
    }
    return names;
}

SocketAddress v4_address(in_addr_t host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}
SocketAddress loopback_v4(std::uint16_t port) { return v4_address(INADDR_LOOPBACK, port); }
SocketAddress loopback_v4_other(std::uint16_t port) { return v4_address(INADDR_LOOPBACK + 1, port); }
SocketAddress loopback_v6(std::uint16_t port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(port);
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

/// The error of listening there; what() is in `text`.
std::error_code listen_error(const std::string& address, std::string& text) {
    try {
        const Listeners listeners = listen_at(address, 16);
    } catch (const std::system_error& error) {
        text = error.what();
        return error.code();
    }
    return {};
}

}  // namespace

TEST_CASE("what is no address is refused and named") {
    for (const char* text :
         {"",           "8080", "localhost", ":",      "localhost:", ":http",
          ":-1",        ":+80", ": 80",      ":80 ",   ":65536",     ":99999999999999999999",
          "::1:80",     "::1",  "[::1]",     "[::1]:", "[::1",       "[]:80",
          "host:80:90", ":0x50"}) {
        CAPTURE(text);
        CHECK_FALSE(static_cast<bool>(split_address(text)));
        std::string what;
        CHECK(listen_error(text, what) == std::errc::invalid_argument);
        CHECK(what.find("\"" + std::string(text) + "\"") != std::string::npos);
    }
}

TEST_CASE("listening on port 0 gives a port that is open, and says which") {
    const Listener listener = listen_once("127.0.0.1:0");
    CHECK(listener.port != 0);
    CHECK(listener.url == "http://127.0.0.1:" + std::to_string(listener.port) + "/");
    CHECK(listener.file.path().empty());
    CHECK(connect_v4(listener.port) == 0);
    CHECK(accept_name(listener) == "127.0.0.1");
}

TEST_CASE("a listening socket does not block and is not inherited by programs") {
    const Listener listener = listen_once("127.0.0.1:0");
    CHECK((::fcntl(listener.socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(listener.socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    sockaddr_storage peer{};
    socklen_t size = 0;
    CHECK(sys::accept(listener.socket.get(), peer, size).would_block());
}

TEST_CASE("a host may be a name, which is listened on at every address that it has") {
    const Listeners listeners = listen_at("localhost:0", 16);
    const Listener& first = listeners.front();
    CHECK(first.url == "http://localhost:" + std::to_string(first.port) + "/");
    const auto found = [](int family) {
        addrinfo hints{};
        hints.ai_family = family;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        const bool has = ::getaddrinfo("localhost", nullptr, &hints, &list) == 0;
        if (has) ::freeaddrinfo(list);
        return has;
    };
    if (found(AF_INET)) CHECK(connect_v4(first.port) == 0);
    if (found(AF_INET6) && has_ipv6()) CHECK(connect_v6(first.port) == 0);
}

TEST_CASE("all addresses of a name are listened on, on one port") {
    if (!has_ipv6()) return;
    for (const std::vector<SocketAddress>& addresses :
         {std::vector{loopback_v4(0), loopback_v6(0)}, std::vector{loopback_v6(0), loopback_v4(0)}}) {
        const auto sockets = listen_on_all(addresses, 16, "a name");
        CHECK(sockets.size() == 2);
        const std::uint16_t port = bound_port(sockets[0].socket.get());
        CHECK(bound_port(sockets[1].socket.get()) == port);
        CHECK(connect_v4(port) == 0);
        CHECK(connect_v6(port) == 0);
    }
}

TEST_CASE("a port that is taken at one address of a name is an error, whichever that is") {
    if (!has_ipv6()) return;
    for (const char* taken : {"127.0.0.1:0", "[::1]:0"}) {
        CAPTURE(taken);
        const Listener other = listen_once(taken);
        for (const bool v4_first : {true, false}) {
            std::vector<SocketAddress> addresses{loopback_v4(other.port), loopback_v6(other.port)};
            if (!v4_first) std::swap(addresses[0], addresses[1]);
            std::error_code error;
            try {
                static_cast<void>(listen_on_all(addresses, 16, "a name"));
            } catch (const std::system_error& thrown) {
                error = thrown.code();
                CHECK(std::string(thrown.what()).find("cannot listen on a name") == 0);
            }
            CHECK(error == std::errc::address_in_use);
            // Nothing is left of the address that was free.
            CHECK((connect_v4(other.port) == 0) == (taken[0] == '1'));
            CHECK((connect_v6(other.port) == 0) == (taken[0] == '['));
        }
    }
}

TEST_CASE("a port that the system chose for one address and that is taken at the next is not the last try") {
    if (!has_ipv6()) return;
    harness::faults::apply_to_this_thread();
    {
        const harness::ScopedFaults faults(harness::FaultPlan().fail_nth("bind", 2, EADDRINUSE));
        const auto sockets = listen_on_all({loopback_v4(0), loopback_v6(0)}, 16, "a name");
        CHECK(sockets.size() == 2);
        CHECK(bound_port(sockets[0].socket.get()) == bound_port(sockets[1].socket.get()));
        CHECK(faults.fired() == 1);
    }
    harness::faults::spare_this_thread();
}

TEST_CASE("an address of a name that the machine does not have is passed over, unless it is the only one") {
    harness::faults::apply_to_this_thread();
    for (const int error : {EAFNOSUPPORT, EADDRNOTAVAIL}) {
        for (const char* call : {"socket", "bind"}) {
            for (const std::uint64_t nth : {1U, 2U}) {
                CAPTURE(error);
                CAPTURE(call);
                const harness::ScopedFaults faults(harness::FaultPlan().fail_nth(call, nth, error));
                const auto sockets = listen_on_all({loopback_v4(0), loopback_v4_other(0)}, 16, "a name");
                CHECK(sockets.size() == 1);
                CHECK(bound_port(sockets[0].socket.get()) != 0);
            }
            const harness::ScopedFaults faults(harness::FaultPlan().fail_nth(call, 1, error));
            std::error_code thrown;
            try {
                static_cast<void>(listen_on_all({loopback_v4(0)}, 16, "a name"));
            } catch (const std::system_error& failure) {
                thrown = failure.code();
            }
            CHECK(thrown.value() == error);
        }
    }
    // Any other error is of the whole name.
    {
        const harness::ScopedFaults faults(harness::FaultPlan().fail_nth("listen", 2, EACCES));
        CHECK_THROWS_AS(static_cast<void>(listen_on_all({loopback_v4(0), loopback_v4_other(0)}, 16, "a")),
                        std::system_error);
    }
    harness::faults::spare_this_thread();
}

TEST_CASE("an address without a host, or with a star, listens on every interface, on IPv4 and IPv6") {
    for (const char* address : {":0", "*:0"}) {
        const Listeners listeners = listen_at(address, 16);
        const std::uint16_t port = listeners.front().port;
        CHECK(listeners.front().url == "http://localhost:" + std::to_string(port) + "/");
        CHECK(listeners.front().is_on_all_interfaces);
        CHECK(connect_v4(port) == 0);
        CHECK(accept_names(listeners) == "127.0.0.1 ");
        if (!has_ipv6()) return;
        CHECK(listeners.size() == 2);
        CHECK(listeners.back().url.empty());  // announced once
        CHECK(connect_v6(port) == 0);
        CHECK(accept_names(listeners) == "::1 ");
    }
}

TEST_CASE("a port that is taken on one version of IP is taken for an address without a host") {
    if (!has_ipv6()) return;
    for (const char* taken : {"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0", ":0"}) {
        CAPTURE(taken);
        const Listeners other = listen_at(taken, 16);
        std::string what;
        CHECK(listen_error(":" + std::to_string(other.front().port), what) == std::errc::address_in_use);
        CHECK(listen_error("*:" + std::to_string(other.front().port), what) == std::errc::address_in_use);
    }
}

TEST_CASE("an IPv4 address that is written as one of IPv6 is listened on as IPv4") {
    const Listener listener = listen_once("[::ffff:127.0.0.1]:0");
    CHECK(listener.url == "http://[::ffff:127.0.0.1]:" + std::to_string(listener.port) + "/");
    CHECK(connect_v4(listener.port) == 0);
    CHECK(accept_name(listener) == "127.0.0.1");
    const Listener every = listen_once("[::ffff:0.0.0.0]:0");
    CHECK(every.is_on_all_interfaces);
    CHECK(connect_v4(every.port) == 0);
}

TEST_CASE("an IPv6 address in brackets listens there, and on IPv6 alone") {
    if (!has_ipv6()) return;
    const Listener listener = listen_once("[::1]:0");
    CHECK(listener.url == "http://[::1]:" + std::to_string(listener.port) + "/");
    CHECK(connect_v6(listener.port) == 0);
    CHECK(accept_name(listener) == "::1");
    const Listener every = listen_once("[::]:0");
    CHECK(connect_v4(every.port) == ECONNREFUSED);
}

TEST_CASE("a port in use is an error that names the address, and the port of a gone listener is free again") {
    auto first = std::make_unique<Listener>(listen_once("127.0.0.1:0"));
    const std::string address = "127.0.0.1:" + std::to_string(first->port);
    std::string what;
    CHECK(listen_error(address, what) == std::errc::address_in_use);
    CHECK(what.starts_with("cannot listen on " + address + ": "));
    CHECK(listen_error(":" + std::to_string(first->port), what) == std::errc::address_in_use);
    CHECK(connect_v4(first->port) == 0);  // leaves a connection behind, in TIME_WAIT or so
    first.reset();
    CHECK_FALSE(listen_error(address, what));
}

TEST_CASE("a host that is not this machine's, or that nobody knows, is an error that names the address") {
    std::string what;
    CHECK(listen_error("192.0.2.1:0", what) == std::errc::address_not_available);  // TEST-NET-1
    CHECK(what.find("cannot listen on 192.0.2.1:0") == 0);
    // One cause, which is not the text of an errno.
    const std::error_code unknown = listen_error("no.such.host.invalid:0", what);
    CHECK(unknown == std::errc::address_not_available);
    CHECK(std::string_view(unknown.category().name()) == "sake.lookup");
    CHECK(unknown.message() == ::gai_strerror(unknown.value()));
    CHECK(what == "cannot listen on no.such.host.invalid:0: " + unknown.message());
}

TEST_CASE("an error of getaddrinfo keeps its own code and words, or is the errno that it names") {
    using sake::detail::lookup_error;
    errno = EMFILE;
    CHECK_FALSE(lookup_error(0));
    for (const int code : {EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_MEMORY}) {
        const std::error_code error = lookup_error(code);
        CHECK(error.value() == code);
        CHECK(error.category() == lookup_error(EAI_NONAME).category());
        CHECK(error.category() != std::system_category());
        CHECK(error.category() != std::generic_category());
        CHECK(error.message() == ::gai_strerror(code));
        CHECK(error == std::errc::address_not_available);
    }
    errno = EMFILE;
    const std::error_code of_system = lookup_error(EAI_SYSTEM);
    CHECK(of_system.category() == std::system_category());
    CHECK(of_system == std::errc::too_many_files_open);
    errno = 0;
    CHECK(lookup_error(EAI_SYSTEM).value() == EAI_SYSTEM);  // it says so, and nothing says which
    CHECK(lookup_error(EAI_SYSTEM));
}

TEST_CASE("a Unix socket is listened on, names itself, and its file goes with it") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    {
        const Listener listener = listen_once("unix:" + path);
        CHECK(listener.url == "unix:" + path);
        CHECK(listener.port == 0);
        CHECK(exists(path));
        CHECK(connect_unix(path) == 0);
        CHECK(accept_name(listener) == "unix");
    }
    CHECK_FALSE(exists(path));
}

TEST_CASE("a moved listener keeps its file until the end of the last owner") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    std::vector<Listener> listeners;
    {
        Listener first = listen_once("unix:" + path);
        listeners.push_back(std::move(first));
    }
    CHECK(exists(path));
    listeners.push_back(listen_once("127.0.0.1:0"));  // moves the first one again
    CHECK(connect_unix(path) == 0);
    listeners[0] = Listener();
    CHECK_FALSE(exists(path));
}

TEST_CASE("a socket file that a dead server has left is replaced; one that is alive is not") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    {
        Listener dead = listen_once("unix:" + path);
        dead.file.forget();  // as a killed process leaves it
    }
    REQUIRE(exists(path));
    REQUIRE(connect_unix(path) == ECONNREFUSED);
    const Listener alive = listen_once("unix:" + path);
    CHECK(connect_unix(path) == 0);
    std::string what;
    CHECK(listen_error("unix:" + path, what) == std::errc::address_in_use);
    CHECK(what.find("cannot listen on unix:" + path) == 0);
    CHECK(connect_unix(path) == 0);
}

TEST_CASE("a file that is no socket is never removed, nor is what a link leads to") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    std::ofstream(path) << "precious";
    std::string what;
    CHECK(listen_error("unix:" + path, what) == std::errc::address_in_use);
    CHECK(exists(path));
    const std::string link = directory.file("link");
    REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
    CHECK(listen_error("unix:" + link, what) == std::errc::address_in_use);
    CHECK(exists(link));
    std::string content;
    std::ifstream(path) >> content;
    CHECK(content == "precious");
}

TEST_CASE("a path that is empty, too long or nowhere is an error that names it") {
    std::string what;
    CHECK(listen_error("unix:", what) == std::errc::invalid_argument);
    const std::size_t room = sizeof sockaddr_un{}.sun_path;
    CHECK(listen_error("unix:/" + std::string(room - 1, 'x'), what) == std::errc::filename_too_long);
    CHECK(what.find("cannot listen on unix:/xxx") == 0);
    CHECK(listen_error("unix:/no/such/directory/socket", what) == std::errc::no_such_file_or_directory);
}

TEST_CASE("the file of a Unix socket is removed only as long as it is the same") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    SUBCASE("another server has taken its place") {
        auto first = std::make_unique<Listener>(listen_once("unix:" + path));
        REQUIRE(::unlink(path.c_str()) == 0);
        const Listener second = listen_once("unix:" + path);
        first.reset();
        CHECK(connect_unix(path) == 0);
        CHECK(accept_name(second) == "unix");
    }
    SUBCASE("the first server stops by being assigned to") {
        Listener first = listen_once("unix:" + path);
        REQUIRE(::unlink(path.c_str()) == 0);
        Listener second = listen_once("unix:" + path);
        first = listen_once("127.0.0.1:0");
        CHECK(connect_unix(path) == 0);
        first = std::move(second);
        CHECK(connect_unix(path) == 0);
    }
    SUBCASE("a file that is no socket has taken its place") {
        {
            const Listener listener = listen_once("unix:" + path);
            REQUIRE(::unlink(path.c_str()) == 0);
            std::ofstream(path) << "precious";
        }
        CHECK(exists(path));
    }
    SUBCASE("it was renamed, and a link leads to it") {
        const std::string moved = directory.file("moved");
        {
            const Listener listener = listen_once("unix:" + path);
            REQUIRE(::rename(path.c_str(), moved.c_str()) == 0);
            REQUIRE(::symlink(moved.c_str(), path.c_str()) == 0);
        }
        CHECK(exists(path));
        CHECK(exists(moved));
        ::unlink(moved.c_str());
    }
    SUBCASE("it is gone already") {
        const Listener listener = listen_once("unix:" + path);
        REQUIRE(::unlink(path.c_str()) == 0);
    }
}

TEST_CASE("the file of a Unix socket is found again after the program has changed its directory") {
    const TemporaryDirectory directory;
    const FileDescriptor before(::open(".", O_RDONLY | O_CLOEXEC));
    REQUIRE(::chdir(directory.file(".").c_str()) == 0);
    {
        const Listener listener = listen_once("unix:socket");
        CHECK(exists(directory.file("socket")));
        REQUIRE(::fchdir(before.get()) == 0);
    }
    CHECK_FALSE(exists(directory.file("socket")));
}

TEST_CASE("a forked child leaves the file of a Unix socket to its parent") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    auto listener = std::make_unique<Listener>(listen_once("unix:" + path));
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        listener.reset();
        ::_exit(0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(connect_unix(path) == 0);
    listener.reset();
    CHECK_FALSE(exists(path));
}

TEST_CASE("the file of a Unix socket has the mode that was asked for, whatever the umask") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
        const mode_t before = ::umask(mask);
        for (const int mode : {0666, 0660, 0600, 0777, 0}) {
            CAPTURE(mask);
            CAPTURE(mode);
            const Listeners listeners = listen_at("unix:" + path, 16, mode);
            struct stat status{};
            CHECK(::lstat(path.c_str(), &status) == 0);
            CHECK((status.st_mode & 07777) == static_cast<mode_t>(mode));
        }
        const Listener by_default = listen_once("unix:" + path);
        struct stat status{};
        CHECK(::lstat(path.c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0666);
        ::umask(before);
    }
}

TEST_CASE("where listening fails after the bind, the file of the Unix socket is removed") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    harness::faults::apply_to_this_thread();
    {
        const harness::ScopedFaults faults(harness::FaultPlan().fail_nth("listen", 1, ENOBUFS));
        CHECK_THROWS_AS(static_cast<void>(listen_at("unix:" + path, 16)), std::system_error);
    }
    harness::faults::spare_this_thread();
    CHECK_FALSE(exists(path));
}

TEST_CASE("an address with a zero byte is refused, which the system would cut there") {
    using namespace std::string_literals;
    const TemporaryDirectory directory;
    std::string what;
    CHECK(listen_error("127.0.0.1\0.example.com:0"s, what) == std::errc::invalid_argument);
    CHECK(listen_error("unix:" + directory.file("socket") + "\0.sock"s, what) == std::errc::invalid_argument);
    CHECK(listen_error("unix:\0abstract"s, what) == std::errc::invalid_argument);
    CHECK_FALSE(exists(directory.file("socket")));
}

TEST_CASE("a NUL ends no name early: hosts and paths with one are refused") {
    using namespace std::string_view_literals;
    const TemporaryDirectory directory;
    for (const std::string_view host :
         {"127.0.0.1\0.example:0"sv, "\0:0"sv, "[::1\0]:0"sv, "localhost:0\0"sv}) {
        std::string what;
        CHECK(listen_error(std::string(host), what) == std::errc::invalid_argument);
        CHECK(what.find("\\x00") != std::string::npos);
    }
    for (const std::string& path : {directory.file("socket") + "\0.txt"s, "\0abstract"s, "\0"s}) {
        std::string what;
        CHECK(listen_error("unix:" + path, what) == std::errc::invalid_argument);
        CHECK(what.find("\\x00") != std::string::npos);
    }
    CHECK_FALSE(exists(directory.file("socket")));
}

TEST_CASE("a Unix path is one by its own type: a host that is called unix is a host") {
    using sake::detail::split_unix_path;
    CHECK(split_unix_path("unix:/path")->path == "/path");
    CHECK(split_unix_path("unix:a.socket")->path == "a.socket");
    CHECK(split_unix_path("unix:./80")->path == "./80");
    CHECK(split_unix_path("unix:")->path.empty());
    for (const char* text :
         {"unix:0", "unix:80", "unix:65535", "unix", "localhost:80", "UNIX:/path", "[unix]:80"}) {
        CAPTURE(text);
        CHECK_FALSE(static_cast<bool>(split_unix_path(text)));
    }
    CHECK(split_address("unix:80")->host == "unix");
    // No such file comes to be.
    std::string what;
    CHECK(listen_error("unix:65535", what) != std::errc{});
    CHECK_FALSE(exists("65535"));
}

}  // namespace test_listener
