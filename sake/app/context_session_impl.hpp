// What Context::session and its kin do to the session of a request.
#pragma once

#include <concepts>
#include <stdexcept>
#include <string>

#include "sake/app/call_impl.hpp"
#include "sake/app/context.hpp"
#include "sake/app/session_slot.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_writer_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The slot, for a function of Context that may still change it. Throws std::logic_error.
inline SessionSlot& open_session(Call& call, const char* function) {
    SessionSlot* const slot = call.state.find<SessionSlot>();
    const char* why = nullptr;
    if (call.place.in_worker_pool) {
        why = ": a worker has no session; let middleware hand over what it needs by ctx.set";
    } else if (slot == nullptr || slot->state == SessionSlot::State::absent) {
        why = ": this route has no sessions; add app.use(sake::middleware::sessions())";
    } else if (slot->state == SessionSlot::State::saved) {
        why = ": the session has been saved, with the head of the answer; ask for it before that";
    }
    if (why != nullptr) throw std::logic_error(std::string(function) + why);
    return *slot;
}

}  // namespace detail

template <std::same_as<Json> Value>
Value& Context::session() {
    using Kept = detail::SessionValue<Value>;
    detail::SessionSlot& slot = detail::open_session(*call_, "ctx.session");
    slot.is_asked_for = true;
    if (slot.value.object == nullptr) {
        Kept& kept = call_->state.get<Kept>();
        if (!slot.text.empty()) kept.object = parse_json<Value>(slot.text);
        slot.value = {&kept,
                      [](const void* object) {
                          std::string text = dump_json<Value>(static_cast<const Kept*>(object)->object);
                          static_cast<void>(detail::count_json_values(text, {}));  // it can be read again
                          return text;
                      },
                      [](void* object) {
                          Value& value = static_cast<Kept*>(object)->object;
                          detail::dismantle(value);
                          value = Value::object();
                      }};
    }
    return static_cast<Kept*>(slot.value.object)->object;
}

SAKE_INLINE void Context::renew_session() {
    detail::open_session(*call_, "ctx.renew_session").is_renewed = true;
}

SAKE_INLINE void Context::end_session() {
    using Origin = detail::SessionSlot::Origin;
    detail::SessionSlot& slot = detail::open_session(*call_, "ctx.end_session");
    if (slot.origin == Origin::stored) slot.keeper->end(slot);
    slot.origin = Origin::ended;
    slot.is_renewed = false;
    slot.id.clear();
    slot.text.clear();
    if (slot.value.object != nullptr) slot.value.clear(slot.value.object);
}

#if defined(SAKE_IMPLEMENTATION)
template Json& Context::session<Json>();
#endif

}  // namespace SAKE_ABI
}  // namespace sake
