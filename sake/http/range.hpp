// Byte ranges (RFC 9110 section 14): the field Range against the size of a body, and the texts of the answer,
// one part or several. Not here: If-Range (conditional.hpp), and the bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Bytes of a body, the last one included.
struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;

    [[nodiscard]] std::uint64_t size() const noexcept { return last - first + 1; }
    bool operator==(const ByteRange&) const = default;
};

/// What a Range field asks for.
class RangeRequest {
  public:
    /// `whole`: there is nothing to heed, since the field is not valid, of another unit, or asks for more
    /// than `most` ranges. `none`: no range has a byte of the body (416).
    enum class Kind : std::uint8_t { whole, ranges, none };

    static constexpr std::size_t most = 16;

    /// Of a body of this size. Ranges that overlap or touch are joined, and all are in ascending order.
    static RangeRequest parse(std::string_view field, std::uint64_t size) noexcept {
        RangeRequest request;
        const std::size_t equals = field.find('=');
        if (equals == std::string_view::npos || !iequals(field.substr(0, equals), "bytes")) {
            return request;
        }
        std::string_view rest = field.substr(equals + 1);
        std::size_t asked = 0;
        while (!rest.empty()) {
            const std::string_view item = take_list_item(rest);
            if (item.empty()) continue;
            if (++asked > most || !request.add(item, size)) return {};
        }
        if (asked == 0) return {};
        request.kind_ = request.count_ == 0 ? Kind::none : Kind::ranges;
        request.join();
        return request;
    }

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] Row<const ByteRange> ranges() const noexcept { return {ranges_.data(), count_}; }

  private:
    /// A number that is too large for its type is larger than every body. False unless it is digits.
    static bool read_number(std::string_view text, std::uint64_t& number) noexcept {
        if (text.empty() || !ascii::all_of(text, ascii::digit)) return false;
        constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
        number = parse_decimal<std::uint64_t>(text).value_or(largest);
        return true;
    }

    /// int-range or suffix-range (section 14.1.1). False if it is neither.
    bool add(std::string_view item, std::uint64_t size) noexcept {
        const std::size_t dash = item.find('-');
        if (dash == std::string_view::npos) return false;
        const std::string_view before = item.substr(0, dash);
        const std::string_view behind = item.substr(dash + 1);
        std::uint64_t first = 0;
        std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
        if (before.empty()) {
            std::uint64_t length = 0;
            if (!read_number(behind, length)) return false;
            if (length > 0 && size > 0) keep({size - std::min(length, size), size - 1});
            return true;
        }
        if (!read_number(before, first)) return false;
        if (!behind.empty() && (!read_number(behind, last) || last < first)) return false;
        if (first < size) keep({first, std::min(last, size - 1)});
        return true;
    }
    void keep(ByteRange range) noexcept { ranges_[count_++] = range; }

    void join() noexcept {
        if (count_ < 2) return;
        for (std::size_t i = 1; i < count_; ++i) {  // so few that this is the quickest sort
            for (std::size_t k = i; k > 0 && ranges_[k].first < ranges_[k - 1].first; --k)
                std::swap(ranges_[k], ranges_[k - 1]);
        }
        std::size_t joined = 0;
        for (std::size_t i = 1; i < count_; ++i) {
            if (ranges_[i].first <= ranges_[joined].last + 1) {
                ranges_[joined].last = std::max(ranges_[joined].last, ranges_[i].last);
            } else {
                ranges_[++joined] = ranges_[i];
            }
        }
        count_ = joined + 1;
    }

    Kind kind_ = Kind::whole;
    std::size_t count_ = 0;
    std::array<ByteRange, most> ranges_;
};

/// The value of Content-Range for a part of a body of this size.
[[nodiscard]] inline std::string content_range(const ByteRange& range, std::uint64_t size) {
    return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" +
           std::to_string(size);
}
/// The same for a 416.
[[nodiscard]] inline std::string unsatisfied_range(std::uint64_t size) {
    return "bytes */" + std::to_string(size);
}

/// The texts of multipart/byteranges (section 14.6) around the parts. The boundary must not be in the body.
struct MultipartRanges {
    std::string_view boundary;
    std::string_view part_type;  // no line when empty
    std::uint64_t size = 0;      // of the whole body

    [[nodiscard]] std::string content_type() const {
        return "multipart/byteranges; boundary=" + std::string(boundary);
    }
    /// What stands before the bytes of a part.
    [[nodiscard]] std::string before(const ByteRange& range, bool is_first) const {
        std::string text(is_first ? "--" : "\r\n--");
        text.append(boundary).append("\r\n");
        if (!part_type.empty()) text.append("Content-Type: ").append(part_type).append("\r\n");
        return text.append("Content-Range: ").append(content_range(range, size)).append("\r\n\r\n");
    }
    /// What stands behind the bytes of the last one.
    [[nodiscard]] std::string end() const { return "\r\n--" + std::string(boundary) + "--\r\n"; }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
