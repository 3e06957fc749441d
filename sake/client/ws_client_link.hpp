// WsClientLink: a WebSocket connection of a client, from its handshake to its end.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "sake/async/port.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/reactor_locals.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/tcp_stream_impl.hpp"
#include "sake/websocket/websocket_impl.hpp"
#include "sake/websocket/ws_link_impl.hpp"
#include "sake/websocket/ws_terms.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Made before the link, which refers to it.
struct WsOwnTerms {
    OwningPtr<WsTerms> own_terms;
};

/// Owns itself: it deletes itself when the connection is over and its WebSocket was destroyed. Its reactor
/// may end before that.
class WsClientLink final : private WsOwnTerms, public WsLink, private ReactorEndListener {
  public:
    /// Goes on where the handshake has left off, on this reactor.
    [[nodiscard]] static WebSocket open(Reactor& reactor, StreamParts from, OwningPtr<WsTerms> terms,
                                        const WsAgreement& agreed) {
        auto* const link = new WsClientLink(reactor, from, std::move(terms), agreed);
        WebSocket socket = WsMaker::make(*link);  // before anything that may fail
        link->begin(from.unread, {});
        return socket;
    }

  private:
    WsClientLink(Reactor& reactor, StreamParts& from, OwningPtr<WsTerms> terms, const WsAgreement& agreed)
        : WsOwnTerms{std::move(terms)},
          WsLink(reactor, std::move(from.socket), std::move(from.wire), *own_terms, agreed),
          port_(Port::of(reactor)) {
        reactor.tell_at_end(*this);
    }

    [[nodiscard]] std::chrono::milliseconds write_timeout() const noexcept override {
        return std::chrono::seconds(30);  // as ClientOptions has it
    }
    [[nodiscard]] const CountedPtr<Port>& port() const noexcept override { return port_; }

    /// Says Close where there was no time for it, and waits for nothing.
    void reactor_ends() noexcept override {
        try {
            say_close(ws_going_away, {});
        } catch (...) {
            lose();
        }
        end_with_reactor();
        if (!has_holder()) delete this;
    }

    const CountedPtr<Port> port_;  // of a reactor that may end before it
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
