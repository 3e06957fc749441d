// What a request head means for the bytes after it: is there a body, how does it end, does the connection
// live on. The one place where that is decided. It follows RFC 9112 section 6.3, and whatever could be read
// in two ways is refused. Not here: the grammar of the head (head_parser.hpp) and the chunks themselves
// (chunked.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/base/maybe.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/uri_impl.hpp"
#include "sake/http1/request_parser.hpp"
#include "sake/http1/response_parser.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace http1 {

/// How to read on after a head. When `refuse_status` is set, answer with it and close.
struct Framing {
    enum class Body : std::uint8_t { none, length, chunked, to_the_end };  // the last in responses only

    Body body = Body::none;
    std::uint64_t length = 0;  // of the body, never 0 for Body::length
    bool keep_alive = false;   // the client lets the connection live on after the answer
    bool expect_continue =
        false;  // the client waits for 100 before it sends the body; only when there is one
    int refuse_status = 0;
    std::string_view reason;
};

/// Whether a Host is valid: at once for the one that was valid last, since clients ask for the same again and
/// again. It saves 6 % of the instructions of a small request (bench/instructions.py).
class HostCheck {
  public:
    [[nodiscard]] bool is_valid(std::string_view host) noexcept {
        if (size_ != 0 && host == std::string_view(last_valid_.data(), size_)) return true;
        if (!is_valid_host(host)) return false;
        if (host.size() <= last_valid_.size()) {
            size_ = host.copy(last_valid_.data(), host.size());
        }
        return true;
    }

  private:
    std::array<char, 56> last_valid_;
    std::size_t size_ = 0;
};

inline void refuse(Framing& framing, int status, std::string_view reason) noexcept {
    framing = Framing{};
    framing.refuse_status = status;
    framing.reason = reason;
}

/// Calls f(value) for every line of this field. `first` and `count` save the search through all fields.
template <class F>
void for_each_line(const MessageHead& head, const char* base, const KnownField& known, std::string_view name,
                   F&& f) {
    if (known.count == 0) return;
    f(head.fields[known.first].value.of(base));
    for (std::size_t i = known.first + std::size_t{1}; known.count > 1 && i < head.fields.size(); ++i) {
        if (iequals(head.fields[i].name.of(base), name)) f(head.fields[i].value.of(base));
    }
}

/// RFC 9112 section 3.2: one valid Host, in 1.0 at most one; and a target whose form goes with the method.
inline void check_target_and_host(const RequestHead& head, const char* base, HostCheck& hosts,
                                  Framing& framing) noexcept {
    if (head.host.count > 1) return refuse(framing, 400, "more than one Host");
    if (head.host.count == 0 && head.minor_version > 0) return refuse(framing, 400, "no Host");
    std::string_view host;
    if (head.host.count == 1) host = head.fields[head.host.first].value.of(base);
    if (!hosts.is_valid(host)) return refuse(framing, 400, "Host is not a valid host name or address");
    const std::string_view text = head.target.of(base);
    if (text[0] == '/' && head.method != Method::connect) return;
    const Maybe<Target> target = parse_target(head.method, text);
    if (!target) return refuse(framing, 400, "bad request target");
    if (head.method == Method::connect) return refuse(framing, 501, "this server is not a proxy");
}

/// RFC 9112 section 9.3: "close" wins, 1.1 persists, 1.0 persists when it says "keep-alive".
inline bool decide_keep_alive(const MessageHead& head, const char* base) noexcept {
    bool close = false;
    bool keep = head.minor_version > 0;
    for_each_line(head, base, head.connection, "connection", [&](std::string_view value) {
        for_each_list_item(value, [&](std::string_view option) {
            close = close || iequals(option, "close");
            keep = keep || iequals(option, "keep-alive");
        });
    });
    return keep && !close;
}

