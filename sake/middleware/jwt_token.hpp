// A JSON Web Token as text: its three parts, and what its header and its claims say (RFC 7515, RFC 7519).
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/base64url.hpp"
#include "sake/base/json_reader.hpp"
#include "sake/base/parse_float.hpp"
#include "sake/middleware/jwt.hpp"
#include "sake/middleware/jwt_json.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::size_t max_jwt = 8 * 1024;
inline constexpr JsonLimits jwt_header_limits{8, 64};  // nobody has signed it yet when it is read
inline constexpr JsonLimits jwt_claims_limits{16, 1000};

/// Why a token is refused.
class JwtRefusal : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

inline std::string decode_jwt_part(std::string_view text, const char* what) {
    auto bytes = base64url_decode(text);
    if (!bytes) throw JwtRefusal(std::string(what) + " is not base64url");
    return std::move(*bytes);
}

/// `header.claims.signature`, as they were sent.
struct JwtParts {
    explicit JwtParts(std::string_view token) {
        const std::size_t first = token.find('.');
        const std::size_t last = token.rfind('.');
        if (first == last || token.find('.', first + 1) != last)
            throw JwtRefusal("the token does not have three parts");
        header = token.substr(0, first);
        claims = token.substr(first + 1, last - first - 1);
        signature = token.substr(last + 1);
        is_signed = token.substr(0, last);
    }
    std::string_view header;
    std::string_view claims;
    std::string_view signature;
    std::string_view is_signed;
};

/// What is of use of the header. Keys in it, and places where there might be one, say nothing.
struct JwtHeader {
    explicit JwtHeader(std::string_view json) {
        JsonReader reader(json, jwt_header_limits);
        read_members(reader, [&](std::string_view name) {
            if (name == "alg")
                algorithm = reader.string();
            else if (name == "kid")
                key_id = reader.string();
            else if (name == "typ")
                type = reader.string();
            else if (name == "crit")
                throw JwtRefusal("the header has 'crit'");
            else
                skip_value(reader);
        });
        reader.end();
    }
    std::string algorithm;
    std::optional<std::string> key_id;
    std::string type;
};

/// A time of a token, in seconds since 1970, which may have a fraction.
inline double read_numeric_date(JsonReader& reader, const char* name) {
    constexpr double year_10000 = 253402300800;
    const std::string_view text = reader.raw();
    double seconds = 0;
    if (!is_json_number(text) || !parse_float(text, seconds) || seconds < 0 || seconds >= year_10000)
        throw JwtRefusal("'" + std::string(name) + "' is not a time");
    return seconds;
}

/// The claims that have a meaning here.
struct JwtContent {
    explicit JwtContent(std::string json) {
        JsonReader reader(json, jwt_claims_limits);
        read_members(reader, [&](std::string_view name) {
            if (name == "iss")
                claims.issuer = reader.string();
            else if (name == "sub")
                claims.subject = reader.string();
            else if (name == "aud")
                read_audience(reader);
            else if (name == "exp")
                expires = read_numeric_date(reader, "exp");
            else if (name == "nbf")
                not_before = read_numeric_date(reader, "nbf");
            else if (name == "iat")
                issued_at = read_numeric_date(reader, "iat");
            else
                skip_value(reader);
        });
        reader.end();
        if (expires) {
            claims.expires = std::chrono::sys_seconds(
                std::chrono::seconds(static_cast<std::int64_t>(std::floor(*expires))));
        }
        claims.text = std::move(json);
    }
    JwtClaims claims;
    std::optional<double> expires;
    std::optional<double> not_before;
    std::optional<double> issued_at;

  private:
    void read_audience(JsonReader& reader) {
        if (reader.peek() == '[')
            reader.array([&] { claims.audience.push_back(reader.string()); });
        else
            claims.audience.push_back(reader.string());
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
