// RequestHeaders: the header fields of a request, as Context::headers returns them.
#pragma once

#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

#include "sake/http/slice.hpp"

namespace sake {
inline namespace SAKE_ABI {
class Context;

namespace detail {
class Request;
}

/// The header fields of a request in the order received: `for (auto& [name, value] : ctx.headers())`.
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

    [[nodiscard]] iterator begin() const noexcept;
    [[nodiscard]] iterator end() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept;

  private:
    friend class Context;
    explicit RequestHeaders(const detail::Request& request) noexcept : request_(&request) {}

    const detail::Request* request_;
};

}  // namespace SAKE_ABI
}  // namespace sake
