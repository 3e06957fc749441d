// Header fields that we own and send: an ordered multi-map that cannot be made to hold a line break, and the
// helpers for comma lists. Names compare without case. Not here: received fields, which are views
// (head_parser.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// True for a field name: a token (RFC 9110 section 5.1).
[[nodiscard]] constexpr bool is_valid_field_name(std::string_view name) noexcept { return is_token(name); }

/// True when every byte may stand in a field value (RFC 9110 section 5.5): no control byte but HTAB.
[[nodiscard]] inline bool is_valid_field_value(std::string_view value) noexcept {
    const char* end = value.data() + value.size();
    return ascii::find_control(value.data(), end) == end;
}

/// Plain words for a byte that was refused.
constexpr std::string_view name_of_byte(char c) noexcept {
    switch (c) {
        case '\0':
            return "a NUL";
        case '\r':
            return "a carriage return";
        case '\n':
            return "a line feed";
        case ' ':
            return "a space";
        case ':':
            return "a colon";
        default:
            break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return "a control character";
    return byte < 0x80 ? "a character that may not stand there" : "not ASCII";
}

/// "header value: byte 3 is a line feed (0x0a)"; the offending text itself is not repeated.
[[noreturn]] inline void throw_bad_byte(std::string_view what, std::size_t position, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    std::string text(what);
    text.append(": byte ").append(std::to_string(position)).append(" is ").append(name_of_byte(c));
    text.append(" (0x").append({digits[byte >> 4], digits[byte & 15]}).append(")");
    throw std::invalid_argument(text);
}

inline void check_field_name(std::string_view name) {
    if (name.empty()) throw std::invalid_argument("header name: is empty");
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (!ascii::is(name[i], ascii::token)) throw_bad_byte("header name", i, name[i]);
    }
}

inline void check_field_value(std::string_view what, std::string_view value) {
    const char* end = value.data() + value.size();
    const char* bad = ascii::find_control(value.data(), end);
    if (bad != end) throw_bad_byte(what, static_cast<std::size_t>(bad - value.data()), *bad);
}

/// Cuts the first item, without its white space and maybe empty, off a comma list.
constexpr std::string_view take_list_item(std::string_view& rest) noexcept {
    const std::size_t comma = rest.find(',');
    const std::string_view item = trim_ows(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    return item;
}

/// Calls f(item) for each non-empty item of a comma list of tokens (RFC 9110 section 5.6.1; no quoted
/// strings).
template <class F>
constexpr void for_each_list_item(std::string_view list, F&& f) {
    while (!list.empty()) {
        const std::string_view item = take_list_item(list);
        if (!item.empty()) f(item);
    }
}

/// True when the comma list holds this token, without regard to case.
[[nodiscard]] constexpr bool list_contains(std::string_view list, std::string_view token) noexcept {
    bool found = false;
    for_each_list_item(list, [&](std::string_view item) { found = found || iequals(item, token); });
    return found;
}

/// True for the fields that decide the framing, or end the hop. The writer of heads makes them, an
/// application may not set them (RFC 9110 section 7.6.1).
[[nodiscard]] constexpr bool is_framing_field(std::string_view name) noexcept {
    switch (name.size()) {
        case 7:
            return iequals(name, "trailer") || iequals(name, "upgrade");
        case 10:
            return iequals(name, "connection") || iequals(name, "keep-alive");
        case 14:
            return iequals(name, "content-length");
        case 17:
            return iequals(name, "transfer-encoding");
        default:
            return false;
    }
}

}  // namespace detail
namespace http {

/// The fields of a response (or of a client's request), in order. They live in one string in the form of the
/// wire: clear() keeps the memory, a warm object does not allocate, and writing is one copy.
class Headers {
    struct Entry {
        std::uint32_t offset;
        std::uint32_t name;
        std::uint32_t value;
        [[nodiscard]] std::size_t size() const noexcept { return std::size_t{name} + value + 4; }
        [[nodiscard]] std::size_t value_offset() const noexcept { return std::size_t{offset} + name + 2; }
    };

  public:
    using value_type = std::pair<std::string_view, std::string_view>;

    /// Yields name and value. The pair lives in the iterator, so that `auto& [name, value]` works too.
    class const_iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Headers::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type*;
        using reference = const value_type&;

        const_iterator() noexcept = default;
        reference operator*() const noexcept {
            current_ = headers_->at(index_);
            return current_;
        }
        pointer operator->() const noexcept { return &**this; }
        const_iterator& operator++() noexcept {
            ++index_;
            return *this;
        }
        const_iterator operator++(int) noexcept {
            const_iterator before = *this;
            ++index_;
            return before;
        }
        friend bool operator==(const const_iterator& a, const const_iterator& b) noexcept {
            return a.index_ == b.index_;
        }

      private:
        friend class Headers;
        const_iterator(const Headers* headers, std::size_t index) noexcept
            : headers_(headers), index_(index) {}

