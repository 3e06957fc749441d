// Upgrade: marks a call whose connection continues with another protocol (RFC 9110 section 7.8). Its answer
// is 101.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct Call;
struct H1Handover;

/// In a slot of the call. What takes over is registered with the route, so that only programs that have such
/// routes compile it.
struct Upgrade {
    void (*take_over)(H1Handover& from) = nullptr;
};

inline constexpr int switching_protocols = 101;

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
