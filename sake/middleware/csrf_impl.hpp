// How csrf tells requests of other sites' pages.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sake/app/problem_impl.hpp"
#include "sake/http/message.hpp"
#include "sake/http/origin.hpp"
#include "sake/middleware/csrf.hpp"
#include "sake/middleware/fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Csrf final : public StepWork {
  public:
    static constexpr StepInfo info{"csrf", no_rules};

    explicit Csrf(const middleware::CsrfOptions& options) {
        require_origins("csrf", options.origins);
        for (const std::string& origin : options.origins) origins_.push_back(origin);
    }

    void run(Context& ctx) override {
        if (is_safe(ctx.method()) || is_of_this_site(ctx)) return;
        throw HttpError(403, "a page of another site may not send this request");
    }

  private:
    using Presence = SingleField::Presence;

    static bool is_safe(std::string_view method) noexcept {
        switch (method_from(method)) {
            case Method::get:
            case Method::head:
            case Method::options:
            case Method::query:
            case Method::trace:
                return true;
            default:
                return false;
        }
    }

    [[nodiscard]] bool is_of_this_site(const Context& ctx) const noexcept {
        const SingleField site = single_field(ctx, "Sec-Fetch-Site");
        const SingleField origin = single_field(ctx, "Origin");
        if (site.presence == Presence::repeated || origin.presence == Presence::repeated) return false;
        if (is_listed(origin.value)) return true;
        // "none" is the user: an address that was typed, or a bookmark. "same-site" is another subdomain,
        // which may belong to somebody else.
        if (site.presence == Presence::once) return site.value == "same-origin" || site.value == "none";
        return origin.presence == Presence::absent || is_origin_of(origin.value, ctx.host());
    }
    [[nodiscard]] bool is_listed(std::string_view origin) const noexcept {
        for (const std::string& listed : origins_) {
            if (listed == origin) return true;
        }
        return false;
    }

    Array<std::string> origins_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step csrf(CsrfOptions options) { return detail::StepMaker::make<detail::Csrf>(options); }

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
