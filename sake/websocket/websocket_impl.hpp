// What the functions of WebSocket and WebSocketSender do with the link.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/spawn.hpp"
#include "sake/base/text.hpp"
#include "sake/http/ws_close.hpp"
#include "sake/websocket/websocket.hpp"
#include "sake/websocket/ws_codec_zlib.hpp"
#include "sake/websocket/ws_link_impl.hpp"
#include "sake/websocket/ws_terms.hpp"
#include "sake/websocket/ws_wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// --- What is waited for ---

SAKE_INLINE bool has_news(const WsLink& link) noexcept { return link.has_news(); }
SAKE_INLINE bool has_room(const WsLink& link) noexcept { return !link.is_held_up() || !link.is_open(); }
SAKE_INLINE bool has_ended(const WsLink& link) noexcept { return link.has_ended(); }

SAKE_INLINE void WsWait::enter() { link_.add_waiter(*this); }

SAKE_INLINE WsReceiveWait& begin_receive(WsLink& link) { return link.begin_receive(); }
SAKE_INLINE std::optional<Message> WsReceive::await_resume() const {
    if (link_.end_receive()) throw Cancelled();
    return link_.take_message();
}
SAKE_INLINE bool send_at_once(WsLink& link, bool is_text, std::string_view payload) {
    const bool was_sent = link.send_or_end(is_text, payload);
    if (link.is_held_up()) link.before_waiting();
    return was_sent;
}
SAKE_INLINE void say_close_at_once(const WsToClose& what) {
    what.link->drop_message();
    what.link->say_close(what.code, what.reason);
    what.link->before_waiting();
}

// --- Holders of a link ---

SAKE_INLINE WsHold::WsHold(WsLink& link) noexcept : link_(&link) { link.add_holder(); }
SAKE_INLINE WsHold::~WsHold() {
    if (link_ != nullptr) link_->drop_holder();
}

// --- Subscriptions ---

inline void WsPump::look_again() noexcept { wake(link().reactor()); }

inline void WsPump::take_turn() noexcept {
    begin_waiting();
    try {
        if (state_ != State::over) send_all();
    } catch (...) {
        report_failure("a subscription of a WebSocket failed: ", caught_exception());
        link().lose();
        state_ = State::over;
    }
    if (state_ == State::over && is_waiting()) link().pumps().remove(*this);
}

inline void WsPump::send_all() {
    state_ = State::running;
    while (has_room(link())) {
        const Step step = send_next();
        if (step == Step::over) state_ = State::over;
        if (step == Step::nothing_there) await_next();
        if (step != Step::sent) return;
        if (turn_is_up(link().reactor())) return look_again();
    }
    state_ = State::held_up;
}

// --- Checks ---

inline void require_text(std::string_view text, const char* function) {
    if (is_valid_utf8(text)) return;
    throw std::invalid_argument(std::string(function) +
                                ": the text is not UTF-8; bytes of any kind are for " + function + "_binary");
}
inline void require_close(int code, std::string_view reason) {
    if (!may_be_sent(code)) {
        throw std::invalid_argument("ws.close: " + std::to_string(code) +
                                    " may not be sent: 1000 to 1003, 1007 to 1014 and 3000 to 4999 may");
    }
    if (reason.size() > most_ws_control - 2 || !is_valid_utf8(reason)) {
        throw std::invalid_argument("ws.close: a reason is UTF-8 of 123 bytes at most");
    }
}

}  // namespace detail

// --- WebSocketSender ---

SAKE_INLINE WebSocketSender::WebSocketSender(detail::CountedPtr<detail::WsBox> box) noexcept
    : box_(std::move(box)) {}
SAKE_INLINE WebSocketSender::WebSocketSender(const WebSocketSender&) noexcept = default;
SAKE_INLINE WebSocketSender& WebSocketSender::operator=(const WebSocketSender&) noexcept = default;
SAKE_INLINE WebSocketSender::~WebSocketSender() = default;

