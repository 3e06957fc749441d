// The sessions that are in the memory of this process.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_session_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/session_slot.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/error.hpp"
#include "sake/middleware/session_change.hpp"
#include "sake/middleware/session_cookie.hpp"
#include "sake/middleware/session_table.hpp"
#include "sake/middleware/sessions.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Sessions final : public StepWork, private SessionKeeper {
  public:
    static constexpr const StepInfo& info = session_info;

    explicit Sessions(const middleware::SessionOptions& options)
        : cookie_(options),
          table_(checked_session_time(options.idle_time, "idle_time"), options.lifetime,
                 limit_of<std::size_t>(1, options.max_sessions, "sessions: max_sessions")),
          max_bytes_(options.max_bytes) {}

    void run(Context& ctx) override {
        SessionSlot& slot = open_slot(ctx, *this);
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
    void end(const SessionSlot& slot) override { table_.erase(slot.id); }

    /// The answer is made: keeps what the program has made of the session.
    void save(Context& ctx) {
        SessionSlot& slot = Call::of(ctx).state.get<SessionSlot>();
        const SessionChange change = close_session(slot, ctx.response().status(), max_bytes_);
        make(change, slot.is_renewed ? SessionTable::Standing::member : SessionTable::Standing::guest);
        answer_session(ctx, change, cookie_);
    }

    void make(const SessionChange& change, SessionTable::Standing standing) {
        using Kind = SessionChange::Kind;
        using Outcome = SessionTable::Outcome;
        if (change.kind == Kind::ends) table_.erase(change.id);
        if (change.kind == Kind::changes) static_cast<void>(table_.replace(change.id, change.text));
        if (change.kind == Kind::is_renewed &&
            table_.renew(change.id, change.new_id, change.text, now()) == Outcome::gone)
            refuse_renewal();
        if (change.kind == Kind::begins &&
            table_.add(change.new_id, change.text, standing, now()) == Outcome::no_room)
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
