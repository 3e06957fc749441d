// How basic_auth reads user and password.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/problem_impl.hpp"
#include "sake/base/text_impl.hpp"
#include "sake/middleware/basic_auth.hpp"
#include "sake/middleware/credentials.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class BasicAuth final : public StepWork {
  public:
    static constexpr StepRule rules[] = {{"cache", "answers from the cache would be sent without a password"},
                                         {"bearer_auth", one_authorization, StepRule::Kind::not_with},
                                         {"jwt", one_authorization, StepRule::Kind::not_with},
                                         {nullptr, nullptr}};
    static constexpr StepInfo info{"basic_auth", rules};

    BasicAuth(std::string_view realm, CredentialsCheck check)
        : challenge_("Basic " + realm_parameter("basic_auth", realm) + ", charset=\"UTF-8\""),
          check_(std::move(check)) {}

    void run(Context& ctx) override {
        const Credentials given = find_credentials(ctx, "Basic");
        if (given.state == Credentials::State::absent) refuse("this resource needs a user and a password");
        std::optional<std::string> user = user_of(given);
        if (!user) refuse("the user or the password is wrong");
        ctx.state<User>().name = std::move(*user);
    }

  private:
    std::optional<std::string> user_of(const Credentials& given) {
        if (given.state != Credentials::State::present) return std::nullopt;
        const std::optional<std::string> decoded = base64_decode(given.token);
        if (!decoded || !is_text(*decoded)) return std::nullopt;
        const std::size_t colon = decoded->find(':');  // a user has none, a password may
        if (colon == std::string::npos) return std::nullopt;
        const std::string_view both = *decoded;
        return check_(both.substr(0, colon), both.substr(colon + 1));
    }
    static bool is_text(std::string_view text) noexcept {
        constexpr auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
        return is_valid_utf8(text) && std::none_of(text.begin(), text.end(), is_control);
    }
    [[noreturn]] void refuse(const char* detail) const {
        throw HttpError(401, detail).header("WWW-Authenticate", challenge_);
    }

    std::string challenge_;
    CredentialsCheck check_;
};

SAKE_INLINE middleware::Step make_basic_auth(std::string realm, CredentialsCheck check) {
    return StepMaker::make<BasicAuth>(realm, std::move(check));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
