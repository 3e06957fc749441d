// Cookies to set (RFC 6265), as text that cannot carry anything else. Sessions and signatures are built
// on top.
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

/// A cookie to set. The defaults are the safe choices; set `secure` as well wherever there is TLS.
struct SetCookie {
    std::string name = {};
    std::string value = {};   // letters, digits and most signs; encode anything else yourself
    std::string path = "/";   // "" means the path of the request
    std::string domain = {};  // "" means this host only
    std::optional<std::chrono::seconds> max_age = {};  // nullopt: until the browser closes; 0: delete it now
    bool http_only = true;                             // hidden from scripts of the page
    bool secure = false;                               // sent over https only
    SameSite same_site = SameSite::lax;
};

/// The value of a Set-Cookie field. Throws std::invalid_argument that names the part and the byte that it
/// cannot hold. Add it with Headers::add, because every cookie needs a field of its own.
[[nodiscard]] std::string to_string(const SetCookie& cookie);

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
