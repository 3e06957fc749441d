// SignalRelay: passes SIGINT and SIGTERM to every engine that handles signals. Signals belong to the process,
// so this is process-wide state; it exists only while an engine runs. A forked child has a copy of it, which
// must have no effect.
#pragma once

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "sake/async/reactor.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/standard_error.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A text of bounded length, to be made where nothing may be allocated. What does not fit is left out.
class BoundedText {
  public:
    void append(std::string_view text) noexcept {
        const std::size_t piece = std::min(text.size(), bytes_.size() - size_);
        std::copy_n(text.data(), piece, bytes_.data() + size_);
        size_ += piece;
    }
    [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

  private:
    std::array<char, 1024> bytes_;
    std::size_t size_ = 0;
};

/// While it lives, each request to stop makes one byte readable at `read_end`: a SIGINT or SIGTERM, together
/// with those that follow within half a second, because supervisors and `timeout` signal both the process and
/// its group. The last relay restores the program's own handling. A signal that the program ignores stays
/// ignored: whoever started it, such as nohup or a shell with a background job, has set it so.
class SignalRelay {
  public:
    SignalRelay() : pipe_(sys::make_pipe()), process_(::getpid()) {
        State& state = shared();
        const std::lock_guard lock(state.mutex);
        if (state.users != 0 && state.process != process_) forget_parent(state);
        slot_ = free_slot(state);
        state.places[slot_].last_wish = no_wish;
        state.places[slot_].is_unheard = false;
        state.places[slot_].loop = nullptr;
        state.places[slot_].write_end = pipe_.second.get();
        if (state.users++ == 0) install(state);
    }
    SignalRelay(const SignalRelay&) = delete;
    SignalRelay& operator=(const SignalRelay&) = delete;
    ~SignalRelay() {
        if (process_ != ::getpid()) return;  // a child's copy
        State& state = shared();
        const std::lock_guard lock(state.mutex);
        state.places[slot_].write_end = unused;
        // A signal handler on another thread may still use the number of our pipe.
        while (state.readers != 0) std::this_thread::yield();
        if (--state.users == 0) restore(state);
    }

    [[nodiscard]] int read_end() const noexcept { return pipe_.first.get(); }

    /// The loop has seen the last request. A request that it has not seen by the next one ends the process.
    void take_notice() noexcept { shared().places[slot_].is_unheard = false; }
    /// From any thread.
    [[nodiscard]] bool has_unheard() const noexcept { return shared().places[slot_].is_unheard; }

    /// From now on the last words of the process name what holds this loop; null: no longer.
    void watch(const Reactor* loop) noexcept {
        if (process_ != ::getpid()) return;  // a child's copy
        State& state = shared();
        state.places[slot_].loop = loop;
        while (state.readers != 0) std::this_thread::yield();  // the loop before may be destroyed after this
    }
    /// "GET /slow (main.cpp:12) holds the event loop", from any thread, with the route if it is known.
    [[nodiscard]] BoundedText what_holds_the_loop() const noexcept {
        State& state = shared();
        ++state.readers;
        const BoundedText text = text_of(state.places[slot_]);
        --state.readers;
        return text;
    }

  private:
    static constexpr int unused = -1;
    static constexpr std::size_t most_engines = 64;

    static constexpr std::uint32_t no_wish = 0;

    struct Slot {
        std::atomic<int> write_end = unused;
        std::atomic<std::uint32_t> last_wish = no_wish;  // when it began
        std::atomic<bool> is_unheard = false;            // the loop has yet to take notice of it
        std::atomic<const Reactor*> loop = nullptr;      // whose work is to be named
    };
    struct Handled {
        int signal;
        struct sigaction previous;
        [[nodiscard]] bool is_ignored() const noexcept {
            return (previous.sa_flags & SA_SIGINFO) == 0 && previous.sa_handler == SIG_IGN;
        }
    };
    struct State {
        std::mutex mutex;
        std::array<Slot, most_engines> places;
        std::atomic<int> readers = 0;    // of what the places point to, most of them signal handlers
        std::atomic<pid_t> process = 0;  // whose signals are handled
        int users = 0;
        std::array<Handled, 2> handled{{{SIGINT, {}}, {SIGTERM, {}}}};
    };

