// The field Cache-Control, of a request or an answer, as far as a cache of whole answers asks for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct CacheControl {
    bool no_store = false;
    bool no_cache = false;
    bool is_private = false;
    bool only_if_cached = false;
    std::optional<std::chrono::seconds> max_age;
    std::optional<std::chrono::seconds> shared_max_age;

    /// Of all fields of that name. What is malformed counts as what keeps the least.
    template <class Fields>
    static CacheControl of(const Fields& fields) {
        CacheControl control;
        for (const auto& [name, value] : fields) {
            if (!iequals(name, "Cache-Control")) continue;
            std::string_view rest = value;
            while (!rest.empty()) control.take(take_list_item(rest));
        }
        return control;
    }

    /// How long an answer says that a shared cache may keep it.
    [[nodiscard]] std::optional<std::chrono::seconds> lifetime() const noexcept {
        return shared_max_age ? shared_max_age : max_age;
    }

  private:
    void take(std::string_view directive) noexcept {
        const std::size_t equals = directive.find('=');
        const std::string_view name = trim_ows(directive.substr(0, equals));
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view() : trim_ows(directive.substr(equals + 1));
        if (iequals(name, "no-store")) no_store = true;
        if (iequals(name, "no-cache")) no_cache = true;
        if (iequals(name, "private")) is_private = true;
        if (iequals(name, "only-if-cached")) only_if_cached = true;
        if (iequals(name, "max-age")) lower(max_age, value);
        if (iequals(name, "s-maxage")) lower(shared_max_age, value);
    }
    static void lower(std::optional<std::chrono::seconds>& to, std::string_view text) noexcept {
        constexpr std::uint32_t most = std::numeric_limits<std::int32_t>::max();  // RFC 9111 section 1.2.2
        const bool is_number =
            !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
        const auto number = parse_decimal<std::uint32_t>(text);
        const std::chrono::seconds seconds(!is_number ? 0U : number && *number < most ? *number : most);
        if (!to || seconds < *to) to = seconds;
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
