// Content negotiation by quality values (RFC 9110 section 12.4.2): the coding that a client prefers, and how
// well it accepts a media type. No charsets or languages.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "sake/base/maybe.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A quality of 0.000 to 1.000 in thousandths; nothing for anything else.
constexpr Maybe<int> parse_quality(std::string_view text) noexcept {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return {};
    if (text.size() > 1 && text[1] != '.') return {};
    int value = 0;
    int worth = 100;
    for (const char c : text.substr(std::min<std::size_t>(text.size(), 2))) {
        if (!ascii::is(c, ascii::digit)) return {};
        value += (c - '0') * worth;
        worth /= 10;
    }
    if (text[0] == '0') return value;
    if (value != 0) return {};  // more than 1
    return 1000;
}

/// An item of a list with qualities: what stands before its parameters, and how much it is wanted.
struct QualityItem {
    std::string_view name;
    int quality = 1000;
};

/// Nothing if its quality is not valid: then nothing is known of it.
constexpr Maybe<QualityItem> parse_quality_item(std::string_view text) noexcept {
    std::size_t end = text.find(';');
    QualityItem item{trim_ows(text.substr(0, end))};
    while (end != std::string_view::npos) {
        text.remove_prefix(end + 1);
        end = text.find(';');
        const std::string_view parameter = trim_ows(text.substr(0, end));
        if (parameter.substr(0, 2) != "q=" && parameter.substr(0, 2) != "Q=") continue;
        const Maybe<int> quality = parse_quality(parameter.substr(2));
        if (!quality) return {};
        item.quality = *quality;
        break;  // what follows is not of the name
    }
    return item;
}

/// Calls f(item) for each item of the list that is valid.
template <class F>
constexpr void for_each_quality(std::string_view list, F f) {
    for_each_list_item(list, [&](std::string_view text) {
        if (const auto item = parse_quality_item(text)) f(*item);
    });
}

/// Codings of a body, in the order in which a server has them: if a client wants two as much, the later.
enum class ContentCoding : std::uint8_t { identity, gzip, zstd, br };
inline constexpr std::size_t coding_count = 4;

constexpr std::string_view to_string(ContentCoding coding) noexcept {
    constexpr std::string_view names[] = {"identity", "gzip", "zstd", "br"};
    return names[static_cast<std::size_t>(coding)];
}

/// What Accept-Encoding says (section 12.5.3).
class AcceptedCodings {
  public:
    /// Without the field, a client accepts everything, but only a body as it is will do for all of them.
    constexpr explicit AcceptedCodings(std::optional<std::string_view> field) noexcept {
        std::array<bool, coding_count> is_named{};
        int others = -1;  // what "*" gives those that are not named
        for_each_quality(field.value_or(""), [&](const QualityItem& item) {
            if (item.name == "*") others = item.quality;
            for (std::size_t i = 0; i < coding_count; ++i) {
                const auto coding = static_cast<ContentCoding>(i);
                const bool is_it = iequals(item.name, to_string(coding)) ||
                                   (coding == ContentCoding::gzip && iequals(item.name, "x-gzip"));
                if (!is_it || is_named[i]) continue;
                is_named[i] = true;
                quality_[i] = item.quality;
            }
        });
        for (std::size_t i = 0; i < coding_count; ++i) {
            if (!is_named[i] && others >= 0) quality_[i] = others;
        }
        // Where it is not mentioned, a body as it is is accepted, after all that is.
        if (!is_named[0] && others < 0) quality_[0] = 1;
    }

    /// In thousandths; 0 if it is refused.
    [[nodiscard]] constexpr int quality(ContentCoding coding) const noexcept {
        return quality_[static_cast<std::size_t>(coding)];
    }
    [[nodiscard]] constexpr bool accepts(ContentCoding coding) const noexcept { return quality(coding) > 0; }

    /// All codings, the best first. Those that are refused come last.
    [[nodiscard]] constexpr std::array<ContentCoding, coding_count> in_order() const noexcept {
        std::array<ContentCoding, coding_count> order{ContentCoding::br, ContentCoding::zstd,
                                                      ContentCoding::gzip, ContentCoding::identity};
        for (std::size_t i = 1; i < coding_count; ++i) {  // by insertion, which keeps the order of equals
            for (std::size_t k = i; k > 0 && quality(order[k - 1]) < quality(order[k]); --k) {
                std::swap(order[k - 1], order[k]);
            }
        }
        return order;
    }

  private:
    std::array<int, coding_count> quality_{};
};

/// How much a client wants a media type by its Accept field (section 12.5.1), in thousandths: of the range
/// that is the most specific. `named` leaves out "*/*", which is what programs send that ask for anything.
/// 1000 without the field, but 0 for `named`.
enum class MediaRange : std::uint8_t { any, named };
constexpr int media_quality(std::optional<std::string_view> field, std::string_view type,
                            MediaRange ranges = MediaRange::any) noexcept {
    if (!field) return ranges == MediaRange::any ? 1000 : 0;
    const std::string_view family = type.substr(0, type.find('/') + 1);
    int best = -1;
    int quality = 0;
    for_each_quality(*field, [&](const QualityItem& item) {
        int fit = -1;
        if (iequals(item.name, type)) {
            fit = 2;
        } else if (item.name.size() == family.size() + 1 && item.name.back() == '*' &&
                   iequals(item.name.substr(0, family.size()), family)) {
            fit = 1;
        } else if (item.name == "*/*" && ranges == MediaRange::any) {
            fit = 0;
        }
        if (fit <= best) return;
        best = fit;
        quality = item.quality;
    });
    return quality;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
