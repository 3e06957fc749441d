// CallBuilder: fills a Call with a request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sake/app/call_impl.hpp"
#include "sake/app/request_impl.hpp"
#include "sake/base/array.hpp"
#include "sake/http/message.hpp"
#include "sake/http/slice.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Why a request cannot be served.
struct Refusal {
    int status;
    std::string_view reason;
};
inline constexpr Refusal bad_target{400, "the request target is not valid"};
/// RFC 9110 section 7.4: an https target is accepted only over a secured connection.
inline constexpr Refusal misdirected{421, "this connection is not secured, and the target is https"};

/// Fills a Call with a request. The text is copied, unless it lies in one piece that outlives the call: see
/// `take`.
class CallBuilder {
  public:
    explicit CallBuilder(Call& call) noexcept : request_(call.request), scheme_(call.place.scheme) {}

    void begin(std::string_view method, std::string_view target) {
        request_.own_fields.clear();
        request_.given_params.clear();
        request_.known_method = method_from(method);
        request_.method_name = keep(method);
        request_.target_text = keep(target);
    }
    void field(std::string_view name, std::string_view value) {
        const Slice kept_name = keep(name);
        request_.own_fields.push_back({kept_name, keep(value)});
    }

    /// Adds the next decoded path parameter, for a request that arrives with its parameters and is not
    /// routed.
    void param(std::string_view value) {
        request_.has_given_params = true;
        request_.params.values[request_.params.count++] = append(request_.given_params, value);
    }

    /// Replaces begin and field for a head that was parsed in place. Nothing is copied: text and fields must
    /// stay until the call is cleared or has a `base` of its own.
    void take(const char* base, Method method, Slice method_name, Slice target,
              Row<FieldSlice> fields) noexcept {
        request_.base = base;
        request_.known_method = method;
        request_.method_name = method_name;
        request_.target_text = target;
        request_.fields = fields;
    }

    /// The head is complete: parses the target. Returns nullptr, or the reason for a refusal.
    [[nodiscard]] const Refusal* end() {
        if (request_.base == nullptr) {
            request_.base = request_.storage.data();
            request_.fields = request_.own_fields;
        }
        if (!request_.resolve_target()) return &bad_target;
        return request_.is_for_https() && scheme_ != "https" ? &misdirected : nullptr;
    }

  private:
    Slice keep(std::string_view text) { return append(request_.storage, text); }
    static Slice append(std::string& kept, std::string_view text) {
        const Slice slice{static_cast<std::uint32_t>(kept.size()), static_cast<std::uint32_t>(text.size())};
        kept.append(text);
        return slice;
    }

    Request& request_;
    std::string_view scheme_;  // of the connection
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
