// Shutdown: the way of a run to its end. A graceful stop lets what is in flight finish, within the grace; a
// second signal, or the end of the grace, cuts it off.
//
//   serving --begin_drain--> draining --stop_now, grace over--> forced --a second later--> over
//
// A drain that leaves nothing in flight is over at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <new>
#include <string>

#include "sake/app/carrier.hpp"
#include "sake/async/flag.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/spawn.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/server/acceptor.hpp"
#include "sake/server/life.hpp"
#include "sake/server/session.hpp"
#include "sake/server/shard.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// For the shard's thread.
class Shutdown {
  public:
    /// What it stops. Carrier and life may be null.
    Shutdown(Shard& shard, OwningList<Acceptor>& acceptors, Carrier* carrier, Life* life)
        : shard_(shard), acceptors_(acceptors), carrier_(carrier), life_(life) {}
    Shutdown(const Shutdown&) = delete;
    Shutdown& operator=(const Shutdown&) = delete;

    /// From now on the end of the grace is looked after. Once.
    void start() { spawn_on(shard_.reactor, end_grace(*this)).detach(); }

    [[nodiscard]] bool has_begun() const noexcept { return shard_.is_draining(); }
    /// Whether something in flight was cut off.
    [[nodiscard]] bool was_forced() const noexcept { return shard_.stage == StopStage::forced; }

    /// Whether nothing is left to wait for. A handler in the pool is waited for, since it uses what the
    /// program owns.
    [[nodiscard]] bool is_over() const noexcept {
        if (has_given_up_) return true;
        if (!has_begun() || shard_.sessions.count() != 0) return false;
        if (life_ != nullptr && !life_->is_over()) return false;
        return (carrier_ == nullptr || carrier_->stats().running == 0) && has_ended_accepting();
    }

    /// Stops gracefully. The log says what is waited for, with this hint, and what closes.
    void begin_drain(const char* hint = "") noexcept {
        if (has_begun()) return;
        shard_.stage = StopStage::draining;
        if (carrier_ != nullptr) carrier_->request_stop();
        for (Acceptor* each = acceptors_.first(); each != nullptr; each = each->next) each->begin_drain();
        OpenSessions open;
        shard_.sessions.for_each([&](Session& session) {
            open.count(session);
            session.begin_drain();
        });
        log_drain(open, hint);
        drain_began_.set();
        shard_.draining.request_stop();
        if (life_ != nullptr) life_->begin_stop();
    }

    /// Cuts off what is in flight, and says why. Handlers are cancelled once and have a
    /// second to clean up.
    Task<> stop_now(const char* why, std::chrono::milliseconds clean_up = std::chrono::seconds(1)) {
        if (was_forced()) co_return;
        begin_drain();
        const bool is_busy =
            shard_.sessions.count() != 0 || !has_ended_accepting() || (life_ != nullptr && !life_->is_over());
        if (is_busy) {
            shard_.stage = StopStage::forced;
            log_cut(why);
        }
        shard_.room.set();  // for an acceptor that waits to accept more
        shard_.sessions.for_each([](Session& session) { session.abandon(503, "the server is stopping"); });
        if (life_ != nullptr) life_->cut_off();
        try {
            co_await sleep(clean_up);
        } catch (const std::bad_alloc&) {
            // No memory for the timer: then there is no second.
        }
        has_given_up_ = true;
    }

  private:
    struct OpenSessions {
        std::size_t requests = 0, websockets = 0, idle = 0;
        void count(const Session& session) noexcept {
            const bool is_websocket = session.phase() == SessionPhase::websocket;
            ++(!session.is_busy() ? idle : is_websocket ? websockets : requests);
        }
    };

    // "2 requests"
    static std::string count_of(std::size_t count, const char* what) {
        return std::to_string(count).append(" ").append(what).append(count == 1 ? "" : "s");
    }

    // "stopping: waiting up to 30 s for 2 requests and 1 function (every at main.cpp:12), closing 5 idle
    // connections; a second signal stops at once"
    void log_drain(const OpenSessions& open, const char* hint) const noexcept {
        try {
            const std::string busy = describe_busy(open);
            if (busy.empty() && open.idle == 0) return;
            std::string text = "stopping: ";
            if (!busy.empty()) {
                const auto grace = shard_.config.shutdown_grace.count();
                const bool is_in_seconds = grace % 1000 == 0;
                text.append("waiting up to ").append(std::to_string(is_in_seconds ? grace / 1000 : grace));
                text.append(is_in_seconds ? " s for " : " ms for ").append(busy);
            }
            if (!busy.empty() && open.idle != 0) text += ", ";
            if (open.idle != 0) text.append("closing ").append(count_of(open.idle, "idle connection"));
            if (!busy.empty()) text += hint;
            log_quietly(shard_.config.log, LogLevel::info, text, {});
        } catch (const std::bad_alloc&) {
            // No memory for the line.
        }
    }

    // "2 requests and 1 WebSocket and 1 function (every at main.cpp:12)"
    std::string describe_busy(const OpenSessions& open) const {
        std::string text;
        const auto add = [&text](std::size_t count, const char* what) {
            if (count != 0) text.append(text.empty() ? "" : " and ").append(count_of(count, what));
        };
        const std::size_t beside = life_ != nullptr ? life_->running() : 0;
        add(open.requests, "request");
        add(open.websockets, "WebSocket");
        add(beside, "function");
        if (beside == 0) return text;
        text += " (";
        life_->describe_running(text);
        return text += ')';
    }

    void log_cut(const char* why) const noexcept {
        const std::size_t count = shard_.sessions.count();
        try {
            const std::string cut = count != 0 ? ": cutting off " + count_of(count, "connection") : "";
            log_quietly(shard_.config.log, LogLevel::warning, why, cut);
        } catch (const std::bad_alloc&) {
            log_quietly(shard_.config.log, LogLevel::warning, why, {});
        }
    }

    static Task<> end_grace(Shutdown& self) {
        co_await self.drain_began_.wait();
        try {
            co_await sleep(self.shard_.config.shutdown_grace);
        } catch (const std::bad_alloc&) {
            // No memory for the timer: then there is no grace.
        }
        co_await self.stop_now("stopping at once, Config::shutdown_grace is over");
    }

    [[nodiscard]] bool has_ended_accepting() const noexcept {
        const Acceptor* each = acceptors_.first();
        while (each != nullptr && each->has_ended()) each = each->next;
        return each == nullptr;
    }

    Shard& shard_;
    OwningList<Acceptor>& acceptors_;
    Carrier* carrier_;
    Life* life_;
    Flag drain_began_;
    bool has_given_up_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
