// The exceptions that Sake throws into the code of its users. Errors of clients never arrive this way: they
// are status codes.
#pragma once

#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

namespace sake {
inline namespace v0 {

/// Thrown by a waiting operation when the task around it is cancelled: the client has gone, the time is up or
/// the server stops. Let it pass, or clean up and end; the next wait works again. It is not a std::exception,
/// so that `catch (const std::exception&)` does not swallow it by accident.
class Cancelled {
  public:
    /// A short text for logs.
    [[nodiscard]] const char* what() const noexcept { return "the operation was cancelled"; }
};

/// Thrown by an operation with a time limit when the time is up.
class TimedOut : public std::exception {
  public:
    [[nodiscard]] const char* what() const noexcept override { return "the operation timed out"; }
};

namespace detail {

/// For `catch (...)`: what is being handled. The exception of no type by which pthread_exit unwinds the stack
/// cannot be kept and must go on, so it is thrown again.
[[nodiscard]] inline std::exception_ptr caught_exception() {
    std::exception_ptr caught = std::current_exception();
    if (!caught) throw;
    return caught;
}

/// A std::runtime_error with this text, to be thrown later; std::bad_alloc if there is no memory for it.
[[nodiscard]] inline std::exception_ptr failure_of(const char* text) noexcept {
    try {
        throw std::runtime_error(text);
    } catch (...) {
        return std::current_exception();
    }
}

/// Throws std::invalid_argument that names a number which is too small. A size that was negative before it
/// was converted is.
template <std::integral Number>
void demand_at_least(std::int64_t smallest, Number value, const char* name, const char* unit = "") {
    const auto number = static_cast<std::int64_t>(value);
    if (number >= smallest) return;
    throw std::invalid_argument(std::string(name) + " must be at least " + std::to_string(smallest) + unit +
                                ", not " + std::to_string(number) + unit);
}
inline void demand_at_least(std::int64_t smallest, std::chrono::milliseconds value, const char* name) {
    demand_at_least(smallest, value.count(), name, " ms");
}

[[noreturn]] inline void throw_system_error(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), what);
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
