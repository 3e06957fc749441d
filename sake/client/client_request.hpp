// http::Request: what a client sends. ClientOptions: the limits of a client.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/task.hpp"
#include "sake/base/function.hpp"
#include "sake/base/json.hpp"
#include "sake/base/version.hpp"
#include "sake/client/client_habits.hpp"
#include "sake/client/url.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// The limits of a client. Sizes are bytes. When a time limit passes, TimedOut is thrown.
struct ClientOptions {
    // Connections.
    int max_connections_per_origin = 64;  // to one host and port; further requests wait
    int max_idle_connections = 256;       // to all origins; the least recently used origin loses its own

    std::chrono::milliseconds acquire_timeout{30'000};  // the longest wait for a connection
    // An idle connection is closed after this time. It is shorter than most servers' limit, so that they
    // seldom close first.
    std::chrono::milliseconds idle_timeout{30'000};

    // A request.
    std::chrono::milliseconds connect_timeout{10'000};  // for the name lookup and the connection together
    std::chrono::milliseconds write_timeout{30'000};    // for each 64 KiB; a body may have any size

    // A response.
    std::chrono::milliseconds response_timeout{30'000};  // from the end of the request to the end of its head
    std::chrono::milliseconds read_timeout{30'000};      // the longest pause within the answer's body
    std::size_t max_status_line = 8 * 1024;
    std::size_t max_header_block = 16 * 1024;
    int max_header_count = 100;
    std::size_t max_body = 64 * 1024 * 1024;  // of a body that is received whole; a stream may have any size
    int max_redirects = 10;

    // Optional habits. All are off by default.
    RetryOptions retry = {};
    BreakerOptions breaker = {};
    CacheOptions cache = {};
};

/// A JSON object of a few members, for a call that is awaited in the same statement. There g++ 12 does not
/// compile `Json{{...}}` ("array used as initializer"); a named Json and JsonMembers work.
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
                Member g = {}, Member h = {});

    [[nodiscard]] const Json& value() const noexcept { return value_; }

  private:
    Json value_;
};

/// A request to send. Everything is checked when it is set: std::invalid_argument names the mistake.
///
///     http::Request request("POST", "http://localhost:8080/orders");
///     request.query("dry", "yes").header("Authorization", token).json({{"item", 7}});
///     const auto response = co_await client.send(std::move(request));
class Request {
  public:
    /// Returns the body piece by piece; an empty piece is its end.
    using Source = sake::detail::UniqueFunction<Task<std::string>()>;

    Request(std::string method, std::string_view url);

    /// Appends key=value to the query, percent-encoded.
    Request& query(std::string_view key, std::string_view value);
    /// Sets a header field. The client itself sets Host, the fields that frame the message, and those of the
    /// connection (Upgrade, TE and their like): std::invalid_argument.
    Request& header(std::string_view name, std::string_view value);
    /// Sets the body and its Content-Type.
    Request& body(std::string bytes, std::string_view content_type);
    /// Sets a JSON body.
    Request& json(const Json& value);
    /// Sends the body in pieces that `source`, a coroutine, returns; chunked. Such a request is neither
    /// repeated nor redirected.
    template <class F>
    Request& stream(F source, std::string_view content_type) {
        headers_.set("Content-Type", content_type);
        source_ = std::move(source);
        has_body_ = true;
        return *this;
    }

    /// Marks the request as safe to repeat, whatever its method: for example a POST with a key by which the
    /// server detects repetitions. It may then be repeated, as a GET may. A streamed body is never repeated.
    Request& idempotent() noexcept {
        repeating_ = Repeating::is_harmless;
        return *this;
    }

    [[nodiscard]] const std::string& method() const noexcept { return method_; }
    [[nodiscard]] const Url& url() const noexcept { return url_; }
    [[nodiscard]] const Headers& headers() const noexcept { return headers_; }

  private:
    friend class Client;

    // What may stand in a segment, less what means something in a query.
    static std::string encode(std::string_view text);

    [[nodiscard]] bool is_streamed() const noexcept { return static_cast<bool>(source_); }
    /// Whether sending it twice is as good as once (RFC 9110 section 9.2.2).
    [[nodiscard]] bool is_repeatable() const noexcept;

    template <class AnyResponse>
    [[nodiscard]] bool is_redirected_by(const AnyResponse& response) const noexcept {
        const int status = response.status;
        const bool asks = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
        return asks && !is_streamed() && response.headers.contains("Location");
    }

    [[nodiscard]] std::string head() const;

    /// Makes it the request that a redirect asks for (RFC 9110 section 15.4).
    void follow(int status, std::string_view location);

    void drop_body();

    /// Whether an answer with this status says that what is at its URL may have changed.
    [[nodiscard]] bool may_change(int status) const noexcept;
    /// Whether a cache may answer it.
    [[nodiscard]] bool is_plain_get() const noexcept { return method_ == "GET" && !has_body_; }
    /// Makes it ask whether what is kept has changed, and makes it forget that again.
    void ask_for_changes(const Headers& kept);
    void ask_for_all();

    enum class Repeating : std::uint8_t { as_its_method, is_harmless };
    enum class Condition : std::uint8_t { of_program, of_cache };

    std::string method_;
    Url url_;
    Headers headers_;
    std::string body_;
    Source source_;
    bool has_body_ = false;
    Repeating repeating_ = Repeating::as_its_method;
    Condition condition_ = Condition::of_program;
};

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