        const Headers* headers_ = nullptr;
        std::size_t index_ = 0;
        mutable value_type current_;
    };

    Headers() = default;
    /// `{{"Accept", "text/html"}, {"X-A", "1"}}`. Throws like add.
    Headers(std::initializer_list<value_type> fields) {
        for (const auto& [name, value] : fields) add(name, value);
    }

    /// One field of this name with this value: replaces the first where it stands and removes the others.
    /// Throws std::invalid_argument that says which byte may not stand in a name or a value.
    void set(std::string_view name, std::string_view value) {
        if (is_own(name) || is_own(value)) return set(std::string(name), std::string(value));
        const std::size_t first = find(name, 0);
        if (first == entries_.size()) return add(name, value);
        sake::detail::check_field_value("header value", value);
        value = trim_ows(value);
        check_room(0, value.size());
        const Entry old = entries_[first];
        wire_.replace(old.value_offset(), old.value, value);
        entries_[first].value = static_cast<std::uint32_t>(value.size());
        shift(first + 1, old.value, value.size());
        remove_from(name, first + 1);
    }

    /// One more field, whether or not there is one of this name (Set-Cookie). Throws like set.
    void add(std::string_view name, std::string_view value) {
        if (is_own(name) || is_own(value)) return add(std::string(name), std::string(value));
        sake::detail::check_field_name(name);
        sake::detail::check_field_value("header value", value);
        value = trim_ows(value);
        check_room(name.size(), value.size());
        grow(name.size() + value.size() + 4);
        entries_.push_back({static_cast<std::uint32_t>(wire_.size()), static_cast<std::uint32_t>(name.size()),
                            static_cast<std::uint32_t>(value.size())});
        wire_.append(name).append(": ", 2).append(value).append("\r\n", 2);
    }

    /// Removes every field of this name; returns how many there were.
    std::size_t remove(std::string_view name) { return remove_from(name, 0); }

    /// The value of the first field of this name. The view is valid until the next change.
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept {
        const std::size_t index = find(name, 0);
        if (index == entries_.size()) return std::nullopt;
        return at(index).second;
    }

    [[nodiscard]] bool contains(std::string_view name) const noexcept {
        return find(name, 0) != entries_.size();
    }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] const_iterator begin() const noexcept { return {this, 0}; }
    [[nodiscard]] const_iterator end() const noexcept { return {this, entries_.size()}; }

    /// All fields as they go out: "Name: value\r\n" each, with no final empty line.
    [[nodiscard]] std::string_view wire() const noexcept { return wire_; }

    /// Empties the map and keeps its memory.
    void clear() noexcept {
        wire_.clear();
        entries_.clear();
    }

  private:
    std::string wire_;
    sake::detail::Array<Entry> entries_;  // in the order of wire_, without gaps

    [[nodiscard]] value_type at(std::size_t index) const noexcept {
        const Entry& entry = entries_[index];
        const char* line = wire_.data() + entry.offset;
        return {{line, entry.name}, {line + entry.name + 2, entry.value}};
    }

    [[nodiscard]] std::size_t find(std::string_view name, std::size_t from) const noexcept {
        while (from < entries_.size() && !iequals(at(from).first, name)) ++from;
        return from;
    }

    /// True when the text lies in our own string, which an append may move.
    [[nodiscard]] bool is_own(std::string_view text) const noexcept {
        const auto begin = reinterpret_cast<std::uintptr_t>(wire_.data());
        const auto where = reinterpret_cast<std::uintptr_t>(text.data());
        return where >= begin && where - begin < wire_.size();
    }

    void check_room(std::size_t name, std::size_t value) const {
        constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max() - 4;
        const std::size_t used = wire_.size();
        if (used > most || name > most - used || value > most - used - name) {
            throw std::length_error("header fields larger than 4 GiB");
        }
    }

    /// Makes room for one more entry of that many bytes, so that adding it cannot fail half way.
    void grow(std::size_t bytes) {
        const std::size_t needed = wire_.size() + bytes;
        if (wire_.capacity() < needed) wire_.reserve(std::max(needed, 2 * wire_.capacity()));
        if (entries_.capacity() == entries_.size()) entries_.reserve(2 * entries_.size() + 8);
    }

    /// Moves the entries from `index` on: a piece before them went from `old_size` to `new_size` bytes.
    void shift(std::size_t index, std::size_t old_size, std::size_t new_size) noexcept {
        for (; index < entries_.size(); ++index) {
            entries_[index].offset = static_cast<std::uint32_t>(entries_[index].offset + new_size - old_size);
        }
    }

    std::size_t remove_from(std::string_view name, std::size_t from) {
        if (is_own(name)) return remove_from(std::string(name), from);
        std::size_t removed = 0;
        while ((from = find(name, from)) != entries_.size()) {
            const Entry gone = entries_[from];
            wire_.erase(gone.offset, gone.size());
            entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(from));
            shift(from, gone.size(), 0);
            ++removed;
        }
        return removed;
    }
};

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
