// How a logger is made of its format, its queue and its target.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake/async/sleep.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/middleware/log_line.hpp"
#include "sake/middleware/log_queue.hpp"
#include "sake/middleware/log_target.hpp"
#include "sake/middleware/logger.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline OwningPtr<LogTarget> make_log_target(middleware::LoggerOptions& options) {
    if (options.write && !options.path.empty()) {
        throw std::invalid_argument("logger: give it a path or a function, not both");
    }
    if (options.write) return OwningPtr<LogTarget>(new FunctionTarget(std::move(options.write)));
    if (options.path.empty()) return OwningPtr<LogTarget>(new StandardErrorTarget);
    return OwningPtr<LogTarget>(new FileTarget(std::move(options.path)));
}

class FormattedLog final : public AccessLog {
  public:
    explicit FormattedLog(middleware::LoggerOptions options)
        : format_(options.format),
          with_query_(options.with_query),
          queue_(make_log_target(options),
                 limit_of<std::size_t>(64 * 1024, options.max_queued, "logger: max_queued")) {}

    void add(const Answered& answered) override {
        queue_.add(
            [&](std::string& out) { LogLine(out, answered, wall_now()).append(format_, with_query_); });
    }
    [[nodiscard]] std::uint64_t dropped() const override { return queue_.lost(); }

  private:
    const middleware::LogFormat format_;
    const bool with_query_;
    LogQueue queue_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Logger logger(LoggerOptions options) {
    return Logger(detail::CountedPtr<detail::AccessLog>(new detail::FormattedLog(std::move(options))));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
