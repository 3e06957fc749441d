// Definitions of client_request.hpp: what is checked when it is set, and what goes out.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/error.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/text.hpp"
#include "sake/client/client_request.hpp"
#include "sake/client/url.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/message.hpp"
#include "sake/http/uri.hpp"
#include "sake/http1/head_parser.hpp"
#include "sake/http1/writer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

namespace detail {

inline void demand_at_most(int largest, int value, const char* name) {
    if (value <= largest) return;
    throw std::invalid_argument(std::string(name) + " must be at most " + std::to_string(largest) + ", not " +
                                std::to_string(value));
}

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
    demand_at_least(1, options.retry.attempts, "http::ClientOptions::retry.attempts");
    demand_at_most(10, options.retry.attempts, "http::ClientOptions::retry.attempts");
    demand_at_least(1, options.retry.first_delay, "http::ClientOptions::retry.first_delay");
    demand_at_least(1, options.retry.max_delay, "http::ClientOptions::retry.max_delay");
    demand_at_least(1, options.retry.max_total, "http::ClientOptions::retry.max_total");
    demand_at_least(0, options.retry.budget_percent, "http::ClientOptions::retry.budget_percent");
    demand_at_most(100, options.retry.budget_percent, "http::ClientOptions::retry.budget_percent");
    demand_at_least(0, options.retry.budget_reserve, "http::ClientOptions::retry.budget_reserve");
    demand_at_least(0, options.breaker.failures, "http::ClientOptions::breaker.failures");
    demand_at_least(1, options.breaker.open_time, "http::ClientOptions::breaker.open_time");
    demand_at_least(1, options.breaker.max_origins, "http::ClientOptions::breaker.max_origins");
    demand_at_least(0, options.cache.max_bytes, "http::ClientOptions::cache.max_bytes");
    demand_at_least(0, options.cache.max_response, "http::ClientOptions::cache.max_response");
    demand_at_least(0, options.cache.stale_if_error, "http::ClientOptions::cache.stale_if_error");
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

SAKE_INLINE JsonMembers::JsonMembers(Member a, Member b, Member c, Member d, Member e, Member f, Member g,
                                     Member h)
    : value_(Json::value_t::object) {
    for (Member* const each : {&a, &b, &c, &d, &e, &f, &g, &h}) {
        if (each->name_) value_[*std::move(each->name_)] = std::move(each->value_);
    }
}

SAKE_INLINE Request::Request(std::string method, std::string_view url)
    : method_(std::move(method)), url_(parse_url(url)) {
    if (!is_token(method_) || method_ == "CONNECT")
        throw std::invalid_argument("http::Request: the method must be a token other than CONNECT");
}

SAKE_INLINE Request& Request::query(std::string_view key, std::string_view value) {
    url_.target += url_.target.find('?') == std::string::npos ? '?' : '&';
    url_.target += encode(key) + "=" + encode(value);
    return *this;
}

SAKE_INLINE Request& Request::header(std::string_view name, std::string_view value) {
    if (detail::is_own_field(name)) {
        throw std::invalid_argument("http::Request: the client itself sets " + std::string(name));
    }
    headers_.set(name, value);
    return *this;
}

SAKE_INLINE Request& Request::body(std::string bytes, std::string_view content_type) {
    headers_.set("Content-Type", content_type);
    body_ = std::move(bytes);
    source_ = {};
    has_body_ = true;
    return *this;
}

SAKE_INLINE Request& Request::json(const Json& value) { return body(dump_json(value), "application/json"); }

SAKE_INLINE std::string Request::encode(std::string_view text) {
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

SAKE_INLINE bool Request::is_repeatable() const noexcept {
    if (repeating_ == Repeating::is_harmless) return !is_streamed();
    const sake::detail::Method known = sake::detail::method_from(method_);
    return !is_streamed() && known != sake::detail::Method::post && known != sake::detail::Method::patch &&
           known != sake::detail::Method::other;
}

SAKE_INLINE std::string Request::head() const {
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

SAKE_INLINE bool Request::may_change(int status) const noexcept {
    for (const std::string_view safe : {"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"}) {
        if (method_ == safe) return false;
    }
    return status < 400;
}

SAKE_INLINE void Request::ask_for_changes(const Headers& kept) {
    condition_ = Condition::of_cache;
    if (const auto tag = kept.get("ETag")) headers_.set("If-None-Match", *tag);
    if (const auto date = kept.get("Last-Modified")) headers_.set("If-Modified-Since", *date);
}

SAKE_INLINE void Request::ask_for_all() {
    if (condition_ == Condition::of_program) return;
    condition_ = Condition::of_program;
    headers_.remove("If-None-Match");
    headers_.remove("If-Modified-Since");
}

SAKE_INLINE void Request::follow(int status, std::string_view location) {
    Url next = resolve_url(url_, location);
    ask_for_all();
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

SAKE_INLINE void Request::drop_body() {
    sake::detail::Array<std::string> gone;
    for (const auto& [name, value] : headers_) {
        if (detail::is_about_body(name)) gone.push_back(std::string(name));
    }
    for (const std::string& name : gone) headers_.remove(name);
    body_.clear();
    has_body_ = false;
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
