// When a request is sent again: after which answers, after which pause, and within which budget.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "sake/async/clock.hpp"
#include "sake/base/hash.hpp"
#include "sake/base/random.hpp"
#include "sake/base/text.hpp"
#include "sake/client/client_habits.hpp"
#include "sake/http/date.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

/// Whether another attempt may have a better answer.
constexpr bool is_worth_a_retry(int status) noexcept {
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/// How long Retry-After asks to wait (RFC 9110 section 10.2.3): seconds, or the time until a date. Zero if
/// there is none, or an unreadable one; an excessive number becomes the largest.
inline std::chrono::seconds wanted_pause(const Headers& headers, std::chrono::system_clock::time_point now) {
    const std::string_view text = headers.get("Retry-After").value_or("");
    if (!text.empty() && ascii::all_of(text, ascii::digit)) {
        return std::chrono::seconds(
            parse_decimal<std::uint32_t>(text).value_or(std::numeric_limits<std::uint32_t>::max()));
    }
    const auto today = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    const auto date = parse_http_date(text, today);
    return std::chrono::seconds(date ? std::max<std::int64_t>(0, *date - today) : 0);
}

/// Shared by the requests of a client: a budget, which each request fills by a fraction of a retry, and a
/// random generator.
class Retries {
  public:
    explicit Retries(const RetryOptions& chosen)
        : options(chosen),
          saved_(price * chosen.budget_reserve),
          key_(is_on() ? sake::detail::make_random_key() : HashKey{}) {}

    const RetryOptions options;

    [[nodiscard]] bool is_on() const noexcept { return options.attempts > 1; }

    /// Called for each request.
    void earn() noexcept { saved_ = std::min(most(), saved_ + options.budget_percent); }
    /// Called for each retry; false if the budget is used up.
    [[nodiscard]] bool spend() noexcept {
        if (saved_ < price) return false;
        saved_ -= price;
        return true;
    }

    /// A random time, so that clients that failed together do not return together.
    [[nodiscard]] std::chrono::milliseconds random_up_to(std::chrono::milliseconds longest) noexcept {
        sake::detail::SipState state(key_);
        state.take(++drawn_);
        const auto choices = static_cast<std::uint64_t>(longest.count()) + 1;
        return std::chrono::milliseconds(state.finish().low % choices);
    }

  private:
    using HashKey = sake::detail::HashKey;
    static constexpr std::int64_t price = 100;  // of a retry: a request earns some hundredths of it

    // Room for one at least, so that a small part of a retry adds up.
    [[nodiscard]] std::int64_t most() const noexcept { return price * std::max(options.budget_reserve, 1); }

    std::int64_t saved_;
    HashKey key_;
    std::uint64_t drawn_ = 0;
};

/// The attempts of one request.
class Attempts {
  public:
    Attempts(Retries& retries, sake::detail::TimePoint now) noexcept
        : retries_(retries), began_(now), delay_(std::min(options().first_delay, options().max_delay)) {
        retries_.earn();
    }

    /// The pause before the next attempt, or nothing if this was the last. `wanted` is what the server asks
    /// for.
    [[nodiscard]] std::optional<std::chrono::milliseconds> next_pause(std::chrono::seconds wanted,
                                                                      sake::detail::TimePoint now) noexcept {
        using std::chrono::milliseconds;
        if (made_ >= options().attempts || wanted > options().max_delay) return std::nullopt;
        const milliseconds pause = std::max<milliseconds>(wanted, retries_.random_up_to(delay_));
        const auto passed = std::chrono::floor<milliseconds>(now - began_);
        if (pause > options().max_total - passed || !retries_.spend()) return std::nullopt;
        ++made_;
        delay_ = delay_ > options().max_delay / 2 ? options().max_delay : 2 * delay_;
        return pause;
    }

  private:
    [[nodiscard]] const RetryOptions& options() const noexcept { return retries_.options; }

    Retries& retries_;
    sake::detail::TimePoint began_;
    std::chrono::milliseconds delay_;  // the longest pause that comes next
    int made_ = 1;
};

}  // namespace detail
}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
