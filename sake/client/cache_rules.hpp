// The rules of RFC 9111 for an answer: whether it may be kept, for whom, and how long it is fresh. Pure;
// response_cache.hpp keeps the answers.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/date.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

using Seconds = std::chrono::seconds;

/// Delta-seconds (section 1.2.2), of which the largest are as good as 68 years; nothing for what is not a
/// number.
inline std::optional<Seconds> delta_seconds(std::string_view text) noexcept {
    constexpr std::uint32_t most = std::numeric_limits<std::int32_t>::max();
    if (text.empty() || !ascii::all_of(text, ascii::digit)) return std::nullopt;
    return Seconds(std::min(most, parse_decimal<std::uint32_t>(text).value_or(most)));
}

/// Calls f(element) for each element of all fields of this name (RFC 9110 section 5.6.1). A comma in quotes
/// ends none. False if a quote does not end.
template <class F>
bool for_each_element(const Headers& headers, std::string_view name, F f) {
    for (const auto& [field, value] : headers) {
        if (!iequals(field, name)) continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            std::size_t end = 0;
            bool is_quoted = false;
            for (; end < rest.size() && (is_quoted || rest[end] != ','); ++end) {
                if (is_quoted && rest[end] == '\\')
                    ++end;
                else if (rest[end] == '"')
                    is_quoted = !is_quoted;
            }
            if (is_quoted) return false;
            const std::string_view element = trim_ows(rest.substr(0, end));
            if (!element.empty()) f(element);
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return true;
}

/// The directives of Cache-Control that a client's cache obeys (section 5.2). If one occurs twice, the
/// stricter counts. An unreadable number counts as zero. An unreadable field forbids keeping.
struct CacheControl {
    bool no_store = false;
    bool no_cache = false;
    bool is_private = false;
    bool is_public = false;
    bool must_revalidate = false;
    bool proxy_revalidate = false;
    std::optional<Seconds> max_age;
    std::optional<Seconds> s_maxage;
    std::optional<Seconds> stale_if_error;

    static CacheControl of(const Headers& headers) {
        CacheControl found;
        const bool is_whole =
            for_each_element(headers, "Cache-Control", [&](std::string_view each) { found.take(each); });
        if (!is_whole) found.no_store = true;
        return found;
    }

  private:
    void take(std::string_view element) noexcept {
        const std::size_t equals = std::min(element.find('='), element.size());
        const std::string_view name = trim_ows(element.substr(0, equals));
        std::string_view value = trim_ows(element.substr(std::min(equals + 1, element.size())));
        if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
        const auto is = [&](std::string_view known) { return iequals(name, known); };
        // `private="field"` and `no-cache="field"` count as if they had no fields: that is always allowed.
        if (is("no-store")) no_store = true;
        if (is("no-cache")) no_cache = true;
        if (is("private")) is_private = true;
        if (is("public")) is_public = true;
        if (is("must-revalidate")) must_revalidate = true;
        if (is("proxy-revalidate")) proxy_revalidate = true;
        if (is("max-age")) lower(max_age, value);
        if (is("s-maxage")) lower(s_maxage, value);
        if (is("stale-if-error")) lower(stale_if_error, value);
    }
    static void lower(std::optional<Seconds>& number, std::string_view value) noexcept {
        const Seconds given = delta_seconds(value).value_or(Seconds(0));
        number = number ? std::min(*number, given) : given;
    }
};

/// Whom the requests of a client serve.
enum class Audience : std::uint8_t { shared, one_user };

/// Whether a request, a GET without a body, lets the cache decide what to ask for.
inline bool leaves_it_to_the_cache(const Headers& headers) {
    for (const std::string_view own :
         {"Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"}) {
        if (headers.contains(own)) return false;
    }
    return !CacheControl::of(headers).no_store;
}

/// When an answer was requested, and when it arrived.
struct Exchange {
    using Moment = std::chrono::steady_clock::time_point;

    explicit Exchange(Moment now) noexcept : asked(now), received(now) {}
    void end(Moment now, std::chrono::system_clock::time_point wall_now) noexcept {
        received = now;
        received_at = std::chrono::floor<Seconds>(wall_now).time_since_epoch();
    }

    Moment asked;
    Moment received;
    Seconds received_at{0};  // since 1970
};

/// What an answer states about being kept.
class CacheRules {
  public:
    CacheRules(const Headers& headers, const Exchange& exchange, Audience audience)
        : control_(CacheControl::of(headers)), audience_(audience), received_(exchange.received) {
        const auto date = date_of(headers, "Date", exchange);
        const Seconds sent = date.value_or(exchange.received_at);
        lifetime_ = lifetime(headers, exchange, sent);
        has_validator_ = headers.contains("ETag") || headers.contains("Last-Modified");
        sets_cookie_ = headers.contains("Set-Cookie");
        const bool is_whole = for_each_element(headers, "Vary", [&](std::string_view each) {
            if (each == "*") varies_by_anything_ = true;
        });
        if (!is_whole) varies_by_anything_ = true;
        // Section 4.2.3. The network may have taken all the time that we waited.
        const Seconds delay = std::chrono::ceil<Seconds>(exchange.received - exchange.asked);
        const Seconds told = delta_seconds(first_element(headers, "Age")).value_or(Seconds(0));
        initial_age_ = std::max({Seconds(0), exchange.received_at - sent, told + delay});
    }

    /// Whether the answer to a GET may be kept (section 3). It must state how long it is fresh, or permit
    /// asking the server whether it has changed. No lifetime is guessed.
    [[nodiscard]] bool allow_keeping(int status, bool has_credentials) const noexcept {
        if (control_.no_store || varies_by_anything_ || !is_understood(status)) return false;
        if (!lifetime_ && !has_validator_) return false;
        if (audience_ == Audience::one_user) return true;
        return !control_.is_private && !sets_cookie_ && (!has_credentials || is_for_all());
    }
    /// Whether everyone may receive it, also as the answer to a request with credentials. Section 3.5 also
    /// counts must-revalidate, but servers send it with another meaning.
    [[nodiscard]] bool is_for_all() const noexcept {
        return audience_ == Audience::one_user || control_.is_public || control_.s_maxage.has_value();
    }

    [[nodiscard]] Seconds age(Exchange::Moment now) const noexcept {
        return initial_age_ + std::chrono::floor<Seconds>(now - received_);
    }
    /// Whether it may be used without asking (section 4.2), for a request with these directives.
    [[nodiscard]] bool is_fresh(const CacheControl& asked, Exchange::Moment now) const noexcept {
        const Seconds age_now = age(now);
        if (control_.no_cache || asked.no_cache || (asked.max_age && age_now > *asked.max_age)) return false;
        return age_now < lifetime_.value_or(Seconds(0));
    }
    /// Whether it may be used though the server fails (RFC 5861 section 4); `allowed` is the program's
    /// option.
    [[nodiscard]] bool may_stand_in(std::chrono::milliseconds allowed, Exchange::Moment now) const noexcept {
        const bool is_strict =
            control_.must_revalidate || control_.no_cache ||
            (audience_ == Audience::shared && (control_.proxy_revalidate || control_.s_maxage.has_value()));
        const std::chrono::milliseconds limit =
            control_.stale_if_error ? std::chrono::milliseconds(*control_.stale_if_error) : allowed;
        return !is_strict && age(now) - lifetime_.value_or(Seconds(0)) < limit;
    }

  private:
    static bool is_understood(int status) noexcept {
        for (const int known : {200, 203, 204, 300, 301, 308, 404, 405, 410}) {
            if (status == known) return true;
        }
        return false;
    }
    static std::string_view first_element(const Headers& headers, std::string_view name) {
        std::string_view first;
        for_each_element(headers, name, [&](std::string_view each) {
            if (first.empty()) first = each;
        });
        return first;
    }
    static std::optional<Seconds> date_of(const Headers& headers, std::string_view name,
                                          const Exchange& exchange) {
        const auto text = headers.get(name);
        const auto date = text ? parse_http_date(*text, exchange.received_at.count()) : std::nullopt;
        return date ? std::optional<Seconds>(Seconds(*date)) : std::nullopt;
    }
    // Section 4.2.1. An Expires that is no date has passed.
    [[nodiscard]] std::optional<Seconds> lifetime(const Headers& headers, const Exchange& exchange,
                                                  Seconds sent) const {
        if (audience_ == Audience::shared && control_.s_maxage) return control_.s_maxage;
        if (control_.max_age) return control_.max_age;
        if (!headers.contains("Expires")) return std::nullopt;
        const auto expires = date_of(headers, "Expires", exchange);
        return expires ? std::max(Seconds(0), *expires - sent) : Seconds(0);
    }

    CacheControl control_;
    Audience audience_;
    Exchange::Moment received_;
    std::optional<Seconds> lifetime_;
    Seconds initial_age_{0};
    bool has_validator_ = false;
    bool sets_cookie_ = false;
    bool varies_by_anything_ = false;
};

}  // namespace detail
}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
