// Cookies to set (RFC 6265), as text that cannot be made to carry anything else. Not here: sessions and
// signatures, which stand on top.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

enum class SameSite : std::uint8_t { unset, lax, strict, none };

/// A cookie to set. The defaults are the safe ones; set `secure` too wherever there is TLS.
struct SetCookie {
    std::string name = {};
    std::string value = {};   // letters, digits and most signs; encode the rest yourself
    std::string path = "/";   // empty: the path of the request
    std::string domain = {};  // empty: this host only
    std::optional<std::chrono::seconds> max_age = {};  // nothing: until the browser closes; 0: delete it now
    bool http_only = true;
    bool secure = false;
    SameSite same_site = SameSite::lax;
};

/// The value of a Set-Cookie field. Throws std::invalid_argument that says which byte of which part may not
/// stand there. Add it with Headers::add, since every cookie has a line of its own.
[[nodiscard]] std::string to_string(const SetCookie& cookie);

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