SAKE_INLINE bool WebSocketSender::post(std::string_view text) const {
    detail::require_text(text, "ws.post");
    return box_->add({detail::WsPost::Kind::text, 0, std::string(text)});
}
SAKE_INLINE bool WebSocketSender::post_binary(std::string_view bytes) const {
    return box_->add({detail::WsPost::Kind::binary, 0, std::string(bytes)});
}
SAKE_INLINE void WebSocketSender::close(int code, std::string_view reason) const {
    detail::require_close(code, reason);
    box_->add({detail::WsPost::Kind::close, code, std::string(reason)});
}
SAKE_INLINE bool WebSocketSender::is_open() const noexcept { return box_->is_open(); }

// --- WebSocket ---

SAKE_INLINE WebSocket detail::WsMaker::make(WsLink& link) noexcept { return WebSocket(link); }

SAKE_INLINE WebSocket::WebSocket(detail::WsLink& link) noexcept : link_(&link) { link.add_holder(); }
SAKE_INLINE WebSocket& WebSocket::operator=(WebSocket&& other) noexcept {
    WebSocket old(std::move(other));
    std::swap(link_, old.link_);
    return *this;
}
SAKE_INLINE void WebSocket::throw_moved_from() {
    throw std::logic_error("the WebSocket was moved elsewhere");
}
SAKE_INLINE WebSocket::~WebSocket() {
    if (link_ != nullptr) link_->let_go(detail::ws_normal, {});
}

SAKE_INLINE detail::WsSend WebSocket::send(std::string_view text) {
    detail::require_text(text, "ws.send");
    return detail::WsSend(link(), true, text);
}
SAKE_INLINE detail::WsSend WebSocket::send_binary(std::string_view bytes) {
    return detail::WsSend(link(), false, bytes);
}
SAKE_INLINE detail::Operation<detail::WsCloseWait, detail::WsToClose> WebSocket::close(
    int code, std::string_view reason) {
    detail::require_close(code, reason);
    return detail::Operation<detail::WsCloseWait, detail::WsToClose>({&link(), code, reason});
}
SAKE_INLINE WebSocketSender WebSocket::sender() const { return WebSocketSender(link().box()); }

SAKE_INLINE bool WebSocket::is_open() const { return link().is_open(); }
SAKE_INLINE int WebSocket::close_code() const { return link().close_code(); }
SAKE_INLINE std::string_view WebSocket::close_reason() const { return link().close_reason(); }
SAKE_INLINE std::string_view WebSocket::protocol() const { return link().protocol(); }
SAKE_INLINE bool WebSocket::is_compressed() const { return link().is_compressed(); }

namespace detail {

// --- Options ---

inline void require_option(bool is_good, const char* name, const char* rule) {
    if (!is_good) throw std::invalid_argument(std::string("WebSocketOptions::") + name + ": " + rule);
}

SAKE_INLINE WsTerms::WsTerms(WebSocketOptions wanted, WsRole role) : options(std::move(wanted)) {
    require_option(options.max_message > 0, "max_message", "must be at least 1");
    require_option(options.max_fragments > 0, "max_fragments", "must be at least 1");
    require_option(options.ping_after.count() > 0, "ping_after", "must be more than 0; max() means never");
    require_option(options.pong_timeout.count() > 0, "pong_timeout", "must be more than 0");
    require_option(options.close_timeout.count() >= 0, "close_timeout", "must be at least 0");
    require_option(options.window_bits >= 9 && options.window_bits <= 15, "window_bits", "must be 9 to 15");
    if (options.compression == WebSocketCompression::shared) options.window_bits = most_ws_window;
    rules = {role, {options.max_message, options.max_message, options.max_fragments}};
}
SAKE_INLINE bool WsTerms::compresses() const noexcept {
    return has_ws_codec && options.compression != WebSocketCompression::off;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
