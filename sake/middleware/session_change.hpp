// Decides what happens to a session when the answer is complete, for sessions in memory and in a store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/app/call_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/session_slot.hpp"
#include "sake/middleware/fields.hpp"
#include "sake/middleware/session_cookie.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct SessionChange {
    enum class Kind : std::uint8_t {
        none,
        removed,     // it had ended before: its cookie is removed
        ends,        // it is empty now
        begins,      // a new one, under new_id
        is_renewed,  // the same, under new_id instead of id
        changes      // if it has not ended meanwhile
    };
    Kind kind = Kind::none;
    std::string id;      // the id under which it is stored
    std::string new_id;  // the id in its cookie from now on
    std::string text;
};

/// The text of the session to store; "" if it is empty, and so is not stored.
inline std::string text_to_keep(const SessionSlot& slot, std::size_t max_bytes) {
    std::string text = slot.value.object == nullptr ? slot.text : slot.value.write(slot.value.object);
    if (text == "{}" || text == "[]" || text == "null") return {};
    if (text.size() <= max_bytes) return text;
    throw std::length_error("ctx.session: the session has " + std::to_string(text.size()) +
                            " bytes as JSON, and its max_bytes is " + std::to_string(max_bytes));
}

/// Closes the slot of a session whose answer has this status. At 500 and above, the handler may have stopped
/// half way, so only end_session() counts.
inline SessionChange close_session(SessionSlot& slot, int status, std::size_t max_bytes) {
    using Kind = SessionChange::Kind;
    using Origin = SessionSlot::Origin;
    slot.state = SessionSlot::State::saved;
    const bool is_failure = status >= 500;
    SessionChange change;
    change.id = slot.id;
    change.text = is_failure ? slot.text : text_to_keep(slot, max_bytes);
    if (change.text.empty()) {
        if (slot.origin == Origin::stored) change.kind = Kind::ends;
        if (slot.origin == Origin::ended) change.kind = Kind::removed;
    } else if (!is_failure && (slot.origin != Origin::stored || slot.is_renewed)) {
        change.kind = slot.origin == Origin::stored ? Kind::is_renewed : Kind::begins;
        change.new_id = SessionId::make();
    } else if (change.text != slot.text) {
        change.kind = Kind::changes;
    }
    return change;
}

/// Opens the slot of a request. Throws std::logic_error if it is open already.
inline SessionSlot& open_slot(Context& ctx, SessionKeeper& keeper) {
    SessionSlot& slot = Call::of(ctx).state.get<SessionSlot>();
    if (slot.state != SessionSlot::State::absent)
        throw std::logic_error("sessions: this route has them twice; add them once, to the engine");
    slot.keeper = &keeper;
    slot.state = SessionSlot::State::open;
    return slot;
}

/// The change is made: sets or removes the cookie. The answer depends on the visitor, so no cache may share
/// it.
inline void answer_session(Context& ctx, const SessionChange& change, const SessionCookie& cookie) {
    using Kind = SessionChange::Kind;
    const bool is_over = change.kind == Kind::removed || change.kind == Kind::ends;
    const SessionSlot& slot = Call::of(ctx).state.get<SessionSlot>();
    if (is_over) cookie.remove(ctx);
    if (!change.new_id.empty()) cookie.set(ctx, change.new_id);
    const bool sets_cookie = is_over || !change.new_id.empty();
    if (!sets_cookie && slot.value.object == nullptr) return;
    add_vary(ctx, "Cookie");
    if (sets_cookie) {
        ctx.set_header("Cache-Control", "no-store");
    } else if (!ctx.response().headers().contains("Cache-Control")) {
        ctx.set_header("Cache-Control", "private, no-cache");
    }
}

[[noreturn]] inline void refuse_renewal() {
    throw HttpError(409, "the session was ended by another request in the meantime");
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
