// How a WsLink reads, sends, waits and closes.
#pragma once

#include <sys/uio.h>

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

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline WsLink::WsLink(WsRole role, Reactor& reactor, FileDescriptor descriptor, OwningPtr<Wire> wire,
                      const WsTerms& terms, const WsAgreement& agreed)
    : Timer(&due),
      socket_(reactor, std::move(descriptor), std::move(wire)),
      buffers_(reactor.local<WsBuffers>()),
      terms_(terms),
      reader_(role, terms.limits),
      since_(reactor.now()),
      codec_(agreed.deflate.is_on ? WsCodec::make(reactor, role, agreed.deflate) : nullptr),
      port_(Port::of(reactor)),
      role_(role) {
    const WsWindow window = window_of(agreed.deflate, role);
    shares_published_ = codec_ && !window.is_kept && window.bits == most_ws_window;
    if (!agreed.protocol.empty()) words_.reset(new std::string(agreed.protocol));
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
    if (!early_input.empty()) held_.reset(new Held{std::string(early_input), 0});
    set_time(next_look());
    look_again();
}

// --- Turns ---

inline void WsLink::take_turn() {
    begin_waiting();
    if (is_finished()) {
        delete this;
        return;
    }
    try {
        go_on();
    } catch (...) {
        report_failure("a WebSocket was lost: ", caught_exception());
        lose();
    }
    if (state_ != State::open) pumps_.clear();
    if (state_ == State::over) has_become_over();
    if (is_finished() && is_waiting()) delete this;
}

inline void WsLink::go_on() {
    if (unsent_ != nullptr) flush_unsent();
    read_on();
    flush();
    account_all();
}

// --- Reading ---

inline void WsLink::read_on() {
    constexpr int most_receives = 8;  // then it is the turn of others
    OwningPtr<Held> held = std::move(held_);
    std::string_view input = held ? std::string_view(held->bytes).substr(held->begin) : std::string_view();
    for (int receives = 0; reads();) {
        if (input.empty()) {
            held.reset();
            if (!socket_.can_receive()) break;
            if (receives++ == most_receives) {
                look_again();
                break;
            }
            input = receive();
            if (input.empty()) break;
        }
        take(input);
    }
    hold(std::move(held), input);
    await_input();
}

/// What comes next; "" if that is nothing, or the end.
inline std::string_view WsLink::receive() {
    const std::size_t size = buffers_.input.size();
    const SysResult result = socket_.receive(buffers_.input.data(), size);
    if (result.would_block()) {
        socket_.blocked(readable);
        return {};
    }
    const std::size_t count = result.ok() ? static_cast<std::size_t>(result.value) : 0;
    if (count == 0) {
        lose();
        return {};
    }
    if (count < size && socket_.is_drained_by_short_receive()) watch().drained();
    hear();
    return {buffers_.input.data(), count};
}

inline void WsLink::hear() {
    if (state_ != State::open) return;
    since_ = now();
    if (std::exchange(is_pinged_, false)) set_time(next_look());
}

/// One event of the reader.
inline void WsLink::take(std::string_view& input) {
    if (state_ == State::ending) {
        input = {};
        return;
    }
    switch (reader_.read(input, codec_ ? codec_->inflater() : nullptr)) {
        case WsEvent::message:
            has_message_ = true;
            if (state_ == State::open) {
                tell_waiters();
            } else {
                drop_message();
            }
            break;
        case WsEvent::ping:
            // One that does not read its pongs gets no more of them.
            if (state_ == State::open && !is_held_up()) send_frame(WsOpcode::pong, reader_.control());
            break;
        case WsEvent::close:
            take_close();
            break;
        case WsEvent::failed:
            fail(reader_.failure(), reader_.failure_reason());
            break;
        case WsEvent::pong:
        case WsEvent::need_more:
            break;
    }
}

