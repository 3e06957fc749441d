// How bearer_auth reads a token, and what it answers (RFC 6750 section 3.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/problem_impl.hpp"
#include "sake/middleware/bearer_auth.hpp"
#include "sake/middleware/credentials.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class BearerAuth final : public StepWork {
  public:
    static constexpr StepRule rules[] = {{"cache", "answers from the cache would be sent without a token"},
                                         {"basic_auth", one_authorization, StepRule::Kind::not_with},
                                         {"jwt", one_authorization, StepRule::Kind::not_with},
                                         {nullptr, nullptr}};
    static constexpr StepInfo info{"bearer_auth", rules};

    BearerAuth(std::string_view realm, CredentialsCheck check) : check_(std::move(check)) {
        if (!realm.empty()) challenge_ += " " + realm_parameter("bearer_auth", realm);
    }

    void run(Context& ctx) override {
        const Credentials given = find_credentials(ctx, "Bearer");
        if (given.state == Credentials::State::absent) refuse(401, "this needs a bearer token", {});
        if (given.state == Credentials::State::malformed)
            refuse(400, "the field Authorization is malformed", "invalid_request");
        std::optional<std::string> user = check_({}, given.token);
        if (!user) refuse(401, "the token is not right", "invalid_token");
        ctx.state<User>().name = std::move(*user);
    }

  private:
    [[noreturn]] void refuse(int status, const char* detail, std::string_view error) const {
        std::string challenge = challenge_;
        if (!error.empty()) {
            challenge.append(challenge == "Bearer" ? " " : ", ")
                .append("error=\"")
                .append(error)
                .append("\"");
        }
        throw HttpError(status, detail).header("WWW-Authenticate", challenge);
    }

    std::string challenge_ = "Bearer";
    CredentialsCheck check_;
};

SAKE_INLINE middleware::Step make_bearer_auth(std::string realm, CredentialsCheck check) {
    return StepMaker::make<BearerAuth>(realm, std::move(check));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
