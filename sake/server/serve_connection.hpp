// The coroutine of a connection: it goes on as far as it gets, and waits for what it needs.
#pragma once

#include <exception>
#include <utility>

#include "sake/async/readiness.hpp"
#include "sake/async/task.hpp"
#include "sake/base/log.hpp"
#include "sake/server/connection.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// What to wait for; none to give the others a turn.
inline Readiness direction_of(Connection::Next next) noexcept {
    if (next == Connection::Next::read) return readable;
    return next == Connection::Next::write ? writable : no_direction;
}

/// Serves a connection until it closes.
inline Root serve_connection(Reactor&, Server& server, FileDescriptor socket, PeerAddress peer) {
    try {
        Fiber& fiber = co_await current_fiber();
        Connection connection(server, std::move(socket), peer, fiber);
        for (;;) {
            const Connection::Next next = connection.advance();
            if (next == Connection::Next::close) break;
            if (next == Connection::Next::handle) {
                std::exception_ptr thrown;
                try {
                    co_await connection.handler();
                } catch (...) {
                    thrown = caught_exception();
                }
                if (thrown) connection.handler_threw(thrown);
                connection.handler_ended();
                continue;
            }
            // One awaiter for all, since each takes its room in the frame of every idle connection.
            const bool is_ready = co_await ReadinessWait(connection.watch(), direction_of(next));
            if (!is_ready) connection.interrupted();
        }
    } catch (const Cancelled&) {
    } catch (const std::exception& error) {
        // No memory, or no room in the poller: this connection is lost, and nothing else.
        server.output.clear();
        log_quietly(server.config.log, LogLevel::error, "a connection was lost: ", error.what());
    }
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
