// What the functions of Context do: they read and write the Call behind it.
#pragma once

#include <concepts>
#include <exception>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/app/body_source.hpp"
#include "sake/app/body_writer_impl.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/chain.hpp"
#include "sake/app/context_methods.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/route.hpp"
#include "sake/async/this_task.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_writer_impl.hpp"
#include "sake/base/shape_writer_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/http/cookie_impl.hpp"
#include "sake/http/uri_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
// --- The request ---

SAKE_INLINE std::string_view Context::method() const noexcept { return call_->request.method(); }
SAKE_INLINE std::string_view Context::path() const noexcept { return call_->request.path(); }
SAKE_INLINE std::string_view Context::target() const noexcept { return call_->request.target(); }
SAKE_INLINE std::string_view Context::query_string() const noexcept { return call_->request.raw_query(); }
SAKE_INLINE std::string_view Context::body() const { return call_->body(); }
SAKE_INLINE auto Context::read() -> detail::Operation<detail::ReadWait, detail::CallHandle> {
    return detail::Operation<detail::ReadWait, detail::CallHandle>(detail::handle_of_running(*call_));
}
SAKE_INLINE std::string_view Context::scheme() const noexcept {
    const auto* const client = call_->state.find<detail::ForwardedClient>();
    return client != nullptr && !client->scheme.empty() ? client->scheme : call_->place.scheme;
}
SAKE_INLINE RequestHeaders Context::headers() const noexcept { return RequestHeaders(call_->request); }

SAKE_INLINE std::string_view Context::host() const noexcept {
    const std::string_view taken = call_->request.taken_host();
    if (!taken.empty()) return taken;
    const auto parts = detail::parse_target(call_->request.known_method, target());
    return parts && !parts->authority.empty() ? parts->authority : header("Host");
}

SAKE_INLINE std::string_view Context::remote_address() {
    if (call_->remote_address.empty()) call_->remote_address = call_->place.peer.to_string();
    return call_->remote_address;
}

SAKE_INLINE std::string_view Context::client_ip() {
    const auto* const client = call_->state.find<detail::ForwardedClient>();
    return client != nullptr ? std::string_view(client->address) : remote_address();
}

SAKE_INLINE std::string_view Context::route() const noexcept {
    return call_->route != nullptr ? call_->route->pattern() : std::string_view{};
}

SAKE_INLINE std::optional<std::string_view> Context::find_header(std::string_view name) const noexcept {
    return call_->request.field(name);
}

