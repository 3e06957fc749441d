// What a client sends, and the options of a client.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/task.hpp"
#include "sake/base/array.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/version.hpp"
#include "sake/client/url.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/writer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// The limits of a client. Sizes are bytes. A time limit that passes throws TimedOut.
struct ClientOptions {
    // Connections.
    int max_connections_per_origin = 64;  // to one host and port; further requests wait for their turn
    int max_idle_connections = 256;  // to all origins together; the origin used least recently loses its own

    std::chrono::milliseconds acquire_timeout{30'000};  // a request waits for its turn
    // An idle connection is closed after it. Shorter than what servers usually have, so that they seldom
    // close first.
    std::chrono::milliseconds idle_timeout{30'000};

    // A request.
    std::chrono::milliseconds connect_timeout{10'000};  // looking the name up and connecting
    std::chrono::milliseconds write_timeout{30'000};    // for each 64 KiB: a body of any size may be sent

    // A response.
    std::chrono::milliseconds response_timeout{30'000};  // from the end of the request to the end of its head
    std::chrono::milliseconds read_timeout{30'000};      // a pause within its body
    std::size_t max_status_line = 8 * 1024;
    std::size_t max_header_block = 16 * 1024;
    int max_header_count = 100;
    std::size_t max_body = 64 * 1024 * 1024;  // of one that is gathered; a stream may have any size
    int max_redirects = 10;
};

namespace detail {

inline void demand_valid(const ClientOptions& options) {
    using sake::detail::demand_at_least;
    demand_at_least(1, options.max_connections_per_origin, "http::ClientOptions::max_connections_per_origin");
    demand_at_least(0, options.max_idle_connections, "http::ClientOptions::max_idle_connections");
    demand_at_least(1, options.acquire_timeout, "http::ClientOptions::acquire_timeout");
    demand_at_least(1, options.idle_timeout, "http::ClientOptions::idle_timeout");
    demand_at_least(1, options.connect_timeout, "http::ClientOptions::connect_timeout");
    demand_at_least(1, options.write_timeout, "http::ClientOptions::write_timeout");
    demand_at_least(1, options.response_timeout, "http::ClientOptions::response_timeout");
    demand_at_least(1, options.read_timeout, "http::ClientOptions::read_timeout");
    demand_at_least(16, options.max_status_line, "http::ClientOptions::max_status_line");
    demand_at_least(2, options.max_header_block, "http::ClientOptions::max_header_block");
    demand_at_least(0, options.max_header_count, "http::ClientOptions::max_header_count");
    demand_at_least(0, options.max_body, "http::ClientOptions::max_body");
    demand_at_least(0, options.max_redirects, "http::ClientOptions::max_redirects");
}

inline sake::detail::http1::HeadLimits head_limits(const ClientOptions& options) noexcept {
    return {options.max_status_line, options.max_header_block,
            static_cast<std::size_t>(options.max_header_count)};
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

/// Whether a field describes the body of its request, so that it is nothing without the body (RFC 9110
/// section 15.4, RFC 9530).
inline bool is_about_body(std::string_view name) noexcept {
    constexpr std::string_view content = "content-";
    if (iequals(name.substr(0, content.size()), content)) return true;
    for (const std::string_view other : {"digest", "repr-digest", "last-modified"}) {
        if (iequals(name, other)) return true;
    }
    return false;
}

}  // namespace detail

/// A JSON object of a few members, for a call that is awaited where it is made. g++ 12 compiles no
/// `Json{{...}}` there ("array used as initializer"); a Json with a name of its own, and this, it does.
///
///     co_await http::post(url, {{"name", name}, {"age", 7}});
class JsonMembers {
  public:
    class Member {
      public:
        Member() = default;  // none
        template <class Value>
            requires std::convertible_to<Value, Json>
        Member(std::string_view name, Value&& value) : name_(name), value_(std::forward<Value>(value)) {}

      private:
        friend class JsonMembers;
        std::optional<std::string> name_;
        Json value_;
    };

    JsonMembers(Member a, Member b = {}, Member c = {}, Member d = {}, Member e = {}, Member f = {},
                Member g = {}, Member h = {}) {
        for (Member* const each : {&a, &b, &c, &d, &e, &f, &g, &h}) {
            if (each->name_) value_[*std::move(each->name_)] = std::move(each->value_);
        }
    }

    [[nodiscard]] const Json& value() const noexcept { return value_; }

  private:
    Json value_ = Json::object();
};

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
        const sake::detail::Method known = sake::detail::method_from(method_);
        return !is_streamed() && known != sake::detail::Method::post &&
               known != sake::detail::Method::patch && known != sake::detail::Method::other;
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
        sake::detail::ByteBuffer head;
        sake::detail::http1::append_request_head(head, terms, headers_);
        return std::string(head.view());
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
        drop_body();
    }

    void drop_body() {
        sake::detail::Array<std::string> gone;
        for (const auto& [name, value] : headers_) {
            if (detail::is_about_body(name)) gone.push_back(std::string(name));
        }
        for (const std::string& name : gone) headers_.remove(name);
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
}  // namespace SAKE_ABI
}  // namespace sake
