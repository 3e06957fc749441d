// The Bearer token of a request, and the answer to a request without a valid one (RFC 6750 section 3.1).
#pragma once

#include <string>
#include <string_view>

#include "sake/app/problem_impl.hpp"
#include "sake/middleware/credentials.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class BearerChallenge {
  public:
    /// Throws std::invalid_argument that names the function for a realm that a field cannot hold.
    BearerChallenge(std::string_view function, std::string_view realm) {
        if (!realm.empty()) text_ += " " + realm_parameter(function, realm);
    }

    /// Throws HttpError 401 if there is no token, and 400 if the field is malformed.
    [[nodiscard]] std::string_view token_of(const Context& ctx) const {
        const Credentials given = find_credentials(ctx, "Bearer");
        if (given.state == Credentials::State::absent) refuse(401, "this resource needs a bearer token", {});
        if (given.state == Credentials::State::malformed)
            refuse(400, "the field Authorization is malformed", "invalid_request");
        return given.token;
    }
    [[noreturn]] void refuse_token() const { refuse(401, "the token is not valid", "invalid_token"); }

  private:
    [[noreturn]] void refuse(int status, const char* detail, std::string_view error) const {
        std::string challenge = text_;
        if (!error.empty()) {
            challenge.append(challenge == "Bearer" ? " " : ", ")
                .append("error=\"")
                .append(error)
                .append("\"");
        }
        throw HttpError(status, detail).header("WWW-Authenticate", challenge);
    }

    std::string text_ = "Bearer";
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
