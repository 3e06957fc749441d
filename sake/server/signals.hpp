// SIGINT and SIGTERM, brought to every engine that wants them. Signals belong to the process, so this is the
// one place with process-wide state; it lasts only while an engine runs.
#pragma once

#include <signal.h>

#include <unistd.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "sake/async/sys.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// While it lives, each SIGINT or SIGTERM makes one byte readable at `read_end`. The last one to go restores
/// the program's own handling of the signals.
class SignalRelay {
  public:
    SignalRelay() : pipe_(sys::make_pipe()) {
        State& state = shared();
        const std::lock_guard lock(state.mutex);
        slot_ = free_slot(state);
        state.write_ends[slot_] = pipe_.second.get();
        if (state.users++ == 0) install(state);
    }
    SignalRelay(const SignalRelay&) = delete;
    SignalRelay& operator=(const SignalRelay&) = delete;
    ~SignalRelay() {
        State& state = shared();
        const std::lock_guard lock(state.mutex);
        state.write_ends[slot_] = unused;
        // A handler that runs on another thread may still hold the number of our pipe.
        while (state.handlers_at_work != 0) std::this_thread::yield();
        if (--state.users == 0) restore(state);
    }

    [[nodiscard]] int read_end() const noexcept { return pipe_.first.get(); }

  private:
    static constexpr int unused = -1;
    static constexpr std::size_t most_engines = 64;

    struct State {
        State() {
            for (auto& end : write_ends) end = unused;
        }
        std::mutex mutex;
        std::array<std::atomic<int>, most_engines> write_ends;
        std::atomic<int> handlers_at_work = 0;
        int users = 0;
        struct sigaction previous_int{};
        struct sigaction previous_term{};
    };

    static State& shared() {
        static State state;
        return state;
    }

    static std::size_t free_slot(const State& state) {
        for (std::size_t i = 0; i < state.write_ends.size(); ++i) {
            if (state.write_ends[i] == unused) return i;
        }
        throw std::length_error("more than 64 engines handle signals: set Config::handle_signals = false");
    }

    // Only what is safe in a signal handler: lock-free atomics and write. The state exists before it is
    // installed.
    static void on_signal(int) noexcept {
        const int saved_errno = errno;
        State& state = shared();
        ++state.handlers_at_work;
        for (const auto& end : state.write_ends) {
            const int fd = end;
            if (fd != unused) static_cast<void>(sys::write(fd, "", 1));
        }
        --state.handlers_at_work;
        errno = saved_errno;
    }

    static void install(State& state) noexcept {
        struct sigaction action{};
        action.sa_handler = &on_signal;
        action.sa_flags = SA_RESTART;
        ::sigemptyset(&action.sa_mask);
        ::sigaction(SIGINT, &action, &state.previous_int);
        ::sigaction(SIGTERM, &action, &state.previous_term);
    }

    static void restore(const State& state) noexcept {
        ::sigaction(SIGINT, &state.previous_int, nullptr);
        ::sigaction(SIGTERM, &state.previous_term, nullptr);
    }

    std::pair<FileDescriptor, FileDescriptor> pipe_;
    std::size_t slot_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
