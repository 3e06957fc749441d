// The poller of a kind, on this system.
#pragma once

#include <stdexcept>

#include "sake/async/poller.hpp"
#include "sake/async/poller_epoll.hpp"
#include "sake/async/poller_kqueue.hpp"
#include "sake/async/poller_poll.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Throws std::system_error, or std::invalid_argument for a kind that this system does not have.
inline OwningPtr<Poller> make_poller(PollerKind kind) {
#if SAKE_HAS_EPOLL
    if (kind == PollerKind::automatic || kind == PollerKind::epoll)
        return OwningPtr<EpollPoller>(new EpollPoller);
#endif
#if SAKE_HAS_KQUEUE
    if (kind == PollerKind::automatic || kind == PollerKind::kqueue)
        return OwningPtr<KqueuePoller>(new KqueuePoller);
#endif
    if (kind == PollerKind::automatic || kind == PollerKind::poll)
        return OwningPtr<PollPoller>(new PollPoller);
    throw std::invalid_argument("this system does not have the poller that was asked for");
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
