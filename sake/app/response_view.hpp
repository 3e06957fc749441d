// ResponseView: a response as it stands, as Context::response returns it.
#pragma once

#include <string_view>

#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
class Context;

namespace detail {
class Response;
}

/// A response as it stands, for middleware that runs after the handler: see Context::response. Valid until
/// the handler ends.
class ResponseView {
  public:
    [[nodiscard]] int status() const noexcept;
    [[nodiscard]] std::string_view body() const noexcept;
    /// The fields that were set; those that the server makes, such as Content-Length and Date, are not among
    /// them.
    [[nodiscard]] const http::Headers& headers() const noexcept;
    /// The type of the body; "" if there is none.
    [[nodiscard]] std::string_view content_type() const noexcept;

  private:
    friend class Context;
    explicit ResponseView(const detail::Response& response) noexcept : response_(&response) {}

    const detail::Response* response_;
};

}  // namespace SAKE_ABI
}  // namespace sake
