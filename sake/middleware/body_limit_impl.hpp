// How body_limit makes the limit of a call smaller.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "sake/app/call_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/middleware/body_limit.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class BodyLimit final : public StepWork {
  public:
    static constexpr StepInfo info{"body_limit", no_rules};

    explicit BodyLimit(std::int64_t bytes) : most_(as_setting<std::size_t>(bytes)) {
        if (bytes >= 0) return;
        throw std::invalid_argument("body_limit: it must be at least 0, not " + std::to_string(bytes));
    }

    void run(Context& ctx) override {
        Call& call = Call::of(ctx);
        call.body_limit = std::min(call.body_limit, most_);  // for a body that is still to come
        const auto announced = parse_decimal<std::uint64_t>(ctx.header("Content-Length"));
        if (call.request.body.size() <= most_ && announced.value_or(0) <= most_) return;
        throw HttpError(413, "the body is larger than " + std::to_string(most_) + " bytes");
    }

  private:
    std::size_t most_;
};

SAKE_INLINE middleware::Step make_body_limit(std::int64_t bytes) { return StepMaker::make<BodyLimit>(bytes); }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