/// The other side says Close, in answer to ours or first (RFC 6455 section 5.5.1).
inline void WsLink::take_close() {
    close_code_ = static_cast<std::uint16_t>(reader_.close_code());
    words_.reset(reader_.close_reason().empty() ? nullptr : new std::string(reader_.close_reason()));
    if (state_ == State::open) {
        const WsCloseText text(close_code_);
        send_frame(WsOpcode::close, text.view());
    }
    become(State::ending);
}

/// Keeps what is left of the input, which is in `held` if that is anything.
inline void WsLink::hold(OwningPtr<Held> held, std::string_view input) {
    if (input.empty() || state_ == State::over) return;
    if (!held) held.reset(new Held{std::string(input), 0});
    held->begin = held->bytes.size() - input.size();
    held_ = std::move(held);
}

/// Has this resumed when there is more to read.
inline void WsLink::await_input() noexcept {
    if (!reads()) return watch().give_up(readable);
    if (held_ || socket_.can_receive()) return look_again();
    watch().wait_for(socket_.needed_for(readable), *this);
}

inline std::string_view WsLink::close_reason() const noexcept {
    return close_code_ != 0 && words_ ? std::string_view(*words_) : std::string_view();
}
inline std::string_view WsLink::protocol() const noexcept {
    return close_code_ == 0 && words_ ? std::string_view(*words_) : std::string_view();
}

inline std::optional<Message> WsLink::take_message() {
    if (!std::exchange(has_message_, false)) return std::nullopt;
    std::optional<Message> message(Message{reader_.take_message(), reader_.is_text()});
    count_received(message->data.size());
    since_ = now();  // what it has sent since was not read
    await_input();
    return message;
}

inline void WsLink::drop_message() noexcept {
    if (std::exchange(has_message_, false)) static_cast<void>(reader_.take_message());
}

// --- Sending ---

inline bool WsLink::send(bool is_text, std::string_view payload) {
    if (state_ != State::open) return false;
    const WsOpcode opcode = is_text ? WsOpcode::text : WsOpcode::binary;
    try {
        std::string deflated;
        const bool is_deflated =
            codec_ && payload.size() >= options().compress_from && codec_->deflate(payload, deflated);
        send_frame(opcode, is_deflated ? deflated : payload, is_deflated);
    } catch (...) {
        lose();  // a part of it may be on its way
        throw;
    }
    count_sent(payload.size());
    return state_ == State::open;
}

/// What was made of the last one is kept: subscribers of one topic are sent it in a row.
inline bool WsLink::send_published(std::string_view payload) {
    if (state_ != State::open) return false;
    if (!shares_published_ || payload.size() < options().compress_from) return send(true, payload);
    WsPublished& last = buffers_.published;
    try {
        if (last.text != payload || last.text.empty()) {
            last.text.clear();
            last.deflated.clear();
            last.is_smaller = codec_->deflate(payload, last.deflated);
            last.text = payload;
        }
        send_frame(WsOpcode::text, last.is_smaller ? std::string_view(last.deflated) : payload,
                   last.is_smaller);
    } catch (...) {
        lose();
        throw;
    }
    count_sent(payload.size());
    return state_ == State::open;
}

inline bool WsLink::send_or_end(bool is_text, std::string_view payload) {
    if (send(is_text, payload)) return true;
    if (std::exchange(has_refused_, true)) throw Cancelled();
    return false;
}

inline void WsLink::send_frame(WsOpcode opcode, std::string_view payload, bool is_compressed) {
    constexpr std::size_t worth_copying = 16 * 1024;
    if (role_ == WsRole::client) {
        const std::uint32_t mask = buffers_.masks.next();
        put(WsHeadText::masked(mask, opcode, payload.size(), true, is_compressed).view());
        return put(payload, mask);
    }
    const WsHeadText head(opcode, payload.size(), true, is_compressed);
    if (unsent_ == nullptr && payload.size() > worth_copying) return send_directly(head.view(), payload);
    put(head.view());
    put(payload);
}

