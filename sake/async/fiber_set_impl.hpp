// Definitions of fiber_set.hpp: what is done to all fibers, and how they are described.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/fiber_set.hpp"
#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void FiberSet::cancel() noexcept {
    for (ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
        static_cast<Fiber&>(*node).cancel();
    }
}

SAKE_INLINE void FiberSet::abandon() noexcept {
    for (ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
        static_cast<Fiber&>(*node).abandon();
    }
}

SAKE_INLINE void FiberSet::destroy() noexcept {
    while (!empty()) {
        auto& fiber = static_cast<Fiber&>(*fibers_.next());
        fiber.unlink();
        std::exchange(fiber.top, {}).destroy();  // which frees a Root, and the fiber in it
    }
}

SAKE_INLINE std::string FiberSet::describe_waits(Whose whose, WorkMeter::Name name) const {
    constexpr std::size_t most = 8;
    std::size_t count = 0;
    std::string all;
    for (const ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
        const auto& fiber = static_cast<const Fiber&>(*node);
        if (whose == Whose::work && fiber.work == nullptr) continue;
        if (++count > most) continue;
        if (count > 1) all += ", ";
        all += fiber.work != nullptr && name != nullptr ? name(fiber.work) : std::string_view("a task");
        all += " for ";
        fiber.describe_wait(all);
    }
    if (count == 0) return whose == Whose::work ? "" : "no task waits";
    if (count > most) all.append(", and ").append(std::to_string(count - most)).append(" more");
    return std::to_string(count) + (count == 1 ? " task waits: " : " tasks wait: ") + all;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
