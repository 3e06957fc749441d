// The raw client: a non-blocking socket and poll, so that each wait can end at its deadline.
#include "raw_client.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace harness {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

[[noreturn]] void fail_with_errno(const char* what) {
    throw std::runtime_error(std::string("raw client: ") + what + ": " + std::strerror(errno));
}

/// Connects, blocking, which over loopback ends at once or waits for the backlog.
int connected(int family, const sockaddr* address, socklen_t length, int receive_buffer = 0) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail_with_errno("socket");
    if (receive_buffer > 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    int result = -1;
    do {
        result = ::connect(fd, address, length);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return fd;
    const int error = errno;
    ::close(fd);
    errno = error;
    fail_with_errno("connect");
}

int connected_to_loopback(int port, int receive_buffer = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connected(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address, receive_buffer);
}

/// Digits only, of this base, the whole text; -1 otherwise.
long long number(std::string_view text, int base) {
    unsigned long long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && value <= 0x7FFFFFFFFFFFFFFF ? static_cast<long long>(value) : -1;
}

}  // namespace

std::string Response::header(std::string_view name) const {
    for (const auto& [field, value] : headers) {
        if (equal_ignoring_case(field, name)) return value;
    }
    return {};
}

std::size_t Response::header_count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(), [&](const auto& field) {
        return equal_ignoring_case(field.first, name);
    }));
}

// ---- connecting and ending

RawClient::RawClient(Adopted adopted) : fd_(adopted.fd) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which need none
}

RawClient::RawClient(int port) : RawClient(Adopted{connected_to_loopback(port)}) {}

RawClient RawClient::with_receive_buffer(int port, int bytes) {
    return RawClient(Adopted{connected_to_loopback(port, bytes)});
}

RawClient RawClient::to_ipv6(int port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    address.sin6_addr = in6addr_loopback;
    return RawClient(
        Adopted{connected(AF_INET6, reinterpret_cast<const sockaddr*>(&address), sizeof address)});
}

RawClient RawClient::to_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("raw client: the path is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    return RawClient(
        Adopted{connected(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address)});
}

RawClient::RawClient(RawClient&& other) noexcept { *this = std::move(other); }

RawClient& RawClient::operator=(RawClient&& other) noexcept {
    if (this == &other) return *this;
    close();
    fd_ = std::exchange(other.fd_, -1);
    deadline_ = other.deadline_;
    at_end_ = other.at_end_;
    was_reset_ = other.was_reset_;
    buffer_ = std::move(other.buffer_);
    history_ = std::move(other.history_);
    return *this;
}

RawClient& RawClient::set_deadline(milliseconds deadline) {
    deadline_ = deadline;
    return *this;
}

void RawClient::close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::reset() noexcept {
    const linger abort_now{1, 0};
    if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort_now, sizeof abort_now);
    close();
}

RawClient& RawClient::shutdown_write() {
    if (::shutdown(fd_, SHUT_WR) != 0) fail("shutdown failed");
    return *this;
}

void RawClient::fail(const std::string& what) const {
    throw std::runtime_error("raw client: " + what + "; received last: \"" + history_ + "\"");
}

// ---- sending

RawClient& RawClient::send(std::string_view bytes) {
    const auto until = deadline();
    while (!bytes.empty()) {
        const auto sent = try_send(bytes);
        bytes.remove_prefix(sent);
        if (sent > 0) continue;
        if (was_reset_) fail("the peer is gone, " + std::to_string(bytes.size()) + " bytes unsent");
        if (!wait_for(POLLOUT, until)) fail("deadline while sending");
    }
    return *this;
}

std::size_t RawClient::try_send(std::string_view bytes) {
    std::size_t total = 0;
    while (total < bytes.size()) {
        const auto sent =
            ::send(fd_, bytes.data() + total, bytes.size() - total, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            total += static_cast<std::size_t>(sent);
        } else if (errno != EINTR) {
            was_reset_ = was_reset_ || (errno != EAGAIN && errno != EWOULDBLOCK);
            break;
        }
    }
    return total;
}

RawClient& RawClient::send_split(std::string_view bytes, std::size_t pieces) {
    std::vector<std::size_t> positions;
    for (std::size_t i = 1; i < pieces; ++i) positions.push_back(bytes.size() * i / pieces);
    return send_cut_at(bytes, positions);
}

RawClient& RawClient::send_cut_at(std::string_view bytes, const std::vector<std::size_t>& positions) {
    std::size_t begin = 0;
    for (const std::size_t position : positions) {
        send(bytes.substr(begin, position - begin));
        begin = position;
        std::this_thread::yield();  // gives the server the chance to see this piece alone
    }
    return send(bytes.substr(begin));
}

// ---- receiving

bool RawClient::wait_for(short events, Clock::time_point until) const {
    while (true) {
        const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
        pollfd entry{fd_, events, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::max<long long>(left.count(), 0)));
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) fail("poll failed");
    }
}

/// Receives once. False at the deadline; true after bytes, the end (at_end_) or a reset (was_reset_ too).
bool RawClient::fill(Clock::time_point until) {
    if (at_end_) return true;
    if (fd_ < 0) fail("this client is closed");
    char block[16384];
    while (wait_for(POLLIN, until)) {
        const auto got = ::recv(fd_, block, sizeof block, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) {
            at_end_ = true;
            was_reset_ = was_reset_ || got < 0;
            return true;
        }
        buffer_.append(block, static_cast<std::size_t>(got));
        history_.append(block, static_cast<std::size_t>(got));
        if (history_.size() > 4096) history_.erase(0, history_.size() - 4096);
        return true;
    }
    return false;
}

