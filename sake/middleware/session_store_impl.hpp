// When the sessions of a store are read and written.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answerer.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/chain_impl.hpp"
#include "sake/app/context_session_impl.hpp"
#include "sake/app/session_slot.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/spawn.hpp"
#include "sake/base/maybe.hpp"
#include "sake/middleware/session_change.hpp"
#include "sake/middleware/session_cookie.hpp"
#include "sake/middleware/session_store.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Makes a change in a store. False if the session that it is for has ended.
template <class Unused>
Task<bool> make_change(SessionStore& store, SessionChange change) {
    using Kind = SessionChange::Kind;
    if (change.kind == Kind::changes) {
        Task<bool> replacing = store.replace(change.id, change.text);
        const bool is_there = co_await std::move(replacing);
        co_return is_there;
    }
    if (change.kind == Kind::ends || change.kind == Kind::is_renewed) {
        Task<bool> erasing = store.erase(change.id);
        const bool was_there = co_await std::move(erasing);
        if (!was_there) co_return false;
    }
    if (change.kind == Kind::begins || change.kind == Kind::is_renewed) {
        Task<> adding = store.add(change.new_id, change.text);
        co_await std::move(adding);
    }
    co_return true;
}

/// Makes a change when an earlier one is made. If that fails, so does this.
template <class Unused>
Task<bool> make_change_behind(JoinHandle<bool> earlier, SessionStore& store, SessionChange change) {
    static_cast<void>(co_await earlier);
    Task<bool> making = make_change<Unused>(store, std::move(change));
    const bool is_made = co_await std::move(making);
    co_return is_made;
}

/// The session of one request, in a slot of its call. What it changes in the store goes on to its end also if
/// the client leaves.
template <class Unused>
class StoredSession final : public SessionKeeper {
  public:
    /// Returns the id that the client has sent, if it may be one.
    std::string open(Context& ctx, const SessionCookie& cookie, std::size_t max_bytes, SessionStore& store) {
        store_ = &store;
        max_bytes_ = max_bytes;
        cookie_ = &cookie;
        open_slot(ctx, *this);
        // For an answer in pieces, whose head does not wait.
        ctx.after([this](Context& answered) {
            if (slot_of(answered).state == SessionSlot::State::saved) return;
            SessionChange change = close(answered);
            answer_session(answered, change, *cookie_);
            start(std::move(change));
        });
        return std::string(cookie_->find(ctx).value_or(std::string_view()));
    }
    void set(Context& ctx, std::string id, std::string text) {
        SessionSlot& slot = slot_of(ctx);
        slot.origin = SessionSlot::Origin::stored;
        slot.id = std::move(id);
        slot.text = std::move(text);
    }
    SessionChange close(Context& ctx) {
        return close_session(slot_of(ctx), ctx.response().status(), max_bytes_);
    }
    void answer(Context& ctx, const SessionChange& change, bool is_made) const {
        if (!is_made && change.kind == SessionChange::Kind::is_renewed) refuse_renewal();
        answer_session(ctx, change, *cookie_);
    }
    /// Begins to make the change, behind those that were begun before.
    void start(SessionChange change) {
        if (change.kind == SessionChange::Kind::none || change.kind == SessionChange::Kind::removed) return;
        auto making =  // only programs with it compile this
            work_ ? make_change_behind<Unused>(std::move(*work_), *store_, std::move(change))
                  : make_change<Unused>(*store_, std::move(change));
        work_.emplace(spawn_on(*Reactor::current(), std::move(making)));
    }
    /// Waits for all that was begun. False if the session that it is for had ended.
    Task<bool> finish_work() {
        if (!work_) co_return true;
        const JoinHandle<bool> work = std::move(*work_);
        work_.reset();
        const bool is_made = co_await work;
        co_return is_made;
    }
    static SessionSlot& slot_of(Context& ctx) { return Call::of(ctx).state.get<SessionSlot>(); }

  private:
    void end(const SessionSlot& slot) override {
        SessionChange change;
        change.kind = SessionChange::Kind::ends;
        change.id = slot.id;
        start(std::move(change));
    }

    SessionStore* store_ = nullptr;
    std::size_t max_bytes_ = 0;
    const SessionCookie* cookie_ = nullptr;
    Maybe<JoinHandle<bool>> work_;
};

}  // namespace detail

namespace middleware {

template <class Unused>
Task<> StoredSessions::operator()(Context& ctx) const {
    using Session = detail::StoredSession<Unused>;
    Session& session = detail::Call::of(ctx).state.get<Session>();
    std::string id = session.open(ctx, *cookie_, max_bytes_, *store_);
    if (!id.empty()) {
        Task<std::optional<std::string>> loading = store_->load(id);
        std::optional<std::string> text = co_await std::move(loading);
        if (text) session.set(ctx, std::move(id), *std::move(text));
    }
    Task<> rest = ctx.next();
    co_await std::move(rest);
    Task<bool> ending = session.finish_work();
    static_cast<void>(co_await std::move(ending));
    if (Session::slot_of(ctx).state == detail::SessionSlot::State::saved) co_return;
    detail::SessionChange change = session.close(ctx);
    session.start(change);
    Task<bool> making = session.finish_work();
    const bool is_made = co_await std::move(making);
    session.answer(ctx, change, is_made);
}

SAKE_INLINE StoredSessions::StoredSessions(const SessionOptions& options, SessionStore& store)
    : cookie_(new detail::SessionCookie(options)), max_bytes_(options.max_bytes), store_(&store) {}

SAKE_INLINE StoredSessions sessions(SessionOptions options, SessionStore& store) { return {options, store}; }

#if defined(SAKE_IMPLEMENTATION)
template Task<> StoredSessions::operator()<void>(Context& ctx) const;
#endif

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
