// ApiInfo: the title, version and other facts of an API for its OpenAPI document. See Engine::openapi.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// A way in which clients authenticate, for Route::security. It only describes; middleware does the checking.
struct SecurityScheme {
    enum class Kind : std::uint8_t { bearer, basic, api_key };

    /// `Authorization: Bearer ...`
    static SecurityScheme bearer(std::string name) { return {std::move(name), Kind::bearer}; }
    /// `Authorization: Basic ...`
    static SecurityScheme basic(std::string name) { return {std::move(name), Kind::basic}; }
    /// A key in the header field named `header`.
    static SecurityScheme api_key(std::string name, std::string header) {
        return {std::move(name), Kind::api_key, std::move(header)};
    }

    std::string name = {};  // the name that Route::security refers to
    Kind kind = Kind::bearer;
    std::string header = {};
};

/// The description of a tag that Route::tag sets.
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

/// The facts of an API for Engine::openapi. Empty members are left out of the document.
struct ApiInfo {
    std::string title = "API";
    std::string version = "0.1.0";  // of the API, not of OpenAPI
    std::string description = {};
    std::vector<std::string> servers = {};      // their addresses; "/" if the list is empty
    std::vector<SecurityScheme> security = {};  // the schemes that Route::security may name
    std::vector<ApiTag> tags = {};              // listed in this order, before tags that only routes name
    ApiContact contact = {};
    ApiLicense license = {};
};

}  // namespace SAKE_ABI
}  // namespace sake
