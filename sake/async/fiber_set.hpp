// FiberSet: the fibers of a reactor, which ends only when they have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sake/async/wait.hpp"
#include "sake/async/work_meter.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class FiberSet {
  public:
    /// Takes a fiber in. It leaves when it ends.
    void adopt(Fiber& fiber) noexcept { fiber.insert_before(fibers_); }
    [[nodiscard]] bool empty() const noexcept { return !fibers_.is_linked(); }

    /// Cancels each, once.
    void cancel() noexcept;
    /// None goes on any more, and none waits for anything.
    void abandon() noexcept;
    /// Destroys them as they are, with all their frames.
    void destroy() noexcept;

    /// Which fibers to describe: all, or those whose work has a name.
    enum class Whose : std::uint8_t { all, work };
    /// "2 tasks wait: GET / (main.cpp:12) for an event, ...". `name` makes the name of a fiber's work.
    [[nodiscard]] std::string describe_waits(Whose whose, WorkMeter::Name name) const;

  private:
    ListNode fibers_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
