// Acceptor: accepts the connections of one listener. It pauses when descriptors or memory run out, and at
// max_connections it makes room by closing the session that was idle for longest.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/flag.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/spawn.hpp"
#include "sake/base/array.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/accept.hpp"
#include "sake/io/listener.hpp"
#include "sake/server/h1_waiting.hpp"
#include "sake/server/session.hpp"
#include "sake/server/shard.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Sets a flag at a given time.
class FlagTimer : private Timer {
  public:
    FlagTimer(Reactor& reactor, Flag& flag) noexcept
        : Timer([](Timer& timer) noexcept { static_cast<FlagTimer&>(timer).flag_.set(); }),
          reactor_(reactor),
          flag_(flag) {}
    ~FlagTimer() { reactor_.timers().cancel(*this); }
    void set(TimePoint moment) { reactor_.timers().set(*this, moment); }

  private:
    Reactor& reactor_;
    Flag& flag_;
};

class Acceptor {
  public:
    /// For a listening socket; `use` hands over its listener. Begins in the next turn of the loop. If there
    /// is no listener by then, it ends. Throws std::system_error if the reactor cannot watch the socket.
    Acceptor(Shard& shard, int listening)
        : shard_(shard),
          watch_(new Watch(shard.reactor, listening)),
          look_again_(shard.reactor, shard.room),
          loop_(spawn_on(shard.reactor, run())) {}
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// Hands over the listener. Its socket closes when accepting has ended.
    void use(Listener listener) noexcept { listener_ = std::move(listener); }
    [[nodiscard]] const Listener& listener() const noexcept { return listener_; }

    /// A stop has begun: accepts the connections that the kernel has queued, then ends.
    void begin_drain() { loop_.cancel(); }
    [[nodiscard]] bool has_ended() const noexcept { return loop_.is_done(); }
    Acceptor* next = nullptr;  // in the list of its run

    /// How many connections it has accepted.
    [[nodiscard]] std::uint64_t accepted() const noexcept { return static_cast<std::uint64_t>(accepted_); }

  private:
    enum class Outcome : std::uint8_t { drained, some, full, no_resources };
    static constexpr std::string_view cannot_accept = "cannot accept connections for the moment: ";

    Task<> run() {
        if (listener_.socket) {
            // At a stop, connections that the kernel has accepted are served: closing would reset them. They
            // are at most its queue; new clients may keep arriving meanwhile.
            std::int64_t left_at_stop = 2 * std::int64_t{shard_.config.listen_backlog} + 1;
            while (left_at_stop > 0 && shard_.stage != StopStage::forced) {
                try {
                    if (!shard_.is_draining()) {
                        const bool is_ready = co_await wait_readable(*watch_);
                        if (!is_ready && !shard_.is_draining()) break;
                    }
                    const std::int64_t before = accepted_;
                    const Outcome outcome = accept_and_make_room(*watch_);
                    if (shard_.is_draining()) left_at_stop -= accepted_ - before;
                    if (shard_.is_draining() && outcome == Outcome::drained) break;
                    if (outcome == Outcome::full) {
                        shard_.room.reset();
                        // Named, as what follows: GCC 12 names temporaries otherwise in each translation
                        // unit.
                        auto room = shard_.room.wait();
                        co_await room;
                        shard_.wants_room = false;
                        continue;
                    }
                    if (outcome == Outcome::no_resources) {
                        try {
                            auto pause = sleep(std::chrono::milliseconds(100));
                            co_await pause;
                        } catch (const std::bad_alloc&) {
                            // No memory even for the timer: the pause is one turn of the loop.
                        }
                    }
                    auto turn = yield();
                    co_await turn;
                } catch (const Cancelled&) {
                    if (!shard_.is_draining()) break;
                }
            }
        }
        close();
    }
    void close() noexcept {
        watch_.reset();
        const Listener closing(std::move(listener_));
    }

