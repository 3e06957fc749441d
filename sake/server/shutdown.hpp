// Shutdown: the way of a run to its end. A graceful stop lets what is in flight finish, within the grace; a
// second wish, or the end of the grace, cuts it off.
//
//   serving --begin_drain--> draining --stop_now, grace over--> forced --a second later--> over
//
// A drain that leaves nothing in flight is over at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <new>
#include <string_view>

#include "sake/app/carrier.hpp"
#include "sake/async/event.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/spawn.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/server/acceptor.hpp"
#include "sake/server/session.hpp"
#include "sake/server/shard.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// For the shard's thread.
class Shutdown {
  public:
    /// What it stops. The carrier may be null.
    Shutdown(Shard& shard, OwningList<Acceptor>& acceptors, Carrier* carrier)
        : shard_(shard), acceptors_(acceptors), carrier_(carrier) {
        spawn_on(shard.reactor, end_grace(*this)).detach();
    }
    Shutdown(const Shutdown&) = delete;
    Shutdown& operator=(const Shutdown&) = delete;

    [[nodiscard]] bool has_begun() const noexcept { return shard_.is_draining(); }
    /// Whether something in flight was cut off.
    [[nodiscard]] bool was_forced() const noexcept { return shard_.stage == StopStage::forced; }

    /// Whether nothing is left to wait for. A handler in the pool is waited for, since it uses what the
    /// program owns.
    [[nodiscard]] bool is_over() const noexcept {
        if (has_given_up_) return true;
        if (!has_begun() || shard_.sessions.count() != 0) return false;
        return (carrier_ == nullptr || carrier_->stats().running == 0) && has_ended_accepting();
    }

    /// Stops gracefully.
    void begin_drain() noexcept {
        if (has_begun()) return;
        shard_.stage = StopStage::draining;
        if (carrier_ != nullptr) carrier_->request_stop();
        for (Acceptor* each = acceptors_.first(); each != nullptr; each = each->next) each->begin_drain();
        shard_.sessions.for_each([](Session& session) { session.begin_drain(); });
        drain_began_.set();
    }

    /// Cuts off what is in flight. Handlers are cancelled once and have a second to clean up.
    Task<> stop_now() {
        if (was_forced()) co_return;
        begin_drain();
        const bool is_busy = shard_.sessions.count() != 0 || !has_ended_accepting();
        if (is_busy) {
            shard_.stage = StopStage::forced;
            log_open_sessions(LogLevel::warning, "stopping at once");
        }
        shard_.room.set();  // for an acceptor that waits to accept more
        shard_.sessions.for_each([](Session& session) { session.abandon(503, "the server is stopping"); });
        try {
            co_await sleep(std::chrono::seconds(1));
        } catch (const std::bad_alloc&) {
            // No memory for the timer: then there is no second.
        }
        has_given_up_ = true;
    }

    void log_open_sessions(LogLevel level, std::string_view what) const noexcept {
        char text[96];
        std::snprintf(text, sizeof text, ", connections open: %zu", shard_.sessions.count());
        log_quietly(shard_.config.log, level, what, text);
    }

  private:
    static Task<> end_grace(Shutdown& self) {
        co_await self.drain_began_.wait();
        try {
            co_await sleep(self.shard_.config.shutdown_grace);
        } catch (const std::bad_alloc&) {
            // No memory for the timer: then there is no grace.
        }
        co_await self.stop_now();
    }

    [[nodiscard]] bool has_ended_accepting() const noexcept {
        const Acceptor* each = acceptors_.first();
        while (each != nullptr && each->has_ended()) each = each->next;
        return each == nullptr;
    }

    Shard& shard_;
    OwningList<Acceptor>& acceptors_;
    Carrier* carrier_;
    Event drain_began_;
    bool has_given_up_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
