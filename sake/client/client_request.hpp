// What a client sends, and the options of a client.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/task.hpp"
#include "sake/base/function.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/version.hpp"
#include "sake/client/url.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/writer.hpp"

namespace sake {
inline namespace v0 {
namespace http {

/// The limits of a client. Each time limit throws TimedOut, and must be positive.
struct ClientOptions {
    /// Connections to one origin (host and port), at most; further requests wait for their turn.
    std::size_t connections_per_origin = 64;
    /// Connections that are kept idle, at most, to all origins together; those go first whose origin was
    /// wanted least recently.
    std::size_t max_idle_connections = 256;
    /// How long a request waits for its turn.
    std::chrono::milliseconds turn_timeout = std::chrono::seconds(30);
    /// An idle connection is closed after this. Shorter than what servers usually have, so that they seldom
    /// come first.
    std::chrono::milliseconds idle_lifetime = std::chrono::seconds(30);
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
    /// For each 64 KiB of the request: a body of any size may be sent while the server goes on taking it.
    std::chrono::milliseconds write_timeout = std::chrono::seconds(30);
    /// From the end of the request to the end of the response's head.
    std::chrono::milliseconds response_timeout = std::chrono::seconds(30);
    /// Between two pieces of the response's body.
    std::chrono::milliseconds read_timeout = std::chrono::seconds(30);
    /// Of a body that is gathered. One that is streamed may be of any size.
    std::size_t max_body = 64 * 1024 * 1024;
    int max_redirects = 10;
    sake::detail::http1::HeadLimits head = {};
};

namespace detail {

inline void check(const ClientOptions& options) {
    const auto demand = [](bool is_so, std::string_view field, std::string_view what) {
        if (is_so) return;
        throw std::invalid_argument("http::ClientOptions: " + std::string(field) + " must " +
                                    std::string(what));
    };
    const auto positive = [&](auto value, std::string_view field) {
        demand(value > decltype(value){}, field, "be positive");
    };
    positive(options.connections_per_origin, "connections_per_origin");
    positive(options.turn_timeout, "turn_timeout");
    positive(options.idle_lifetime, "idle_lifetime");
    positive(options.connect_timeout, "connect_timeout");
    positive(options.write_timeout, "write_timeout");
    positive(options.response_timeout, "response_timeout");
    positive(options.read_timeout, "read_timeout");
    positive(options.head.start_line, "head.start_line");
    positive(options.head.header_block, "head.header_block");
    demand(options.max_redirects >= 0, "max_redirects", "not be negative");
}

/// Whether only the client may set a field: it decides the framing, speaks for the connection, or asks for
/// what no Client understands.
inline bool is_own_field(std::string_view name) noexcept {
    if (sake::detail::is_framing_field(name)) return true;
    for (const std::string_view own : {"host", "expect", "te", "proxy-connection", "http2-settings"}) {
        if (iequals(name, own)) return true;
    }
    return false;
}

}  // namespace detail

/// A request to be sent. Everything in it is checked when it is set: std::invalid_argument says what is
/// wrong.
///
///     http::Request request("POST", "http://localhost:8080/orders");
///     request.query("dry", "yes").header("Authorization", token).json({{"item", 7}});
///     const auto response = co_await client.send(std::move(request));
class Request {
  public:
    /// Gives the body piece by piece; an empty piece is its end.
    using Source = sake::detail::UniqueFunction<Task<std::string>()>;

    Request(std::string method, std::string_view url) : method_(std::move(method)), url_(parse_url(url)) {
        if (!is_token(method_) || method_ == "CONNECT")
            throw std::invalid_argument("http::Request: bad method");
    }

    /// Appends key=value to the query, encoded.
    Request& query(std::string_view key, std::string_view value) {
        url_.target += url_.target.find('?') == std::string::npos ? '?' : '&';
        url_.target += encode(key) + "=" + encode(value);
        return *this;
    }
    /// Sets a field. Host, those that decide the framing, and those that speak for the connection (Upgrade,
    /// TE and the like) are the client's own.
    Request& header(std::string_view name, std::string_view value) {
        if (detail::is_own_field(name)) {
            throw std::invalid_argument("http::Request: the client itself decides on " + std::string(name));
        }
        headers_.set(name, value);
        return *this;
    }
    Request& body(std::string bytes, std::string_view content_type) {
        headers_.set("Content-Type", content_type);
        body_ = std::move(bytes);
        source_ = {};
        has_body_ = true;
        return *this;
    }
    Request& json(const Json& value) { return body(dump_json(value), "application/json"); }
    /// Sends the body as it comes from `source`, a coroutine; chunked. Such a request is neither repeated nor
    /// redirected.
    template <class F>
    Request& stream(F source, std::string_view content_type) {
        headers_.set("Content-Type", content_type);
        source_ = std::move(source);
        has_body_ = true;
        return *this;
    }

    [[nodiscard]] const std::string& method() const noexcept { return method_; }
    [[nodiscard]] const Url& url() const noexcept { return url_; }
    [[nodiscard]] const Headers& headers() const noexcept { return headers_; }

  private:
    friend class Client;

    // What may stand in a segment, less what means something in a query.
    static std::string encode(std::string_view text) {
        std::string out;
        for (const char c : percent_encode(text)) {
            if (c == '&' || c == '=' || c == '+') {
                out += c == '&' ? "%26" : c == '=' ? "%3D" : "%2B";
            } else {
                out += c;
            }
        }
        return out;
    }

    [[nodiscard]] bool is_streamed() const noexcept { return static_cast<bool>(source_); }
    /// Whether sending it twice is as good as once (RFC 9110 section 9.2.2).
    [[nodiscard]] bool is_repeatable() const noexcept {
        const Method known = method_from(method_);
        return !is_streamed() && known != Method::post && known != Method::patch && known != Method::other;
    }

    template <class AnyResponse>
    [[nodiscard]] bool is_redirected_by(const AnyResponse& response) const noexcept {
        const int status = response.status;
        const bool asks = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
        return asks && !is_streamed() && response.headers.contains("Location");
    }

    [[nodiscard]] std::string head() const {
        using sake::detail::http1::BodyLine;
        const bool wants_length = has_body_ || method_ == "POST" || method_ == "PUT" || method_ == "PATCH";
        sake::detail::http1::RequestTerms terms;
        terms.method = method_;
        terms.target = url_.target;
        terms.host = url_.authority;
        terms.user_agent = "sake/" SAKE_VERSION;
        terms.body = is_streamed() ? BodyLine::chunked : wants_length ? BodyLine::length : BodyLine::none;
        terms.content_length = body_.size();
        std::string text;
        sake::detail::http1::append_request_head(text, terms, headers_);
        return text;
    }

    /// Makes it the request that a redirect asks for (RFC 9110 section 15.4).
    void follow(int status, std::string_view location) {
        Url next = resolve_url(url_, location);
        // Credentials are for whom they were meant.
        if (next.authority != url_.authority) {
            for (const std::string_view secret : {"Authorization", "Cookie", "Proxy-Authorization"}) {
                headers_.remove(secret);
            }
        }
        url_ = std::move(next);
        const bool drops_body = status == 303 || ((status == 301 || status == 302) && method_ == "POST");
        if (!drops_body) return;
        if (method_ != "HEAD") method_ = "GET";
        headers_.remove("Content-Type");
        body_.clear();
        has_body_ = false;
    }

    std::string method_;
    Url url_;
    Headers headers_;
    std::string body_;
    Source source_;
    bool has_body_ = false;
};

}  // namespace http
}  // namespace v0
}  // namespace sake
