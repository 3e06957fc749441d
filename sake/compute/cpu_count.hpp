// The number of CPUs that this process may use: by its affinity and its cgroup quota, which containers set.
// The machine may have more.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The number of CPUs that this process may use at the same time: those of its affinity, or fewer if a cgroup
/// quota limits it. At least 1; 2 if the system does not report a number.
[[nodiscard]] int usable_cpus();

}  // namespace SAKE_ABI
}  // namespace sake
