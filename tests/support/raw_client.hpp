// A scripted TCP client for tests: it sends exactly the bytes it is told to, in the pieces it is told to,
// resets when told to, and reads answers strictly. Every wait has a deadline, and every error carries what
// was received so far. It is no HTTP client: it never adds, retries or follows anything.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace harness {

/// One answer as it came over the wire.
struct Response {
    int status = 0;
    std::string reason;
    std::vector<std::pair<std::string, std::string>> headers;   // in order, names as sent
    std::vector<std::pair<std::string, std::string>> trailers;  // of a chunked body
    std::string body;                                           // without its framing

    /// The value of the first field of that name in any case; empty if there is none.
    [[nodiscard]] std::string header(std::string_view name) const;
    [[nodiscard]] bool has_header(std::string_view name) const { return header_count(name) > 0; }
    [[nodiscard]] std::size_t header_count(std::string_view name) const;
};

/// A connected socket. All failures, among them a passed deadline, throw std::runtime_error.
class RawClient {
  public:
    using milliseconds = std::chrono::milliseconds;

    /// Connects to 127.0.0.1.
    explicit RawClient(int port);
    /// As above with a small receive buffer, so that a server which writes much soon has to wait.
    [[nodiscard]] static RawClient with_receive_buffer(int port, int bytes);
    /// Connects to [::1].
    [[nodiscard]] static RawClient to_ipv6(int port);
    /// Connects to a Unix-domain socket.
    [[nodiscard]] static RawClient to_unix(const std::string& path);
    /// Takes over a connected socket, one end of a socketpair for instance.
    [[nodiscard]] static RawClient adopt(int fd) { return RawClient(Adopted{fd}); }

    RawClient(RawClient&& other) noexcept;
    RawClient& operator=(RawClient&& other) noexcept;
    ~RawClient() { close(); }

    /// How long each operation may take; 9 s by default.
    RawClient& set_deadline(milliseconds deadline);

    /// Sends all of it.
    RawClient& send(std::string_view bytes);
    /// Sends it in so many pieces of about equal length, each in a segment of its own.
    RawClient& send_split(std::string_view bytes, std::size_t pieces);
    /// Sends it cut at these positions (ascending), each part in a segment of its own.
    RawClient& send_cut_at(std::string_view bytes, const std::vector<std::size_t>& positions);
    /// Sends what the kernel takes without waiting and returns how much that was; 0 once the peer is gone.
    std::size_t try_send(std::string_view bytes);

    /// Ends the connection in order. Further calls do nothing.
    void close() noexcept;
    /// Ends it with RST (SO_LINGER 0).
    void reset() noexcept;
    /// Sends FIN and keeps reading.
    RawClient& shutdown_write();

    /// At most `most` bytes, as soon as there are any; empty at the end. A reset throws.
    std::string read_some(std::size_t most);
    /// Exactly so many bytes.
    std::string read_exactly(std::size_t count);
    /// Everything up to the end or a reset (see was_reset).
    std::string read_until_close();
    std::string read_until_close(milliseconds timeout);

    /// One final answer; interim ones (1xx, except 101) are skipped. What follows it stays for the next call.
    /// `is_head`: the request was HEAD, so no body follows. A malformed answer throws.
    Response read_response(bool is_head = false);
    /// One answer, interim or final.
    Response read_any_response(bool is_head = false);

    /// Whether the peer ends the connection (FIN or RST) in time without sending another byte.
    [[nodiscard]] bool expect_closed();
    [[nodiscard]] bool expect_closed(milliseconds timeout);
    /// Whether nothing at all, no byte and no end, arrives within this time.
    [[nodiscard]] bool expect_silence(milliseconds time);
    /// Whether the peer has reset the connection, as far as a read or send has noticed.
    [[nodiscard]] bool was_reset() const { return was_reset_; }

    [[nodiscard]] int fd() const { return fd_; }

  private:
    struct Adopted {
        int fd;
    };
    using Clock = std::chrono::steady_clock;

    explicit RawClient(Adopted adopted);
    [[noreturn]] void fail(const std::string& what) const;
    bool wait_for(short events, Clock::time_point until) const;
    bool fill(Clock::time_point until);
    std::string take(std::size_t count);
    std::string take_line(Clock::time_point until);
    std::string take_exactly(std::size_t count, Clock::time_point until);
    std::vector<std::pair<std::string, std::string>> take_fields(Clock::time_point until);
    void take_chunks(Response& response, Clock::time_point until);
    void take_body(Response& response, Clock::time_point until);
    Response take_response(bool is_head, Clock::time_point until);
    [[nodiscard]] Clock::time_point deadline() const { return Clock::now() + deadline_; }

    int fd_ = -1;
    milliseconds deadline_{9'000};  // less than Config::header_timeout, after which a server closes by itself
    bool at_end_ = false;
    bool was_reset_ = false;
    std::string buffer_;   // received, not yet taken
    std::string history_;  // the last 4 KiB received, for messages
};

/// GET with Host and `Connection: close` on a connection of its own.
[[nodiscard]] Response get(int port, std::string_view path);
/// Sends these bytes on a connection of their own and reads one answer.
[[nodiscard]] Response round_trip(int port, std::string_view request);

}  // namespace harness
