// How a WsLink reads: what it does with each event of its reader, and when it reads on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/ws_close.hpp"
#include "sake/http/ws_frame.hpp"
#include "sake/http/ws_reader.hpp"
#include "sake/websocket/ws_link.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline void WsLink::read_on() {
    constexpr int most_receives = 8;  // then it is the turn of others
    OwningPtr<Held> held = extras_ ? std::move(extras_->held) : OwningPtr<Held>();
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
    WsContent content;
    WsInflater* const inflater = codec() != nullptr ? codec()->inflater() : nullptr;
    switch (reader_.read(input, content, inflater)) {
        case WsEvent::message:
            if (state_ != State::open) break;
            keep_message(content);
            tell_receiver();
            break;
        case WsEvent::ping:
            // One that does not read its pongs gets no more of them.
            if (state_ == State::open && !is_held_up()) send_frame(WsOpcode::pong, content.control());
            break;
        case WsEvent::close:
            take_close(content);
            break;
        case WsEvent::failed:
            break_off(content.failure.code, content.failure.reason);
            break;
        case WsEvent::pong:
        case WsEvent::need_more:
            break;
    }
}

inline void WsLink::keep_message(WsContent& content) {
    message_ = buffers_.spare ? std::move(buffers_.spare) : OwningPtr<Message>(new Message);
    message_->data = std::move(content.message);
    message_->is_text = content.is_text;
}

/// The other side says Close, in answer to ours or first (RFC 6455 section 5.5.1).
inline void WsLink::take_close(const WsContent& content) {
    close_code_ = static_cast<std::uint16_t>(content.close_code());
    set_words(content.close_reason());
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
    extras().held = std::move(held);
}

/// Has this resumed when there is more to read.
inline void WsLink::await_input() noexcept {
    if (!reads()) return watch().give_up(readable);
    if (held() || socket_.can_receive()) return look_again();
    watch().wait_for(socket_.needed_for(readable), *this);
}

inline std::string_view WsLink::close_reason() const noexcept {
    return close_code_ != 0 && extras_ ? std::string_view(extras_->words) : std::string_view();
}
inline std::string_view WsLink::protocol() const noexcept {
    return close_code_ == 0 && extras_ ? std::string_view(extras_->words) : std::string_view();
}

inline WsReceiveWait& WsLink::begin_receive() {
    if (receive_.is_in_use())
        throw std::logic_error("ws.receive: two coroutines wait for a message at a time");
    if (has_news()) return receive_;
    try {
        read_on();
    } catch (...) {
        lose();  // what was read is lost
        throw;
    }
    if (!has_news()) before_waiting();
    return receive_;
}

inline std::optional<Message> WsLink::take_message() {
    if (!message_) return std::nullopt;
    std::optional<Message> message(std::move(*message_));
    buffers_.spare = std::move(message_);
    count_received(message->data.size());
    since_ = now();  // what it has sent since was not read
    await_input();
    return message;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
