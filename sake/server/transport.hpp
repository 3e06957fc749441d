// The bytes of one connection: its socket, what came and is not dealt with, what is on its way out, and the
// memory that both take of the server's budget.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/watch.hpp"
#include "sake/base/budget.hpp"
#include "sake/server/input.hpp"
#include "sake/server/output.hpp"
#include "sake/server/server.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Transport {
  public:
    Transport(Server& server, FileDescriptor socket)
        : server_(server),
          socket_(std::move(socket)),
          watch_(server.reactor, socket_.get()),
          memory_(server.memory) {}
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    ~Transport() {
        if (has_unsent()) give_up_output();
    }

    [[nodiscard]] Server& server() const noexcept { return server_; }
    [[nodiscard]] Watch& watch() noexcept { return watch_; }

    /// Input and gathered output are the server's, for one connection at a time: between these two calls.
    void begin_turn() noexcept { server_.input.restore(std::move(held_)); }
    void end_turn() { held_ = server_.input.hold(); }
    [[nodiscard]] Input& input() noexcept { return server_.input; }

    /// One recv behind what is there. False at the end of the stream, and if the peer is gone.
    bool receive() {
        const Input::Received received = input().receive(socket_.get());
        const SysResult& result = received.result;
        if (result.would_block() || !received.full) watch_.drained();
        return result.would_block() || (result.ok() && result.value > 0);
    }
    void drop_input() noexcept { input().consume(input().bytes().size()); }

    /// Where answers are appended, while nothing is unsent.
    [[nodiscard]] std::string& gathered() noexcept { return server_.output; }
    [[nodiscard]] bool has_unsent() const noexcept { return output_.has_unsent(); }

    /// Sends what is unsent, or else what is gathered. What does not fit becomes unsent.
    Output::Result send() { return output_.flush(watch_, gathered()); }
    /// Sends what is gathered with a body behind it, which is not copied.
    Output::Result send_with(std::string body) {
        return output_.flush_with(watch_, gathered(), std::move(body));
    }

    /// While something is unsent: since when, and how much of the answers it belongs to has left.
    [[nodiscard]] TimePoint blocked_since() const noexcept { return output_.blocked_since(); }
    [[nodiscard]] std::uint64_t sent_of_it() const noexcept { return output_.sent_of_it(); }
    [[nodiscard]] TransferPace& pace() noexcept { return output_.pace(); }

    /// Tells the peer that nothing more comes. False if there is nobody to tell.
    bool end_output() noexcept { return sys::shutdown_write(socket_.get()).ok(); }

    /// When it goes, what the peer has not received goes too. A peer that does not read would keep megabytes
    /// of the answer in the kernel for minutes.
    void give_up_output() noexcept { sys::reset_on_close(socket_.get()); }

    /// How much of what the socket took the peer has yet to receive, in bytes.
    [[nodiscard]] std::uint32_t unacknowledged() const noexcept { return sys::unacknowledged(socket_.get()); }
    /// Whether that has become less since the last time that this was asked.
    [[nodiscard]] bool peer_goes_on() noexcept {
        const std::uint32_t now = unacknowledged();
        return now < std::exchange(unreceived_, now);
    }
    /// Input that is unread when a socket closes, or that comes later, resets the connection, and takes with
    /// it what the peer has not received yet (RFC 9112 section 9.6).
    [[nodiscard]] bool may_lose_output() const noexcept {
        return sys::is_ready(socket_.get(), POLLIN) || unacknowledged() > 0;
    }

    /// Tells the server's budget what this connection holds while it waits, `others` bytes of it elsewhere.
    /// False if that is too much.
    bool account_memory(std::size_t others) noexcept {
        return memory_.resize(input().bytes_to_hold() + output_.held_bytes() + others);
    }

  private:
    Server& server_;
    FileDescriptor socket_;
    std::uint32_t unreceived_ = 0xffffffff;
    Watch watch_;  // after the socket, so that it goes first
    std::unique_ptr<HeldInput> held_;
    Output output_;
    BudgetShare memory_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
