// Errors as answers: HttpError, which handlers throw, and the body of every error answer, RFC 9457 "problem
// details".
#pragma once

#include <concepts>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>

#include "sake/base/json.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {

class HttpError;

namespace detail {

inline constexpr std::string_view problem_content_type = "application/problem+json";

/// Extension members of a problem document as JSON text: `,"limit":5`.
struct ProblemMembers {
    std::string text = {};
    std::string errors = {};  // the same, of what does not fit a type
    bool has_type = false;
    bool has_title = false;
};

/// Members of a problem document as JSON, for those that are added to them. Only a program that gives some
/// compiles JSON for it.
struct GivenMembers : Counted {
    virtual ~GivenMembers() = default;
};

/// The members type, title, status and detail (RFC 9457 section 3.1), and those of the program. Without a
/// detail the title stands for it.
std::string problem_body(int status, std::string_view detail, const ProblemMembers& members = {});

/// An error with such members, for code that does not compile JSON.
[[nodiscard]] HttpError error_with(int status, std::string detail, const ProblemMembers& members);

class Faults;

/// Throws HttpError 422 that lists the faults of "the body", "the query" or "the form".
[[noreturn]] void refuse_faults(const Faults& faults, std::string_view what);
/// The same of one fault in a member, by its way through the document: "address/code"; "" for all of it.
[[noreturn]] void refuse_member(std::string_view what, std::string_view where, const char* code,
                                std::string detail);

}  // namespace detail

/// Throw it in a handler to answer with an error. The client receives its detail, fields and members as a
/// problem document (RFC 9457):
///
///     throw sake::HttpError(429, "slow down").header("Retry-After", "3").with({{"limit", 5}});
///
/// The constructor throws std::invalid_argument unless the status is 400 to 599.
class HttpError : public std::exception {
  public:
    /// The status, and the text for `detail`. An empty detail is sent as the title of the status.
    explicit HttpError(int status, std::string detail = {});

    /// Sets a header field of the answer, and replaces those of the same name. Throws std::invalid_argument
    /// for a byte that a field cannot hold, and for the fields that frame the message.
    HttpError& header(std::string_view name, std::string_view value);
    /// Adds members to the problem document (RFC 9457 section 3.2). They may include "type", "title" and
    /// "instance". Throws std::invalid_argument for "status" and "detail", which the constructor sets, and if
    /// `members` is not an object.
    template <std::same_as<Json> Value = Json>
    HttpError& with(const std::type_identity_t<Value>& members);

    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
    [[nodiscard]] const http::Headers& headers() const noexcept { return headers_; }
    /// The problem document as it is sent, as JSON text.
    [[nodiscard]] std::string document() const;
    [[nodiscard]] const char* what() const noexcept override { return detail_.c_str(); }

  private:
    friend HttpError detail::error_with(int status, std::string detail,
                                        const detail::ProblemMembers& members);

    int status_;
    std::string detail_;
    http::Headers headers_;
    detail::CountedPtr<const detail::GivenMembers> given_;  // null until members are given
    detail::ProblemMembers extra_;                          // the same as text
};

}  // namespace SAKE_ABI
}  // namespace sake
