// A received request as the server keeps it, whatever protocol it came by: slices of the bytes that came, so
// that these may move until the handler begins. CallBuilder fills it; users see it through Context.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sake/app/body_bytes.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/request_headers.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/http/message.hpp"
#include "sake/http/slice.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

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
    std::string given_params;      // what `params` are slices of, decoded, if the request came with them
    OwningList<KeptText> decoded_texts;  // what views of decoded text given to the handler point into
    // Flags side by side, also with those below, so that few stores clear them.
    bool has_given_params = false;
    bool is_cut_short = false;  // the head was refused in the middle: what a proxy writes last may be missing
    bool is_http_1_0 = false;

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

    /// In place of what the field Host says, also if there is none: the host of an absolute target (RFC 9112
    /// section 3.2.2), or that which a trusted proxy names. It is a part of the request's text.
    void take_host(std::string_view authority) noexcept;
    /// That host; "" if the field Host counts.
    [[nodiscard]] std::string_view taken_host() const noexcept { return host_.of(base); }

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

    bool path_is_decoded_ = false;
    bool is_for_https_ = false;
    Slice path_;
    Slice query_;
    Slice host_;
    std::string match_path_;
    std::string decoded_path_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
