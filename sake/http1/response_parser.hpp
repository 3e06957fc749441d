// The head of a response, for a client: as strict as the server is with requests. Not here: the fields and
// the lines (head_parser.hpp), and where the body ends (framing.hpp).
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/http1/head_parser.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace http1 {

/// What the parser found of a response.
struct ReceivedHead : MessageHead {
    int status = 0;

    /// Back to empty, keeping the capacity.
    void clear() noexcept {
        MessageHead::clear();
        status = 0;
    }
};

/// status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 section 4). The space behind the
/// code may be missing with the phrase, as many servers have it.
struct StatusLine {
    using Head = ReceivedHead;
    static constexpr std::string_view is_missing = "empty line instead of a response";
    static constexpr unsigned empty_lines_allowed = 0;

    static HeadRefusal too_long(std::string_view) noexcept { return {431, "status line too long"}; }

    static HeadRefusal take(const char*, const char* begin, const char* end, ReceivedHead& head) noexcept {
        const std::string_view line(begin, static_cast<std::size_t>(end - begin));
        const HeadRefusal version = take_version(line.substr(0, 8), head);
        if (version.status != 0) return version;
        const std::string_view code = line.substr(8, 4);
        const auto status = parse_decimal<unsigned>(code.empty() ? code : code.substr(1));
        if (code.size() != 4 || code[0] != ' ' || !status || *status < 100) return {400, "bad status code"};
        if (line.size() > 12 && line[12] != ' ') return {400, "bad status code"};
        head.status = static_cast<int>(*status);
        return {};
    }
};

using ResponseParser = HeadParser<StatusLine>;

}  // namespace http1
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
