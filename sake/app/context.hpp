// Context: one request and its response, as a handler sees them. It is valid until the handler ends; so are
// all views that it gives.
#pragma once

#include <concepts>
#include <exception>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>

#include "sake/app/bind.hpp"
#include "sake/app/problem.hpp"
#include "sake/app/request.hpp"
#include "sake/app/response.hpp"
#include "sake/async/task.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/http/cookie.hpp"
#include "sake/http/uri.hpp"

namespace sake {
inline namespace v0 {

class Context;
class Route;

namespace detail {

class ErrorAnswers;
struct ContextAccess;
class Workers;

/// What a context knows of where it runs.
struct ContextPlace {
    const ErrorAnswers* errors = nullptr;
    Workers* workers = nullptr;  // where worker routes run; none if they run here
    PeerAddress peer;
    std::size_t json_depth = 64;
    int worker_pool_size = 0;
    bool in_worker_pool = false;
};

Task<> run_rest(Context& ctx);

}  // namespace detail

class Context {
  public:
    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    // --- The request ---

    /// The host, and the port if there is one, that the request is for: of the target, if it names one (RFC
    /// 9112 section 3.2.2), else of the field Host; empty if nothing says so, as HTTP/1.0 may.
    [[nodiscard]] std::string_view host() const noexcept {
        const auto target_parts = http::parse_target(request_.head.method, request_.target());
        if (target_parts && !target_parts->authority.empty()) return target_parts->authority;
        return header("Host");
    }
    /// The method as it was sent: "GET".
    [[nodiscard]] std::string_view method() const noexcept { return request_.method(); }
    /// The path, percent-decoded.
    [[nodiscard]] std::string_view path() const noexcept { return request_.path(); }
    /// The request target as it was sent: path and query, of an absolute one also scheme and host.
    [[nodiscard]] std::string_view target() const noexcept { return request_.target(); }
    /// What follows the '?', as it was sent.
    [[nodiscard]] std::string_view query_string() const noexcept { return request_.raw_query(); }
    /// The whole body, of which chunked framing is gone.
    [[nodiscard]] std::string_view body() const noexcept { return request_.body; }

    /// The value of the first field of that name, whatever its case; empty if there is none. An absolute
    /// target's host is also that of Host.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return request_.field(name).value_or(std::string_view{});
    }
    [[nodiscard]] bool has_header(std::string_view name) const noexcept {
        return request_.field(name).has_value();
    }
    /// Every field received, in order.
    [[nodiscard]] RequestHeaders headers() const noexcept { return RequestHeaders(request_); }

    /// The value of a cookie; empty if it was not sent.
    [[nodiscard]] std::string_view cookie(std::string_view name) const noexcept {
        for (const auto& [field, value] : headers()) {
            if (!iequals(field, "cookie")) continue;
            if (const auto found = http::cookie_value(value, name)) return *found;
        }
        return {};
    }

    /// The address of the client, without its port: "127.0.0.1", "2001:db8::1", or "unix".
    [[nodiscard]] std::string_view remote_address() {
        if (remote_address_.empty()) remote_address_ = place_.peer.to_string();
        return remote_address_;
    }

    /// A path parameter, percent-decoded. Throws std::out_of_range if the pattern has none of that name.
    [[nodiscard]] std::string_view param(std::string_view name);

    /// A path parameter as a number, bool or string; one that does not convert is answered with 400.
    template <class T>
    [[nodiscard]] T param(std::string_view name) {
        return convert<T>(param(name), "path parameter", name);
    }

    /// A query parameter, decoded; nothing if it was not sent.
    [[nodiscard]] std::optional<std::string_view> query(std::string_view name) {
        const auto raw = http::find_query_value(request_.raw_query(), name);
        if (!raw || !http::needs_form_decoding(*raw)) return raw;
        auto decoded = http::percent_decode_form(*raw);
        if (!decoded) throw HttpError(400, "query parameter '" + std::string(name) + "' is badly escaped");
        return request_.keep(std::move(*decoded));
    }

    /// A query parameter, or `fallback` if it was not sent.
    [[nodiscard]] std::string_view query(std::string_view name, std::string_view fallback) {
        return query(name).value_or(fallback);
    }

    /// A query parameter as a number, bool or string, or `fallback`; one that does not convert is answered
    /// with 400.
    template <class T>
    [[nodiscard]] T query(std::string_view name, std::type_identity_t<T> fallback) {
        const auto text = query(name);
        return text ? convert<T>(*text, "query parameter", name) : std::move(fallback);
    }

    /// The JSON body as a T, which is Json itself or a type with nlohmann's from_json. Answers 400 if it is
    /// not JSON, and 422 if it does not fit T.
    template <class T = Json>
    [[nodiscard]] T bind() const {
        return detail::bind_json<T>(request_.body, place_.json_depth);
    }

    // --- The response; the last body set wins ---

    /// Throws std::invalid_argument unless 200 <= code <= 599.
    Context& status(int code) {
        response_.set_status(code);
        return *this;
    }
    /// Replaces all fields of that name. Throws std::invalid_argument on a byte that may not stand there, and
    /// for the fields that frame the message, which are the server's (of those only "Connection: close" may
    /// be set).
    Context& set_header(std::string_view name, std::string_view value) {
        response_.put_header(name, value, [&] { response_.headers.set(name, value); });
        return *this;
    }
    /// Adds a field beside those of the same name. Throws like set_header.
    Context& add_header(std::string_view name, std::string_view value) {
        response_.put_header(name, value, [&] { response_.headers.add(name, value); });
        return *this;
    }
    /// Adds a cookie to set. Throws std::invalid_argument that says which part of it may not stand there.
    Context& set_cookie(const http::SetCookie& cookie) {
        response_.headers.add("Set-Cookie", http::to_string(cookie));
        return *this;
    }
    Context& text(std::string_view body) {
        response_.set_static_type("text/plain; charset=utf-8");
        response_.body.assign(body);
        return *this;
    }
    Context& html(std::string_view body) {
        response_.set_static_type("text/html; charset=utf-8");
        response_.body.assign(body);
        return *this;
    }
    /// JSON; text in it that is not UTF-8 is replaced by U+FFFD.
    Context& json(const Json& value) {
        response_.set_static_type("application/json");
        response_.body.clear();
        append_json(response_.body, value);
        return *this;
    }
    Context& json(int code, const Json& value) { return status(code).json(value); }
    /// Any bytes, under any content type. A std::string that is moved in is not copied.
    template <std::convertible_to<std::string_view> Bytes>
    Context& send(Bytes&& bytes, std::string_view content_type) {
        response_.set_type(content_type);
        response_.body = std::string(std::forward<Bytes>(bytes));
        return *this;
    }
    /// Sends the client to another place. What may not stand in a URI is escaped; escapes that are there
    /// stay. Throws std::invalid_argument unless the code is 300 to 303, 307 or 308, and for a control byte.
    Context& redirect(std::string_view location, int code = 302) {
        if (code < 300 || code > 308 || (code >= 304 && code <= 306)) {
            throw std::invalid_argument("redirect: the status must be 300 to 303, 307 or 308");
        }
        response_.headers.set("Location", http::escape_reference(location));
        response_.body.clear();
        response_.set_static_type({});
        return status(code);
    }
    /// 204, without a body.
    Context& no_content() {
        response_.body.clear();
        response_.set_static_type({});
        return status(204);
    }
    /// The status and the body as they stand: for middleware that runs after the handler.
    [[nodiscard]] int response_status() const noexcept { return response_.status; }
    [[nodiscard]] std::string_view response_body() const noexcept { return response_.body; }

    // --- Values for this request ---

    /// Keeps a value for the handlers that follow, on this thread or in a worker.
    template <class T>
    void set(std::string_view key, T&& value) {
        static_assert(
            std::is_constructible_v<Json, T&&>,
            "ctx.set: this type has no JSON form; write a to_json for it, so that it can cross to a worker");
        if constexpr (std::is_constructible_v<Json, T&&>) values_[std::string(key)] = std::forward<T>(value);
    }
    /// A value that was set, as JSON; null if there is none.
    [[nodiscard]] const Json& get(std::string_view key) const {
        static const Json null;
        const auto found = values_.find(std::string(key));
        return found == values_.end() ? null : *found;
    }
    /// A value that was set, as a T. Throws std::out_of_range if there is none, nlohmann's type_error if it
    /// is something else.
    template <class T>
    [[nodiscard]] T get(std::string_view key) const {
        const Json& value = get(key);
        if (value.is_null()) throw std::out_of_range("ctx.get: no value '" + std::string(key) + "' was set");
        return value.get<T>();
    }

    // --- The way through the handlers ---

    /// Runs the middleware and the handler that follow, to their end. What they throw is answered by then:
    /// see response_status() and error(). For middleware that is a coroutine.
    [[nodiscard]] Task<> next() { return detail::run_rest(*this); }
    /// What follows is not run; the response stands as it is.
    void abort() noexcept { is_aborted_ = true; }
    [[nodiscard]] bool is_aborted() const noexcept { return is_aborted_; }
    /// What a handler threw, for Engine::on_error and for middleware after next(); null if nothing.
    [[nodiscard]] std::exception_ptr error() const noexcept { return error_; }

    [[nodiscard]] bool in_worker_pool() const noexcept { return place_.in_worker_pool; }
    /// The number of worker threads; 0 when the pool is off.
    [[nodiscard]] int worker_pool_size() const noexcept { return place_.worker_pool_size; }
    /// Tells when the answer is no longer wanted: the client has gone, the time is up, or the server stops at
    /// once.
    [[nodiscard]] std::stop_token stop_token() {
        if (!stop_source_) stop_source_.emplace();
        if (stop_requested_) stop_source_->request_stop();
        return stop_source_->get_token();
    }

  private:
    friend struct detail::ContextAccess;

    template <class T>
    static T convert(std::string_view text, std::string_view kind, std::string_view name) {
        if (auto value = parse_number<T>(text)) return std::move(*value);
        throw HttpError(400,
                        std::string(kind) + " '" + std::string(name) + "' is not " + detail::kind_of<T>());
    }

    detail::Request request_;
    detail::Response response_;
    const Route* route_ = nullptr;
    std::size_t position_ = 0;  // of the next handler in the route's chain
    bool is_aborted_ = false;
    std::exception_ptr error_;
    detail::ContextPlace place_;
    std::string remote_address_;
    Json values_ = Json::object();
    std::optional<std::stop_source> stop_source_;
    bool stop_requested_ = false;
};

namespace detail {

/// The inside of a context, for the server alone.
struct ContextAccess {
    static Request& request(Context& ctx) noexcept { return ctx.request_; }
    static const Request& request(const Context& ctx) noexcept { return ctx.request_; }
    static Response& response(Context& ctx) noexcept { return ctx.response_; }
    static const Route*& route(Context& ctx) noexcept { return ctx.route_; }
    static const Route* route(const Context& ctx) noexcept { return ctx.route_; }
    static std::size_t& position(Context& ctx) noexcept { return ctx.position_; }
    static std::exception_ptr& error(Context& ctx) noexcept { return ctx.error_; }
    static ContextPlace& place(Context& ctx) noexcept { return ctx.place_; }
    static Json& values(Context& ctx) noexcept { return ctx.values_; }
    static std::string& remote_address(Context& ctx) noexcept { return ctx.remote_address_; }
    static void set_stop_source(Context& ctx, std::stop_source source) noexcept {
        ctx.stop_source_ = std::move(source);
    }

    static void request_stop(Context& ctx) noexcept {
        ctx.stop_requested_ = true;
        if (ctx.stop_source_) ctx.stop_source_->request_stop();
    }

    /// The path parameter at `index`, converted for a handler that takes it as an argument.
    template <class T>
    static T param(Context& ctx, std::size_t index, std::string_view name) {
        return Context::convert<T>(ctx.request_.param(index), "path parameter", name);
    }

    /// Ready for the next request, with its memory kept.
    static void clear(Context& ctx) noexcept {
        ctx.request_.clear();
        ctx.response_.clear();
        ctx.route_ = nullptr;
        ctx.position_ = 0;
        ctx.is_aborted_ = false;
        ctx.error_ = nullptr;
        if (!ctx.values_.empty()) ctx.values_.clear();
        ctx.remote_address_.clear();
        ctx.stop_source_.reset();
        ctx.stop_requested_ = false;
    }
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
