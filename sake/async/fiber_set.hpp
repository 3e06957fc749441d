// FiberSet: the fibers of a reactor, which ends only when they have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class FiberSet {
  public:
    /// Takes a fiber in. It leaves when it ends.
    void adopt(Fiber& fiber) noexcept { fiber.insert_before(fibers_); }
    [[nodiscard]] bool empty() const noexcept { return !fibers_.is_linked(); }

    /// Cancels each, once.
    void cancel() noexcept {
        for (ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
            static_cast<Fiber&>(*node).cancel();
        }
    }
    /// None goes on any more, and none waits for anything.
    void abandon() noexcept {
        for (ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
            static_cast<Fiber&>(*node).abandon();
        }
    }
    /// Destroys them as they are, with all their frames.
    void destroy() noexcept {
        while (!empty()) static_cast<Fiber&>(*fibers_.next()).top.destroy();
    }

    /// Which fibers to describe: all, or those whose work has a name.
    enum class Whose : std::uint8_t { all, work };
    /// "2 tasks wait: GET / (main.cpp:12) for an event, ...". `name` makes the name of a fiber's work.
    [[nodiscard]] std::string describe_waits(Whose whose, std::string (*name)(const void* work)) const {
        constexpr std::size_t most = 8;
        std::size_t count = 0;
        std::string all;
        for (const ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
            const auto& fiber = static_cast<const Fiber&>(*node);
            if (whose == Whose::work && fiber.work == nullptr) continue;
            if (++count > most) continue;
            if (count > 1) all += ", ";
            all += fiber.work != nullptr && name != nullptr ? name(fiber.work) : "a task";
            all += " for ";
            fiber.describe_wait(all);
        }
        if (count == 0) return whose == Whose::work ? "" : "no task waits";
        if (count > most) all.append(", and ").append(std::to_string(count - most)).append(" more");
        return std::to_string(count) + (count == 1 ? " task waits: " : " tasks wait: ") + all;
    }

  private:
    ListNode fibers_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
