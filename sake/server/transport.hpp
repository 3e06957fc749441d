// The bytes of one connection: its socket, what came and is not dealt with, what is on its way out, and the
// memory that both take of the server's budget.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/watch.hpp"
#include "sake/server/budget.hpp"
#include "sake/server/input.hpp"
#include "sake/server/output.hpp"
#include "sake/server/server.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Transport {
  public:
    Transport(Server& server, FileDescriptor socket)
        : socket_(std::move(socket)),
          watch_(server.reactor, socket_.get()),
          input_(server.input),
          output_(server.output),
          memory_(server.memory) {}
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    // A peer that does not read would keep megabytes of the answer in the kernel for minutes.
    ~Transport() {
        if (has_unsent()) sys::reset_on_close(socket_.get());
    }

    [[nodiscard]] Watch& watch() noexcept { return watch_; }
    [[nodiscard]] Input& input() noexcept { return input_; }

    /// One recv behind what is there. False at the end of the stream, and if the peer is gone.
    bool receive() {
        const Input::Received received = input_.receive(socket_.get());
        const SysResult& result = received.result;
        if (result.would_block() || !received.full) watch_.drained();
        return result.would_block() || (result.ok() && result.value > 0);
    }
    void drop_input() noexcept { input_.consume(input_.bytes().size()); }

    /// Where answers are appended, while nothing is unsent.
    [[nodiscard]] std::string& gathered() noexcept { return output_.gathered(); }
    [[nodiscard]] bool has_unsent() const noexcept { return output_.has_unsent(); }

    /// Sends what is unsent, or else what is gathered. What does not fit becomes unsent.
    Output::Result send() { return output_.flush(watch_); }
    /// Sends what is gathered with a body behind it, which is not copied.
    Output::Result send_with(std::string body) { return output_.flush_with(watch_, std::move(body)); }

    /// While something is unsent: since when, and how much of the answers it belongs to has left.
    [[nodiscard]] TimePoint blocked_since() const noexcept { return output_.blocked_since(); }
    [[nodiscard]] std::uint64_t sent_of_it() const noexcept { return output_.sent_of_it(); }

    /// Tells the peer that nothing more comes. False if there is nobody to tell.
    bool end_output() noexcept { return sys::shutdown_write(socket_.get()).ok(); }

    /// Whether the peer has yet to receive some of what the socket took.
    [[nodiscard]] bool has_unacknowledged() const noexcept { return sys::has_unacknowledged(socket_.get()); }
    /// Input that is unread when a socket closes, or that comes later, resets the connection, and takes with
    /// it what the peer has not received yet (RFC 9112 section 9.6).
    [[nodiscard]] bool may_lose_output() const noexcept {
        return sys::is_ready(socket_.get(), POLLIN) || has_unacknowledged();
    }

    /// Tells the server's budget what this connection holds while it waits, `others` bytes of it elsewhere.
    /// False if that is too much.
    bool account_memory(std::size_t others) {
        input_.hold();
        return memory_.resize(input_.held_bytes() + output_.held_bytes() + others);
    }

  private:
    FileDescriptor socket_;
    Watch watch_;  // after the socket, so that it goes first
    Input input_;
    Output output_;
    BudgetShare memory_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
