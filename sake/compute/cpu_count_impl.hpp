// Definitions of cpu_count.hpp: affinity and cgroups.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>

#include "sake/async/sys_files.hpp"
#include "sake/base/platform.hpp"
#include "sake/base/text.hpp"
#include "sake/compute/cpu_count.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The beginning of a small file; empty if it cannot be read.
inline std::string read_small_file(const std::string& path) {
    const FileDescriptor file(static_cast<int>(sys::open(path.c_str(), O_RDONLY).value));
    if (!file) return {};
    std::string text(4096, '\0');
    const SysResult result = sys::read(file.get(), text.data(), text.size());
    text.resize(result.ok() ? static_cast<std::size_t>(result.value) : 0);
    return text;
}

/// The number of CPUs where nothing limits it.
inline constexpr int any_number_of_cpus = 1 << 20;

/// The CPUs that a quota of cgroup v2 allows, rounded up: "150000 100000" is 2; any number for "max" and what
/// is no quota (Linux, Documentation/admin-guide/cgroup-v2.rst, cpu.max).
inline int cpus_of_quota(std::string_view cpu_max) {
    while (!cpu_max.empty() && cpu_max.back() == '\n') cpu_max.remove_suffix(1);
    const std::size_t space = cpu_max.find(' ');
    if (space == std::string_view::npos) return any_number_of_cpus;
    const auto quota = parse_number<std::int64_t>(cpu_max.substr(0, space));
    const auto period = parse_number<std::int64_t>(cpu_max.substr(space + 1));
    if (!quota || !period || *quota <= 0 || *period <= 0) return any_number_of_cpus;
    return static_cast<int>(std::min<std::int64_t>((*quota - 1) / *period + 1, any_number_of_cpus));
}

/// The tightest quota of the cgroup that this process is in and of those around it. `root` is where cgroups
/// are mounted and `membership` the text of /proc/self/cgroup.
inline int cgroup_cpus(const std::string& root, std::string_view membership) {
    int least = any_number_of_cpus;
    const auto consider = [&](const std::string& folder) {
        least = std::min(least, cpus_of_quota(read_small_file(folder + "/cpu.max")));
    };
    const std::size_t line = membership.find("0::/");  // the line of version 2
    std::string_view path = line == std::string_view::npos ? std::string_view() : membership.substr(line + 3);
    path = path.substr(0, path.find('\n'));
    while (!path.empty()) {
        consider(root + std::string(path));
        path = path.substr(0, path.find_last_of('/'));
    }
    consider(root);
    // Version 1 has two files, and a container sees its own group at the root.
    const std::string quota = read_small_file(root + "/cpu/cpu.cfs_quota_us");
    const std::string period = read_small_file(root + "/cpu/cpu.cfs_period_us");
    const std::string both = quota.substr(0, quota.find('\n')) + " " + period.substr(0, period.find('\n'));
    return std::min(least, cpus_of_quota(both));
}

}  // namespace detail

SAKE_INLINE int usable_cpus() {
    int cpus = static_cast<int>(std::thread::hardware_concurrency());
#if SAKE_HAS_EPOLL  // Linux
    if (const int allowed = detail::sys::cpus_of_affinity(); allowed > 0) cpus = allowed;
    cpus =
        std::min(cpus, detail::cgroup_cpus("/sys/fs/cgroup", detail::read_small_file("/proc/self/cgroup")));
#endif
    return cpus > 0 ? cpus : 2;  // 0: the system does not say
}

}  // namespace SAKE_ABI
}  // namespace sake
