// Whose allowance a request spends, and what its answer says of it.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/error.hpp"
#include "sake/base/hash.hpp"
#include "sake/base/json_writer_impl.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/base/random.hpp"
#include "sake/middleware/rate_limit.hpp"
#include "sake/middleware/rate_table.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The same for all addresses of an IPv6 network of 64 bits.
inline Hash128 address_key(const HashKey& key, const PeerAddress& address) noexcept {
    const std::array<char, 17> bytes = address.network(std::min(address.bits(), 64U)).bytes();
    return hash_of(key, {bytes.data(), bytes.size()});
}

/// The value of a field, put together without an allocation.
class FieldText {
  public:
    FieldText& add(std::string_view text) noexcept {
        size_ += text.copy(bytes_.data() + size_, bytes_.size() - size_);
        return *this;
    }
    FieldText& add(std::int64_t number) noexcept {
        char* const end = bytes_.data() + bytes_.size();
        size_ =
            static_cast<std::size_t>(std::to_chars(bytes_.data() + size_, end, number).ptr - bytes_.data());
        return *this;
    }
    [[nodiscard]] std::string_view text() const noexcept { return {bytes_.data(), size_}; }

  private:
    std::array<char, 160> bytes_;
    std::size_t size_ = 0;
};

class RateLimiter final : public StepWork {
  public:
    static constexpr StepInfo info{"rate_limit", no_rules};

    explicit RateLimiter(middleware::RateLimitOptions options)
        : options_(checked(std::move(options))),
          table_(interval_of(options_), options_.burst,
                 limit_of<std::size_t>(16, options_.max_keys, "rate_limit: max_keys")),
          policy_(policy_of(options_)),
          members_(members_of(options_)) {}

    void run(Context& ctx) override {
        const std::chrono::nanoseconds now = sake::now().time_since_epoch();
        const RateTable::Verdict verdict = table_.take(key_of(ctx), now.count());
        FieldText state;
        state.add("\"").add(options_.name).add("\";r=").add(verdict.remaining);
        state.add(";t=").add(seconds(verdict.until_whole));
        ctx.add_header("RateLimit-Policy", policy_).add_header("RateLimit", state.text());
        if (verdict.is_allowed) return;
        FieldText pause;
        pause.add(seconds(verdict.until_next));
        throw error_with(429, "too many requests: Retry-After says when the next may come", members_)
            .header("Retry-After", pause.text());
    }

  private:
    static constexpr std::int64_t second = 1'000'000'000;

    static std::int64_t seconds(std::int64_t nanoseconds) noexcept {
        return (nanoseconds + second - 1) / second;
    }

    // --- What the options mean ---

    static middleware::RateLimitOptions checked(middleware::RateLimitOptions options) {
        require_count(options.per_second, "rate_limit: per_second");
        require_count(options.per_minute, "rate_limit: per_minute");
        require_count(options.burst, "rate_limit: burst");
        if (options.per_second == 0 && options.per_minute == 0)
            throw std::invalid_argument("rate_limit: set one of per_second and per_minute");
        if (options.per_second != 0 && options.per_minute != 0)
            throw std::invalid_argument("rate_limit: set only one of per_second and per_minute");
        if (options.name.size() > 64)
            throw std::invalid_argument("rate_limit: the name has 64 bytes at most");
        for (const char c : options.name) {
            if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                throw std::invalid_argument(
                    "rate_limit: the name must be printable ASCII without quotes and backslashes");
            }
        }
        if (options.burst == 0) options.burst = options.per_second + options.per_minute;
        return options;
    }
    static void require_count(int number, const char* name) {
        demand_at_least(0, number, name);
        if (number > 10'000'000) throw std::invalid_argument(std::string(name) + " is 10000000 at most");
    }
    static std::int64_t interval_of(const middleware::RateLimitOptions& options) noexcept {
        return options.per_second != 0 ? second / options.per_second : 60 * second / options.per_minute;
    }
    static std::string policy_of(const middleware::RateLimitOptions& options) {
        const std::int64_t window = seconds(interval_of(options) * options.burst);
        return "\"" + options.name + "\";q=" + std::to_string(options.burst) + ";w=" + std::to_string(window);
    }
    static ProblemMembers members_of(const middleware::RateLimitOptions& options) {
        ProblemMembers members;
        members.has_type = true;
        members.text = R"(,"type":"https://iana.org/assignments/http-problem-types#quota-exceeded")"
                       R"(,"violated-policies":[)";
        append_json_text(members.text, options.name);
        members.text += ']';
        return members;
    }

    // --- Whose request it is ---

    [[nodiscard]] Hash128 key_of(Context& ctx) const {
        if (options_.key) return hash_of(hash_key_, options_.key(ctx));
        Call& call = Call::of(ctx);
        const auto* const client = call.state.find<ForwardedClient>();
        return address_key(hash_key_, client != nullptr ? client->peer : call.place.peer);
    }

    const middleware::RateLimitOptions options_;
    const HashKey hash_key_ = make_random_key();  // so that nobody can choose addresses that meet
    RateTable table_;
    const std::string policy_;
    const ProblemMembers members_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step rate_limit(RateLimitOptions options) {
    return detail::StepMaker::make<detail::RateLimiter>(std::move(options));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
