// Request targets, host names, percent encoding and query strings (RFC 3986, RFC 9112 section 3.2, and the
// application/x-www-form-urlencoded form of the WHATWG URL standard). A bad escape is an error in a path; in
// a query, where browsers leave it, it stands for itself. Not here: the bytes of a target, which the parser
// has checked, and routing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "sake/base/ip_text.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/text.hpp"
#include "sake/http/message.hpp"
#include "sake/http/uri.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A request target taken apart; everything is raw, nothing decoded.
struct Target {
    enum class Form : std::uint8_t { origin, absolute, authority, asterisk };

    Form form = Form::origin;
    std::string_view path;   // "/" when the absolute form has none, except for OPTIONS; "*" in asterisk form;
                             // empty for CONNECT
    std::string_view query;  // without the '?'
    std::string_view authority;  // host and port, of the absolute and authority forms
    bool is_https = false;       // the scheme of the absolute form
};

/// True for the bytes that no URI may hold, but that browsers leave in a query: all that the query
/// percent-encode set of the WHATWG URL standard leaves out. A '%' is one of them that begins no escape.
constexpr bool is_left_in_queries(char c) noexcept { return ascii::contains_char("%\\^`{|}", c); }

/// Whether the text begins with '%' and two hex digits.
constexpr bool begins_with_escape(std::string_view text) noexcept {
    return text.size() >= 3 && text[0] == '%' && ascii::is(text[1], ascii::hex) &&
           ascii::is(text[2], ascii::hex);
}

/// Past the bytes that a URI may hold and the well-formed percent escapes among them, and in its query past
/// those that browsers leave there.
inline const char* skip_target(const char* p, const char* end) noexcept {
    const char* const begin = p;
    bool is_in_query = false;
    for (;; ++p) {
        while (p != end && ascii::is(*p, ascii::target)) ++p;
        if (p == end || *p == ' ') return p;
        if (begins_with_escape({p, static_cast<std::size_t>(end - p)})) {
            p += 2;
        } else {
            if (!is_left_in_queries(*p)) return p;
            // Asked once, and only where such a byte is met: most targets have none.
            const std::string_view before(begin, is_in_query ? 0 : static_cast<std::size_t>(p - begin));
            is_in_query = is_in_query || before.find('?') != std::string_view::npos;
            if (!is_in_query) return p;
        }
    }
}

/// Where the host ends and ":port" may begin, or npos when the host is bad. Names are letters, digits and
/// "-._~": the escapes and sub-delims that RFC 3986 also allows have no use here and let two readers
/// disagree.
constexpr std::size_t host_length(std::string_view text) noexcept {
    if (!text.empty() && text[0] == '[') {
        const std::size_t close = text.find(']');
        const bool good = close != std::string_view::npos && is_ipv6(text.substr(1, close - 1));
        return good ? close + 1 : std::string_view::npos;
    }
    std::size_t length = 0;
    while (length < text.size() && ascii::is(text[length], ascii::unreserved)) ++length;
    return length;
}

/// True for what may stand in Host: nothing at all, or a name or address with an optional port (RFC
/// 9110 7.2).
[[nodiscard]] constexpr bool is_valid_host(std::string_view value) noexcept {
    const std::size_t length = host_length(value);
    if (length >= value.size()) return length == value.size();
    if (value[length] != ':' || length == 0) return false;
    std::uint32_t port = 0;
    for (const char c : value.substr(length + 1)) {
        if (!ascii::is(c, ascii::digit)) return false;
        port = port * 10 + static_cast<std::uint32_t>(c - '0');
        if (port > 65535) return false;
    }
    return true;
}

constexpr void split_query(std::string_view text, Target& target) noexcept {
    const std::size_t mark = text.find('?');
    target.path = text;
    if (mark == std::string_view::npos) return;
    target.path = text.substr(0, mark);
    target.query = text.substr(mark + 1);
}

