// A received request as the server keeps it, over any protocol: slices of the received bytes, so that these
// may move until the handler begins. CallBuilder fills it; users see it through Context.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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
    Row<FieldSlice> fields;      // in the order received
    const char* base = nullptr;  // where the text of the slices is
    std::string storage;         // the text, if it must outlive the turn of the loop
    std::string_view body;
    BodyBytes body_storage;  // the body, unless it arrived whole and right behind the head
    PathParams params;
    Array<FieldSlice> own_fields;        // of a request without a parser
    std::string given_params;            // the decoded text of `params`, if the request came with them
    OwningList<KeptText> decoded_texts;  // decoded texts to which handlers hold views
    // Flags next to each other, also those below, so that few stores clear them.
    bool has_given_params = false;
    bool is_cut_short = false;  // the head was refused before its end: fields of a proxy may be missing
    bool is_http_1_0 = false;

    void clear() noexcept;

    [[nodiscard]] std::string_view method() const noexcept { return method_name.of(base); }
    [[nodiscard]] std::string_view target() const noexcept { return target_text.of(base); }
    [[nodiscard]] std::string_view raw_query() const noexcept { return query_.of(base); }
    [[nodiscard]] std::string_view raw_path() const noexcept { return path_.of(base); }

    /// The path to match with patterns: decoded except %2F (or %2f), which does not separate names, and %25,
    /// so that the encoded rest is unambiguous.
    [[nodiscard]] std::string_view match_path() const noexcept {
        return path_is_decoded_ ? std::string_view(match_path_) : path_.of(base);
    }

    /// Parses the request target. Returns false if it is not valid for the method, or not text.
    [[nodiscard]] bool resolve_target();

    /// Replaces the field Host, even if it is absent: the host of an absolute target (RFC 9112 section
    /// 3.2.2), or the one that a trusted proxy reports. It is a part of the request's text.
    void take_host(std::string_view authority) noexcept;
    /// That host; "" if the field Host applies.
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

    /// Keeps a text as long as the request, and returns a view of it. An equal text is kept once, so that a
    /// handler may ask as often as it likes.
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
