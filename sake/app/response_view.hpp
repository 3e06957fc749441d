// ResponseView: the response as set so far, as Context::response returns it.
#pragma once

#include <string_view>

#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
class Context;

namespace detail {
class Response;
}

/// The response as set so far, for middleware after the handler: see Context::response. Valid until the
/// handler ends.
class ResponseView {
  public:
    [[nodiscard]] int status() const noexcept;
    [[nodiscard]] std::string_view body() const noexcept;
    /// The header fields that were set. Fields that the server adds, such as Content-Length and Date, are not
    /// included.
    [[nodiscard]] const http::Headers& headers() const noexcept;
    /// The content type of the body; "" if no type is set.
    [[nodiscard]] std::string_view content_type() const noexcept;

  private:
    friend class Context;
    explicit ResponseView(const detail::Response& response) noexcept : response_(&response) {}

    const detail::Response* response_;
};

}  // namespace SAKE_ABI
}  // namespace sake
