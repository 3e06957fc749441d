// Wire: the interface for connections that are not plain sockets, such as TLS or memory in a test. A plain
// socket has no wire: socket.hpp calls the system directly.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/async/file_descriptor.hpp"
#include "sake/async/poller.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Watch;

/// How the bytes of one connection travel. Calls never wait and never throw: they return what a system call
/// on a non-blocking socket would, EAGAIN included. For one reactor's thread.
class Wire {
  public:
    Wire() = default;
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;
    /// Closes the connection, if it is not the descriptor's to close.
    virtual ~Wire() = default;

    /// Called by the Socket that owns the wire, and again by one that takes it over. The watch knows the
    /// descriptor, if there is one, and outlives the wire; a wire without a descriptor marks the watch
    /// itself.
    virtual void attach(Watch& watch) noexcept = 0;

    /// Bytes for the program: how many, 0 at the end of the input, EAGAIN if there are none now.
    virtual SysResult receive(void* buffer, std::size_t size) noexcept = 0;
    /// Takes bytes from these pieces, in order: how many, or EAGAIN if there is no room now.
    virtual SysResult send(const iovec* pieces, std::size_t count) noexcept = 0;
    /// Takes up to `count` bytes of a file from `offset` on, which it moves: how many, 0 if the file has no
    /// more, or EAGAIN if there is no room now.
    virtual SysResult send_file(int file, std::uint64_t& offset, std::size_t count) noexcept = 0;

    /// What the last call that gave EAGAIN waits for. With TLS, a send may have to wait for input.
    [[nodiscard]] virtual Readiness needs() const noexcept = 0;
    /// Whether bytes can be received that no event will tell of, since they left the descriptor already.
    [[nodiscard]] virtual bool has_pending() const noexcept = 0;
    /// Whether `receive` would give anything but EAGAIN, as far as can be known without it.
    [[nodiscard]] virtual bool has_input() const noexcept = 0;
    /// How many bytes of what was sent the peer has yet to receive.
    [[nodiscard]] virtual std::uint32_t unacknowledged() const noexcept = 0;

    /// Nothing more is sent; the peer sees the end behind what it was sent before.
    virtual SysResult end_output() noexcept = 0;
    /// Aborts: the peer sees a reset, at the latest when the connection closes.
    virtual void reset() noexcept = 0;

    /// The protocol that both sides agreed on while they connected (ALPN), such as "h2"; empty for none.
    [[nodiscard]] virtual std::string_view protocol() const noexcept = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
