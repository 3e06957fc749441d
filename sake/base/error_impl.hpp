// Definitions of error.hpp: the exceptions that are made of parts.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE std::exception_ptr caught_exception() {
    std::exception_ptr caught = std::current_exception();
    if (!caught) throw;
    return caught;
}

SAKE_INLINE std::exception_ptr failure_of(const char* text) noexcept {
    try {
        throw std::runtime_error(text);
    } catch (...) {
        return std::current_exception();
    }
}

SAKE_INLINE void throw_too_small(std::int64_t smallest, std::int64_t number, const char* name,
                                 const char* unit) {
    throw std::invalid_argument(std::string(name) + " must be at least " + std::to_string(smallest) + unit +
                                ", not " + std::to_string(number) + unit);
}

SAKE_INLINE void throw_timed_out(std::chrono::milliseconds limit, std::string_view doing,
                                 std::string_view with) {
    const auto count = limit.count();
    const bool is_whole = count % 1000 == 0;
    std::string what = "timed out after " + std::to_string(is_whole ? count / 1000 : count);
    what.append(is_whole ? " s " : " ms ").append(doing).append(" ").append(with);
    throw TimedOut(what);
}

SAKE_INLINE void demand_no_nul(std::string_view name, std::string_view for_what) {
    const std::size_t nul = name.find('\0');
    if (nul == std::string_view::npos) return;
    throw std::system_error(
        std::make_error_code(std::errc::invalid_argument),
        std::string(for_what).append(name.substr(0, nul)) + "\\0: a name with a NUL byte in it");
}

SAKE_INLINE void throw_system_error(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), what);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
