// RequestId: the id of a request, which connects its answer, its log lines and the requests that it caused.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {
struct IdWriter;
}

/// The id of a request: ctx.state<sake::RequestId>() returns it behind request_id().
class RequestId {
  public:
    /// A longer id from a client is replaced.
    static constexpr std::size_t max_size = 128;

    /// The id; "" if request_id() has not run.
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

  private:
    friend struct detail::IdWriter;
    std::size_t size_ = 0;
    std::array<char, max_size> text_;  // only the first size_ are set
};

namespace detail {

struct IdWriter {
    static void write(RequestId& id, std::string_view text) noexcept {
        id.size_ = text.copy(id.text_.data(), RequestId::max_size);
    }
};

/// Names that may stand in a log, a shell and a URL.
inline bool is_request_id(std::string_view text) noexcept {
    if (text.empty() || text.size() > RequestId::max_size) return false;
    for (const char c : text) {
        if (!ascii::is(c, ascii::unreserved) && !ascii::contains_char("+/=:", c)) return false;
    }
    return true;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
