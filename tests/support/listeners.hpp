// Listeners as tests want them: in a vector.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace harness {

inline std::vector<sake::detail::Listener> taken_from(sake::detail::Listeners& list) {
    std::vector<sake::detail::Listener> taken;
    while (!list.empty()) {
        const auto listener = list.take_front();
        taken.push_back(std::move(*listener));
    }
    return taken;
}

inline std::vector<sake::detail::Listener> listen_at(std::string_view address, int backlog,
                                                     int unix_mode = 0666) {
    sake::detail::Listeners made;
    sake::detail::listen_at(made, address, backlog, unix_mode);
    return taken_from(made);
}

/// The sockets that listen on all of these addresses.
inline std::vector<sake::detail::Listener> listen_on_all(
    const std::vector<sake::detail::SocketAddress>& addresses, int backlog, std::string_view name) {
    sake::detail::Listeners made;
    for (const auto& each : addresses) made.push_back(new sake::detail::Listener(each));
    sake::detail::listen_on_all(made, backlog, name);
    return taken_from(made);
}

}  // namespace harness
