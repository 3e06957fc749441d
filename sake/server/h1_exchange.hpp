// What an HTTP/1 connection has while it reads, serves and answers a request. Recycled: an idle connection
// has none.
#pragma once

#include "sake/app/call_impl.hpp"
#include "sake/app/call_runner.hpp"
#include "sake/app/config.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/reactor.hpp"
#include "sake/server/h1_reader.hpp"
#include "sake/server/h1_streams.hpp"
#include "sake/server/transport.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct H1Exchange {
    H1Exchange(Reactor& reactor, const Config& config, const RouteTable& routes)
        : reader(config, routes, call), runner(reactor, call) {}

    /// Before the handlers run, if they are coroutines.
    void open_streams(Shard& shard, Transport& transport) noexcept {
        answer.open(shard, transport);
        body.open(shard, transport);
        call.answerer = &answer;
        call.connection_memory = &transport.memory();
        if (!call.route->streams_body) return;
        call.body_source = &body;
        call.body_state = BodyState::streamed;
    }
    /// When they have ended.
    void close_streams() noexcept {
        answer.close();
        body.close();
        call.end_handles();
        call.answerer = nullptr;
        call.connection_memory = nullptr;
        call.form_bytes = 0;  // it is given back with the next look at what the connection holds
        call.body_source = nullptr;
        call.body_state = BodyState::here;
    }

    /// So much of the body was given to the handlers.
    [[nodiscard]] std::uint64_t body_received() const noexcept {
        const bool is_streamed = call.route != nullptr && call.route->streams_body;
        return is_streamed ? reader.streamed() : call.request.body.size();
    }

    Call call;
    H1Reader reader;
    CallRunner runner;
    H1AnswerStream answer{*this};
    H1BodySource body{*this};
    TimePoint begun;             // when the first byte of the request came
    H1Exchange* next = nullptr;  // in the list of spare ones
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
