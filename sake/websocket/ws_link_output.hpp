// How a WsLink sends: frames gather in memory that all links of a loop share, and leave with one call. What
// the socket does not take is kept.
#pragma once

#include <sys/uio.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/text.hpp"
#include "sake/http/ws_frame.hpp"
#include "sake/websocket/ws_link.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline bool WsLink::send(bool is_text, std::string_view payload) {
    if (state_ != State::open) return false;
    const WsOpcode opcode = is_text ? WsOpcode::text : WsOpcode::binary;
    try {
        std::string deflated;
        const bool is_deflated = payload.size() >= options().compress_from && codec() != nullptr &&
                                 codec()->deflate(payload, deflated);
        send_frame(opcode, is_deflated ? deflated : payload, is_deflated);
    } catch (...) {
        lose();  // a part of it may be on its way
        throw;
    }
    count_sent(payload.size());
    return state_ == State::open;
}

/// Sends bytes that are not UTF-8 as binary, because clients close the connection at such a text. The
/// compressed form of the last one is kept: subscribers of one topic are sent it in a row.
inline bool WsLink::send_published(std::string_view payload) {
    if (state_ != State::open) return false;
    const bool is_text = is_valid_utf8(payload);
    if (!shares_published() || payload.size() < options().compress_from) return send(is_text, payload);
    WsPublished& last = buffers_.published;
    try {
        if (last.text != payload || last.text.empty()) {
            last.text.clear();
            last.deflated.clear();
            last.is_smaller = codec()->deflate(payload, last.deflated);
            last.text = payload;
        }
        send_frame(is_text ? WsOpcode::text : WsOpcode::binary,
                   last.is_smaller ? std::string_view(last.deflated) : payload, last.is_smaller);
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
    if (role() == WsRole::client) {
        const std::uint32_t mask = buffers_.masks.next();
        put(WsHeadText::masked(mask, opcode, payload.size(), true, is_compressed).view());
        return put(payload, mask);
    }
    const WsHeadText head(opcode, payload.size(), true, is_compressed);
    if (!has_unsent() && payload.size() > worth_copying) return send_directly(head.view(), payload);
    put(head.view());
    put(payload);
}

/// A large payload is not copied, but for what the socket does not take.
inline void WsLink::send_directly(std::string_view head, std::string_view payload) {
    if (is_gatherer()) flush();
    if (has_unsent()) {
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
    if (has_unsent()) return keep_unsent(payload);
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
    if (has_unsent()) {
        const std::size_t before = unsent()->bytes.size();
        keep_unsent(bytes);
        if (mask != 0) ws_mask(unsent()->bytes.data() + before, bytes.size(), mask, offset);
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
    buffers_.let_gathered_leave();
    buffers_.gatherer = this;
    buffers_.wake(reactor());  // and then they leave
}

/// More than once, if the first finds no memory and says so in a Close.
inline void WsBuffers::let_gathered_leave() noexcept {
    while (gatherer != nullptr) gatherer->before_waiting();
}

inline void WsLink::keep_unsent(std::string_view bytes) {
    if (!has_unsent()) {
        extras().unsent.reset(new Unsent);
        await_room();
        watch().wait_for(socket_.needed_for(writable), *this);
        set_time(next_look());
    } else if (unsent()->sent > most_unsent) {
        unsent()->bytes.erase(0, std::exchange(unsent()->sent, 0));
    }
    unsent()->bytes.append(bytes);
}

/// From now on, the other side has so much time to take more.
inline void WsLink::await_room() noexcept {
    unsent()->due = now() + write_timeout();
    static_cast<void>(socket_.taken_by_peer());
}

/// The other side takes what it is sent, so it is there.
inline void WsLink::note_progress() noexcept {
    if (has_unsent()) await_room();
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
    std::string_view bytes = std::string_view(unsent()->bytes).substr(unsent()->sent);
    const std::size_t before = bytes.size();
    const bool is_all = send_now(bytes);
    if (state_ == State::over) return;
    if (bytes.size() != before) note_progress();
    unsent()->sent += before - bytes.size();
    if (is_all) {
        extras_->unsent.reset();
    } else {
        watch().wait_for(socket_.needed_for(writable), *this);
    }
    if (WsBox* const box = box_) box->set_unsent(unsent_bytes());
    if (!is_held_up()) tell_waiters();
}

/// The server ends its output first, behind both Closes (RFC 6455 section 7.1.1), a client when it waits no
/// longer.
inline void WsLink::end_output() noexcept {
    if (state_ != State::ending || has_unsent() || role() == WsRole::client) return;
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

SAKE_INLINE void deliver(WsLink& link, const WsPost& post) noexcept { link.send_post(post); }

inline CountedPtr<WsBox> WsLink::box() {
    if (WsBox* const box = box_.load(std::memory_order_acquire)) return CountedPtr<WsBox>(box);
    CountedPtr<WsBox> made(
        new WsBox(port(), *this, options().max_backlog, options().slow == SlowSocket::close));
    made->join();
    WsBox* other = nullptr;
    if (box_.compare_exchange_strong(other, made.get())) {
        if (has_closed_) made->close();
        return made;
    }
    made->leave();
    return CountedPtr<WsBox>(other);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
