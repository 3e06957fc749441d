// TestResponse: an answer that a TestClient received.
#pragma once

#include <string>
#include <string_view>

#include "sake/base/json.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// An answer that a TestClient received.
struct TestResponse {
    int status = 0;
    http::Headers headers;
    std::string body;

    /// The first header field of that name, in any case; "" if there is none. A view into `headers`.
    [[nodiscard]] std::string_view header(std::string_view name) const& noexcept {
        return headers.get(name).value_or(std::string_view{});
    }
    /// The same as a string, for temporaries: `client.get("/").header("Content-Type")`.
    [[nodiscard]] std::string header(std::string_view name) && { return std::string(header(name)); }
    /// The body as JSON. Throws JsonError if it is not JSON.
    template <class Value = Json>
    [[nodiscard]] Value json() const {
        return parse_json<Value>(body);
    }
};

}  // namespace SAKE_ABI
}  // namespace sake
