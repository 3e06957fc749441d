// The exceptions that Sake throws into user code. Mistakes of HTTP clients are not among them: those become
// status codes.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Thrown by a waiting operation when its task is cancelled: the client disconnected, the time limit passed,
/// or the server is stopping. Let it pass, or clean up and end; the next wait works again. It is not a
/// std::exception, so that `catch (const std::exception&)` does not swallow it by accident.
class Cancelled {
  public:
    /// A short text for logs.
    [[nodiscard]] const char* what() const noexcept { return "the operation was cancelled"; }
};

/// Thrown by an operation when its time limit passes. Some messages name the operation: "timed out after 5 s
/// connecting to http://localhost:80".
class TimedOut : public std::exception {
  public:
    TimedOut() : what_("the operation timed out") {}
    explicit TimedOut(const std::string& what) : what_(what) {}
    [[nodiscard]] const char* what() const noexcept override { return what_.what(); }

  private:
    std::runtime_error what_;  // a text whose copies cannot fail
};

namespace detail {

/// For `catch (...)`: what is being handled. The exception of no type by which pthread_exit unwinds the stack
/// cannot be kept and must go on, so it is thrown again.
[[nodiscard]] std::exception_ptr caught_exception();

/// A std::runtime_error with this text, to be thrown later; std::bad_alloc if memory for it is missing.
[[nodiscard]] std::exception_ptr failure_of(const char* text) noexcept;

/// The number that a program wrote. A size in the upper half of its type was negative before it was
/// converted, except the largest, which means "no limit".
template <std::integral Number>
constexpr std::int64_t written_number(Number value) noexcept {
    if constexpr (std::is_unsigned_v<Number> && sizeof(Number) >= sizeof(std::size_t)) {
        if (value == std::numeric_limits<Number>::max()) return std::numeric_limits<std::int64_t>::max();
        return static_cast<std::make_signed_t<Number>>(value);
    } else {
        return static_cast<std::int64_t>(value);
    }
}

[[noreturn]] void throw_too_small(std::int64_t smallest, std::int64_t number, const char* name,
                                  const char* unit);

/// Throws std::invalid_argument that names a number which is too small.
template <std::integral Number>
void demand_at_least(std::int64_t smallest, Number value, const char* name, const char* unit = "") {
    const std::int64_t number = written_number(value);
    if (number < smallest) throw_too_small(smallest, number, name, unit);
}
inline void demand_at_least(std::int64_t smallest, std::chrono::milliseconds value, const char* name) {
    demand_at_least(smallest, value.count(), name, " ms");
}

/// Throws "timed out after 5 s connecting to http://localhost:80", of these parts.
[[noreturn]] void throw_timed_out(std::chrono::milliseconds limit, std::string_view doing,
                                  std::string_view with);

/// A limit as a T. Functions take limits as integers of any type, because only then the largest value of an
/// unsigned type can be told from -1. What a T cannot hold is its largest value: no limit. Throws
/// std::invalid_argument that names a limit which is too small.
template <std::integral T, std::integral Number>
[[nodiscard]] T limit_of(std::int64_t smallest, Number value, const char* name) {
    demand_at_least(smallest, value, name);
    constexpr T largest = std::numeric_limits<T>::max();
    return std::cmp_greater(value, largest) ? largest : static_cast<T>(value);
}

/// For names that the system takes up to their first NUL byte. Throws std::system_error where there is one
/// in the midst, so that nothing happens to another file.
void demand_no_nul(std::string_view name, std::string_view for_what = {});

[[noreturn]] void throw_system_error(int error, const std::string& what);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
