// ApiInfo: what the description of an API says of the API as a whole. See Engine::openapi.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// A way in which clients prove who they are, for Route::security. It describes; middleware checks.
struct SecurityScheme {
    enum class Kind : std::uint8_t { bearer, basic, api_key };

    /// `Authorization: Bearer ...`
    static SecurityScheme bearer(std::string name) { return {std::move(name), Kind::bearer}; }
    /// `Authorization: Basic ...`
    static SecurityScheme basic(std::string name) { return {std::move(name), Kind::basic}; }
    /// A key in a header field of this name.
    static SecurityScheme api_key(std::string name, std::string header) {
        return {std::move(name), Kind::api_key, std::move(header)};
    }

    std::string name = {};  // by which routes name it
    Kind kind = Kind::bearer;
    std::string header = {};
};

/// What a tag of Route::tag is about.
struct ApiTag {
    std::string name = {};
    std::string description = {};
};

struct ApiContact {
    std::string name = {};
    std::string url = {};
    std::string email = {};
};

struct ApiLicense {
    std::string name = {};
    std::string url = {};
};

/// For Engine::openapi. What is empty is left out.
struct ApiInfo {
    std::string title = "API";
    std::string version = "0.1.0";  // of the API, not of OpenAPI
    std::string description = {};
    std::vector<std::string> servers = {};      // their addresses; "/" if there are none
    std::vector<SecurityScheme> security = {};  // what routes may name
    std::vector<ApiTag> tags = {};              // in this order, before the tags that only routes name
    ApiContact contact = {};
    ApiLicense license = {};
};

}  // namespace SAKE_ABI
}  // namespace sake
