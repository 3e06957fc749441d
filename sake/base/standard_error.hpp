// Standard error as the destination of log lines. A write never waits for room, and never goes to another
// file that merely has its number. Lines without room are counted, and the next line reports how many were
// lost.
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string_view>

#include "sake/base/log.hpp"
#include "sake/base/platform.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Keeps the SIGPIPE of a failed write from the process: blocks it in this thread, and removes it if it came.
class SigpipeHeldBack {
  public:
    SigpipeHeldBack() noexcept : was_pending_(is_pending()) {
        ::sigemptyset(&sigpipe_);
        ::sigaddset(&sigpipe_, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &sigpipe_, &previous_);
    }
    SigpipeHeldBack(const SigpipeHeldBack&) = delete;
    SigpipeHeldBack& operator=(const SigpipeHeldBack&) = delete;
    ~SigpipeHeldBack() {
        int taken = 0;
        if (!was_pending_ && is_pending()) ::sigwait(&sigpipe_, &taken);
        ::pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
    }

  private:
    static bool is_pending() noexcept {
        sigset_t pending;
        return ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGPIPE) == 1;
    }

    sigset_t sigpipe_{};
    sigset_t previous_{};
    bool was_pending_;
};

/// For any thread.
class StandardError {
  public:
    constexpr StandardError() noexcept = default;
    StandardError(const StandardError&) = delete;
    StandardError& operator=(const StandardError&) = delete;

    /// Remembers which file it is.
    void remember() noexcept {
        struct stat status{};
        if (::fstat(STDERR_FILENO, &status) != 0) return;
        device_ = status.st_dev;
        inode_ = status.st_ino;
    }

    /// Writes `line`, which ends with a line feed, or loses it. Returns whether it was written.
    bool write_line(std::string_view line) noexcept {
        struct stat status{};
        if (::fstat(STDERR_FILENO, &status) != 0 || !is_ours(status)) return false;
        const SigpipeHeldBack no_sigpipe;
        Output output(status.st_mode, is_being_written_);
        const std::size_t lost = lost_.exchange(0);
        if (lost != 0 && !tell_of(lost, output)) {
            lost_ += lost + 1;
            return false;
        }
        if (write_all(line, output)) return true;
        if (errno != EPIPE) ++lost_;  // there is no reader any more
        return false;
    }

  private:
    /// A way to write that does not wait, and fails with EAGAIN instead.
    class Output {
      public:
        Output(mode_t mode, std::atomic<bool>& is_being_written)
            : mode_(mode), is_being_written_(is_being_written) {
            if (!may_wait() || !has_room()) return;
            own_ = open_without_waiting();
            if (own_ < 0) has_turn_ = take_turn();
        }
        Output(const Output&) = delete;
        Output& operator=(const Output&) = delete;
        ~Output() {
            if (own_ >= 0) ::close(own_);
            if (has_turn_) is_being_written_ = false;
        }

        [[nodiscard]] ssize_t write(std::string_view text) const noexcept {
            if (S_ISSOCK(mode_)) return ::send(STDERR_FILENO, text.data(), text.size(), MSG_DONTWAIT);
            if (!may_wait()) return ::write(STDERR_FILENO, text.data(), text.size());
            const std::size_t piece = std::min(text.size(), most_at_once);
            if (own_ >= 0) return ::write(own_, text.data(), piece);
            // With room for anything at all, a pipe has room for this.
            if (has_turn_ && has_room()) return ::write(STDERR_FILENO, text.data(), piece);
            errno = EAGAIN;
            return -1;
        }

      private:
#if defined(PIPE_BUF)
        static constexpr std::size_t most_at_once = PIPE_BUF;
#else
        static constexpr std::size_t most_at_once = 512;  // what POSIX promises
#endif

        /// Of a pipe and a terminal. A disk is not waited for in this sense.
        [[nodiscard]] bool may_wait() const noexcept { return S_ISFIFO(mode_) || S_ISCHR(mode_); }
        static bool has_room() noexcept {
            pollfd polled{STDERR_FILENO, POLLOUT, 0};
            return ::poll(&polled, 1, 0) > 0;
        }
        /// The same file once more, with a flag that others do not see: O_NONBLOCK belongs to all who share
        /// an open file, such as the shell. -1 if the system does not allow it.
        static int open_without_waiting() noexcept {
#if SAKE_HAS_EPOLL  // Linux
            return ::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
#else
            return -1;
#endif
        }
        /// Between the look for room and the write no other thread may write. Not a mutex: in a forked child
        /// it could stay locked.
        bool take_turn() noexcept {
            for (int tries = 0; tries < 1000; ++tries) {
                if (!is_being_written_.exchange(true)) return true;
                ::sched_yield();
            }
            return false;
        }

        mode_t mode_;
        std::atomic<bool>& is_being_written_;
        int own_ = -1;
        bool has_turn_ = false;
    };

    /// Whether the file with the number of standard error is it: the one that the process began with, or what
    /// can be one to which the program has redirected it. A program that closes its standard error gets its
    /// number for the next file or connection that it opens. Most ways to open a file leave no other sign of
    /// that than that they do not append. A pipe has no such sign.
    [[nodiscard]] bool is_ours(const struct stat& status) const noexcept {
        if (status.st_dev == device_ && status.st_ino == inode_) return true;
        const int flags = ::fcntl(STDERR_FILENO, F_GETFD);
        if (flags < 0 || (flags & FD_CLOEXEC) != 0) return false;
        if (S_ISFIFO(status.st_mode)) return true;
        if (S_ISCHR(status.st_mode)) return ::isatty(STDERR_FILENO) == 1;
        if (!S_ISREG(status.st_mode)) return false;
        const int mode = ::fcntl(STDERR_FILENO, F_GETFL);
        return mode >= 0 && (mode & O_APPEND) != 0;
    }

    bool write_all(std::string_view text, const Output& output) noexcept {
        for (const std::size_t whole = text.size(); !text.empty();) {
            const ssize_t written = output.write(text);
            if (written > 0) {
                text.remove_prefix(static_cast<std::size_t>(written));
            } else if (written == 0 || errno != EINTR) {
                if (text.size() != whole) is_cut_ = true;
                return false;
            }
        }
        return true;
    }

    bool tell_of(std::size_t lost, const Output& output) noexcept {
        const bool is_cut = is_cut_.exchange(false);  // then its line ends here
        char note[128];
        const int size = std::snprintf(
            note, sizeof note, "%ssake: warning: %zu line%s of the log %s lost: standard error was full\n",
            is_cut ? "\n" : "", lost, lost == 1 ? "" : "s", lost == 1 ? "was" : "were");
        if (write_all({note, static_cast<std::size_t>(size)}, output)) return true;
        if (is_cut) is_cut_ = true;
        return false;
    }

    dev_t device_ = 0;
    ino_t inode_ = 0;
    std::atomic<bool> is_being_written_{false};
    std::atomic<std::size_t> lost_{0};
    std::atomic<bool> is_cut_{false};  // the last line that was lost is there in part
};

inline constinit StandardError standard_error;

SAKE_INLINE bool remember_standard_error() noexcept {
    standard_error.remember();
    return true;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
