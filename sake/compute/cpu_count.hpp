// How many CPUs this process may use: by affinity and by cgroup quota, which containers set, not how many the
// machine has.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The CPUs that this process may use at the same time: those of its affinity, or fewer if a cgroup's quota
/// says so. At least 1; 2 where the system does not tell.
[[nodiscard]] int usable_cpus();

}  // namespace SAKE_ABI
}  // namespace sake
