// StreamEvent: a server-sent event that was received.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// A server-sent event that was received.
struct StreamEvent {
    std::string name;  // "" if it had none; a browser then uses "message"
    std::string id;    // of the last event with an id: a client that reconnects sends it
    std::string data;  // its lines, separated by LF
    std::optional<std::chrono::milliseconds> retry;  // the retry time of this event
};

}  // namespace http

}  // namespace SAKE_ABI
}  // namespace sake
