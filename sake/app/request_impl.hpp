// What a Request does with the text of its target and of its path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/body_bytes_impl.hpp"
#include "sake/app/request.hpp"
#include "sake/base/text.hpp"
#include "sake/http/message.hpp"
#include "sake/http/slice.hpp"
#include "sake/http/uri_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// A recycled request keeps its memory, but not that of one large request.
inline void shrink_text(std::string& text) noexcept {
    constexpr std::size_t kept = 16 * 1024;
    if (text.capacity() > kept) std::string().swap(text);
    text.clear();
}

SAKE_INLINE void Request::clear() noexcept {
    known_method = Method::other;
    method_name = target_text = Slice{};
    fields = {};
    base = nullptr;
    body = {};
    shrink_text(storage);
    body_storage.shrink();
    params.count = 0;
    has_given_params = false;
    is_cut_short = false;
    is_http_1_0 = false;
    path_is_decoded_ = false;
    is_for_https_ = false;
    path_ = query_ = host_ = Slice{};
    decoded_texts.clear();
}

// The parser has checked that every '%' begins an escape.
inline std::string decode_for_matching(std::string_view raw) {
    std::string out;
    out.reserve(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] != '%') {
            out += raw[i];
            continue;
        }
        const auto byte = static_cast<char>(ascii::hex_value(raw[i + 1]) * 16 + ascii::hex_value(raw[i + 2]));
        if (byte == '/' || byte == '%') {
            out.append(byte == '/' ? "%2F" : "%25");
        } else {
            out += byte;
        }
        i += 2;
    }
    return out;
}

SAKE_INLINE bool Request::resolve_target() {
    const auto parsed = parse_target(known_method, target());
    if (!parsed) return false;
    is_for_https_ = parsed->is_https;
    if (parsed->form == Target::Form::absolute) take_host(parsed->authority);
    path_ = slice(parsed->path);
    query_ = slice(parsed->query);
    path_is_decoded_ = parsed->path.empty() || needs_decoding(parsed->path);
    if (!path_is_decoded_) return true;
    if (parsed->path.empty()) {  // about the server, as if the target were "*"
        decoded_path_ = match_path_ = "*";
        return true;
    }
    auto decoded = decode_path(parsed->path);
    if (!decoded) return false;
    decoded_path_ = std::move(*decoded);
    match_path_ = decode_for_matching(parsed->path);
    return true;
}

SAKE_INLINE void Request::take_host(std::string_view authority) noexcept {
    host_ = slice(authority);
    for (FieldSlice& field : fields) {
        if (iequals(field.name.of(base), "Host")) field.value = host_;
    }
}

SAKE_INLINE std::string_view Request::param(std::size_t index) {
    if (has_given_params) return params.values[index].of(given_params.data());
    const std::string_view raw = params.values[index].of(match_path().data());
    return path_is_decoded_ && needs_decoding(raw) ? keep(http::percent_decode(raw).value()) : raw;
}

SAKE_INLINE std::optional<std::string_view> Request::field(std::string_view name) const noexcept {
    for (const FieldSlice& field : fields) {
        if (iequals(field.name.of(base), name)) return field.value.of(base);
    }
    return std::nullopt;
}

SAKE_INLINE std::string_view Request::keep(std::string text) {
    for (const KeptText* kept = decoded_texts.first(); kept != nullptr; kept = kept->next) {
        if (kept->text == text) return kept->text;
    }
    return decoded_texts.push_front(new KeptText{std::move(text)}).text;
}

SAKE_INLINE Slice Request::slice(std::string_view part) const noexcept {
    if (part.empty()) return {};
    return {static_cast<std::uint32_t>(part.data() - base), static_cast<std::uint32_t>(part.size())};
}

}  // namespace detail

SAKE_INLINE RequestHeaders::iterator RequestHeaders::begin() const noexcept {
    return {request_->fields.begin(), request_->base};
}
SAKE_INLINE RequestHeaders::iterator RequestHeaders::end() const noexcept {
    return {request_->fields.end(), request_->base};
}
SAKE_INLINE std::size_t RequestHeaders::size() const noexcept { return request_->fields.size(); }

}  // namespace SAKE_ABI
}  // namespace sake
