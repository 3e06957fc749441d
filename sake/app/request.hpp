// A received request as the server keeps it, whatever protocol it came by: slices of the bytes that came, so
// that these may move until the handler begins. CallBuilder fills it; users see it through Context.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/body_bytes.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/text.hpp"
#include "sake/http/message.hpp"
#include "sake/http/slice.hpp"
#include "sake/http/uri.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Context;

namespace detail {

/// The most parameters that one pattern may have.
inline constexpr std::size_t max_path_params = 16;

/// Where the parameters of a matched path are, as slices of that path.
struct PathParams {
    std::array<Slice, max_path_params> values;
    std::size_t count = 0;
};

struct KeptText {
    std::string text;
    KeptText* next = nullptr;
};

class Request {
  public:
    Method known_method = Method::other;
    Slice method_name;
    Slice target_text;
    std::span<FieldSlice> fields;  // in the order received
    const char* base = nullptr;    // where the text is that the slices are of
    std::string storage;           // the text is here if it must outlive the turn of the loop
    std::string_view body;
    BodyBytes body_storage;  // the body is here unless it came whole and right behind the head
    PathParams params;
    Array<FieldSlice> own_fields;  // of a request that no parser holds
    bool has_given_params = false;
    std::string given_params;  // what `params` are slices of, decoded, if the request came with them
    OwningList<KeptText> decoded_texts;  // what views of decoded text given to the handler point into

    void clear() noexcept {
        known_method = Method::other;
        method_name = target_text = Slice{};
        fields = {};
        base = nullptr;
        body = {};
        shrink(storage);
        body_storage.shrink();
        params.count = 0;
        has_given_params = false;
        path_ = query_ = Slice{};
        path_is_decoded_ = false;
        is_for_https_ = false;
        decoded_texts.clear();
    }

    [[nodiscard]] std::string_view method() const noexcept { return method_name.of(base); }
    [[nodiscard]] std::string_view target() const noexcept { return target_text.of(base); }
    [[nodiscard]] std::string_view raw_query() const noexcept { return query_.of(base); }
    [[nodiscard]] std::string_view raw_path() const noexcept { return path_.of(base); }

    /// The path to match patterns against: decoded except %2F (or %2f), which does not separate names, and
    /// %25, so that what is left encoded can be told apart.
    [[nodiscard]] std::string_view match_path() const noexcept {
        return path_is_decoded_ ? std::string_view(match_path_) : path_.of(base);
    }

    /// Takes the request target apart. Returns false if it is not one for the method, or not text.
    [[nodiscard]] bool resolve_target() {
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

    /// The host of an absolute target is the one that counts, whatever Host says (RFC 9112 section 3.2.2).
    void take_host(std::string_view authority) noexcept {
        for (FieldSlice& field : fields) {
            if (iequals(field.name.of(base), "Host")) field.value = slice(authority);
        }
    }

    /// Whether the target names the scheme https.
    [[nodiscard]] bool is_for_https() const noexcept { return is_for_https_; }

    /// The whole path, decoded.
    [[nodiscard]] std::string_view path() const noexcept {
        return path_is_decoded_ ? std::string_view(decoded_path_) : path_.of(base);
    }

    /// The decoded value of a path parameter, by position.
    [[nodiscard]] std::string_view param(std::size_t index) {
        if (has_given_params) return params.values[index].of(given_params.data());
        const std::string_view raw = params.values[index].of(match_path().data());
        return path_is_decoded_ && needs_decoding(raw) ? keep(http::percent_decode(raw).value()) : raw;
    }

    /// The value of the first field of that name.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
        for (const FieldSlice& field : fields) {
            if (iequals(field.name.of(base), name)) return field.value.of(base);
        }
        return std::nullopt;
    }

    /// Keeps a text for as long as the request and gives a view of it. A text that is kept already is not
    /// kept twice, so that a handler may ask as often as it likes.
    std::string_view keep(std::string text) {
        for (const KeptText* kept = decoded_texts.first(); kept != nullptr; kept = kept->next) {
            if (kept->text == text) return kept->text;
        }
        return decoded_texts.push_front(new KeptText{std::move(text)}).text;
    }

  private:
    // A recycled request keeps its memory, but not that of one large request.
    static void shrink(std::string& text) noexcept {
        constexpr std::size_t kept = 16 * 1024;
        if (text.capacity() > kept) std::string().swap(text);
        text.clear();
    }

    [[nodiscard]] Slice slice(std::string_view part) const noexcept {
        if (part.empty()) return {};
        return {static_cast<std::uint32_t>(part.data() - base), static_cast<std::uint32_t>(part.size())};
    }

    // The parser has checked that every '%' begins an escape.
    static std::string decode_for_matching(std::string_view raw) {
        std::string out;
        out.reserve(raw.size());
        for (std::size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] != '%') {
                out += raw[i];
                continue;
            }
            const auto byte =
                static_cast<char>(ascii::hex_value(raw[i + 1]) * 16 + ascii::hex_value(raw[i + 2]));
            if (byte == '/' || byte == '%') {
                out.append(byte == '/' ? "%2F" : "%25");
            } else {
                out += byte;
            }
            i += 2;
        }
        return out;
    }

    Slice path_;
    Slice query_;
    std::string match_path_;
    std::string decoded_path_;
    bool path_is_decoded_ = false;
    bool is_for_https_ = false;
};

}  // namespace detail

/// The fields of a request in the order received: `for (auto& [name, value] : ctx.headers())`.
class RequestHeaders {
  public:
    using value_type = std::pair<std::string_view, std::string_view>;

    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = RequestHeaders::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type*;
        using reference = const value_type&;

        iterator() noexcept = default;
        reference operator*() const noexcept {
            current_ = {field_->name.of(base_), field_->value.of(base_)};
            return current_;
        }
        pointer operator->() const noexcept { return &**this; }
        iterator& operator++() noexcept {
            ++field_;
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++field_;
            return before;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.field_ == b.field_; }

      private:
        friend class RequestHeaders;
        iterator(const detail::FieldSlice* field, const char* base) noexcept : field_(field), base_(base) {}

        const detail::FieldSlice* field_ = nullptr;
        const char* base_ = nullptr;
        mutable value_type current_;
    };

    [[nodiscard]] iterator begin() const noexcept { return {request_->fields.data(), request_->base}; }
    [[nodiscard]] iterator end() const noexcept {
        return {request_->fields.data() + request_->fields.size(), request_->base};
    }
    [[nodiscard]] std::size_t size() const noexcept { return request_->fields.size(); }

  private:
    friend class Context;
    explicit RequestHeaders(const detail::Request& request) noexcept : request_(&request) {}

    const detail::Request* request_;
};

}  // namespace SAKE_ABI
}  // namespace sake
