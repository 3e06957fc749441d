// Failures of connections without an errno: a peer that closed too early, and a name without an address. Each
// is an error category with its own words.
#pragma once

#include <netdb.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Of an orderly end of the connection, unlike ECONNRESET.
class EndCategory final : public std::error_category {
  public:
    [[nodiscard]] const char* name() const noexcept override { return "sake.end"; }
    [[nodiscard]] std::string message(int) const override { return "the peer closed the connection"; }
};

/// Of getaddrinfo, whose codes are its own.
class LookupCategory final : public std::error_category {
  public:
    [[nodiscard]] const char* name() const noexcept override { return "sake.lookup"; }
    [[nodiscard]] std::string message(int code) const override { return ::gai_strerror(code); }
    [[nodiscard]] std::error_condition default_error_condition(int) const noexcept override {
        return std::make_error_condition(std::errc::address_not_available);
    }
};

/// Throws std::system_error: "<what>: the peer closed the connection".
[[noreturn]] inline void throw_ended(const std::string& what) {
    static const EndCategory category;
    throw std::system_error(std::error_code(1, category), what);
}

/// What getaddrinfo has just returned, as an error: "Name or service not known", equal to
/// std::errc::address_not_available; or errno, where it says that this is the cause.
inline std::error_code lookup_error(int code) noexcept {
    static const LookupCategory category;
    if (code == 0) return {};
    if (code == EAI_SYSTEM && errno != 0) return {errno, std::system_category()};
    return {code, category};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