    // A lack of memory is handled like a lack of descriptors.
    Outcome accept_and_make_room(Watch& watch) noexcept {
        try {
            const Outcome outcome = accept_some(watch);
            if (outcome == Outcome::full) {
                make_room();
                // The chosen session may have to wait for its client, while another becomes idle.
                look_again_.set(shard_.reactor.now() + std::chrono::milliseconds(100));
                if (full_warning_.take_turn(shard_.reactor.now(), std::chrono::seconds(10))) {
                    log_quietly(shard_.config.log, LogLevel::warning,
                                "the limit Config::max_connections is reached: ",
                                "idle connections are closed, and new clients wait");
                }
            }
            return outcome;
        } catch (const std::exception& error) {
            log_quietly(shard_.config.log, LogLevel::error, cannot_accept, error.what());
            return Outcome::no_resources;
        }
    }

    // A limited number at a time, so that a flood of connections does not block the others.
    static constexpr int most_accepts = 64;
    Outcome accept_some(Watch& watch) {
        for (int i = 0; i < most_accepts; ++i) {
            if (shard_.is_full()) {
                if (sys::is_ready(watch.fd(), POLLIN)) return Outcome::full;
                watch.drained();
                return Outcome::drained;
            }
            Accepted accepted = accept_one(watch);
            if (accepted.kind == Accepted::Kind::drained) return Outcome::drained;
            if (accepted.kind == Accepted::Kind::accepted) serve(accepted);
            if (accepted.kind == Accepted::Kind::no_resources) {
                // Linux takes a descriptor before it checks for a waiting client.
                if (shard_.is_draining() && !sys::is_ready(watch.fd(), POLLIN)) return Outcome::drained;
                if (no_resources_warning_.take_turn(shard_.reactor.now(), std::chrono::seconds(10))) {
                    log_quietly(shard_.config.log, LogLevel::warning, cannot_accept,
                                std::generic_category().message(accepted.error));
                }
                return Outcome::no_resources;
            }
        }
        return Outcome::some;
    }

    // A connection that cannot be served, because memory or room in the poller is missing, counts as not
    // accepted.
    void serve(Accepted& accepted) {
        ++accepted_;
        try {
            H1Connection::serve(shard_, std::move(accepted.socket), accepted.peer);
            shard_.reactor.check_stall();  // its first request may be here already
        } catch (const std::bad_alloc&) {
            accepted.kind = Accepted::Kind::no_resources;
            accepted.error = ENOMEM;
        } catch (const std::system_error& error) {
            accepted.kind = Accepted::Kind::no_resources;
            accepted.error = error.code().value();
        }
    }

    // Closes the session that was idle for longest; if there are many, a few at once, because the search
    // visits all. If none is idle, the first to become idle closes.
    void make_room() {
        struct Idle {
            bool is_read_slowly;  // it would not make room at once
            TimePoint since;
            std::size_t position;  // of sessions that became idle in the same turn, the oldest goes first
            Session* session;
        };
        Array<Idle> idle;
        shard_.sessions.for_each([&](Session& session) {
            if (const auto since = session.idle_since()) {
                idle.push_back({session.is_read_slowly(), *since, idle.size(), &session});
            }
        });
        shard_.wants_room = idle.empty();
        const std::size_t count = (idle.size() + 63) / 64;
        const auto goes_first = [](const Idle& a, const Idle& b) {
            if (a.is_read_slowly != b.is_read_slowly) return b.is_read_slowly;
            return a.since != b.since ? a.since < b.since : a.position < b.position;
        };
        const auto last = idle.begin() + static_cast<std::ptrdiff_t>(count);
        std::partial_sort(idle.begin(), last, idle.end(), goes_first);
        for (auto each = idle.begin(); each != last; ++each) each->session->make_room();
    }

    Shard& shard_;
    Listener listener_;
    OwningPtr<Watch> watch_;
    FlagTimer look_again_;
    PacedWarning no_resources_warning_;
    PacedWarning full_warning_;
    std::int64_t accepted_ = 0;
    JoinHandle<void> loop_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
