// Definitions of log.hpp: how a line is made, escaped and written.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "sake/base/error.hpp"
#include "sake/base/log.hpp"
#include "sake/base/standard_error.hpp"

namespace sake {
inline namespace SAKE_ABI {
SAKE_INLINE void append_escaped(std::string& out, std::string_view text) {
    constexpr char hex[] = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            out += c;
        } else {
            out += {'\\', 'x', hex[byte >> 4U], hex[byte & 15U]};
        }
    }
}

SAKE_INLINE void log_quietly(const LogSink& sink, LogLevel level, std::string_view what,
                             std::string_view why) noexcept {
    try {
        std::string line(what);
        append_escaped(line, why);
        sink(level, line);
    } catch (...) {
        // There is nowhere left to report it.
    }
}

namespace detail {

SAKE_INLINE void log_failure(const LogSink& log, const char* what,
                             const std::exception_ptr& exception) noexcept {
    try {
        std::rethrow_exception(exception);
    } catch (const Cancelled&) {
    } catch (const std::exception& error) {
        log_quietly(log, LogLevel::error, what, error.what());
    } catch (...) {
        log_quietly(log, LogLevel::error, what, "an exception that is not a std::exception");
    }
}

}  // namespace detail

SAKE_INLINE void log_to_stderr(LogLevel level, std::string_view text) {
    std::string line = "sake: ";
    if (level != LogLevel::info) line.append(to_string(level)).append(": ");
    append_escaped(line, text);
    line += '\n';
    detail::standard_error.write_line(line);
}

}  // namespace SAKE_ABI
}  // namespace sake