/// absolute-form: "http://" or "https://", an authority that is not empty, then path and query. The path is
/// empty for OPTIONS if nothing follows the authority: it is about the server then (RFC 9110 section 4.2.3).
constexpr Maybe<Target> parse_absolute(Method method, std::string_view text) noexcept {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) return {};
    const std::string_view name = text.substr(0, scheme);
    const bool is_https = iequals(name, "https");
    if (!is_https && !iequals(name, "http")) return {};
    const std::string_view slash = text.substr(scheme + 1, 1);
    text.remove_prefix(scheme + 3);
    Target target;
    target.form = Target::Form::absolute;
    target.is_https = is_https;
    target.authority = text.substr(0, text.find_first_of("/?"));
    if (target.authority.empty() || !is_valid_host(target.authority)) return {};
    text.remove_prefix(target.authority.size());
    split_query(text, target);
    if (method == Method::options && text.empty()) return target;
    // A slash within the request: callers keep offsets into its text, so a literal would not do.
    if (target.path.empty()) target.path = slash;
    return target;
}

/// Takes a target apart, or nothing when it has none of the forms that go with the method (RFC 9112
/// section 3.2):
/// "/path?query" and "http://host/path" for all but CONNECT, "*" for OPTIONS, "host:port" for CONNECT.
[[nodiscard]] constexpr Maybe<Target> parse_target(Method method, std::string_view text) noexcept {
    Target target;
    if (method == Method::connect) {
        const std::size_t host = host_length(text);
        if (!is_valid_host(text) || host + 1 >= text.size()) return {};
        // A port that is empty or 0 is not valid (RFC 9110 section 9.3.6).
        if (text.find_first_not_of('0', host + 1) == std::string_view::npos) return {};
        target.form = Target::Form::authority;
        target.authority = text;
        return target;
    }
    if (!text.empty() && text[0] == '/') {
        split_query(text, target);
        return target;
    }
    if (text != "*") return parse_absolute(method, text);
    if (method != Method::options) return {};
    target.form = Target::Form::asterisk;
    target.path = text;
    return target;
}

/// True when the text holds an escape, so that its decoded form differs.
[[nodiscard]] constexpr bool needs_decoding(std::string_view text) noexcept {
    return text.find('%') != std::string_view::npos;
}

/// The same for a query or form, where '+' is a space.
[[nodiscard]] constexpr bool needs_form_decoding(std::string_view text) noexcept {
    return text.find_first_of("%+") != std::string_view::npos;
}

/// Takes a byte off the front, decoded if an escape is there. A '%' that begins none is itself.
constexpr char take_decoded(std::string_view& text) noexcept {
    const bool is_escape = begins_with_escape(text);
    const char c =
        is_escape ? static_cast<char>(ascii::hex_value(text[1]) * 16 + ascii::hex_value(text[2])) : text[0];
    text.remove_prefix(is_escape ? 3 : 1);
    return c;
}

/// The same of a query or form, where '+' is a space.
constexpr char take_form_decoded(std::string_view& text) noexcept {
    const bool is_space = text[0] == '+';
    const char c = take_decoded(text);
    return is_space ? ' ' : c;
}

inline void append_escape(std::string& out, char c) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', digits[byte >> 4], digits[byte & 15]};
}

/// True when the raw form text decodes to `plain`; compares without making a string.
constexpr bool decodes_to(std::string_view raw, std::string_view plain) noexcept {
    while (!raw.empty() && !plain.empty()) {
        if (take_form_decoded(raw) != plain[0]) return false;
        plain.remove_prefix(1);
    }
    return raw.empty() && plain.empty();
}

/// The decoded key or value of a query or form. Any text is one: a '%' that begins no escape is itself, as in
/// the WHATWG URL standard.
[[nodiscard]] inline std::string percent_decode_form(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) out += take_form_decoded(text);
    return out;
}

}  // namespace detail
namespace http {

SAKE_INLINE std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        if (text[0] == '%' && !sake::detail::begins_with_escape(text)) return std::nullopt;
        out += sake::detail::take_decoded(text);
    }
    return out;
}

