// http::websocket: a WebSocket to another server, from its URL to the open connection. What happens on it
// from then on is in websocket/websocket.hpp, as on the server.
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
/// its query, the status, the beginning of the body, and what may help.
class WebSocketRefused : public BadResponse {
  public:
    WebSocketRefused(const std::string& what, int its_status, std::string its_body)
        : BadResponse(what), status(its_status), body(std::move(its_body)) {}

    int status;
    std::string body;  // its beginning, up to 1 KiB
};

/// Which WebSocket to open, and how. Everything in it is checked when it is set: std::invalid_argument says
/// what is wrong.
///
///     http::WebSocketRequest request("ws://localhost:8080/chat/7");
///     request.header("Authorization", token).handshake_timeout(2s);
///     sake::WebSocket ws = co_await http::websocket(std::move(request));
class WebSocketRequest {
  public:
    /// "ws://host:port/path?query". The scheme may also be http. Port and path may be missing.
    explicit WebSocketRequest(std::string_view url);

    /// Sets a field of the handshake, such as Authorization, Cookie or Origin. Host, and those that make the
    /// handshake, are set by the client.
    WebSocketRequest& header(std::string_view name, std::string_view value);
    /// Sets the limits, the pings, the compression, and the subprotocols that the client offers. `origins` is
    /// for servers.
    WebSocketRequest& options(WebSocketOptions options);
    /// Sets the time for connecting and the handshake together. At first that is 10 s.
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

/// Connects and shakes hands. Redirects are not followed. Throws WebSocketRefused, BadResponse if the answer
/// is 101 but not that of a WebSocket, std::system_error if the connection fails, TimedOut, and Cancelled.
///
/// The connection is for this reactor's thread; `post` is for any. When the WebSocket is destroyed, it says
/// Close with the code 1000, and waits for the server's in the background, for close_timeout at most. When
/// the reactor ends, it closes at once.
template <std::same_as<WebSocketRequest> R>
Task<WebSocket> websocket(R request) {
    return detail::open_websocket(std::move(request));
}
/// The same with default options. Throws std::invalid_argument if that is not a URL of the scheme ws or http.
///
///     sake::WebSocket ws = co_await http::websocket("ws://localhost:8080/chat/7");
///     co_await ws.send("Hello");
template <detail::Text Url>
Task<WebSocket> websocket(Url url) {
    return detail::open_websocket(WebSocketRequest(std::string(std::move(url))));
}
/// The same with options that have a name: g++ 12 does not compile `co_await` with `{...}` in it correctly.
template <detail::Text Url>
Task<WebSocket> websocket(Url url, const WebSocketOptions& options) {
    WebSocketRequest request(std::string(std::move(url)));
    request.options(options);
    return detail::open_websocket(std::move(request));
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
