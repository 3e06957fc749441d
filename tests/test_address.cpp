// Addresses: what listen_at takes, what it refuses and how, and the names of peers.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

namespace test_address {

using namespace std::string_literals;

using sake::detail::FileDescriptor;
using sake::detail::listen_at;
using sake::detail::Listener;
using sake::detail::PeerAddress;
using sake::detail::split_address;
namespace sys = sake::detail::sys;

namespace {

template <class Address>
PeerAddress peer_from(const Address& address) {
    sockaddr_storage storage{};
    std::memcpy(&storage, &address, sizeof address);
    return PeerAddress(storage);
}

PeerAddress peer_v4(const char* text) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(80);
    REQUIRE(::inet_pton(AF_INET, text, &address.sin_addr) == 1);
    return peer_from(address);
}

PeerAddress peer_v6(const char* text) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(80);
    REQUIRE(::inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
    return peer_from(address);
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

/// The peer that the next accepted connection names.
std::string accept_name(const Listener& listener) {
    sockaddr_storage peer{};
    socklen_t size = 0;
    const auto accepted = sys::accept(listener.socket.get(), peer, size);
    REQUIRE(accepted.ok());
    const FileDescriptor socket(static_cast<int>(accepted.value));
    CHECK((::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    return PeerAddress(peer).to_string();
}

/// The error of listening there; what() is in `text`.
std::error_code listen_error(const std::string& address, std::string& text) {
    try {
        const Listener listener = listen_at(address, 16);
    } catch (const std::system_error& error) {
        text = error.what();
        return error.code();
    }
    return {};
}

}  // namespace

TEST_CASE("a peer is named by its address in the usual form, without the port") {
    CHECK(peer_v4("127.0.0.1").to_string() == "127.0.0.1");
    CHECK(peer_v4("255.0.10.1").to_string() == "255.0.10.1");
    CHECK(peer_v6("::1").to_string() == "::1");
    CHECK(peer_v6("2001:db8:0:0:0:0:0:1").to_string() == "2001:db8::1");
    CHECK(PeerAddress().to_string() == "unix");
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    CHECK(peer_from(local).to_string() == "unix");
    static_assert(sizeof(PeerAddress) <= 20);
}

TEST_CASE("an IPv4 client of a socket for both versions is named as IPv4") {
    CHECK(peer_v6("::ffff:192.0.2.7").to_string() == "192.0.2.7");
    CHECK(peer_v6("::192.0.2.7").to_string() == "::192.0.2.7");  // not a mapped address
}

TEST_CASE("host and port are taken apart at the last colon, brackets hold IPv6") {
    struct Row {
        std::string_view text;
        std::string_view host;
        std::string_view port;
        bool in_brackets;
    };
    for (const Row& row :
         {Row{":8080", "", "8080", false}, Row{"127.0.0.1:0", "127.0.0.1", "0", false},
          Row{"localhost:65535", "localhost", "65535", false}, Row{"[::1]:80", "::1", "80", true},
          Row{"[fe80::1%eth0]:80", "fe80::1%eth0", "80", true}, Row{"a.b-c:1", "a.b-c", "1", false}}) {
        CAPTURE(row.text);
        const auto parts = split_address(row.text);
        REQUIRE(parts.has_value());
        CHECK(parts->host == row.host);
        CHECK(parts->port == row.port);
        CHECK(parts->in_brackets == row.in_brackets);
    }
}

TEST_CASE("what is no address is refused and named") {
    for (const char* text :
         {"",           "8080", "localhost", ":",      "localhost:", ":http",
          ":-1",        ":+80", ": 80",      ":80 ",   ":65536",     ":99999999999999999999",
          "::1:80",     "::1",  "[::1]",     "[::1]:", "[::1",       "[]:80",
          "host:80:90", ":0x50"}) {
        CAPTURE(text);
        CHECK_FALSE(split_address(text).has_value());
        std::string what;
        CHECK(listen_error(text, what) == std::errc::invalid_argument);
        CHECK(what.find("\"" + std::string(text) + "\"") != std::string::npos);
    }
}

TEST_CASE("listening on port 0 gives a port that is open, and says which") {
    const Listener listener = listen_at("127.0.0.1:0", 16);
    CHECK(listener.port != 0);
    CHECK(listener.url == "http://127.0.0.1:" + std::to_string(listener.port) + "/");
    CHECK(listener.unix_path.empty());
    CHECK(connect_v4(listener.port) == 0);
    CHECK(accept_name(listener) == "127.0.0.1");
}

TEST_CASE("a listening socket does not block and is not inherited by programs") {
    const Listener listener = listen_at("127.0.0.1:0", 16);
    CHECK((::fcntl(listener.socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(listener.socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    sockaddr_storage peer{};
    socklen_t size = 0;
    CHECK(sys::accept(listener.socket.get(), peer, size).would_block());
}

TEST_CASE("a host may be a name") {
    const Listener listener = listen_at("localhost:0", 16);
    CHECK(listener.url == "http://localhost:" + std::to_string(listener.port) + "/");
    const int v4 = connect_v4(listener.port);
    CHECK((v4 == 0 || connect_v6(listener.port) == 0));
}

TEST_CASE("an address without a host listens on every interface, on IPv4 and, where there is any, IPv6") {
    const Listener listener = listen_at(":0", 16);
    CHECK(listener.url == "http://localhost:" + std::to_string(listener.port) + "/");
    CHECK(connect_v4(listener.port) == 0);
    CHECK(accept_name(listener) == "127.0.0.1");
    if (!has_ipv6()) return;
    CHECK(connect_v6(listener.port) == 0);
    CHECK(accept_name(listener) == "::1");
}

TEST_CASE("an IPv6 address in brackets listens there, and on IPv6 alone") {
    if (!has_ipv6()) return;
    const Listener listener = listen_at("[::1]:0", 16);
    CHECK(listener.url == "http://[::1]:" + std::to_string(listener.port) + "/");
    CHECK(connect_v6(listener.port) == 0);
    CHECK(accept_name(listener) == "::1");
    const Listener every = listen_at("[::]:0", 16);
    CHECK(connect_v4(every.port) == ECONNREFUSED);
}

TEST_CASE("a port in use is an error that names the address, and the port of a gone listener is free again") {
    auto first = std::make_unique<Listener>(listen_at("127.0.0.1:0", 16));
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
    CHECK(listen_error("no.such.host.invalid:0", what) == std::errc::address_not_available);
    CHECK(what.find("cannot listen on no.such.host.invalid:0: ") == 0);
}

TEST_CASE("a Unix socket is listened on, names itself, and its file goes with it") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    {
        const Listener listener = listen_at("unix:" + path, 16);
        CHECK(listener.url == "unix:" + path);
        CHECK(listener.port == 0);
        CHECK(exists(path));
        CHECK(connect_unix(path) == 0);
        CHECK(accept_name(listener) == "unix");
    }
    CHECK_FALSE(exists(path));
}

TEST_CASE("an address with a NUL byte in it is refused, and nothing is bound") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    std::string what;
    CHECK(listen_error("unix:" + path + std::string("\0.other", 7), what) == std::errc::invalid_argument);
    CHECK(what == "cannot listen on unix:" + path + "\\0: a name with a NUL byte in it: Invalid argument");
    CHECK_FALSE(exists(path));
    CHECK(listen_error(std::string("127.0.0.1\0.example:0", 20), what) == std::errc::invalid_argument);
    CHECK(what.find("a name with a NUL byte in it") != std::string::npos);
}

TEST_CASE("a moved listener keeps its file until the end of the last owner") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    std::vector<Listener> listeners;
    {
        Listener first = listen_at("unix:" + path, 16);
        listeners.push_back(std::move(first));
    }
    CHECK(exists(path));
    listeners.push_back(listen_at("127.0.0.1:0", 16));  // moves the first one again
    CHECK(connect_unix(path) == 0);
    listeners[0] = Listener();
    CHECK_FALSE(exists(path));
}

TEST_CASE("a socket file that a dead server has left is replaced; one that is alive is not") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("socket");
    {
        Listener dead = listen_at("unix:" + path, 16);
        dead.unix_path.clear();  // as a killed process leaves it
    }
    REQUIRE(exists(path));
    REQUIRE(connect_unix(path) == ECONNREFUSED);
    const Listener alive = listen_at("unix:" + path, 16);
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
        CHECK_FALSE(split_unix_path(text).has_value());
    }
    CHECK(split_address("unix:80")->host == "unix");
    // No such file comes to be.
    std::string what;
    CHECK(listen_error("unix:65535", what) != std::errc{});
    CHECK_FALSE(exists("65535"));
}

}  // namespace test_address
