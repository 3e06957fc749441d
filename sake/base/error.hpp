// The exceptions that Sake throws into the code of its users. Errors of clients never arrive this way: they
// are status codes.
#pragma once

#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
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

/// Thrown by an operation with a time limit when the time is up. Some say which, such as "timed out after 5 s
/// connecting to http://localhost:80".
class TimedOut : public std::exception {
  public:
    TimedOut() = default;
    explicit TimedOut(const std::string& what) : what_(what) {}
    [[nodiscard]] const char* what() const noexcept override {
        return what_ ? what_->what() : "the operation timed out";
    }

  private:
    std::optional<std::runtime_error> what_;  // a text whose copies cannot fail
};

namespace detail {

/// For `catch (...)`: what is being handled. The exception of no type by which pthread_exit unwinds the stack
/// cannot be kept and must go on, so it is thrown again.
[[nodiscard]] inline std::exception_ptr caught_exception() {
    std::exception_ptr caught = std::current_exception();
    if (!caught) throw;
    return caught;
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

/// Throws "timed out after 5 s connecting to http://localhost:80", of these parts.
[[noreturn]] inline void throw_timed_out(std::chrono::milliseconds limit, std::string_view doing,
                                         std::string_view with) {
    const auto count = limit.count();
    const bool is_whole = count % 1000 == 0;
    std::string what = "timed out after " + std::to_string(is_whole ? count / 1000 : count);
    what.append(is_whole ? " s " : " ms ").append(doing).append(" ").append(with);
    throw TimedOut(what);
}

[[noreturn]] inline void throw_system_error(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), what);
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
