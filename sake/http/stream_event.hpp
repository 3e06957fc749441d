// StreamEvent: a server-sent event that was received.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// An event that was received.
struct StreamEvent {
    std::string name;  // "" if it came without, for which a browser says "message"
    std::string id;    // of the last event that had one: what a client that comes again sends
    std::string data;  // its lines, with an LF between them
    std::optional<std::chrono::milliseconds> retry;  // the hint that came with it
};

}  // namespace http

}  // namespace SAKE_ABI
}  // namespace sake
