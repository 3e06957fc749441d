// Errors as answers: HttpError for handlers to throw, and the body that every error gets, RFC 9457 "problem
// details".
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/json.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace v0 {

/// Throw it in a handler to answer with an error. The detail, the fields and the members are sent to the
/// client:
///
///     throw sake::HttpError(429, "slow down").header("Retry-After", "3").with({{"limit", 5}});
///
/// Throws std::invalid_argument for a status that is not an error (400 to 599).
class HttpError : public std::exception {
  public:
    explicit HttpError(int status, std::string detail = {}) : status_(status), detail_(std::move(detail)) {
        if (status < 400 || status > 599) {
            throw std::invalid_argument("HttpError: " + std::to_string(status) + " is not an error status");
        }
    }

    /// Sets a field of the answer, which replaces those of the same name. Throws std::invalid_argument on a
    /// byte that may not stand there, and for the fields that frame the message.
    HttpError& header(std::string_view name, std::string_view value) {
        if (detail::is_framing_field(name)) {
            throw std::invalid_argument("header " + std::string(name) + " is set by the server itself");
        }
        headers_.set(name, value);
        return *this;
    }
    /// Adds members to the problem document (RFC 9457 section 3.2); "type", "title" and "instance" may be
    /// among them, and one that is given again is replaced. Throws std::invalid_argument for "status" and
    /// "detail", which the constructor takes, and for what is not an object.
    HttpError& with(const Json& members);

    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
    [[nodiscard]] const http::Headers& headers() const noexcept { return headers_; }
    /// An object, or null if there are none.
    [[nodiscard]] const Json& members() const noexcept { return members_; }
    [[nodiscard]] const char* what() const noexcept override { return detail_.c_str(); }

  private:
    int status_;
    std::string detail_;
    http::Headers headers_;
    Json members_;
};

inline HttpError& HttpError::with(const Json& members) {
    if (!members.is_object())
        throw std::invalid_argument("HttpError::with: the members must be a JSON object");
    for (const char* const name : {"status", "detail"}) {
        if (members.contains(name)) {
            throw std::invalid_argument(std::string("HttpError::with: '") + name +
                                        "' is what the constructor takes");
        }
    }
    members_.update(members);
    return *this;
}

namespace detail {

inline constexpr std::string_view problem_content_type = "application/problem+json";

/// The members type, title, status and detail (RFC 9457 section 3.1), and those of the program. Without a
/// detail the title stands for it.
inline std::string problem_body(int status, std::string_view detail, const Json& members = {}) {
    const std::string_view title = http::reason_phrase(status);
    std::string body = "{";
    if (!members.contains("type")) body.append(R"("type":"about:blank",)");
    if (!members.contains("title")) append_json_text(body.append(R"("title":)"), title), body += ',';
    append_json_integer(body.append(R"("status":)"), status);
    append_json_text(body.append(R"(,"detail":)"), detail.empty() ? title : detail);
    for (auto each = members.begin(); each != members.end(); ++each) {
        append_json_text(body += ',', each.key());
        append_json(body += ':', each.value());
    }
    return body += '}';
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
