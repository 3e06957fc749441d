// How request_id makes, checks and keeps ids.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/request_fields.hpp"
#include "sake/base/hash.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/middleware/id_source.hpp"
#include "sake/middleware/request_id.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Throws std::invalid_argument that begins with `option` for a name that no field of a program may have.
inline void check_own_field(std::string_view option, std::string_view name) {
    const auto refuse = [&](const std::string& why) {
        throw std::invalid_argument(std::string(option) + ": " + why);
    };
    if (is_framing_field(name)) refuse("the field " + std::string(name) + " is set by the server itself");
    try {
        check_field_name(name);
    } catch (const std::invalid_argument& error) {
        refuse(error.what());
    }
}

class RequestIds final : public StepWork {
  public:
    static constexpr StepRule rules[] = {{"request_id", "the answer would have two ids"},
                                         {"cache", "cached answers would repeat the id of another request"},
                                         {nullptr, nullptr}};
    static constexpr StepInfo info{"request_id", rules};

    explicit RequestIds(middleware::RequestIdOptions options) : options_(std::move(options)) {
        check_own_field("request_id: field", options_.field);
    }

    void run(Context& ctx) override {
        Call& call = Call::of(ctx);
        RequestId& id = call.state.get<RequestId>();
        const auto received =
            options_.keep_received ? single_field(call.request, options_.field) : std::nullopt;
        if (received && is_request_id(*received)) {
            IdWriter::write(id, *received);
        } else if (id.text().empty()) {
            char text[32];
            write_hex(ids_.next(), text);
            IdWriter::write(id, {text, sizeof text});
        }
        // Behind the handler, also one in a worker, so that no answer has another id than the log.
        ctx.after([this](Context& answered) {
            answered.set_header(options_.field, answered.state<RequestId>().text());
        });
    }

  private:
    const middleware::RequestIdOptions options_;
    IdSource ids_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step request_id(RequestIdOptions options) {
    return detail::StepMaker::make<detail::RequestIds>(std::move(options));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
