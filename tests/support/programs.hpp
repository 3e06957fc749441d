// Programs that a test starts: others, which it ends by a signal, and this one again, for a test case that
// ends its process, or that wants a process in which no other test has left threads.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>

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

constexpr const char* task_variable = "SAKE_TEST_TASK";

/// What this process was started for, by `become_test`; nullptr in the process of the suite.
inline const char* task_of_process() { return std::getenv(task_variable); }

/// In a child: begins this program anew with one test case, which finds `task` in `task_of_process`. Ends
/// after so many seconds.
[[noreturn]] inline void become_test(const char* test_case, const std::string& task, unsigned seconds) {
    const std::string filter = std::string("-tc=") + test_case;
    ::alarm(seconds);
    ::setenv(task_variable, task.c_str(), 1);
    if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(97);
    ::execl("/proc/self/exe", "tests", filter.c_str(), static_cast<char*>(nullptr));
    ::_exit(98);
}

/// Runs one test case in a process of its own: the status of waitpid. Not just a fork, whose child has only
/// one of the process's threads, and in which ThreadSanitizer starts none.
inline int run_anew(const char* test_case, const std::string& task = "run") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) become_test(test_case, task, 60);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

}  // namespace harness
