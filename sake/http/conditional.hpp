// Conditional requests (RFC 9110 section 13): entity tags, and whether the fields If-* let a request proceed.
// The tags of files are made elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sake/base/maybe.hpp"
#include "sake/base/text.hpp"
#include "sake/http/date.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// An entity tag (section 8.8.3).
struct EntityTag {
    std::string_view opaque;  // with its quotes
    bool is_weak = false;

    /// Takes a tag off the front of a text; nothing if it does not begin with one.
    static constexpr Maybe<EntityTag> take(std::string_view& text) noexcept {
        const bool is_weak = text.substr(0, 2) == "W/";
        const std::size_t begin = is_weak ? 2 : 0;
        if (text.size() <= begin || text[begin] != '"') return {};
        std::size_t end = begin + 1;
        while (end < text.size() && is_tag_char(text[end])) ++end;
        if (end == text.size() || text[end] != '"') return {};
        const EntityTag tag{text.substr(begin, end + 1 - begin), is_weak};
        text.remove_prefix(end + 1);
        return tag;
    }
    /// The whole text as a tag.
    static constexpr Maybe<EntityTag> parse(std::string_view text) noexcept {
        const Maybe<EntityTag> tag = take(text);
        if (!tag || !text.empty()) return {};
        return *tag;
    }

    [[nodiscard]] constexpr bool matches_weakly(const EntityTag& other) const noexcept {
        return opaque == other.opaque;
    }
    [[nodiscard]] constexpr bool matches_strongly(const EntityTag& other) const noexcept {
        return opaque == other.opaque && !is_weak && !other.is_weak;
    }

  private:
    static constexpr bool is_tag_char(char c) noexcept {
        const auto byte = static_cast<unsigned char>(c);
        return byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
    }
};

/// Calls f(tag) for each tag of a list; skips anything else in it.
template <class F>
constexpr void for_each_tag(std::string_view list, F f) {
    while (!list.empty()) {
        while (!list.empty() && (list[0] == ',' || list[0] == ' ' || list[0] == '\t')) list.remove_prefix(1);
        const Maybe<EntityTag> tag = EntityTag::take(list);
        const std::size_t comma = list.find(',');
        const std::string_view behind = trim_ows(list.substr(0, comma));
        if (tag && behind.empty()) f(*tag);
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
}

/// The validators of the body that would be sent now.
struct Validators {
    std::string_view tag;                       // as it is sent; "" if there is none
    std::optional<std::int64_t> last_modified;  // in seconds since 1970
    std::int64_t now = 0;
};

/// The conditional fields of a request, as received.
struct Conditions {
    std::optional<std::string_view> if_match;
    std::optional<std::string_view> if_none_match;
    std::optional<std::string_view> if_modified_since;
    std::optional<std::string_view> if_unmodified_since;
    std::optional<std::string_view> if_range;

    enum class Verdict : std::uint8_t { proceed, not_modified, failed };

    /// In the order of section 13.2.2, for something that exists.
    [[nodiscard]] Verdict verdict(Method method, const Validators& present) const noexcept {
        const bool is_read = method == Method::get || method == Method::head;
        if (if_match) {
            if (!has_tag(*if_match, present, &EntityTag::matches_strongly)) return Verdict::failed;
        } else if (if_unmodified_since && is_later_than(*if_unmodified_since, present, false)) {
            return Verdict::failed;
        }
        if (if_none_match) {
            if (!has_tag(*if_none_match, present, &EntityTag::matches_weakly)) return Verdict::proceed;
            return is_read ? Verdict::not_modified : Verdict::failed;
        }
        if (is_read && if_modified_since && !is_later_than(*if_modified_since, present, true)) {
            return Verdict::not_modified;
        }
        return Verdict::proceed;
    }

    /// Whether a Range applies: the client's part belongs to the same body (section 13.1.5). Only strong
    /// validators decide that. A date is strong once its second is over.
    [[nodiscard]] bool allows_range(const Validators& present) const noexcept {
        if (!if_range) return true;
        if (const auto asked = EntityTag::parse(*if_range)) {
            const auto tag = EntityTag::parse(present.tag);
            return tag && tag->matches_strongly(*asked);
        }
        const auto date = http::parse_http_date(*if_range, present.now);
        return date && date == present.last_modified && *date < present.now;
    }

  private:
    using Comparison = bool (EntityTag::*)(const EntityTag&) const noexcept;

    static bool has_tag(std::string_view list, const Validators& present, Comparison matches) noexcept {
        if (trim_ows(list) == "*") return true;
        const auto tag = EntityTag::parse(present.tag);
        bool found = false;
        if (tag) for_each_tag(list, [&](const EntityTag& each) { found = found || (*tag.*matches)(each); });
        return found;
    }

    /// Whether it was modified after the date; `otherwise` if that is not a date, or the file has no time.
    static bool is_later_than(std::string_view text, const Validators& present, bool otherwise) noexcept {
        const auto date = http::parse_http_date(text, present.now);
        if (!date || !present.last_modified) return otherwise;
        return *present.last_modified > *date;
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
