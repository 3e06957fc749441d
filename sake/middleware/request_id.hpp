// A name for each request, by which its answer, its log lines and what it called are found again.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {
struct IdWriter;
}

/// The id of a request, as ctx.state<sake::RequestId>() returns it behind request_id().
class RequestId {
  public:
    /// The longest id of a client that is kept.
    static constexpr std::size_t max_size = 128;

    /// "" where request_id() has not run.
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

  private:
    friend struct detail::IdWriter;
    std::size_t size_ = 0;
    std::array<char, max_size> text_;  // only the first size_ are set
};

namespace middleware {

/// For request_id.
struct RequestIdOptions {
    /// The field of the answer, and of the request if a client's id is kept.
    std::string field = "X-Request-Id";
    /// Keeps the id that came with the request, if it is one: 1 to 128 of the letters, digits and
    /// "-._~+/=:". For servers behind a proxy that sets it: else clients choose what stands in the log.
    bool keep_received = false;
};

/// Gives each request an id and sets it on every answer, refusals too. The id is the trace id if
/// trace_context() stands in front, else 32 hex digits that cannot be foreseen. Throws std::invalid_argument
/// for a name that no field of an answer may have.
[[nodiscard]] Step request_id(RequestIdOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
