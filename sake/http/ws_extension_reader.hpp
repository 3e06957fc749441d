// The syntax of the field Sec-WebSocket-Extensions (RFC 6455 section 9.1).
// Not here: what an extension or a parameter means (ws_extensions.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Reads extensions one by one, and the parameters of each:
///     extension-list  = 1#extension
///     extension       = token *( ";" extension-param )
///     extension-param = token [ "=" ( token | quoted-string ) ]
/// with white space between any two of these (section 4.3). A quoted string is a token when it is unescaped.
class WsExtensionReader {
  public:
    enum class Result : std::uint8_t { found, end, malformed };

    /// The value of the field. Where there are several fields, their values joined by commas.
    explicit WsExtensionReader(std::string_view list) noexcept : rest_(list) {}

    /// To be called when the parameters of the extension before have been read. Empty items of the list do
    /// not count (RFC 9110 section 5.6.1.2).
    Result next_extension() noexcept {
        while (take(',')) {
        }
        if (rest_.empty()) return name.empty() ? Result::malformed : Result::end;
        return take_token(name) ? Result::found : Result::malformed;
    }

    /// Of this extension. `end` is followed by the next extension.
    Result next_parameter() {
        skip_space();
        if (rest_.empty() || rest_.front() == ',') return Result::end;
        if (!take(';') || !take_token(parameter)) return Result::malformed;
        value.clear();
        has_value = take('=');
        return !has_value || take_value() ? Result::found : Result::malformed;
    }

    std::string_view name;       // of the last extension
    std::string_view parameter;  // the name of its last parameter
    std::string value;
    bool has_value = false;

  private:
    void skip_space() noexcept {
        while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    }
    bool take(char wanted) noexcept {
        skip_space();
        if (!rest_.starts_with(wanted)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take_token(std::string_view& token) noexcept {
        skip_space();
        std::size_t size = 0;
        while (size < rest_.size() && ascii::is(rest_[size], ascii::token)) ++size;
        token = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return size != 0;
    }
    bool take_value() {
        if (take('"')) return take_quoted();
        std::string_view token;
        if (!take_token(token)) return false;
        value = token;
        return true;
    }
    bool take_quoted() {
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            if (rest_[i] == '"') {
                rest_.remove_prefix(i + 1);
                return is_token(value);
            }
            if (rest_[i] == '\\' && ++i == rest_.size()) break;
            value += rest_[i];
        }
        return false;
    }

    std::string_view rest_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
