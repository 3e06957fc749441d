// Headers: the header fields of a message that is sent, an ordered multi-map that cannot hold a line break.
// Names are compared without case. Received fields are views: see head_parser.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// The fields of a response or of a client's request, in order. They are stored in one string as on the wire:
/// clear() keeps the memory, a warm object does not allocate, and writing is one copy.
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
    /// `{{"Accept", "text/html"}, {"X-A", "1"}}`. Throws as add does.
    Headers(std::initializer_list<value_type> fields);

    /// Sets one field: replaces the value of the first of this name in its place, and removes the others.
    /// Throws std::invalid_argument that names the byte which a name or value cannot hold.
    void set(std::string_view name, std::string_view value);

    /// Adds a field, even if there is one of this name (as Set-Cookie needs). Throws as set does.
    void add(std::string_view name, std::string_view value);

    /// Removes every field of this name. Returns how many there were.
    std::size_t remove(std::string_view name);

    /// The value of the first field of this name. The view is valid until the next change.
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;

    /// Whether there is a field of this name.
    [[nodiscard]] bool contains(std::string_view name) const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] const_iterator begin() const noexcept { return {this, 0}; }
    [[nodiscard]] const_iterator end() const noexcept { return {this, entries_.size()}; }

    /// All fields as they are sent: "Name: value\r\n" each, without the final empty line.
    [[nodiscard]] std::string_view wire() const noexcept { return wire_; }

    /// Removes all fields and keeps the memory.
    void clear() noexcept {
        wire_.clear();
        entries_.clear();
    }

  private:
    std::string wire_;
    sake::detail::Array<Entry> entries_;  // in the order of wire_, without gaps

    [[nodiscard]] value_type at(std::size_t index) const noexcept;
    [[nodiscard]] std::size_t find(std::string_view name, std::size_t from) const noexcept;
    /// True when the text lies in our own string, which an append may move.
    [[nodiscard]] bool is_own(std::string_view text) const noexcept;
    void check_room(std::size_t name, std::size_t value) const;
    /// Makes room for one more entry of that many bytes, so that adding it cannot fail half way.
    void grow(std::size_t bytes);
    /// Moves the entries from `index` on: a piece before them went from `old_size` to `new_size` bytes.
    void shift(std::size_t index, std::size_t old_size, std::size_t new_size) noexcept;
    std::size_t remove_from(std::string_view name, std::size_t from);
};

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
