// Parses the reports of proxies: X-Forwarded-For, and Forwarded (RFC 7239). Everything is read from its end,
// where the nearest proxy wrote, so that a client's text in front cannot change it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/base/ip_text.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/peer_address_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/http/uri_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Takes the last element off a list. What stands between quotes does not separate.
inline std::string_view take_last_element(std::string_view& list, char separator) noexcept {
    bool is_quoted = false;
    std::size_t begin = list.size();
    for (; begin > 0; --begin) {
        const char c = list[begin - 1];
        if (c == '"') is_quoted = !is_quoted;
        if (c == separator && !is_quoted) break;
    }
    const std::string_view element = list.substr(begin);
    list = list.substr(0, begin == 0 ? 0 : begin - 1);
    return trim_ows(element);
}

/// Whether a text is ":80", with a number that a port may have.
inline bool is_port(std::string_view text) noexcept {
    if (!text.starts_with(':') || text.size() > 6) return false;
    const auto number = parse_decimal<std::uint32_t>(text.substr(1));
    return number && *number <= 65535;
}

/// An address with or without a port: "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". Nothing for any
/// other text, such as "unknown".
inline Maybe<PeerAddress> parse_node(std::string_view text) noexcept {
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return {};
        port = text.substr(close + 1);
        text = text.substr(1, close - 1);
        if (!is_ipv6(text)) return {};
    } else if (!is_ipv6(text)) {  // which has colons of its own
        const std::size_t colon = std::min(text.find(':'), text.size());
        port = text.substr(colon);
        text = text.substr(0, colon);
    }
    if (!port.empty() && !is_port(port)) return {};
    return PeerAddress::parse(text);
}

/// "http" or "https" as a literal; "" for any other text.
constexpr std::string_view known_scheme(std::string_view text) noexcept {
    return iequals(text, "https") ? "https" : iequals(text, "http") ? "http" : "";
}
/// The host, if it may be one; else "".
constexpr std::string_view known_host(std::string_view text) noexcept {
    return is_valid_host(text) ? text : std::string_view{};
}

/// An element of Forwarded: `for="[2001:db8::1]";proto=https;host=app.example`.
class ForwardedElement {
  public:
    explicit ForwardedElement(std::string_view text) noexcept {
        do {
            is_valid_ = is_valid_ && take(take_last_element(text, ';'));
        } while (is_valid_ && !text.empty());
        if (!is_valid_) node_ = scheme_ = host_ = {};
    }

    // Each is "" if it does not say so, and all are if it is malformed.
    [[nodiscard]] std::string_view node() const noexcept { return node_; }
    [[nodiscard]] std::string_view scheme() const noexcept { return known_scheme(scheme_); }
    [[nodiscard]] std::string_view host() const noexcept { return known_host(host_); }

  private:
    bool take(std::string_view pair) noexcept {
        if (pair.empty()) return true;
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos || !is_token(pair.substr(0, equals))) return false;
        const std::string_view name = pair.substr(0, equals);
        std::string_view value = pair.substr(equals + 1);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
            value = value.substr(1, value.size() - 2);
            if (value.find_first_of("\"\\") != std::string_view::npos) return false;  // no address has them
        } else if (!is_token(value)) {
            return false;
        }
        std::string_view ignored;
        std::string_view& place = iequals(name, "for")     ? node_
                                  : iequals(name, "proto") ? scheme_
                                  : iequals(name, "host")  ? host_
                                                           : ignored;
        if (!place.empty()) return false;  // it is there twice
        place = value;
        return true;
    }

    std::string_view node_;
    std::string_view scheme_;
    std::string_view host_;
    bool is_valid_ = true;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
