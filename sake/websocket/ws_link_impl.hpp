// The turns of a WsLink, how it closes, and its timers. How it reads and sends is in ws_link_input.hpp and
// ws_link_output.hpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/base/error.hpp"
#include "sake/websocket/ws_link.hpp"
#include "sake/websocket/ws_link_input.hpp"
#include "sake/websocket/ws_link_output.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline WsLink::WsLink(Reactor& reactor, FileDescriptor descriptor, OwningPtr<Wire> wire, const WsTerms& terms,
                      const WsAgreement& agreed)
    : Timer(&due),
      socket_(reactor, std::move(descriptor), std::move(wire)),
      buffers_(reactor.local<WsBuffers>()),
      terms_(terms),
      reader_(terms.rules),
      since_(reactor.now()) {
    if (agreed.deflate.is_on) {
        const WsWindow window = window_of(agreed.deflate, role());
        extras().codec = WsCodec::make(reactor, role(), agreed.deflate);
        extras().shares_published = codec() != nullptr && !window.is_kept && window.bits == most_ws_window;
    }
    set_words(agreed.protocol);
    begin_waiting();
}

inline void WsLink::leave() noexcept {
    if (is_gatherer()) {
        buffers_.gatherer = nullptr;
        buffers_.gathered.clear();
    }
    if (!socket_.is_closed()) reactor().deadlines().cancel(*this);
    if (WsBox* const box = box_) box->leave();
}

inline void WsLink::begin(std::string_view early_input, std::string_view unsent) {
    if (!unsent.empty()) keep_unsent(unsent);
    if (!early_input.empty()) extras().held.reset(new Held{std::string(early_input), 0});
    set_time(next_look());
    look_again();
}

// --- Turns ---

inline void WsLink::take_turn() noexcept {
    begin_waiting();
    begin_turn();
    if (!is_finished()) work();
    if (is_finished() && is_waiting()) delete this;
}

inline void WsLink::work() noexcept {
    try {
        go_on();
    } catch (...) {
        report_failure("a WebSocket was lost: ", caught_exception());
        lose();
    }
    if (state_ != State::open && extras_) extras_->pumps.end();
    if (state_ == State::over) has_become_over();
}

inline void WsLink::go_on() {
    if (has_unsent()) flush_unsent();
    read_on();
    flush();
    account_all();
}

// --- Closing ---

inline void WsLink::say_close(int code, std::string_view reason) {
    if (state_ != State::open) return;
    const WsCloseText text(code, reason);
    try {
        send_frame(WsOpcode::close, text.view());
    } catch (...) {
        lose();
        throw;
    }
    if (state_ != State::open) return;
    become(State::closing);
    drop_message();
    await_input();
}

inline void WsLink::break_off(int code, std::string_view reason) noexcept {
    if (state_ >= State::ending) return;
    try {
        const bool may_say = state_ == State::open;
        const WsCloseText text(code, reason);
        if (may_say) send_frame(WsOpcode::close, text.view());
        if (state_ == State::over) return;
        close_code_ = static_cast<std::uint16_t>(code);
        set_words(reason);
        become(State::ending);
    } catch (...) {
        lose();
    }
}

inline void WsLink::lose() noexcept {
    if (state_ == State::over) return;
    if (state_ != State::ending) {
        close_code_ = ws_abnormal;
        if (extras_) extras_->words.clear();
    }
    if (has_unsent()) socket_.reset_on_close();
    if (is_gatherer()) {
        buffers_.gatherer = nullptr;
        buffers_.gathered.clear();
    }
    if (extras_) {
        extras_->unsent.reset();
        extras_->held.reset();
    }
    static_cast<void>(socket_.end_output());
    become(State::over);
}

