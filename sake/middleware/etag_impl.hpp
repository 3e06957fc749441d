// How etag makes tags, and answers conditions.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/app/call_impl.hpp"
#include "sake/app/file_answer.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/response.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/hash.hpp"
#include "sake/http/conditional.hpp"
#include "sake/http/date.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/message.hpp"
#include "sake/middleware/etag.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class EtagMaker final : public StepWork {
  public:
    static constexpr StepRule rules[] = {
        {"etag", "the second would do nothing"},
        {"cache", "a client that has the body would get it again from the cache"},
        {nullptr, nullptr}};
    static constexpr StepInfo info{"etag", rules};

    explicit EtagMaker(const middleware::EtagOptions& options) noexcept : options_(options) {}

    void run(Context& ctx) override {
        const Method method = Call::of(ctx).request.known_method;
        if (method != Method::get && method != Method::head) return;
        ctx.after([this](Context& answered) {
            Call& call = Call::of(answered);
            if (has_tag(call.response)) answer_conditions(call);
        });
    }

  private:
    // Tags must be the same after a restart, and on every server.
    static constexpr HashKey key{0x73616b652d657461, 0x672d6d616b657231};

    /// Whether the answer is one of those with a tag. That of a file or a stream has no body here.
    [[nodiscard]] bool has_tag(Response& response) const {
        const std::string& body = response.body;
        if (response.status != 200 || body.empty() || response.file() != nullptr) return false;
        if (may_not_be_stored(response.headers)) return false;
        if (response.headers.contains("ETag")) return true;
        if (body.size() > options_.max_body) return false;
        // The same bytes of another type are another answer.
        const auto type =
            hash_of(key, response.headers.get("Content-Type").value_or(response.content_type()));
        char digits[32];
        write_hex(hash_of({type.low, type.high}, body), digits);
        std::string tag(options_.weak ? "W/\"" : "\"");
        tag.append(digits, sizeof digits) += '"';
        response.headers.set("ETag", tag);
        return true;
    }

    static bool may_not_be_stored(const http::Headers& headers) noexcept {
        for (const auto& [name, value] : headers) {
            if (iequals(name, "Cache-Control") && list_contains(value, "no-store")) return true;
        }
        return false;
    }

    static void answer_conditions(Call& call) {
        const http::Headers& headers = call.response.headers;
        const auto now = std::chrono::floor<std::chrono::seconds>(wall_now()).time_since_epoch().count();
        Validators present{headers.get("ETag").value_or(""), std::nullopt, now};
        if (const auto date = headers.get("Last-Modified"))
            present.last_modified = http::parse_http_date(*date, now);
        switch (conditions_of(call.request).verdict(call.request.known_method, present)) {
            case Conditions::Verdict::proceed:
                return;
            case Conditions::Verdict::not_modified:
                return say_not_modified(call.response);
            case Conditions::Verdict::failed:
                throw HttpError(
                    412,
                    "the answer does not meet the request's condition (If-Match or If-Unmodified-Since)");
        }
    }

    const middleware::EtagOptions options_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step etag(EtagOptions options) { return detail::StepMaker::make<detail::EtagMaker>(options); }

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
