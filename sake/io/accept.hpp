// Accepting one connection from a listening socket, and what it means if there is none. The server and
// TcpListener both use it; each decides itself how long to pause and what to log.
#pragma once

#include <cstdint>

#include "sake/async/sys.hpp"
#include "sake/async/watch.hpp"
#include "sake/base/peer_address.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The outcome of one attempt to accept.
struct Accepted {
    enum class Kind : std::uint8_t {
        accepted,      // `socket` and `peer`
        drained,       // none waits; the watch is marked when one does
        lost,          // one died in the queue: the next may be fine
        no_resources,  // `error`: no descriptors or no memory, so trying again at once would spin
    };

    Kind kind;
    int error = 0;  // of `lost` and `no_resources`
    FileDescriptor socket = {};
    PeerAddress peer = {};
};

/// Takes the next connection, non-blocking and close-on-exec, if there is one.
[[nodiscard]] inline Accepted accept_one(Watch& listening) noexcept {
    sockaddr_storage peer{};
    socklen_t peer_size = 0;
    const SysResult result = sys::accept(listening.fd(), peer, peer_size);
    if (result.ok()) {
        return {Accepted::Kind::accepted, 0, FileDescriptor(static_cast<int>(result.value)),
                PeerAddress(peer)};
    }
    if (result.would_block()) {
        listening.drained();
        return {Accepted::Kind::drained};
    }
    const bool is_lost = sys::is_of_one_connection(result.error);
    return {is_lost ? Accepted::Kind::lost : Accepted::Kind::no_resources, result.error};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
