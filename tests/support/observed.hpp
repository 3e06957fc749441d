// What a test sees of a server besides its answers: the lines that it logs, what its observers are told, what
// a call throws. No assertions here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "allocations.hpp"
#include "sake.hpp"

namespace harness {

/// The lines of a log, as the threads of a server write them; not on the server's account.
class Log {
  public:
    [[nodiscard]] sake::Config config() {
        return sake::Config().with_announce(false).with_log([this](sake::LogLevel, std::string_view line) {
            const allocations::Exempt of_the_test;
            const std::lock_guard lock(mutex_);
            lines_.emplace_back(line);
        });
    }
    [[nodiscard]] std::vector<std::string> lines() const {
        const std::lock_guard lock(mutex_);
        return lines_;
    }
    /// How many lines have this in them.
    [[nodiscard]] std::size_t count(std::string_view part) const {
        const std::lock_guard lock(mutex_);
        std::size_t found = 0;
        for (const std::string& line : lines_) found += line.find(part) != std::string::npos ? 1U : 0U;
        return found;
    }
    [[nodiscard]] bool has(std::string_view part) const { return count(part) > 0; }

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// What on_answered was told, for servers of one thread; not on the server's account.
struct Answers {
    struct One {
        std::string target;
        int status;
        std::uint64_t bytes;
        sake::AnswerCause cause;
    };
    std::vector<One> all;
    void observe(sake::Engine& app) {
        app.on_answered([this](const sake::Answered& answered) {
            const allocations::Exempt of_the_test;
            all.push_back({std::string(answered.target), answered.status, answered.bytes, answered.cause});
        });
    }
};

/// The words of what `f` throws, or "nothing".
template <class Exception = std::exception, class F>
std::string thrown_by(F f) {
    try {
        f();
    } catch (const Exception& error) {
        return error.what();
    }
    return "nothing";
}

}  // namespace harness
