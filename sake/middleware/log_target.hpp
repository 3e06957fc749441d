// The destination of the access log: a file, standard error, or a function of the program. The first two wait
// at most a second for a slow reader, and count lost lines. A function may take any time.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/file_descriptor.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/sys_files.hpp"
#include "sake/base/error.hpp"
#include "sake/base/standard_error.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Is used by the thread of the log alone.
class LogTarget {
  public:
    struct Outcome {
        std::size_t lost = 0;  // lines
        std::string why = {};  // if the log is to say so
    };

    LogTarget() = default;
    LogTarget(const LogTarget&) = delete;
    LogTarget& operator=(const LogTarget&) = delete;
    virtual ~LogTarget() = default;
    /// Writes whole lines. If it throws, all of them are lost.
    virtual Outcome write(std::string_view lines) = 0;

    static std::size_t count_lines(std::string_view lines) noexcept {
        return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
    }

  protected:
    static constexpr int patience_ms = 1000;

    static bool has_room(int file, int wait_ms) noexcept {
        pollfd polled{file, POLLOUT, 0};
        return ::poll(&polled, 1, wait_ms) > 0;
    }
};

class FunctionTarget final : public LogTarget {
  public:
    explicit FunctionTarget(std::function<void(std::string_view)> function)
        : function_(std::move(function)) {}
    Outcome write(std::string_view lines) override {
        function_(lines);
        return {};
    }

  private:
    std::function<void(std::string_view)> function_;
};

class StandardErrorTarget final : public LogTarget {
  public:
    Outcome write(std::string_view lines) override {
        Outcome outcome;
        int patience = patience_ms;
        while (!lines.empty()) {
            const std::size_t size = lines.find('\n') + 1;
            if (!has_room(STDERR_FILENO, patience)) patience = 0;
            // It says by itself what it has lost.
            if (!standard_error.write_line(lines.substr(0, size))) ++outcome.lost;
            lines.remove_prefix(size);
        }
        return outcome;
    }
};

class FileTarget final : public LogTarget {
  public:
    explicit FileTarget(std::string path) : path_(std::move(path)) {
        demand_no_nul(path_, "logger");
        if (const int error = open()) throw_system_error(error, "cannot open the log file " + path_);
    }

    Outcome write(std::string_view lines) override {
        if (was_moved()) static_cast<void>(open());  // if that fails, the old file has the lines
        const SigpipeHeldBack no_sigpipe;
        std::string_view end_of_cut_line = is_cut_ ? "\n" : "";
        const int error = write_all(end_of_cut_line);
        if (error != 0) return {count_lines(lines), text_of(error)};
        is_cut_ = false;
        std::string_view rest = lines;
        const int failure = write_all(rest);
        const std::size_t written = lines.size() - rest.size();
        is_cut_ = written > 0 && lines[written - 1] != '\n';
        return {count_lines(rest), failure != 0 ? text_of(failure) : std::string()};
    }

  private:
    static std::string text_of(int error) { return std::generic_category().message(error); }
    /// Returns what has failed; 0 if nothing.
    int open() noexcept {
        constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
        const SysResult opened = sys::open(path_.c_str(), flags, 0640);
        if (!opened.ok()) return opened.error;
        file_ = FileDescriptor(static_cast<int>(opened.value));
        struct stat status{};
        if (::fstat(file_.get(), &status) != 0) return errno;
        device_ = status.st_dev;
        inode_ = status.st_ino;
        is_cut_ = false;
        return 0;
    }
    [[nodiscard]] bool was_moved() const noexcept {
        struct stat status{};
        return ::stat(path_.c_str(), &status) != 0 || status.st_dev != device_ || status.st_ino != inode_;
    }
    /// Removes from the text what was written.
    int write_all(std::string_view& text) const noexcept {
        int patience = patience_ms;
        while (!text.empty()) {
            const SysResult written = sys::write(file_.get(), text.data(), text.size());
            if (written.ok() && written.value > 0) {
                text.remove_prefix(static_cast<std::size_t>(written.value));
            } else if (written.error == EAGAIN && patience > 0) {
                if (!has_room(file_.get(), patience)) patience = 0;
            } else {
                return written.ok() ? EIO : written.error;
            }
        }
        return 0;
    }

    const std::string path_;
    FileDescriptor file_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    bool is_cut_ = false;  // the last line is there in part
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
