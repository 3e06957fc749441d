// The fields by which a client chooses what it gets of a file: Range, the conditions, Accept-Encoding, and
// the name of a file in Content-Disposition. The first line is the field, the second the size or the tag.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "fuzz.hpp"

namespace fuzz {

inline void ranges(std::string_view field, std::uint64_t size) {
    using sake::detail::RangeRequest;
    const RangeRequest request = RangeRequest::parse(field, size);
    require(request.ranges().size() <= RangeRequest::most, "there are at most sixteen ranges");
    require(request.ranges().empty() == (request.kind() != RangeRequest::Kind::ranges), "ranges are some");
    const sake::detail::ByteRange* before = nullptr;
    for (const sake::detail::ByteRange& each : request.ranges()) {
        require(each.first <= each.last && each.last < size, "a range is of the body");
        require(before == nullptr || each.first > before->last + 1, "ranges are sorted and apart");
        before = &each;
    }
}

inline void conditions(std::string_view field, std::string_view tag) {
    using sake::detail::Conditions;
    using sake::detail::Method;
    const sake::detail::Validators present{tag, 784'111'777, 800'000'000};
    std::size_t tags = 0;
    sake::detail::for_each_tag(field, [&](const sake::detail::EntityTag& each) {
        require(sake::detail::EntityTag::parse(each.opaque).has_value(), "what is in a list is a tag");
        ++tags;
    });
    require(tags <= field.size(), "a tag has bytes");
    Conditions none;
    none.if_none_match = field;
    Conditions match;
    match.if_match = field;
    const bool is_known = none.verdict(Method::get, present) == Conditions::Verdict::not_modified;
    const bool is_same = match.verdict(Method::get, present) == Conditions::Verdict::proceed;
    require(!is_same || is_known, "what matches strongly matches weakly");
    Conditions range;
    range.if_range = field;
    const bool is_date = sake::http::parse_http_date(field, present.now).has_value();
    require(!range.allows_range(present) || is_same || is_date, "a part is of the same body");
    Conditions dates;
    dates.if_modified_since = field;
    require(is_date || dates.verdict(Method::get, present) == Conditions::Verdict::proceed,
            "no date, no 304");
}

inline void file_fields(std::string_view input) {
    using sake::detail::ContentCoding;
    const std::size_t line = input.find('\n');
    const std::string_view field = input.substr(0, line);
    const std::string_view rest =
        line == std::string_view::npos ? std::string_view() : input.substr(line + 1);
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{rest.size() * 7},
                                     std::numeric_limits<std::uint64_t>::max()}) {
        ranges(field, size);
    }
    conditions(field, rest);

    const sake::detail::AcceptedCodings accepted(field);
    int before = 1000;
    for (const ContentCoding each : accepted.in_order()) {
        require(accepted.quality(each) <= before && accepted.quality(each) >= 0, "codings are in order");
        before = accepted.quality(each);
    }
    const int quality = sake::detail::media_quality(field, "text/html");
    require(quality >= 0 && quality <= 1000, "a quality is a share");

    const std::string disposition = sake::detail::attachment_disposition(input);
    require(sake::detail::is_valid_field_value(disposition), "a name ends no field");
    const std::size_t end = disposition.find('"', 22);
    require(disposition.find_first_of("/\\") == std::string::npos, "a name is no path");
    require(end + 1 == disposition.size() || disposition.substr(end).starts_with("\"; filename*=UTF-8''"),
            "a name ends its quotes at its end");
}

}  // namespace fuzz
