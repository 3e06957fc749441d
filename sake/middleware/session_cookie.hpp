// The id of a session, and the cookie that carries it.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/app/context_impl.hpp"
#include "sake/base/error.hpp"
#include "sake/base/random.hpp"
#include "sake/base/text.hpp"
#include "sake/http/cookie_impl.hpp"
#include "sake/middleware/sessions.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The id of a session: 128 bits of the system's random bytes, in letters that may stand in a cookie.
class SessionId {
  public:
    static constexpr std::size_t size = 22;

    static std::string make() {
        const HashKey bytes = make_random_key();
        std::string id = base64_encode({reinterpret_cast<const char*>(&bytes), sizeof bytes});
        id.resize(size);  // without the padding
        for (char& c : id) c = c == '+' ? '-' : c == '/' ? '_' : c;
        return id;
    }
    /// Whether a client may have this from us.
    static bool could_be(std::string_view text) noexcept {
        if (text.size() != size) return false;
        for (const char c : text) {
            if (!ascii::is(c, ascii::unreserved) || c == '.' || c == '~') return false;
        }
        return true;
    }
};

inline std::chrono::seconds checked_session_time(std::chrono::seconds time, const char* name) {
    constexpr std::chrono::seconds longest = std::chrono::hours(400 * 24);  // browsers keep no cookie longer
    if (time > std::chrono::seconds(0) && time <= longest) return time;
    throw std::invalid_argument(std::string("sessions: ") + name + " must be from 1 s to 400 days, but is " +
                                std::to_string(time.count()) + " s");
}

/// The cookie that has the id.
class SessionCookie {
  public:
    explicit SessionCookie(const middleware::SessionOptions& options)
        : name_(options.cookie),
          secure_name_(host_prefix + options.cookie),
          lifetime_(checked_session_time(options.lifetime, "lifetime")),
          same_site_(options.same_site) {
        if (name_.starts_with("__")) {
            throw std::invalid_argument(
                "sessions: the name of the cookie begins with '__': leave the prefix out, which is added "
                "over https");
        }
        demand_at_least(2, options.max_bytes, "sessions: max_bytes");
        check_cookie(cookie("", false));
        check_cookie(cookie("", true));
    }

    /// What the client has sent; nothing if it cannot be an id.
    [[nodiscard]] std::optional<std::string_view> find(const Context& ctx) const noexcept {
        const auto id = ctx.find_cookie(is_secure(ctx) ? secure_name_ : name_);
        return id && SessionId::could_be(*id) ? id : std::nullopt;
    }
    void set(Context& ctx, std::string_view id) const {
        http::SetCookie set = cookie(id, is_secure(ctx));
        set.max_age = lifetime_;
        ctx.set_cookie(set);
    }
    void remove(Context& ctx) const {
        http::SetCookie set = cookie("", is_secure(ctx));
        set.max_age = std::chrono::seconds(0);
        ctx.set_cookie(set);
    }

  private:
    static constexpr const char* host_prefix = "__Host-";

    static bool is_secure(const Context& ctx) noexcept { return ctx.scheme() == "https"; }
    [[nodiscard]] http::SetCookie cookie(std::string_view value, bool is_secure) const {
        http::SetCookie cookie;
        cookie.name = is_secure ? secure_name_ : name_;
        cookie.value = value;
        cookie.secure = is_secure;
        cookie.same_site =
            !is_secure && same_site_ == http::SameSite::none ? http::SameSite::lax : same_site_;
        return cookie;
    }

    const std::string name_;
    const std::string secure_name_;
    const std::chrono::seconds lifetime_;
    const http::SameSite same_site_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
