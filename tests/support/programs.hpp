// Programs that a test starts from wherever it is, and ends by a signal.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

extern char** environ;  // NOLINT: POSIX wants it declared by the program

namespace harness {

/// Starts a program that does nothing for half a minute, by fork and exec. Returns when it runs; -1 if it
/// does not.
inline pid_t fork_and_exec_sleep() {
    int started[2];
    if (::pipe(started) != 0) return -1;
    ::fcntl(started[0], F_SETFD, FD_CLOEXEC);
    ::fcntl(started[1], F_SETFD, FD_CLOEXEC);
    const pid_t child = ::fork();
    if (child == 0) {
        ::execlp("sleep", "sleep", "30", static_cast<char*>(nullptr));
        ::_exit(127);
    }
    ::close(started[1]);
    char byte = 0;
    while (::read(started[0], &byte, 1) < 0 && errno == EINTR) {
    }
    ::close(started[0]);
    return child;
}

/// The same by posix_spawn.
inline pid_t spawn_sleep() {
    char name[] = "sleep";
    char time[] = "30";
    char* const arguments[] = {name, time, nullptr};
    pid_t child = -1;
    return ::posix_spawnp(&child, name, nullptr, nullptr, arguments, environ) == 0 ? child : -1;
}

/// Whether programs that are started on this thread are ended by signals.
inline bool programs_end_by_signals() {
    bool all = true;
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
        for (const auto start : {&fork_and_exec_sleep, &spawn_sleep}) {
            const pid_t child = start();
            if (child < 0) return false;
            ::kill(child, signal);
            int status = 0;
            while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
            }
            all = all && WIFSIGNALED(status) && WTERMSIG(status) == signal;
            if (!all) return false;
        }
    }
    return all;
}

}  // namespace harness
