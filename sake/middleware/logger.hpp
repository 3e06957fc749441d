// logger: the access log, one line for every answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

/// Writes the lines of a logger.
class AccessLog : public Counted {
  public:
    AccessLog() = default;
    AccessLog(const AccessLog&) = delete;
    AccessLog& operator=(const AccessLog&) = delete;
    virtual ~AccessLog() = default;
    virtual void add(const Answered& answered) = 0;
    [[nodiscard]] virtual std::uint64_t dropped() const = 0;
};

}  // namespace detail

namespace middleware {

enum class LogFormat : std::uint8_t {
    common,    // 127.0.0.1 - ann [01/Jan/2026:00:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 5
    combined,  // the same, and "referrer" "user agent"
    json,      // an object: time, remote, user, method, target, route, status, bytes, duration (in seconds),
               // cause, request_id, trace_id, user_agent, referrer
};

/// The options of logger.
struct LoggerOptions {
    /// The format of a line.
    LogFormat format = LogFormat::combined;
    /// The file to which lines are appended. If it is renamed, as logrotate does, a new one is created. "" is
    /// standard error.
    std::string path = {};
    /// Receives the lines in place of a file: whole lines with their line feeds, on the logger's thread.
    std::function<void(std::string_view lines)> write = {};
    /// How many bytes of lines may wait for the thread, at least 64 KiB. Further lines are dropped and
    /// counted.
    std::size_t max_queued = 1024 * 1024;
    /// Whether the queries of targets and referrers are logged. They may contain secrets.
    bool with_query = true;
};

/// What logger() returns, for Engine::use. Copies write to the same place. When the last copy is destroyed,
/// which may be the engine's, queued lines are written first.
class Logger {
  public:
    using ObservesAnswers = void;  // Engine::use then passes it every answer, refusals too

    void operator()(const Answered& answered) const { log_->add(answered); }
    /// How many lines were lost, because the queue was full or writing failed.
    [[nodiscard]] std::uint64_t dropped() const { return log_->dropped(); }

  private:
    friend Logger logger(LoggerOptions options);
    explicit Logger(detail::CountedPtr<detail::AccessLog> log) noexcept : log_(std::move(log)) {}
    detail::CountedPtr<detail::AccessLog> log_;
};

/// Writes a line for every answer when it leaves, wherever the logger stands among the middleware:
/// `app.use(sake::middleware::logger())`. A thread of its own writes, so a slow disk or terminal does not
/// block the loop. Text from clients is escaped, and cut after 2048 bytes. Throws std::system_error if the
/// file cannot be opened, std::invalid_argument for invalid options.
[[nodiscard]] Logger logger(LoggerOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
