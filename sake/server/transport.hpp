// Transport: the bytes that one connection keeps between its turns: the socket, unread input, unsent output,
// and its share of the memory budget. Turn moves the bytes.
#pragma once

#include <string>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/socket.hpp"
#include "sake/server/input.hpp"
#include "sake/server/output.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Transport {
  public:
    Transport(Reactor& reactor, Budget& memory, FileDescriptor descriptor, OwningPtr<Wire> wire)
        : socket_(reactor, std::move(descriptor), std::move(wire)), memory_(memory) {}
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    ~Transport() {
        if (has_unsent()) give_up_output();
    }

    [[nodiscard]] Socket& socket() noexcept { return socket_; }
    [[nodiscard]] const Socket& socket() const noexcept { return socket_; }
    [[nodiscard]] bool has_unsent() const noexcept { return output_.has_unsent(); }
    /// While something is unsent.
    [[nodiscard]] UnsentOutput& unsent() const noexcept { return output_.unsent(); }

    /// Takes unsent texts, for another connection object to send; false if there is more than text.
    [[nodiscard]] bool take_unsent(std::string& texts) {
        if (!has_unsent()) return true;
        for (const OutputPiece* each = unsent().pieces.first(); each != nullptr; each = each->next) {
            if (each->text().empty()) return false;
            texts += each->text();
        }
        output_.forget_unsent();
        return true;
    }

    /// The connection's share of the memory of all.
    [[nodiscard]] BudgetShare& memory() noexcept { return memory_; }

    /// At the close, drops what the client has not received. The kernel would keep megabytes for minutes for
    /// a client that does not read.
    void give_up_output() noexcept { socket_.reset_on_close(); }
    /// Unread input at the close, or input that arrives later, resets the connection, and the client loses
    /// what it has not received yet (RFC 9112 section 9.6).
    [[nodiscard]] bool may_lose_output() const noexcept {
        return socket_.has_input() || socket_.unacknowledged() > 0;
    }

  private:
    friend class Turn;

    Socket socket_;
    OwningPtr<HeldInput> held_;
    Output output_;
    BudgetShare memory_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