inline void WsLink::become(State state) noexcept {
    state_ = state;
    if (has_ended()) end_reading();
    since_ = now();
    has_closed_ = true;
    if (WsBox* const box = box_) box->close();
    tell_waiters();
    static_cast<void>(socket_.taken_by_peer());  // from here on
    look_again();
    if (state == State::over) return reactor().deadlines().cancel(*this);
    try {
        set_time(next_look());
    } catch (const std::bad_alloc&) {
        lose();
    }
}

/// Nothing is read or compressed any more, so that memory goes at once: the other side may take its time.
inline void WsLink::end_reading() noexcept {
    reader_.end();
    if (extras_) extras_->codec.reset();
}

inline void WsLink::set_words(std::string_view words) {
    if (extras_ || !words.empty()) extras().words = words;
}

inline void WsLink::tell_waiters() noexcept {
    if (has_news()) tell_receiver();
    if (!extras_) return;
    ListNode& waiters = extras_->waiters;
    for (ListNode* each = waiters.next(); each != &waiters;) {
        auto& waiter = static_cast<WsWait&>(*each);
        each = each->next();
        if (!waiter.is_served()) continue;
        waiter.unlink();
        waiter.finish();
    }
    if (!is_held_up() || !is_open()) extras_->pumps.tell_of_room();
}

inline void WsLink::let_go(int code, std::string_view reason) noexcept {
    drop_message();
    try {
        say_close(code, reason);
    } catch (...) {
        // It is lost.
    }
    await_input();
    drop_holder();
}

inline void WsLink::drop_holder() noexcept {
    --holders_;
    if (!is_finished()) return;
    if (!socket_.is_closed()) return look_again();
    delete this;
}

inline void WsLink::end_with_reactor() noexcept {
    end_pumps();
    drop_message();
    before_waiting();
    lose();
    socket_.close();
}

// --- Time ---

inline void WsLink::due(Timer& timer) noexcept {
    auto& link = static_cast<WsLink&>(timer);
    try {
        link.on_time();
    } catch (...) {
        link.lose();
    }
}

inline void WsLink::on_time() {
    if (watch().is_broken()) return lose();
    if (now() < next_look()) return set_time(next_look());  // something has come since
    const bool is_reading = reads() && !socket_.can_receive();
    if (state_ != State::open || is_write_due() || (is_pinged_ && is_reading)) {
        if (is_draining() || !socket_.peer_goes_on()) return lose();
        note_progress();
    } else if (!is_reading) {
        since_ = now();
    } else {
        since_ = now();
        is_pinged_ = true;
        static_cast<void>(socket_.taken_by_peer());  // from here on
        send_frame(WsOpcode::ping, {});
    }
    set_time(next_look());
}

inline void WsLink::set_time(TimePoint moment) { reactor().deadlines().set(*this, moment); }

inline TimePoint WsLink::next_look() noexcept {
    std::chrono::milliseconds time = std::chrono::seconds(1);
    if (state_ == State::open) time = is_pinged_ ? options().pong_timeout : options().ping_after;
    if (state_ == State::closing) time = options().close_timeout;
    if (state_ != State::open && is_draining())
        time = std::min<std::chrono::milliseconds>(time, std::chrono::seconds(2));
    const TimePoint due = moment_after(since_, to_clock(time));
    return has_unsent() ? std::min(due, unsent()->due) : due;
}

inline void WsLink::hurry() noexcept {
    try {
        if (state_ != State::over) set_time(next_look());
    } catch (...) {
        lose();
    }
}

// --- Memory ---

inline std::size_t WsLink::held_bytes() const noexcept {
    return (held() ? held()->bytes.capacity() : 0) + (unsent() ? unsent()->bytes.capacity() : 0) +
           (message_ ? sizeof(Message) + message_->data.capacity() : 0) + reader_.held_bytes() +
           (codec() != nullptr ? codec()->memory() : 0);
}

inline void WsLink::account_all() noexcept {
    if (state_ == State::over || account(held_bytes())) return;
    break_off(ws_try_again, "the server has no memory to spare for this connection");
    static_cast<void>(account(held_bytes()));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
