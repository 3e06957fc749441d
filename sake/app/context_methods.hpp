// What the functions of Context do: they read and write the Call behind it.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/app/bind.hpp"
#include "sake/app/body_source.hpp"
#include "sake/app/body_writer.hpp"
#include "sake/app/call.hpp"
#include "sake/app/chain.hpp"
#include "sake/app/context.hpp"
#include "sake/app/route.hpp"
#include "sake/async/this_task.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/http/cookie.hpp"
#include "sake/http/uri.hpp"

namespace sake {
inline namespace SAKE_ABI {

// --- The request ---

inline std::string_view Context::method() const noexcept { return call_->request.method(); }
inline std::string_view Context::path() const noexcept { return call_->request.path(); }
inline std::string_view Context::target() const noexcept { return call_->request.target(); }
inline std::string_view Context::query_string() const noexcept { return call_->request.raw_query(); }
inline std::string_view Context::body() const { return call_->body(); }
inline auto Context::read() -> detail::Operation<detail::ReadWait, detail::CallHandle> {
    return detail::Operation<detail::ReadWait, detail::CallHandle>(detail::handle_of_running(*call_));
}
inline std::string_view Context::scheme() const noexcept { return call_->place.scheme; }
inline RequestHeaders Context::headers() const noexcept { return RequestHeaders(call_->request); }

inline std::string_view Context::host() const noexcept {
    const auto parts = detail::parse_target(call_->request.known_method, target());
    return parts && !parts->authority.empty() ? parts->authority : header("Host");
}

inline std::string_view Context::remote_address() {
    if (call_->remote_address.empty()) call_->remote_address = call_->place.peer.to_string();
    return call_->remote_address;
}

inline std::string_view Context::route() const noexcept {
    return call_->route != nullptr ? call_->route->pattern() : std::string_view{};
}

inline std::optional<std::string_view> Context::find_header(std::string_view name) const noexcept {
    return call_->request.field(name);
}

inline std::optional<std::string_view> Context::find_cookie(std::string_view name) const noexcept {
    for (const auto& [field, value] : headers()) {
        if (!iequals(field, "cookie")) continue;
        if (const auto found = detail::cookie_value(value, name)) return found;
    }
    return std::nullopt;
}

namespace detail {

/// The text of a query parameter for a handler: decoded if it must be, and kept for as long as the request.
inline std::string_view decoded_query_value(Request& request, std::string_view raw) {
    return needs_form_decoding(raw) ? request.keep(percent_decode_form(raw)) : raw;
}

}  // namespace detail

inline std::optional<std::string_view> Context::find_query(std::string_view name) {
    const auto raw = detail::find_query_value(query_string(), name);
    if (!raw) return std::nullopt;
    return detail::decoded_query_value(call_->request, *raw);
}

inline std::vector<std::string_view> Context::queries(std::string_view name) {
    std::vector<std::string_view> values;
    for (const auto& [raw_name, raw_value] : detail::QueryPairs(query_string())) {
        if (!detail::decodes_to(raw_name, name)) continue;
        values.push_back(detail::decoded_query_value(call_->request, raw_value));
    }
    return values;
}

inline std::optional<std::string_view> Context::find_param(std::string_view name) {
    if (call_->route == nullptr) return std::nullopt;
    std::string_view rest = call_->route->pattern();
    for (std::size_t i = 0; i < call_->route->param_count(); ++i) {
        if (detail::take_param_name(rest) == name) return call_->request.param(i);
    }
    return std::nullopt;
}

inline std::string_view Context::param(std::string_view name) {
    if (const auto found = find_param(name)) return *found;
    throw std::out_of_range("ctx.param: the pattern has no parameter named '" + std::string(name) + "'");
}

// --- One rule of absence ---

inline std::string_view Context::header(std::string_view name, std::string_view fallback) const noexcept {
    return find_header(name).value_or(fallback);
}
template <class T>
T Context::header(std::string_view name) const {
    return detail::convert_required<T>(find_header(name), "header", name);
}
template <class T>
T Context::header(std::string_view name, std::type_identity_t<T> fallback) const {
    return detail::convert_or<T>(find_header(name), "header", name, std::move(fallback));
}

inline std::string_view Context::cookie(std::string_view name, std::string_view fallback) const noexcept {
    return find_cookie(name).value_or(fallback);
}
template <class T>
T Context::cookie(std::string_view name) const {
    return detail::convert_required<T>(find_cookie(name), "cookie", name);
}
template <class T>
T Context::cookie(std::string_view name, std::type_identity_t<T> fallback) const {
    return detail::convert_or<T>(find_cookie(name), "cookie", name, std::move(fallback));
}

inline std::string_view Context::query(std::string_view name, std::string_view fallback) {
    return find_query(name).value_or(fallback);
}
template <class T>
T Context::query(std::string_view name) {
    return detail::convert_required<T>(find_query(name), "query parameter", name);
}
template <class T>
T Context::query(std::string_view name, std::type_identity_t<T> fallback) {
    return detail::convert_or<T>(find_query(name), "query parameter", name, std::move(fallback));
}

inline std::string_view Context::param(std::string_view name, std::string_view fallback) {
    return find_param(name).value_or(fallback);
}
template <class T>
T Context::param(std::string_view name) {
    return detail::convert_text<T>(param(name), "path parameter", name);
}
template <class T>
T Context::param(std::string_view name, std::type_identity_t<T> fallback) {
    return detail::convert_or<T>(find_param(name), "path parameter", name, std::move(fallback));
}

template <class T>
T Context::bind() const {
    detail::require_json_type(header("Content-Type"));
    return detail::bind_json<T>(body(), call_->place.limits->json, call_->place.memory);
}

// --- The response ---

inline Context& Context::status(int code) {
    call_->settable("ctx.status").set_status(code);
    return *this;
}
inline Context& Context::set_header(std::string_view name, std::string_view value) {
    detail::Response& response = call_->settable("ctx.set_header");
    response.put_header(name, value, [&] { response.headers.set(name, value); });
    return *this;
}
inline Context& Context::add_header(std::string_view name, std::string_view value) {
    detail::Response& response = call_->settable("ctx.add_header");
    response.put_header(name, value, [&] { response.headers.add(name, value); });
    return *this;
}
inline Context& Context::set_cookie(const http::SetCookie& cookie) {
    call_->settable("ctx.set_cookie").headers.add("Set-Cookie", http::to_string(cookie));
    return *this;
}
inline Context& Context::text(std::string_view body) {
    detail::Response& response = call_->settable("ctx.text");
    response.set_static_type("text/plain; charset=utf-8");
    response.copy_body(body);
    return *this;
}
template <std::same_as<std::string> Moved>
Context& Context::text(Moved&& body) {
    detail::Response& response = call_->settable("ctx.text");
    response.set_static_type("text/plain; charset=utf-8");
    response.body = std::move(body);
    return *this;
}
inline Context& Context::html(std::string_view body) {
    detail::Response& response = call_->settable("ctx.html");
    response.set_static_type("text/html; charset=utf-8");
    response.copy_body(body);
    return *this;
}
template <std::same_as<std::string> Moved>
Context& Context::html(Moved&& body) {
    detail::Response& response = call_->settable("ctx.html");
    response.set_static_type("text/html; charset=utf-8");
    response.body = std::move(body);
    return *this;
}
template <std::same_as<Json> Value>
Context& Context::json(const std::type_identity_t<Value>& value) {
    detail::Response& response = call_->settable("ctx.json");
    response.set_static_type("application/json");
    response.body.clear();
    append_json<Value>(response.body, value);
    return *this;
}
template <std::convertible_to<std::string_view> Bytes>
Context& Context::send(Bytes&& bytes, std::string_view content_type) {
    detail::Response& response = call_->settable("ctx.send");
    response.set_type(content_type);
    if constexpr (std::is_same_v<Bytes, std::string>) {
        response.body = std::move(bytes);
    } else {
        response.copy_body(bytes);
    }
    return *this;
}
template <std::convertible_to<std::string_view> Bytes>
Context& Context::send(int code, Bytes&& bytes, std::string_view content_type) {
    return status(code).send(std::forward<Bytes>(bytes), content_type);
}
inline BodyWriter Context::stream(std::string_view content_type) {
    detail::begin_stream(*call_, content_type);
    return BodyWriter(*call_);
}
inline BodyWriter Context::stream(int code, std::string_view content_type) {
    return status(code).stream(content_type);
}
inline Context& Context::redirect(std::string_view location, int code) {
    if (code < 300 || code > 308 || (code >= 304 && code <= 306)) {
        throw std::invalid_argument("redirect: the status must be 300 to 303, 307 or 308");
    }
    detail::Response& response = call_->settable("ctx.redirect");
    response.headers.set("Location", detail::escape_reference(location));
    response.body.clear();
    response.set_static_type({});
    response.status = code;
    return *this;
}
inline Context& Context::no_content() {
    detail::Response& response = call_->settable("ctx.no_content");
    response.body.clear();
    response.set_static_type({});
    response.status = 204;
    return *this;
}
inline ResponseView Context::response() const noexcept { return ResponseView(call_->response); }

// --- Values for this request ---

template <class T>
void Context::set(std::string_view key, T&& value) {
    static_assert(
        std::is_constructible_v<Json, T&&>,
        "ctx.set: this type has no JSON form; write a to_json for it, so that it can cross to a worker");
    if constexpr (std::is_constructible_v<Json, T&&>) {
        call_->state.get<detail::KeptValues<Json>>().object[std::string(key)] = std::forward<T>(value);
    }
}
template <int, std::same_as<Json> Value>
const Value& Context::get(std::string_view key) const {
    static const Value null;
    const auto* const values = call_->state.find<detail::KeptValues<Value>>();
    if (values == nullptr) return null;
    const auto found = values->object.find(std::string(key));
    return found == values->object.end() ? null : *found;
}
template <class T>
T Context::get(std::string_view key) const {
    const Json& value = get(key);
    if (value.is_null()) throw std::out_of_range("ctx.get: no value '" + std::string(key) + "' was set");
    const auto complaint = [key](const std::string& why) {
        return std::out_of_range("ctx.get: '" + std::string(key) + "': " + why);
    };
    try {
        if constexpr (detail::is_read_exactly<T>) {
            detail::JsonOwner<> document;
            document.value = value;
            return detail::json_as<T>(document.value);
        } else {
            return value.get<T>();
        }
    } catch (const detail::JsonMisfit& error) {
        throw complaint(error.what());
    } catch (const Json::exception& error) {
        throw complaint(detail::plain_message(error));
    }
}
template <class T>
T Context::get(std::string_view key, std::type_identity_t<T> fallback) const {
    return get(key).is_null() ? std::move(fallback) : get<T>(key);
}
template <class T>
T& Context::state() {
    return call_->state.get<T>();
}

// --- The way through the handlers ---

inline Task<> Context::next() { return detail::run_rest(*call_); }

template <std::invocable<Context&> F>
void Context::after(F f) {
    static_assert(std::is_void_v<std::invoke_result_t<F&, Context&>>,
                  "ctx.after: the function must return void; it is plain, and sets its answer in ctx");
    struct Given final : detail::After {
        explicit Given(F&& given) : function(std::move(given)) {}
        void run(Context& ctx) override { function(ctx); }
        F function;
    };
    call_->afters.push_front(new Given(std::move(f)));
}

inline Context& Context::abort() noexcept {
    call_->is_aborted = true;
    return *this;
}
inline Context& Context::abort(int code) { return status(code).abort(); }
inline bool Context::is_aborted() const noexcept { return call_->is_aborted; }
inline std::exception_ptr Context::error() const noexcept { return call_->error; }

inline bool Context::in_worker_pool() const noexcept { return call_->place.in_worker_pool; }
inline int Context::worker_pool_size() const noexcept { return call_->place.worker_pool_size; }
inline std::stop_token Context::stop_token() {
    std::stop_source& source = call_->stop_source;
    if (!source.stop_possible()) source = std::stop_source();
    if (call_->stop_requested) source.request_stop();
    return source.get_token();
}
inline std::stop_token Context::draining_token() const noexcept { return this_task::stop_token(); }

}  // namespace SAKE_ABI
}  // namespace sake
