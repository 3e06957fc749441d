// The parameters behind a value such as `multipart/form-data; boundary=x` or `form-data; name="a"`, one by
// one and unescaped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Reads the parameters of a field value (RFC 9110 section 5.6.6): `; name=value` and `; name="value"`. The
/// name is a token; what stands without quotes is anything but white space, quotes and ';'.
class Parameters {
  public:
    enum class Result : std::uint8_t { parameter, end, malformed };

    explicit Parameters(std::string_view field) noexcept
        : value_(trim_ows(field.substr(0, field.find(';')))), rest_(field) {
        rest_.remove_prefix(std::min(field.find(';'), field.size()));
    }

    /// What stands before the first ';': "multipart/form-data".
    [[nodiscard]] std::string_view before() const noexcept { return value_; }

    /// The next one. An empty one, as in "a;;b=c;", is passed over.
    Result next() {
        do {
            rest_ = trim_ows(rest_);
            if (rest_.empty()) return Result::end;
            if (rest_.front() != ';') return Result::malformed;
            rest_ = trim_ows(rest_.substr(1));
        } while (rest_.empty() || rest_.front() == ';');
        const std::size_t equals = rest_.find('=');
        if (equals == std::string_view::npos) return Result::malformed;
        name = rest_.substr(0, equals);
        if (!is_token(name)) return Result::malformed;
        rest_.remove_prefix(equals + 1);
        text.clear();
        is_quoted = rest_.starts_with('"');
        return is_quoted ? read_quoted() : read_bare();
    }

    // Of the last parameter.
    std::string_view name;
    std::string text;
    bool is_quoted = false;

  private:
    Result read_bare() {
        const std::size_t end = std::min(rest_.find_first_of("; \t\""), rest_.size());
        text.assign(rest_.substr(0, end));
        rest_.remove_prefix(end);
        return text.empty() ? Result::malformed : Result::parameter;
    }

    /// A backslash escapes a quote and a backslash. Before anything else it is itself, because browsers write
    /// it as it is; so it is before a quote that ends the whole field.
    Result read_quoted() {
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            const char c = rest_[i];
            if (c == '"') {
                rest_.remove_prefix(i + 1);
                return Result::parameter;
            }
            const bool is_escape =
                c == '\\' && i + 2 < rest_.size() && (rest_[i + 1] == '"' || rest_[i + 1] == '\\');
            text += is_escape ? rest_[++i] : c;
        }
        return Result::malformed;
    }

    std::string_view value_;
    std::string_view rest_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
