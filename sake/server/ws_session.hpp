// WsSession: a WebSocket connection of the server, from the answer to its handshake to its end. It runs the
// handler of its route.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/route_table.hpp"
#include "sake/app/ws_route.hpp"
#include "sake/async/task.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/server/h1_upgrade.hpp"
#include "sake/server/session.hpp"
#include "sake/server/shard.hpp"
#include "sake/websocket/websocket_impl.hpp"
#include "sake/websocket/ws_link_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Owns itself: it deletes itself when the connection is over and its handler has ended.
class WsSession final : public Session, public WsLink {
  public:
    /// Goes on where an HTTP/1 connection has left off.
    static void take_over(H1Handover& from) noexcept {
        try {
            (new WsSession(from))->start(from);
        } catch (...) {
            report_loss();
        }
    }

    [[nodiscard]] bool is_busy() const noexcept override { return handler_.has_task(); }
    [[nodiscard]] SessionPhase phase() const noexcept override {
        return state() == State::open ? SessionPhase::websocket : SessionPhase::closing;
    }
    void begin_drain() noexcept override {
        if (shard_.config.end_streams_at_stop) say_going_away();
        if (state() != State::open) hurry();
    }
    [[nodiscard]] Maybe<TimePoint> idle_since() const noexcept override {
        if (state() != State::ending || handler_.has_task()) return {};
        return since();
    }
    [[nodiscard]] bool is_read_slowly() const noexcept override { return has_unsent(); }
    void make_room() noexcept override { lose(); }
    void abandon(int, std::string_view) noexcept override {
        say_going_away();
        drop();
    }
    void drop() noexcept override {
        lose();
        if (handler_.has_task()) handler_.cancel();
    }
    void end_if_free() noexcept override {
        begin_turn();
        end_pumps();
        if (!has_holder()) delete this;
    }

  private:
    explicit WsSession(H1Handover& from)
        : WsLink(from.shard.reactor, std::move(from.socket), std::move(from.wire),
                 agreed_of(from.exchange->call).route->terms(), agreed_of(from.exchange->call).agreement),
          shard_(from.shard),
          exchange_(std::move(from.exchange)),
          socket_(WsMaker::make(*this)),
          handler_(shard_.reactor, *this) {
        handler_.work = exchange_->call.route;
        shard_.sessions.add(*this);
        ++shard_.websockets.opened;
    }
    ~WsSession() override {
        static_cast<void>(shard_.memory.resize(memory_, 0));
        shard_.sessions.remove(*this);
        shard_.room.set();
    }

    static const WsAgreed& agreed_of(Call& call) { return call.state.get<WsAgreed>(); }
    static void report_loss() noexcept { report_failure("a WebSocket was lost: ", caught_exception()); }
    [[nodiscard]] const RouteEntry& entry() const noexcept {
        return *static_cast<const RouteEntry*>(handler_.work);
    }

    /// Keeps itself, whatever fails, until the handler has ended: the program may move the WebSocket
    /// elsewhere.
    void start(H1Handover& from) noexcept {
        const WsHandler& handler = agreed_of(exchange_->call).route->handler();
        add_holder();
        try {
            if (!handler.needs_call()) release_exchange();
            begin(from.early_input, from.unsent);
            if (!account(0)) break_off(ws_try_again, "the server has no memory to spare for this connection");
            if (is_draining()) begin_drain();
        } catch (...) {
            report_loss();
            return release_all();
        }
        run(handler);
    }
    void run(const WsHandler& handler) noexcept {
        Call* const call = exchange_ ? &exchange_->call : nullptr;
        try {
            handler_.take(handler.run(call, socket_));
        } catch (...) {
            return end_by(caught_exception());
        }
        shard_.reactor.adopt(handler_);
        handler_.start();
    }

    void begin_turn() noexcept override {
        if (handler_.has_ended()) end_by(handler_.take_failure());
    }
    /// The handler has ended, by what it has thrown, if anything.
    void end_by(const std::exception_ptr& failure) noexcept {
        try {
            if (failure) std::rethrow_exception(failure);
        } catch (const Cancelled&) {
            say_going_away();
        } catch (...) {
            report_failed_handler(failure);
            break_off(ws_internal, {});
        }
        release_all();
    }
    void release_all() noexcept {
        release_exchange();
        const WebSocket socket(std::move(socket_));
        drop_holder();
    }

    void report_failed_handler(const std::exception_ptr& why) const noexcept {
        try {
            report_failure(("a WebSocket failed in " + entry().description() + ": ").c_str(), why);
        } catch (const std::bad_alloc&) {
            report_failure("a WebSocket failed: ", why);
        }
    }

    void say_going_away() noexcept {
        try {
            say_close(ws_going_away, is_draining() ? "the server is stopping" : "");
            before_waiting();
        } catch (...) {
            // It is lost.
        }
    }

    void release_exchange() noexcept {
        if (!exchange_) return;
        shard_.give_back(std::move(exchange_));
        static_cast<void>(account(held_bytes()));
    }

    bool account(std::size_t bytes) noexcept override {
        const std::size_t request = exchange_ ? sizeof(H1Exchange) + exchange_->reader.held_bytes() : 0;
        return shard_.memory.resize(memory_, request + bytes);
    }
    [[nodiscard]] std::chrono::milliseconds write_timeout() const noexcept override {
        return shard_.config.write_timeout;
    }
    [[nodiscard]] bool is_draining() const noexcept override { return shard_.is_draining(); }
    void peer_hung_up(std::uint8_t) noexcept override {}
    void count_received(std::size_t bytes) noexcept override {
        ++shard_.websockets.received;
        shard_.websockets.received_bytes += bytes;
    }
    void count_sent(std::size_t bytes) noexcept override {
        ++shard_.websockets.sent;
        shard_.websockets.sent_bytes += bytes;
    }
    void has_become_over() noexcept override {
        if (exchange_) exchange_->call.request_stop();
    }

    Shard& shard_;
    std::size_t memory_ = 0;          // its share of the shard's
    OwningPtr<H1Exchange> exchange_;  // if the handler needs its request
    WebSocket socket_;
    TaskFiber handler_;  // its work is the RouteEntry
};

/// The handler of a route of Engine::ws. A template, so that only programs that have such routes compile it.
template <class Unused>
Handler make_ws_handler(WsHandler handler, WebSocketOptions options) {
    const std::size_t params = handler.param_count();
    auto* const route = new WsRoute(std::move(handler), std::move(options), &WsSession::take_over);
    ServerHandler made{route};
    made.plain = [](void* object, Call& call) { static_cast<const WsRoute*>(object)->shake_hands(call); };
    made.destroy = [](void* object) { delete static_cast<WsRoute*>(object); };
    made.param_count = params;
    return Handler(made);
}

#if defined(SAKE_IMPLEMENTATION)
template Handler make_ws_handler<void>(WsHandler handler, WebSocketOptions options);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
