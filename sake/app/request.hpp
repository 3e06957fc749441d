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
#include "sake/http/message.hpp"
#include "sake/http/slice.hpp"

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

    void clear() noexcept;

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
    [[nodiscard]] bool resolve_target();

    /// The host of an absolute target is the one that counts, whatever Host says (RFC 9112 section 3.2.2).
    void take_host(std::string_view authority) noexcept;

    /// Whether the target names the scheme https.
    [[nodiscard]] bool is_for_https() const noexcept { return is_for_https_; }

    /// The whole path, decoded.
    [[nodiscard]] std::string_view path() const noexcept {
        return path_is_decoded_ ? std::string_view(decoded_path_) : path_.of(base);
    }

    /// The decoded value of a path parameter, by position.
    [[nodiscard]] std::string_view param(std::size_t index);

    /// The value of the first field of that name.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;

    /// Keeps a text for as long as the request and gives a view of it. A text that is kept already is not
    /// kept twice, so that a handler may ask as often as it likes.
    std::string_view keep(std::string text);

  private:
    [[nodiscard]] Slice slice(std::string_view part) const noexcept;

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
