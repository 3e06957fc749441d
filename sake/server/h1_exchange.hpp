// What an HTTP/1 connection has while it reads, serves and answers a request. Recycled: an idle connection
// has none.
#pragma once

#include "sake/app/call.hpp"
#include "sake/app/call_runner.hpp"
#include "sake/app/config.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/reactor.hpp"
#include "sake/server/h1_reader.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

struct H1Exchange {
    H1Exchange(Reactor& reactor, const Config& config, const RouteTable& routes)
        : reader(config, routes, call), runner(reactor, call) {}

    Call call;
    H1Reader reader;
    CallRunner runner;
    TimePoint begun;             // when the first byte of the request came
    H1Exchange* next = nullptr;  // in the list of spare ones
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
