// What bearer_auth does for each request.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/middleware/bearer_auth.hpp"
#include "sake/middleware/bearer_challenge.hpp"

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

    BearerAuth(std::string_view realm, CredentialsCheck check)
        : challenge_("bearer_auth", realm), check_(std::move(check)) {}

    void run(Context& ctx) override {
        std::optional<std::string> user = check_({}, challenge_.token_of(ctx));
        if (!user) challenge_.refuse_token();
        ctx.state<User>().name = std::move(*user);
    }

  private:
    const BearerChallenge challenge_;
    CredentialsCheck check_;
};

SAKE_INLINE middleware::Step make_bearer_auth(std::string realm, CredentialsCheck check) {
    return StepMaker::make<BearerAuth>(realm, std::move(check));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