SAKE_INLINE std::optional<std::string_view> Context::find_cookie(std::string_view name) const noexcept {
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

SAKE_INLINE std::optional<std::string_view> Context::find_query(std::string_view name) {
    const auto raw = detail::find_query_value(query_string(), name);
    if (!raw) return std::nullopt;
    return detail::decoded_query_value(call_->request, *raw);
}

SAKE_INLINE std::vector<std::string_view> Context::queries(std::string_view name) {
    std::vector<std::string_view> values;
    for (const auto& [raw_name, raw_value] : detail::QueryPairs(query_string())) {
        if (!detail::decodes_to(raw_name, name)) continue;
        values.push_back(detail::decoded_query_value(call_->request, raw_value));
    }
    return values;
}

SAKE_INLINE detail::Array<detail::NamedText> detail::query_texts(Call& call) {
    Array<NamedText> texts;
    for (const auto& [name, value] : QueryPairs(call.request.raw_query())) {
        texts.push_back({decoded_query_value(call.request, name), decoded_query_value(call.request, value)});
    }
    return texts;
}

SAKE_INLINE std::optional<std::string_view> Context::find_param(std::string_view name) {
    if (call_->route == nullptr) return std::nullopt;
    std::string_view rest = call_->route->pattern();
    for (std::size_t i = 0; i < call_->route->param_count(); ++i) {
        if (detail::take_param_name(rest) == name) return call_->request.param(i);
    }
    return std::nullopt;
}

SAKE_INLINE std::string_view Context::param(std::string_view name) {
    if (const auto found = find_param(name)) return *found;
    throw std::out_of_range("ctx.param: the pattern has no parameter named '" + std::string(name) + "'");
}

SAKE_INLINE std::string_view Context::header(std::string_view name,
                                             std::string_view fallback) const noexcept {
    return find_header(name).value_or(fallback);
}

SAKE_INLINE std::string_view Context::cookie(std::string_view name,
                                             std::string_view fallback) const noexcept {
    return find_cookie(name).value_or(fallback);
}

SAKE_INLINE std::string_view Context::query(std::string_view name, std::string_view fallback) {
    return find_query(name).value_or(fallback);
}

SAKE_INLINE std::string_view Context::param(std::string_view name, std::string_view fallback) {
    return find_param(name).value_or(fallback);
}

// --- The response ---

SAKE_INLINE Context& Context::status(int code) {
    call_->settable("ctx.status").set_status(code);
    return *this;
}
SAKE_INLINE Context& Context::set_header(std::string_view name, std::string_view value) {
    detail::Response& response = call_->settable("ctx.set_header");
    response.put_header(name, value, [&] { response.headers.set(name, value); });
    return *this;
}
SAKE_INLINE Context& Context::add_header(std::string_view name, std::string_view value) {
    detail::Response& response = call_->settable("ctx.add_header");
    response.put_header(name, value, [&] { response.headers.add(name, value); });
    return *this;
}
SAKE_INLINE Context& Context::set_cookie(const http::SetCookie& cookie) {
    call_->settable("ctx.set_cookie").headers.add("Set-Cookie", http::to_string(cookie));
    return *this;
}
SAKE_INLINE Context& Context::text(std::string_view body) {
    detail::Response& response = call_->settable("ctx.text");
    response.set_static_type("text/plain; charset=utf-8");
    response.copy_body(body);
    return *this;
}
SAKE_INLINE Context& Context::html(std::string_view body) {
    detail::Response& response = call_->settable("ctx.html");
    response.set_static_type("text/html; charset=utf-8");
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
SAKE_INLINE Context& Context::send_shape(const detail::Shape& shape, const void* value) {
    detail::Response& response = call_->settable("ctx.json");
    response.set_static_type("application/json");
    response.body.clear();
    try {
        detail::append_shape(response.body, shape, value);
    } catch (...) {
        response.body.clear();  // half a value is none
        throw;
    }
    return *this;
}
SAKE_INLINE Context& Context::send_moved(std::string&& bytes, std::string_view content_type) {
    detail::Response& response = call_->settable("ctx.send");
    response.set_type(content_type);
    response.body = std::move(bytes);
    return *this;
}
SAKE_INLINE Context& Context::send_copy(std::string_view bytes, std::string_view content_type) {
    detail::Response& response = call_->settable("ctx.send");
    response.set_type(content_type);
    response.copy_body(bytes);
    return *this;
}
SAKE_INLINE BodyWriter Context::stream(std::string_view content_type) {
    detail::begin_stream(*call_, content_type);
    return BodyWriter(*call_);
}
SAKE_INLINE BodyWriter Context::stream(int code, std::string_view content_type) {
    return status(code).stream(content_type);
}
SAKE_INLINE Context& Context::redirect(std::string_view location, int code) {
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
SAKE_INLINE Context& Context::no_content() {
    detail::Response& response = call_->settable("ctx.no_content");
    response.body.clear();
    response.set_static_type({});
    response.status = 204;
    return *this;
}
SAKE_INLINE ResponseView Context::response() const noexcept { return ResponseView(call_->response); }

// --- Values for this request ---

namespace detail {

template <class Value>
Value& kept_value(Call& call, std::string_view key) {
    return call.state.get<KeptValues<Value>>().object[std::string(key)];
}
SAKE_INLINE TypedSlots& slots_of(Call& call) noexcept { return call.state; }
SAKE_INLINE void add_after(Call& call, After* after) noexcept { call.afters.push_front(after); }

}  // namespace detail

template <int, std::same_as<Json> Value>
const Value& Context::get(std::string_view key) const {
    static const Value null;
    const auto* const values = call_->state.find<detail::KeptValues<Value>>();
    if (values == nullptr) return null;
    const auto found = values->object.find(std::string(key));
    return found == values->object.end() ? null : *found;
}

// --- The way through the handlers ---

SAKE_INLINE Task<> Context::next() { return detail::run_rest(*call_); }

SAKE_INLINE Context& Context::abort() noexcept {
    call_->is_aborted = true;
    return *this;
}
SAKE_INLINE Context& Context::abort(int code) { return status(code).abort(); }
SAKE_INLINE bool Context::is_aborted() const noexcept { return call_->is_aborted; }
SAKE_INLINE std::exception_ptr Context::error() const noexcept { return call_->error; }

SAKE_INLINE bool Context::in_worker_pool() const noexcept { return call_->place.in_worker_pool; }
SAKE_INLINE int Context::worker_pool_size() const noexcept { return call_->place.worker_pool_size; }
SAKE_INLINE std::stop_token Context::stop_token() {
    std::stop_source& source = call_->stop_source;
    if (!source.stop_possible()) source = std::stop_source();
    if (call_->stop_requested) source.request_stop();
    return source.get_token();
}
SAKE_INLINE std::stop_token Context::draining_token() const noexcept { return this_task::stop_token(); }

#if defined(SAKE_IMPLEMENTATION)
template Context& Context::text<std::string>(std::string&& body);
template Context& Context::html<std::string>(std::string&& body);
template Context& Context::json<Json>(const Json& value);
template const Json& Context::get<0, Json>(std::string_view key) const;
template Json& detail::kept_value<Json>(detail::Call& call, std::string_view key);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
