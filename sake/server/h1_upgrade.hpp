// How an HTTP/1 connection ends where another protocol takes over (RFC 9110 section 7.8): its answer is 101,
// and its socket goes on with whatever the route has made for it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sake/app/upgrade.hpp"
#include "sake/async/file_descriptor.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/http1/writer.hpp"
#include "sake/io/wire.hpp"
#include "sake/server/h1_answerer.hpp"
#include "sake/server/h1_connection.hpp"
#include "sake/server/h1_exchange.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What is left of a connection.
struct H1Handover {
    Shard& shard;
    FileDescriptor socket;
    OwningPtr<Wire> wire;
    OwningPtr<H1Exchange> exchange;  // with the call that was answered
    std::string early_input;         // what the client has sent behind it
    std::string unsent;              // the end of the answer, if the client is slow
};

/// Answers 101. From then on the connection is only good for `hand_over`.
inline void H1Connection::upgrade(Turn& turn) {
    Call& call = exchange_->call;
    http1::ResponseHead head;
    head.status = switching_protocols;
    head.date_line = shard_.date_line();
    head.connection = http1::ConnectionLine::upgrade_to_websocket;
    ByteBuffer text;
    http1::append_response_head(text, head, call.response.headers);
    turn.append(text.view());  // behind the answers before it
    if (!shard_.observers.empty()) note_answer(shard_, *exchange_, 0);
    exchange_->reader.detach(turn.input());
    if (turn.send() == Output::Result::failed) {
        state_ = State::dead;
        return;
    }
    state_ = State::upgraded;
}

/// Gives the socket to what takes over, and deletes itself.
inline void H1Connection::hand_over(Turn& turn) {
    void (*const take_over)(H1Handover&) = exchange_->call.state.get<Upgrade>().take_over;
    std::string unsent;
    const bool is_text = transport_.take_unsent(unsent);
    Socket& socket = transport_.socket();
    std::string early_input(turn.input().bytes());
    H1Handover left{shard_,
                    socket.release_descriptor(),
                    socket.release_wire(),
                    std::move(exchange_),
                    std::move(early_input),
                    std::move(unsent)};
    turn.drop();
    delete this;
    if (is_text) take_over(left);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
