// Errors as answers: HttpError for handlers to throw, and the body that every error gets, RFC 9457 "problem
// details".
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/json_writer.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace v0 {

/// Throw it in a handler to answer with an error: `throw sake::HttpError(404, "no such user")`. The detail is
/// sent to the client. Throws std::invalid_argument for a status that is not an error (400 to 599).
class HttpError : public std::exception {
  public:
    explicit HttpError(int status, std::string detail = {}) : status_(status), detail_(std::move(detail)) {
        if (status < 400 || status > 599) {
            throw std::invalid_argument("HttpError: " + std::to_string(status) + " is not an error status");
        }
    }

    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
    [[nodiscard]] const char* what() const noexcept override { return detail_.c_str(); }

  private:
    int status_;
    std::string detail_;
};

namespace detail {

inline constexpr std::string_view problem_content_type = "application/problem+json";

/// The members type, title, status and detail (RFC 9457 section 3.1). Without a detail the title stands for
/// it.
inline std::string problem_body(int status, std::string_view detail) {
    const std::string_view title = http::reason_phrase(status);
    std::string body = R"({"type":"about:blank","title":)";
    append_json_text(body, title);
    append_json_integer(body.append(R"(,"status":)"), status);
    append_json_text(body.append(R"(,"detail":)"), detail.empty() ? title : detail);
    return body.append("}");
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
