// The functions of Context that are templates. The others are in context_impl.hpp.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/bind.hpp"
#include "sake/app/context.hpp"
#include "sake/app/typed_slots.hpp"
#include "sake/base/faults.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_fit.hpp"
#include "sake/base/json_types.hpp"

namespace sake {
inline namespace SAKE_ABI {
// --- One rule of absence ---

template <class T>
T Context::header(std::string_view name) const {
    return detail::convert_required<T>(find_header(name), "header", name);
}
template <class T>
T Context::header(std::string_view name, std::type_identity_t<T> fallback) const {
    return detail::convert_or<T>(find_header(name), "header", name, std::move(fallback));
}

template <class T>
T Context::cookie(std::string_view name) const {
    return detail::convert_required<T>(find_cookie(name), "cookie", name);
}
template <class T>
T Context::cookie(std::string_view name, std::type_identity_t<T> fallback) const {
    return detail::convert_or<T>(find_cookie(name), "cookie", name, std::move(fallback));
}

template <class T>
T Context::query(std::string_view name) {
    return detail::convert_required<T>(find_query(name), "query parameter", name);
}
template <class T>
T Context::query(std::string_view name, std::type_identity_t<T> fallback) {
    return detail::convert_or<T>(find_query(name), "query parameter", name, std::move(fallback));
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
T Context::query() {
    return detail::bind_query<T>(*call_);
}

template <class T>
T Context::bind() const {
    return detail::bind_json<T>(*call_);
}

// --- The response ---

template <std::convertible_to<std::string_view> Bytes>
Context& Context::send(Bytes&& bytes, std::string_view content_type) {
    if constexpr (std::is_same_v<Bytes, std::string>) {
        return send_moved(std::move(bytes), content_type);
    } else {
        return send_copy(bytes, content_type);
    }
}
template <std::convertible_to<std::string_view> Bytes>
Context& Context::send(int code, Bytes&& bytes, std::string_view content_type) {
    return status(code).send(std::forward<Bytes>(bytes), content_type);
}

// --- Values for this request ---

template <class T>
void Context::set(std::string_view key, T&& value) {
    constexpr bool is_json = std::is_constructible_v<Json, T&&>;
    constexpr bool is_shaped = detail::HasShape<std::remove_cvref_t<T>>;
    static_assert(
        is_json || is_shaped,
        "ctx.set: this type has no JSON form, by which it would cross to a worker: make it a plain struct, "
        "write a to_json, or keep it in ctx.state<T>()");
    if constexpr (is_json) {
        detail::kept_value<Json>(*call_, key) = std::forward<T>(value);
    } else if constexpr (is_shaped) {
        constexpr auto no_limit = static_cast<std::size_t>(-1);  // those are for what clients send
        std::string text;
        detail::append_shape(text, detail::ShapeOf<std::remove_cvref_t<T>>::value, std::addressof(value));
        detail::kept_value<Json>(*call_, key) = parse_json<Json>(text, no_limit, no_limit);
    }
}
template <class T>
T Context::get(std::string_view key) const {
    const Json& value = get(key);
    if (value.is_null()) throw std::out_of_range("ctx.get: no value '" + std::string(key) + "' was set");
    const auto complaint = [key](const std::string& why) {
        return std::out_of_range("ctx.get: '" + std::string(key) + "': " + why);
    };
    try {
        constexpr bool is_shaped = detail::HasShape<T> && !std::is_constructible_v<Json, const T&>;
        if constexpr (is_shaped || detail::is_read_exactly<T>) {
            detail::JsonOwner<> document;
            document.value = value;
            if constexpr (is_shaped) {
                detail::Faults faults;
                T shaped = detail::read_as<T>(document.value, faults);
                if (!faults.empty()) throw complaint(detail::text_of_first(faults));
                return shaped;
            } else {
                return detail::json_as<T>(document.value);
            }
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
    return detail::slots_of(*call_).get<T>();
}

// --- The way through the handlers ---

template <std::invocable<Context&> F>
void Context::after(F f) {
    constexpr bool is_plain = std::is_void_v<std::invoke_result_t<F&, Context&>>;
    static_assert(
        is_plain,
        "ctx.after: the function must not be a coroutine or return a value: set the answer by ctx.json(...)");
    if constexpr (is_plain) {
        struct Given final : detail::After {
            explicit Given(F&& given) : function(std::move(given)) {}
            void run(Context& ctx) override { function(ctx); }
            F function;
        };
        detail::add_after(*call_, new Given(std::move(f)));
    }
}

}  // namespace SAKE_ABI
}  // namespace sake