/// RFC 9112 sections 6.1 and 6.3 step 4: the codings must end in one "chunked"; no other is known here.
inline void decide_transfer_coding(const MessageHead& head, const char* base, Framing& framing) noexcept {
    unsigned chunked = 0;
    bool other = false;
    bool last_is_chunked = false;
    bool empty_item = false;
    for_each_line(head, base, head.transfer_encoding, "transfer-encoding", [&](std::string_view value) {
        for (bool more = true; more;) {
            more = value.find(',') != std::string_view::npos;
            const std::string_view coding = take_list_item(value);
            last_is_chunked = iequals(coding, "chunked");
            chunked += last_is_chunked ? 1 : 0;
            other = other || !last_is_chunked;
            empty_item = empty_item || coding.empty();
        }
    });
    if (empty_item) return refuse(framing, 400, "an empty member in Transfer-Encoding");
    if (!last_is_chunked || chunked != 1)
        return refuse(framing, 400, "Transfer-Encoding must end in one chunked");
    if (other) return refuse(framing, 501, "unknown transfer coding");
    framing.body = Framing::Body::chunked;
}

/// RFC 9112 section 6.3 steps 3 to 6; what a head without either field means is left to the caller.
inline void decide_body(const MessageHead& head, const char* base, Framing& framing) noexcept {
    if (head.transfer_encoding.count > 0) {
        if (head.content_length.count > 0)
            return refuse(framing, 400, "Content-Length beside Transfer-Encoding");
        if (head.minor_version == 0) return refuse(framing, 400, "Transfer-Encoding in HTTP/1.0");
        return decide_transfer_coding(head, base, framing);
    }
    if (head.content_length.count == 0) return;
    if (head.content_length.count > 1) return refuse(framing, 400, "more than one Content-Length");
    const auto length = parse_decimal<std::uint64_t>(head.fields[head.content_length.first].value.of(base));
    if (!length) return refuse(framing, 400, "Content-Length is not a decimal number in range");
    framing.length = *length;
    if (*length > 0) framing.body = Framing::Body::length;
}

/// RFC 9110 section 10.1.1: 100-continue is the only expectation there is; HTTP/1.0 has none.
inline void decide_expect(const RequestHead& head, const char* base, Framing& framing) noexcept {
    if (head.expect.count == 0 || head.minor_version == 0) return;
    bool is_known = true;
    for_each_line(head, base, head.expect, "expect", [&](std::string_view value) {
        for_each_list_item(value, [&](std::string_view item) {
            is_known = is_known && iequals(item, "100-continue");
            framing.expect_continue = framing.body != Framing::Body::none;
        });
    });
    if (!is_known) refuse(framing, 417, "unknown expectation");
}

/// Decides the framing of a parsed request; `base` is where its buffer is now. `hosts` is kept for requests
/// to come.
[[nodiscard]] inline Framing decide_framing(const RequestHead& head, const char* base,
                                            HostCheck& hosts) noexcept {
    Framing framing;
    framing.keep_alive = decide_keep_alive(head, base);
    check_target_and_host(head, base, hosts, framing);
    if (framing.refuse_status == 0) decide_body(head, base, framing);
    if (framing.refuse_status == 0) decide_expect(head, base, framing);
    return framing;
}

/// The same for the response to a request with this method. A refused one is not to be read on, whatever the
/// status.
[[nodiscard]] inline Framing decide_response_framing(const ReceivedHead& head, const char* base,
                                                     Method method) noexcept {
    Framing framing;
    framing.keep_alive = decide_keep_alive(head, base);
    decide_body(head, base, framing);
    if (framing.refuse_status != 0) return framing;
    if (method == Method::head || has_no_body(head.status)) {  // steps 1 and 2: whatever the fields say
        framing.body = Framing::Body::none;
    } else if (head.transfer_encoding.count == 0 && head.content_length.count == 0) {  // step 8
        framing.body = Framing::Body::to_the_end;
        framing.keep_alive = false;
    }
    return framing;
}

}  // namespace http1
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
