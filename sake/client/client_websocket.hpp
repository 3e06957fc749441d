// http::websocket: opens a WebSocket to another server. The open connection is in websocket/websocket.hpp,
// the same class as on the server.
#pragma once

#include <chrono>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/task.hpp"
#include "sake/client/client.hpp"
#include "sake/client/client_response.hpp"
#include "sake/client/url.hpp"
#include "sake/http/headers.hpp"
#include "sake/websocket/websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// Thrown if the server answers the handshake with another status than 101. The message names the URL without
/// its query, the status, the beginning of the body, and a possible cure.
class WebSocketRefused : public BadResponse {
  public:
    WebSocketRefused(const std::string& what, int its_status, std::string its_body)
        : BadResponse(what), status(its_status), body(std::move(its_body)) {}

    int status;
    std::string body;  // the first 1 KiB of it
};

/// A WebSocket to open, with its options. Everything is checked when it is set: std::invalid_argument names
/// the mistake.
///
///     http::WebSocketRequest request("ws://localhost:8080/chat/7");
///     request.header("Authorization", token).handshake_timeout(2s);
///     sake::WebSocket ws = co_await http::websocket(std::move(request));
class WebSocketRequest {
  public:
    /// The URL: "ws://host:port/path?query". The scheme may also be http. Port and path are optional.
    explicit WebSocketRequest(std::string_view url);

    /// Sets a field of the handshake, such as Authorization, Cookie or Origin. The client itself sets Host
    /// and the fields of the handshake proper.
    WebSocketRequest& header(std::string_view name, std::string_view value);
    /// Sets the limits, the pings, the compression and the offered subprotocols. Throws
    /// std::invalid_argument if `origins` is set, which is for servers.
    WebSocketRequest& options(WebSocketOptions options);
    /// Sets the time limit for connecting and the handshake together; 10 s by default.
    WebSocketRequest& handshake_timeout(std::chrono::milliseconds limit);

    [[nodiscard]] const Url& url() const noexcept { return url_; }
    [[nodiscard]] const Headers& headers() const noexcept { return headers_; }
    [[nodiscard]] const WebSocketOptions& options() const noexcept { return options_; }
    [[nodiscard]] std::chrono::milliseconds handshake_timeout() const noexcept { return handshake_timeout_; }

  private:
    Url url_;  // as if its scheme were http
    Headers headers_;
    WebSocketOptions options_;
    std::chrono::milliseconds handshake_timeout_{10'000};
};

namespace detail {

// A template: see task.hpp.
template <class R>
Task<WebSocket> open_websocket(R request);

}  // namespace detail

/// Connects and completes the handshake. Does not follow redirects. Throws WebSocketRefused; BadResponse if
/// the answer is 101 but not a valid WebSocket handshake; std::system_error if the connection fails;
/// TimedOut; Cancelled.
///
/// The connection belongs to this reactor's thread; `post` works from any thread. When the WebSocket is
/// destroyed, it sends Close with the code 1000 and waits in the background for the server's Close, at most
/// for close_timeout. When the reactor ends, it closes at once.
template <std::same_as<WebSocketRequest> R>
Task<WebSocket> websocket(R request) {
    return detail::open_websocket(std::move(request));
}
/// The same with default options. Throws std::invalid_argument unless it is a URL of the scheme ws or http.
///
///     sake::WebSocket ws = co_await http::websocket("ws://localhost:8080/chat/7");
///     co_await ws.send("Hello");
template <detail::Text Url>
Task<WebSocket> websocket(Url url) {
    return detail::open_websocket(WebSocketRequest(std::string(std::move(url))));
}
/// The same with options. Give them a name: g++ 12 miscompiles `co_await` with `{...}` in the expression.
template <detail::Text Url>
Task<WebSocket> websocket(Url url, const WebSocketOptions& options) {
    WebSocketRequest request(std::string(std::move(url)));
    request.options(options);
    return detail::open_websocket(std::move(request));
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
