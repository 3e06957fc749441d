// Definitions of client_websocket.hpp: what is checked when it is set, and how the handshake travels.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake/async/combinators.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/error.hpp"
#include "sake/base/text.hpp"
#include "sake/client/client_request_impl.hpp"
#include "sake/client/client_websocket.hpp"
#include "sake/client/url_impl.hpp"
#include "sake/client/ws_client_link.hpp"
#include "sake/client/ws_opening.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/body_reader.hpp"
#include "sake/http1/framing.hpp"
#include "sake/io/connect.hpp"
#include "sake/io/net_error.hpp"
#include "sake/io/tcp_stream_impl.hpp"
#include "sake/websocket/websocket.hpp"
#include "sake/websocket/ws_terms.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

/// Reads a URL of the scheme ws as one of http: they differ only in the name (RFC 6455 section 3).
inline Url parse_websocket_url(std::string_view text) {
    const std::string_view scheme = text.substr(0, text.find(':'));
    if (iequals(scheme, "wss") || iequals(scheme, "https")) {
        refuse_url(text, "needs TLS, which Sake does not have yet: use ws:// or a proxy that speaks TLS");
    }
    const bool is_ws = iequals(scheme, "ws");
    const std::string as_http = is_ws ? "http" + std::string(text.substr(2)) : std::string(text);
    return read_url(as_http, text, "ws://host/path");
}

/// Whether only the client may set a field of the handshake.
inline bool makes_handshake(std::string_view name) noexcept {
    return is_own_field(name) || iequals(name.substr(0, 14), "Sec-WebSocket-");
}

inline void require_protocols(const std::vector<std::string>& protocols) {
    const auto refuse = [](const std::string& name, const char* why) {
        throw std::invalid_argument("WebSocketOptions::protocols: '" + name + "' " + why);
    };
    for (const std::string& each : protocols) {
        if (!is_token(each)) refuse(each, "is not a token (RFC 9110 section 5.6.2)");
        if (std::count(protocols.begin(), protocols.end(), each) > 1) refuse(each, "is there twice");
    }
}

}  // namespace detail

SAKE_INLINE WebSocketRequest::WebSocketRequest(std::string_view url)
    : url_(detail::parse_websocket_url(url)) {}

SAKE_INLINE WebSocketRequest& WebSocketRequest::header(std::string_view name, std::string_view value) {
    if (detail::makes_handshake(name)) {
        throw std::invalid_argument("http::WebSocketRequest: the client itself sets " + std::string(name) +
                                    "; for subprotocols and compression see WebSocketOptions");
    }
    headers_.set(name, value);
    return *this;
}

SAKE_INLINE WebSocketRequest& WebSocketRequest::options(WebSocketOptions options) {
    if (!options.origins.empty()) {
        throw std::invalid_argument(
            "WebSocketOptions::origins is for servers: a client sets its own by header(\"Origin\", ...)");
    }
    detail::require_protocols(options.protocols);
    static_cast<void>(sake::detail::WsTerms(options, sake::detail::WsRole::client));  // which checks them
    options_ = std::move(options);
    return *this;
}

SAKE_INLINE WebSocketRequest& WebSocketRequest::handshake_timeout(std::chrono::milliseconds limit) {
    sake::detail::demand_at_least(1, limit, "http::WebSocketRequest::handshake_timeout");
    handshake_timeout_ = limit;
    return *this;
}

namespace detail {

/// Reads on until the head of the answer is there, at the front of what is unread.
template <class Opening>
Task<> read_websocket_answer(TcpStream& stream, Opening& opening) {
    for (;;) {
        std::size_t skipped = 0;
        const bool is_there = opening.has_head(stream.unread(), skipped);
        stream.skip(skipped);
        if (is_there) co_return;
        const std::size_t more = co_await stream.read_more();
        if (more == 0) sake::detail::throw_ended(opening.name + ": no answer to the handshake");
    }
}

/// What a coroutine is doing, for the message if the time is up.
using Doing = const char*;

template <class R, class Opening>
Task<TcpStream> shake_hands(const R& request, Opening& opening, Doing& doing) {
    sake::detail::HostAndPort where = sake::detail::join_peer(request.url().host(), request.url().port());
    TcpStream stream = co_await sake::detail::connect_to_host(std::move(where));
    doing = "waiting for the handshake of";
    const std::string text = opening.text(request);
    co_await stream.write_all(text);
    co_await read_websocket_answer(stream, opening);
    co_return std::move(stream);
}

template <class R, class Opening>
Task<TcpStream> shake_hands_in_time(const R& request, Opening& opening) {
    const std::chrono::milliseconds limit = request.handshake_timeout();
    Doing doing = "connecting to";
    try {
        co_return co_await timeout(shake_hands(request, opening, doing), limit);
    } catch (const TimedOut&) {
        sake::detail::throw_timed_out(limit, doing, opening.name);
    } catch (const std::system_error& error) {
        throw std::system_error(error.code(), "cannot open " + opening.name);
    }
}

/// Appends what has come of a body to its beginning. Whether more of it is wanted.
inline bool take_beginning(TcpStream& stream, sake::detail::http1::BodyReader& reader,
                           std::string& beginning) {
    using Step = sake::detail::http1::BodyReader::Step;
    constexpr std::size_t most = 1024;
    for (;;) {
        const Step step = reader.read(stream.unread());
        beginning += step.data.substr(0, most - beginning.size());
        stream.skip(step.consumed);
        if (beginning.size() == most) return false;
        if (step.kind != Step::Kind::data) return step.kind == Step::Kind::need_more;
    }
}

template <class Framing>
Task<> read_beginning(TcpStream& stream, Framing framing, std::string& beginning) {
    sake::detail::http1::BodyReader reader;
    reader.reset(framing);
    while (take_beginning(stream, reader, beginning)) {
        const std::size_t more = co_await stream.read_more();
        if (more == 0) co_return;
    }
}

/// Throws WebSocketRefused, with as much of the body as comes in a second.
template <class Opening>
Task<> refuse_websocket(TcpStream& stream, Opening& opening) {
    const std::string_view bytes = stream.unread();
    const auto framing =
        sake::detail::http1::decide_response_framing(opening.head, bytes.data(), sake::detail::Method::get);
    const Headers fields = fields_of(opening.head, bytes);
    const bool is_redirect = opening.head.status / 100 == 3;
    const std::string location(is_redirect ? fields.get("Location").value_or("") : "");
    stream.skip(opening.head.size);
    std::string body;
    try {
        if (framing.refuse_status == 0) {
            co_await timeout(read_beginning(stream, framing, body), std::chrono::seconds(1));
        }
    } catch (const std::system_error&) {
        // What has come of it is enough.
    } catch (const TimedOut&) {
    }
    opening.refuse(location, std::move(body));
}

template <class R>
Task<WebSocket> open_websocket(R request) {
    WebSocketOpening opening(request);
    TcpStream stream = co_await shake_hands_in_time(request, opening);
    if (opening.head.status != 101) co_await refuse_websocket(stream, opening);
    const sake::detail::WsAgreement agreed = opening.agreement(stream.unread());
    stream.skip(opening.head.size);
    sake::detail::StreamParts parts = sake::detail::take_apart(std::move(stream));
    co_return sake::detail::WsClientLink::open(*Reactor::current(), std::move(parts),
                                               std::move(opening.terms), agreed);
}

#if defined(SAKE_IMPLEMENTATION)
template Task<WebSocket> open_websocket<WebSocketRequest>(WebSocketRequest request);
#endif

}  // namespace detail
}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