SAKE_INLINE std::string percent_encode(std::string_view segment) {
    std::string out;
    out.reserve(segment.size());
    for (const char c : segment) {
        if (ascii::is(c, ascii::segment)) {
            out += c;
        } else {
            sake::detail::append_escape(out, c);
        }
    }
    return out;
}

}  // namespace http
namespace detail {

/// Where the authority of a URI reference ends, which stands behind "//" or "scheme://"; 0 if there is none.
inline std::size_t authority_end(std::string_view text) noexcept {
    const std::size_t first = text.find_first_of("/?#");
    if (first == std::string_view::npos || text.substr(first, 2) != "//") return 0;
    if (first > 0 && text[first - 1] != ':') return 0;
    return std::min(text.size(), text.find_first_of("/?#", first + 2));
}

/// The text with an escape for each byte that a URI cannot hold and for which `stands(c, index)` is false.
/// Existing escapes stay, and a '%' that begins none is escaped. Control bytes stay; the caller refuses them.
template <class Stands>
std::string escape_uri(std::string_view text, Stands stands) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (begins_with_escape(text.substr(i)) || stands(c, i) || !ascii::is(c, ascii::field)) {
            out += c;
        } else {
            append_escape(out, c);
        }
    }
    return out;
}

/// A text as a URI reference (RFC 3986 section 4.1), as escape_uri makes it.
[[nodiscard]] inline std::string escape_reference(std::string_view text) {
    const std::size_t authority = authority_end(text);
    const std::size_t fragment = text.find('#');
    return escape_uri(text, [&](char c, std::size_t i) {
        if (c == '[' || c == ']') return i < authority;  // of an IP literal only
        return ascii::is(c, ascii::target) || i == fragment;
    });
}

/// True when a decoded path is text: valid UTF-8 without NUL. A server answers 400 when it is not.
[[nodiscard]] inline bool is_path_text(std::string_view decoded) noexcept {
    return decoded.find('\0') == std::string_view::npos && is_valid_utf8(decoded);
}

/// Percent-decodes a path or a segment; nullopt when an escape is bad or the outcome is not is_path_text.
[[nodiscard]] inline std::optional<std::string> decode_path(std::string_view raw) {
    std::optional<std::string> decoded = http::percent_decode(raw);
    if (decoded && !is_path_text(*decoded)) decoded.reset();
    return decoded;
}

/// The raw key=value pairs of a query or form, in order: `for (auto& [key, value] : QueryPairs(query))`.
/// Empty pieces are skipped, a piece without '=' has an empty value. Holds a view only; allocates nothing.
class QueryPairs {
  public:
    struct Pair {
        std::string_view key;
        std::string_view value;
    };

    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Pair;
        using difference_type = std::ptrdiff_t;
        using pointer = const Pair*;
        using reference = const Pair&;

        constexpr iterator() noexcept = default;
        constexpr explicit iterator(std::string_view rest) noexcept : rest_(rest), at_end_(false) { ++*this; }
        constexpr reference operator*() const noexcept { return pair_; }
        constexpr pointer operator->() const noexcept { return &pair_; }
        constexpr iterator& operator++() noexcept {
            while (!rest_.empty() && rest_[0] == '&') rest_.remove_prefix(1);
            at_end_ = rest_.empty();
            const std::string_view piece = rest_.substr(0, rest_.find('&'));
            const std::size_t equals = piece.find('=');
            pair_.key = piece.substr(0, equals);
            pair_.value = equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1);
            rest_.remove_prefix(piece.size());
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        /// Only the comparison with end() means anything.
        friend constexpr bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.at_end_ == b.at_end_;
        }

      private:
        std::string_view rest_;
        Pair pair_;
        bool at_end_ = true;
    };

    constexpr explicit QueryPairs(std::string_view raw_query) noexcept : query_(raw_query) {}
    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(query_); }
    [[nodiscard]] constexpr iterator end() const noexcept { return {}; }

  private:
    std::string_view query_;
};

/// The raw value of the first pair whose decoded key is `key`. Allocates nothing.
[[nodiscard]] constexpr std::optional<std::string_view> find_query_value(std::string_view raw_query,
                                                                         std::string_view key) noexcept {
    for (const auto& pair : QueryPairs(raw_query)) {
        if (decodes_to(pair.key, key)) return pair.value;
    }
    return std::nullopt;
}

/// The decoded value of the first pair whose decoded key is `key`; nullopt when there is none.
[[nodiscard]] inline std::optional<std::string> query_value(std::string_view raw_query,
                                                            std::string_view key) {
    const std::optional<std::string_view> raw = find_query_value(raw_query, key);
    if (!raw) return std::nullopt;
    return percent_decode_form(*raw);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
