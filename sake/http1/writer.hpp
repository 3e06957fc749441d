// The heads of requests and responses: fields in, bytes appended to a buffer, nothing allocated on the way.
// Not here: bodies and chunks (chunked.hpp), and when to send what (the client and the server).
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sake/base/byte_buffer.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace http1 {

/// What the head says of the connection; `none` leaves it to the version's default.
enum class ConnectionLine : std::uint8_t { none, close, keep_alive, upgrade_to_websocket };

/// How the head says where the body ends. `none` is for answers without a body, and for bodies that end with
/// the connection.
enum class BodyLine : std::uint8_t { none, length, chunked };

/// What a request head holds besides the fields of the application. All of it is checked by whoever sets it.
struct RequestTerms {
    std::string_view method;
    std::string_view target;
    std::string_view host;
    std::string_view user_agent = {};  // no line when empty
    BodyLine body = BodyLine::none;
    std::uint64_t content_length = 0;                  // for BodyLine::length
    ConnectionLine connection = ConnectionLine::none;  // or upgrade_to_websocket: the others have no line
};

/// What a response head holds besides the fields of the application.
struct ResponseHead {
    int status = 200;                    // 100 to 999; anything else goes out as 500
    std::string_view content_type = {};  // checked by whoever sets it; no line when empty
    BodyLine body = BodyLine::length;    // never written for 1xx and 204 (RFC 9110 section 8.6)
    std::uint64_t content_length = 0;    // for BodyLine::length
    std::string_view date_line = {};     // "Date: ...\r\n", made once a second; no line when empty
    ConnectionLine connection = ConnectionLine::none;
};

/// The status line of an everyday status, or nothing.
constexpr std::string_view common_status_line(int status) noexcept {
    switch (status) {
        case 200:
            return "HTTP/1.1 200 OK\r\n";
        case 201:
            return "HTTP/1.1 201 Created\r\n";
        case 204:
            return "HTTP/1.1 204 No Content\r\n";
        case 206:
            return "HTTP/1.1 206 Partial Content\r\n";
        case 301:
            return "HTTP/1.1 301 Moved Permanently\r\n";
        case 302:
            return "HTTP/1.1 302 Found\r\n";
        case 304:
            return "HTTP/1.1 304 Not Modified\r\n";
        case 400:
            return "HTTP/1.1 400 Bad Request\r\n";
        case 404:
            return "HTTP/1.1 404 Not Found\r\n";
        case 500:
            return "HTTP/1.1 500 Internal Server Error\r\n";
        case 503:
            return "HTTP/1.1 503 Service Unavailable\r\n";
        default:
            return {};
    }
}

/// Text behind text, in room that was made before: a dozen checked appends cost more than all else in a head.
class Cursor {
  public:
    explicit Cursor(char* place) noexcept : place_(place) {}

    Cursor& put(std::string_view text) noexcept {
        std::memcpy(place_, text.data(), text.size());
        place_ += text.size();
        return *this;
    }
    Cursor& put_number(std::uint64_t number) noexcept {
        place_ = std::to_chars(place_, place_ + most_digits, number).ptr;
        return *this;
    }
    [[nodiscard]] char* place() const noexcept { return place_; }

    static constexpr std::size_t most_digits = 20;

  private:
    char* place_;
};

inline void put_status_line(Cursor& to, int status) noexcept {
    const std::string_view common = common_status_line(status);
    if (!common.empty()) {
        to.put(common);
    } else {
        to.put("HTTP/1.1 ").put_number(static_cast<std::uint64_t>(status)).put(" ");
        to.put(http::reason_phrase(status)).put("\r\n");
    }
}

inline void put_body_line(Cursor& to, BodyLine body, std::uint64_t length) noexcept {
    if (body == BodyLine::chunked) to.put("Transfer-Encoding: chunked\r\n");
    if (body == BodyLine::length) to.put("Content-Length: ").put_number(length).put("\r\n");
}

inline constexpr std::string_view upgrade_to_websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/// Room enough for a status line with the longest of our reasons, and for every line that we make.
inline constexpr std::size_t most_of_our_own = 256;

/// Begins a head at the end of `out`, with room for `texts` bytes of the caller's besides our own.
inline Cursor begin_head(ByteBuffer& out, std::size_t texts) {
    return Cursor(out.make_room(most_of_our_own + texts));
}

/// Ends it with the fields, which were counted among the texts, and the empty line.
inline void end_head(ByteBuffer& out, Cursor& to, std::string_view fields) {
    out.end_at(to.put(fields).put("\r\n").place());
}

/// Appends request line, fields and the final empty line. A User-Agent among `fields` takes the place of the
/// one in `head`; Host, and fields for which is_framing_field is true, must not be among them.
inline void append_request_head(ByteBuffer& out, const RequestTerms& head, const http::Headers& fields) {
    const std::string_view wire = fields.wire();
    Cursor to = begin_head(out, head.method.size() + head.target.size() + head.host.size() +
                                    head.user_agent.size() + wire.size());
    to.put(head.method).put(" ").put(head.target).put(" HTTP/1.1\r\nHost: ").put(head.host).put("\r\n");
    if (!head.user_agent.empty() && !fields.contains("User-Agent")) {
        to.put("User-Agent: ").put(head.user_agent).put("\r\n");
    }
    put_body_line(to, head.body, head.content_length);
    if (head.connection == ConnectionLine::upgrade_to_websocket) to.put(upgrade_to_websocket);
    end_head(out, to, wire);
}

/// Appends status line, fields and the final empty line. A Date or Content-Type among `fields` takes the
/// place of the one in `head`; fields for which is_framing_field is true must not be among them.
inline void append_response_head(ByteBuffer& out, const ResponseHead& head, const http::Headers& fields) {
    const std::string_view wire = fields.wire();
    Cursor to = begin_head(out, head.date_line.size() + head.content_type.size() + wire.size());
    const bool known = head.status >= 100 && head.status <= 999;
    put_status_line(to, known ? head.status : 500);
    if (!head.date_line.empty() && !fields.contains("Date")) to.put(head.date_line);
    if (!head.content_type.empty() && !fields.contains("Content-Type")) {
        to.put("Content-Type: ").put(head.content_type).put("\r\n");
    }
    if (!is_informational(head.status) && head.status != 204) {
        put_body_line(to, head.body, head.content_length);
    }
    if (head.connection == ConnectionLine::close) to.put("Connection: close\r\n");
    if (head.connection == ConnectionLine::keep_alive) to.put("Connection: keep-alive\r\n");
    if (head.connection == ConnectionLine::upgrade_to_websocket) to.put(upgrade_to_websocket);
    end_head(out, to, wire);
}

/// The answer to "Expect: 100-continue" when the body is wanted (RFC 9110 section 15.2.1).
inline constexpr std::string_view continue_response = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace http1
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