/// A large payload is not copied, but for what the socket does not take.
inline void WsLink::send_directly(std::string_view head, std::string_view payload) {
    if (is_gatherer()) flush();
    if (unsent_ != nullptr) {
        keep_unsent(head);
        return keep_unsent(payload);
    }
    if (state_ == State::over) return;
    // A send does not write through the pointers; iovec is only not const because readv shares it.
    iovec pieces[] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(payload.data()), payload.size()}};
    const SysResult result = socket_.send(pieces, 2);
    if (result.would_block()) socket_.blocked(writable);
    if (!result.ok() && !result.would_block()) return lose();
    const std::size_t sent = result.ok() ? static_cast<std::size_t>(result.value) : 0;
    if (sent < head.size()) keep_unsent(head.substr(sent));
    payload.remove_prefix(sent - std::min(sent, head.size()));
    if (unsent_ != nullptr) return keep_unsent(payload);
    if (!send_now(payload)) keep_unsent(payload);
}

/// Appends this to what leaves next; masked by a client, a piece at a time.
inline void WsLink::put(std::string_view bytes, std::uint32_t mask) {
    constexpr std::size_t piece = 16 * 1024;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        put_some(bytes.substr(at, piece), mask, at);
    }
}

inline void WsLink::put_some(std::string_view bytes, std::uint32_t mask, std::size_t offset) {
    if (state_ == State::over) return;
    if (unsent_ != nullptr) {
        const std::size_t before = unsent_->bytes.size();
        keep_unsent(bytes);
        if (mask != 0) ws_mask(unsent_->bytes.data() + before, bytes.size(), mask, offset);
        return;
    }
    begin_gathering();
    char* const place = buffers_.gathered.make_room(bytes.size());
    bytes.copy(place, bytes.size());
    if (mask != 0) ws_mask(place, bytes.size(), mask, offset);
    buffers_.gathered.end_at(place + bytes.size());
    if (buffers_.gathered.size() >= WsBuffers::most_gathered) flush();
}

/// Frames gather for one connection at a time: those of another leave first.
inline void WsLink::begin_gathering() {
    if (is_gatherer()) return;
    if (buffers_.gatherer != nullptr) buffers_.gatherer->flush();
    buffers_.gatherer = this;
    look_again();  // and then they leave
}

inline void WsLink::keep_unsent(std::string_view bytes) {
    if (unsent_ == nullptr) {
        unsent_.reset(new Unsent);
        await_room();
        watch().wait_for(socket_.needed_for(writable), *this);
        set_time(next_look());
    } else if (unsent_->sent > most_unsent) {
        unsent_->bytes.erase(0, std::exchange(unsent_->sent, 0));
    }
    unsent_->bytes.append(bytes);
}

/// From now on, the other side has so much time to take more.
inline void WsLink::await_room() noexcept {
    unsent_->due = now() + write_timeout();
    static_cast<void>(socket_.taken_by_peer());
}

/// The other side takes what it is sent, so it is there.
inline void WsLink::note_progress() noexcept {
    if (unsent_ != nullptr) await_room();
    if (!is_draining()) since_ = now();
}

/// Sends what has gathered.
inline void WsLink::flush() noexcept {
    if (!is_gatherer()) return end_output();
    buffers_.gatherer = nullptr;
    try {
        std::string_view bytes = buffers_.gathered.view();
        if (!send_now(bytes)) keep_unsent(bytes);
    } catch (...) {
        lose();
    }
    buffers_.gathered.clear();
    end_output();
}

/// False if the socket takes no more, and something is left.
inline bool WsLink::send_now(std::string_view& bytes) {
    while (!bytes.empty() && state_ != State::over) {
        const SysResult result = socket_.send(bytes.data(), bytes.size());
        if (result.would_block()) {
            socket_.blocked(writable);
            return false;
        }
        if (!result.ok()) {
            lose();
            return true;
        }
        bytes.remove_prefix(static_cast<std::size_t>(result.value));
    }
    return true;
}