    static State& shared() {
        static State state;
        return state;
    }

    static std::size_t free_slot(const State& state) {
        for (std::size_t i = 0; i < state.places.size(); ++i) {
            if (state.places[i].write_end == unused) return i;
        }
        throw std::length_error("more than 64 engines handle signals: set Config::handle_signals = false");
    }

    // Only what is safe in a signal handler: lock-free atomics and a few system calls. The state exists
    // before it is installed.
    static void on_signal(int signal) noexcept {
        const int saved_errno = errno;
        State& state = shared();
        if (state.process == ::getpid()) {
            ++state.readers;
            for (Slot& slot : state.places) {
                const int fd = slot.write_end;
                if (fd == unused || !is_new_wish(slot)) continue;
                if (slot.is_unheard.exchange(true)) end_process(slot);
                static_cast<void>(sys::write(fd, "", 1));
            }
            --state.readers;
        } else {
            // A forked child: its pipes lead to the parent, or their numbers are those of other files by now.
            // It gets the signal as if no engine ran, when this handler returns.
            for (const Handled& each : state.handled) {
                if (each.signal == signal) ::sigaction(signal, &each.previous, nullptr);
            }
            ::kill(::getpid(), signal);
        }
        errno = saved_errno;
    }

    // A second wish, and the loop has not come by since the first.
    [[noreturn]] static void end_process(const Slot& slot) noexcept {
        BoundedText line;
        line.append("sake: error: the process exits now, by a second signal: ");
        line.append(text_of(slot).view());
        line.append("\n");
        standard_error.write_line(line.view());
        ::_exit(1);
    }
    static BoundedText text_of(const Slot& slot) noexcept {
        BoundedText text;
        const Reactor* const loop = slot.loop;
        const std::string_view name = loop != nullptr ? loop->present_work() : std::string_view();
        constexpr std::size_t most = 800;  // so that what follows has room
        text.append(name.empty() ? std::string_view("a handler") : name.substr(0, most));
        text.append(" holds the event loop");
        return text;
    }

    static bool is_new_wish(Slot& slot) noexcept {
        constexpr std::uint32_t same_wish = 500;
        const std::uint32_t now = milliseconds();
        std::uint32_t last = slot.last_wish;
        if (last != no_wish && now - last < same_wish) return false;
        return slot.last_wish.compare_exchange_strong(last, now);  // or another thread's signal was first
    }
    // Odd, so never no_wish. Comes round after 50 days, which does not matter.
    static std::uint32_t milliseconds() noexcept {
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<std::uint32_t>(std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000) | 1U;
    }

    // For a child that runs an engine of its own.
    static void forget_parent(State& state) noexcept {
        for (Slot& slot : state.places) slot.write_end = unused;
        state.readers = 0;
        state.users = 0;
        restore(state);
    }

    static void install(State& state) noexcept {
        state.process = ::getpid();
        struct sigaction action{};
        action.sa_handler = &on_signal;
        action.sa_flags = SA_RESTART;
        ::sigemptyset(&action.sa_mask);
        for (Handled& each : state.handled) {
            ::sigaction(each.signal, nullptr, &each.previous);
            if (!each.is_ignored()) ::sigaction(each.signal, &action, nullptr);
        }
    }

    static void restore(const State& state) noexcept {
        for (const Handled& each : state.handled) {
            if (!each.is_ignored()) ::sigaction(each.signal, &each.previous, nullptr);
        }
    }

    std::pair<FileDescriptor, FileDescriptor> pipe_;
    pid_t process_;
    std::size_t slot_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