std::string RawClient::take(std::size_t count) {
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, taken.size());
    return taken;
}

std::string RawClient::read_some(std::size_t most) {
    if (buffer_.empty() && !fill(deadline())) fail("deadline while reading");
    if (buffer_.empty() && was_reset_) fail("reset by the peer");
    return take(most);
}

std::string RawClient::read_exactly(std::size_t count) { return take_exactly(count, deadline()); }

std::string RawClient::take_exactly(std::size_t count, Clock::time_point until) {
    while (buffer_.size() < count) {
        if (!fill(until)) fail("deadline, " + std::to_string(count - buffer_.size()) + " bytes missing");
        if (at_end_ && buffer_.size() < count) {
            fail("closed, " + std::to_string(count - buffer_.size()) + " bytes missing");
        }
    }
    return take(count);
}

std::string RawClient::read_until_close() { return read_until_close(deadline_); }

std::string RawClient::read_until_close(milliseconds timeout) {
    const auto until = Clock::now() + timeout;
    while (!at_end_) {
        if (!fill(until)) fail("deadline while waiting for the end");
    }
    return take(buffer_.size());
}

bool RawClient::expect_closed() { return expect_closed(deadline_); }

bool RawClient::expect_closed(milliseconds timeout) {
    return buffer_.empty() && fill(Clock::now() + timeout) && at_end_ && buffer_.empty();
}

bool RawClient::expect_silence(milliseconds time) {
    return buffer_.empty() && !at_end_ && !fill(Clock::now() + time);
}

// ---- one answer

Response RawClient::read_any_response(bool is_head) { return take_response(is_head, deadline()); }

Response RawClient::read_response(bool is_head) {
    const auto until = deadline();
    while (true) {
        Response response = take_response(is_head, until);
        if (response.status >= 200 || response.status == 101) return response;
    }
}

/// A line without its CRLF. A bare CR or LF in what the server wrote is an error of the server.
std::string RawClient::take_line(Clock::time_point until) {
    std::size_t end = buffer_.find('\n');
    while (end == std::string::npos) {
        const std::size_t seen = buffer_.size();
        if (!fill(until)) fail("deadline in the middle of an answer");
        if (at_end_ && buffer_.size() == seen)
            fail(was_reset_ ? "reset by the peer" : "closed before an answer");
        end = buffer_.find('\n', seen);
    }
    std::string line = take(end + 1);
    if (line.find('\r') != line.size() - 2 || line.size() < 2) fail("bad line ending in the answer");
    line.resize(line.size() - 2);
    return line;
}

std::vector<std::pair<std::string, std::string>> RawClient::take_fields(Clock::time_point until) {
    std::vector<std::pair<std::string, std::string>> fields;
    while (true) {
        const std::string line = take_line(until);
        if (line.empty()) return fields;
        const std::size_t colon = line.find(':');
        if (colon == 0 || colon == std::string::npos || line.find_first_of(" \t") < colon) {
            fail("malformed field line in the answer: " + line);
        }
        const std::size_t begin = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
        const std::size_t end = begin == line.size() ? begin : line.find_last_not_of(" \t") + 1;
        fields.emplace_back(line.substr(0, colon), line.substr(begin, end - begin));
    }
}

void RawClient::take_chunks(Response& response, Clock::time_point until) {
    while (true) {
        const std::string line = take_line(until);
        const long long size = number(std::string_view(line).substr(0, line.find(';')), 16);
        if (size < 0) fail("malformed chunk size in the answer: " + line);
        if (size == 0) break;
        response.body += take_exactly(static_cast<std::size_t>(size), until);
        if (take_exactly(2, until) != "\r\n") fail("no CRLF after a chunk");
    }
    response.trailers = take_fields(until);
}

void RawClient::take_body(Response& response, Clock::time_point until) {
    const bool is_chunked = response.has_header("Transfer-Encoding");
    if (is_chunked && response.has_header("Content-Length")) fail("an answer with two framings");
    if (response.header_count("Content-Length") > 1) fail("an answer with two lengths");
    if (is_chunked) {
        if (response.header("Transfer-Encoding") != "chunked") fail("an unknown transfer coding");
        return take_chunks(response, until);
    }
    if (response.has_header("Content-Length")) {
        const long long length = number(response.header("Content-Length"), 10);
        if (length < 0) fail("malformed Content-Length in the answer");
        response.body = take_exactly(static_cast<std::size_t>(length), until);
        return;
    }
    while (!at_end_) {
        if (!fill(until)) fail("deadline in a body that ends with the connection");
    }
    if (was_reset_) fail("reset in a body that ends with the connection");
    response.body = take(buffer_.size());
}

Response RawClient::take_response(bool is_head, Clock::time_point until) {
    const std::string line = take_line(until);
    const bool has_shape =
        line.size() >= 13 && (line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 "));
    const long long status =
        has_shape && line[12] == ' ' ? number(std::string_view(line).substr(9, 3), 10) : -1;
    if (status < 100) fail("malformed status line: " + line);
    Response response;
    response.status = static_cast<int>(status);
    response.reason = line.substr(13);
    response.headers = take_fields(until);
    const bool has_body = !is_head && status >= 200 && status != 204 && status != 304;
    if (has_body) take_body(response, until);
    return response;
}

// ---- in one go

Response get(int port, std::string_view path) {
    return round_trip(port,
                      "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
}

Response round_trip(int port, std::string_view request) {
    RawClient client(port);
    client.send(request);
    return client.read_response(request.starts_with("HEAD "));
}

}  // namespace harness
