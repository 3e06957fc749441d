// When sessions are kept, and when a cookie is set.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_session_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/session_slot.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/error.hpp"
#include "sake/base/random.hpp"
#include "sake/base/text.hpp"
#include "sake/http/cookie_impl.hpp"
#include "sake/middleware/fields.hpp"
#include "sake/middleware/session_table.hpp"
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

/// The cookie that has the id.
class SessionCookie {
  public:
    explicit SessionCookie(const middleware::SessionOptions& options)
        : name_(options.cookie),
          secure_name_(host_prefix + options.cookie),
          lifetime_(options.lifetime),
          same_site_(options.same_site) {
        if (name_.starts_with("__")) {
            throw std::invalid_argument(
                "sessions: the name of the cookie begins with '__': leave the prefix out, which is added "
                "over https");
        }
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

/// The session as it is to be kept; "" if it is empty, and so is not.
inline std::string text_to_keep(const SessionSlot& slot, std::size_t max_bytes) {
    std::string text = slot.value.object == nullptr ? slot.text : slot.value.write(slot.value.object);
    if (text == "{}" || text == "[]" || text == "null") return {};
    if (text.size() <= max_bytes) return text;
    throw std::length_error("ctx.session: the session has " + std::to_string(text.size()) +
                            " bytes as JSON, and its max_bytes is " + std::to_string(max_bytes));
}

/// What is sent depends on who asks, and no cache may give it to somebody else.
inline void mark_as_personal(Context& ctx, bool sets_cookie) {
    add_vary(ctx, "Cookie");
    if (sets_cookie) {
        ctx.set_header("Cache-Control", "no-store");
    } else if (!ctx.response().headers().contains("Cache-Control")) {
        ctx.set_header("Cache-Control", "private, no-cache");
    }
}

class Sessions final : public StepWork, private SessionKeeper {
  public:
    static constexpr StepInfo info{"sessions", no_rules};

    explicit Sessions(const middleware::SessionOptions& options)
        : cookie_(options),
          table_(checked(options.idle_time, "idle_time"), checked(options.lifetime, "lifetime"),
                 limit_of<std::size_t>(1, options.max_sessions, "sessions: max_sessions")),
          max_bytes_(limit_of<std::size_t>(2, options.max_bytes, "sessions: max_bytes")) {}

    void run(Context& ctx) override {
        SessionSlot& slot = Call::of(ctx).state.get<SessionSlot>();
        if (slot.state != SessionSlot::State::absent)
            throw std::logic_error("sessions: this route has them twice; add them once, to the engine");
        slot.keeper = this;
        slot.state = SessionSlot::State::open;
        if (const auto id = cookie_.find(ctx)) {
            if (auto text = table_.use(*id, now())) {
                slot.origin = SessionSlot::Origin::stored;
                slot.id = *id;
                slot.text = *std::move(text);
            }
        }
        ctx.after([this](Context& answered) { save(answered); });
    }

  private:
    using Origin = SessionSlot::Origin;
    using Outcome = SessionTable::Outcome;
    using Standing = SessionTable::Standing;

    static std::chrono::seconds checked(std::chrono::seconds time, const char* name) {
        constexpr std::chrono::seconds longest = std::chrono::hours(400 * 24);
        if (time > std::chrono::seconds(0) && time <= longest) return time;
        throw std::invalid_argument(std::string("sessions: ") + name +
                                    " must be from 1 s to 400 days, but is " + std::to_string(time.count()) +
                                    " s");
    }

    void end(const SessionSlot& slot) override { table_.erase(slot.id); }

    /// The answer is made: keeps what the program has made of the session.
    void save(Context& ctx) {
        SessionSlot& slot = Call::of(ctx).state.get<SessionSlot>();
        slot.state = SessionSlot::State::saved;
        const bool is_failure = ctx.response().status() >= 500;  // of a handler that may be half done
        const std::string text = is_failure ? slot.text : text_to_keep(slot, max_bytes_);
        const bool begins = slot.origin != Origin::stored || slot.is_renewed;
        bool sets_cookie = false;
        if (text.empty()) {
            if (slot.origin == Origin::stored) table_.erase(slot.id);
            sets_cookie = slot.origin != Origin::fresh;
            if (sets_cookie) cookie_.remove(ctx);
        } else if (begins && !is_failure) {
            const std::string id = SessionId::make();
            begin(slot, id, text);
            cookie_.set(ctx, id);
            sets_cookie = true;
        } else if (text != slot.text) {
            // It may have ended since the request came, and then stays so.
            static_cast<void>(table_.replace(slot.id, text));
        }
        if (sets_cookie || slot.value.object != nullptr) mark_as_personal(ctx, sets_cookie);
    }

    void begin(const SessionSlot& slot, std::string_view id, const std::string& text) {
        const Outcome outcome =
            slot.origin == Origin::stored
                ? table_.renew(slot.id, id, text, now())
                : table_.add(id, text, slot.is_renewed ? Standing::member : Standing::guest, now());
        if (outcome == Outcome::gone)
            throw HttpError(409, "the session was ended by another request in the meantime");
        if (outcome == Outcome::no_room)
            throw HttpError(503, "the server has no room for another session").header("Retry-After", "60");
    }

    const SessionCookie cookie_;
    SessionTable table_;
    const std::size_t max_bytes_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step sessions(SessionOptions options) {
    return detail::StepMaker::make<detail::Sessions>(options);
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