inline void WsLink::flush_unsent() {
    std::string_view bytes = std::string_view(unsent_->bytes).substr(unsent_->sent);
    const std::size_t before = bytes.size();
    const bool is_all = send_now(bytes);
    if (state_ == State::over) return;
    if (bytes.size() != before) note_progress();
    unsent_->sent += before - bytes.size();
    if (is_all) {
        unsent_.reset();
    } else {
        watch().wait_for(socket_.needed_for(writable), *this);
    }
    if (WsBox* const box = box_) box->set_unsent(unsent_bytes());
    if (!is_held_up()) tell_waiters();
}

/// The server ends its output first, behind both Closes (RFC 6455 section 7.1.1), a client when it waits no
/// longer.
inline void WsLink::end_output() noexcept {
    if (state_ != State::ending || unsent_ != nullptr || role_ == WsRole::client) return;
    if (std::exchange(has_ended_output_, true)) return;
    static_cast<void>(socket_.end_output());
}

inline void WsLink::before_waiting() noexcept {
    if (is_gatherer()) flush();
    account_all();
}

inline void WsLink::send_post(const WsPost& post) noexcept {
    try {
        if (post.kind == WsPost::Kind::close) {
            say_close(post.code, post.bytes);
        } else {
            send(post.kind == WsPost::Kind::text, post.bytes);
        }
        if (WsBox* const box = box_) box->set_unsent(unsent_bytes());
        account_all();
    } catch (...) {
        lose();
    }
}

inline CountedPtr<WsBox> WsLink::box() {
    if (WsBox* const box = box_.load(std::memory_order_acquire)) return CountedPtr<WsBox>(box);
    CountedPtr<WsBox> made(
        new WsBox(port_, *this, options().max_backlog, options().slow == SlowSocket::close));
    made->join();
    WsBox* other = nullptr;
    if (box_.compare_exchange_strong(other, made.get())) {
        if (has_closed_) made->close();
        return made;
    }
    made->leave();
    return CountedPtr<WsBox>(other);
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

inline void WsLink::fail(int code, std::string_view reason) noexcept {
    if (state_ >= State::ending) return;
    try {
        const bool may_say = state_ == State::open;
        const WsCloseText text(code, reason);
        if (may_say) send_frame(WsOpcode::close, text.view());
        if (state_ == State::over) return;
        close_code_ = static_cast<std::uint16_t>(code);
        words_.reset(reason.empty() ? nullptr : new std::string(reason));
        become(State::ending);
    } catch (...) {
        lose();
    }
}

inline void WsLink::lose() noexcept {
    if (state_ == State::over) return;
    if (state_ != State::ending) {
        close_code_ = ws_abnormal;
        words_.reset();
    }
    if (unsent_ != nullptr) socket_.reset_on_close();
    if (is_gatherer()) {
        buffers_.gatherer = nullptr;
        buffers_.gathered.clear();
    }
    unsent_.reset();
    held_.reset();
    static_cast<void>(socket_.end_output());
    become(State::over);
}

inline void WsLink::become(State state) noexcept {
    state_ = state;
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

inline void WsLink::tell_waiters() noexcept {
    for (ListNode* each = waiters_.next(); each != &waiters_;) {
        auto& waiter = static_cast<WsWait&>(*each);
        each = each->next();
        if (!waiter.is_served()) continue;
        waiter.unlink();
        waiter.finish();
    }
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
    return unsent_ != nullptr ? std::min(due, unsent_->due) : due;
}

inline void WsLink::hurry() noexcept {
    try {
        if (state_ != State::over) set_time(next_look());
    } catch (...) {
        lose();
    }
}

// --- Memory ---

inline void WsLink::account_all() noexcept {
    if (state_ == State::over) return;
    const std::size_t held = (held_ ? held_->bytes.capacity() : 0) +
                             (unsent_ != nullptr ? unsent_->bytes.capacity() : 0) + reader_.held_bytes() +
                             (codec_ ? codec_->memory() : 0);
    if (held == accounted_) return;
    accounted_ = held;
    if (!account(held)) fail(ws_try_again, "the server has no memory to spare for this connection");
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
