// Log lines: a level, a text, and the sink that receives them. One line is one write, so lines of several
// threads do not mix. Bytes that could forge a line are escaped.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The importance of a log line.
enum class LogLevel : std::uint8_t { info, warning, error };

/// Receives the log lines of an Engine. The engine's thread and its workers may call it at the same time. If
/// it throws, that line is lost and nothing else.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// The name of a level: "info", "warning", "error".
[[nodiscard]] constexpr std::string_view to_string(LogLevel level) noexcept {
    constexpr std::string_view names[] = {"info", "warning", "error"};
    return names[static_cast<std::size_t>(level)];
}

/// Appends `text` with control bytes (line feeds, escapes, DEL) as \xNN, so that bytes of a peer stay on
/// their line.
void append_escaped(std::string& out, std::string_view text);

/// Logs `what` and `why` as one line. If anything fails (no memory, a sink that throws), the line is lost,
/// and nothing is thrown.
void log_quietly(const LogSink& sink, LogLevel level, std::string_view what, std::string_view why) noexcept;

namespace detail {

/// Logs what an exception says. A cancellation is not logged.
void log_failure(const LogSink& log, const char* what, const std::exception_ptr& exception) noexcept;

/// Which file standard error is, for log lines. Each file of a program sees to it before its own objects are
/// made, so before main() can close it, and before anything logs.
bool remember_standard_error() noexcept;
inline const bool remembers_standard_error = remember_standard_error();

/// For a line that a flood must not repeat without end.
class PacedWarning {
  public:
    /// Whether the line may be logged now: then the next one may after `pause`.
    [[nodiscard]] bool take_turn(std::chrono::steady_clock::time_point now,
                                 std::chrono::seconds pause) noexcept {
        if (now < next_) return false;
        next_ = now + pause;
        return true;
    }

  private:
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::time_point::min();
};

}  // namespace detail

/// The default sink: "sake: warning: text" on standard error. It never waits. If a line finds no room, it is
/// lost; the next line that finds room reports how many were lost. If the program has closed standard error
/// and another file has its number, that file is not written to. To redirect the lines while the program
/// runs, use dup2 with a pipe, a terminal or a file opened for appending, or freopen with "a".
void log_to_stderr(LogLevel level, std::string_view text);

}  // namespace SAKE_ABI
}  // namespace sake
