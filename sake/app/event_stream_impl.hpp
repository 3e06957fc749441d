// What sends the events of an EventStream, and the comments that keep a silent stream alive.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answerer.hpp"
#include "sake/app/body_writer_impl.hpp"
#include "sake/app/call.hpp"
#include "sake/app/client_wait_impl.hpp"
#include "sake/app/config.hpp"
#include "sake/app/context.hpp"
#include "sake/app/event_impl.hpp"
#include "sake/app/event_stream.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/event_text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What the EventStream and those who wait for its client share: the answer, and how long it was silent. They
/// own it together, since a task that waits may outlive the stream.
class EventSender : public Counted, private Timer {
  public:
    explicit EventSender(Call& call)
        : Timer(&silence_is_over),
          call_(call),
          config_(call.answerer->config()),
          reactor_(*Reactor::current()),
          jitter_(seed()) {
        hint_retry(std::chrono::milliseconds(2500));
        call.answerer->farewell = farewell_;
        listen_to_silence();
    }
    ~EventSender() { stop_listening(); }

    [[nodiscard]] const CallHandle& call() const noexcept { return call_; }

    /// As Answerer::write, behind what is left of a comment. `retry` is of the event, and counts as soon as
    /// all of that is on its way.
    bool write(std::string_view& text, const std::optional<std::chrono::milliseconds>& retry) {
        Answerer& answerer = *call_.running().answerer;
        if (!comment_.empty() && !answerer.write(comment_)) return false;
        const bool is_sent = answerer.write(text);
        // A client would take a hint in the middle of an event for a part of it.
        if (text.empty()) {
            if (retry) hint_retry(*retry);
            answerer.farewell = farewell_;
        } else {
            answerer.farewell.clear();
        }
        if (is_sent) listen_to_silence();
        return is_sent;
    }
    /// Somebody waits to write on: no comment is needed meanwhile.
    void set_waiting(bool on) noexcept { is_waiting_ = on; }
    /// The stream is destroyed: no comments any more, unless somebody who shares this sends something.
    void stop_listening() noexcept {
        if (is_set()) reactor_.timers().cancel(*this);  // otherwise the reactor may have ended
    }

  private:
    // At a stop, the client is told to come again after so long or somewhat longer, so that not all clients
    // come at once.
    void hint_retry(std::chrono::milliseconds time) {
        constexpr std::int64_t longest = std::int64_t{1} << 48;
        const std::int64_t least = time.count() < longest ? time.count() : longest;
        const auto more = static_cast<std::int64_t>(jitter_ % static_cast<std::uint64_t>(least * 4 / 5 + 1));
        farewell_ = "retry: " + std::to_string(least + more) + "\n\n";
    }

    // Different for each stream; nothing depends on its being hard to guess.
    [[nodiscard]] std::uint64_t seed() const noexcept {
        auto mixed = static_cast<std::uint64_t>(reactor_.present().time_since_epoch().count()) ^
                     cast_to<std::uint64_t>(reinterpret_cast<std::uintptr_t>(this));
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
        return mixed ^ (mixed >> 31);
    }

    void listen_to_silence() {
        is_stalled_ = false;
        reactor_.timers().set(*this, reactor_.deadline_in(config_.event_keep_alive));
    }
    static void silence_is_over(Timer& timer) noexcept { static_cast<EventSender&>(timer).break_silence(); }

    // What is thrown here is thrown at the handler's next write as well: the call was cut off, or there is no
    // memory.
    void break_silence() noexcept {
        Call* const call = call_.get();
        if (call == nullptr) return;  // a task that the handler left behind has the stream
        try {
            Answerer& answerer = *call->answerer;
            if (!is_waiting_ && comment_.empty()) comment_ = ":\n\n";
            if (is_waiting_ || answerer.write(comment_)) return listen_to_silence();
            const TimePoint present = reactor_.present();
            if (!std::exchange(is_stalled_, true)) stalled_since_ = present;
            const std::chrono::milliseconds most = config_.write_timeout;
            if (present - stalled_since_ >= most) {
                if (answerer.prolong_or_give_up() == TimePoint{}) return;
                stalled_since_ = present;
            }
            reactor_.timers().set(*this, reactor_.deadline_in(std::min(most, config_.event_keep_alive)));
        } catch (...) {
        }
    }

    const CallHandle call_;
    const Config& config_;
    Reactor& reactor_;
    const std::uint64_t jitter_;
    std::string farewell_;
    std::string_view comment_;  // what is left to be sent of one
    TimePoint stalled_since_{};
    bool is_stalled_ = false;  // the client has not taken the last comment
    bool is_waiting_ = false;
};

SAKE_INLINE EventWait::EventWait(CountedPtr<EventSender> sender, EventBytes&& events) noexcept
    : sender_(std::move(sender)), events_(std::move(events)), left_(events_.text) {}
SAKE_INLINE EventWait::~EventWait() = default;

SAKE_INLINE void EventWait::await_resume() { throw_failure(); }

SAKE_INLINE bool EventWait::try_write() {
    return events_.text.empty() || sender_->write(left_, events_.retry);
}
SAKE_INLINE TimePoint EventWait::listen_for_room() {
    Answerer& answerer = *sender_->call().running().answerer;
    sender_->set_waiting(true);
    return answerer.wait_for_room(*this);
}
SAKE_INLINE void EventWait::leave() noexcept {
    sender_->set_waiting(false);
    if (Call* const call = sender_->call().get()) call->answerer->stop_waiting();
}
SAKE_INLINE void EventWait::break_off() noexcept {
    Call* const call = sender_->call().get();
    if (call == nullptr || left_.empty()) return;
    if (left_.size() < events_.text.size() || call->answerer->owes()) call->answerer->break_off();
}
SAKE_INLINE TimePoint EventWait::prolong() {
    return sender_->call().running().answerer->prolong_or_give_up();
}

SAKE_INLINE SendEvents::SendEvents(CountedPtr<EventSender> sender, EventBytes&& events) noexcept
    : sender_(std::move(sender)), events_(std::move(events)) {}
SAKE_INLINE SendEvents::SendEvents(const SendEvents&) = default;
SAKE_INLINE SendEvents::SendEvents(SendEvents&&) noexcept = default;
SAKE_INLINE SendEvents& SendEvents::operator=(const SendEvents&) = default;
SAKE_INLINE SendEvents& SendEvents::operator=(SendEvents&&) noexcept = default;
SAKE_INLINE SendEvents::~SendEvents() = default;
SAKE_INLINE EventWait SendEvents::operator co_await() && noexcept {
    return EventWait(sender_, std::move(events_));
}

/// Makes the call's answer a stream of events.
inline Call& begin_events(Call& call) {
    begin_stream(call, "text/event-stream");
    http::Headers& headers = call.response.headers;
    if (!headers.contains("Cache-Control")) headers.set("Cache-Control", "no-cache");
    headers.set("X-Accel-Buffering", "no");  // has nginx and its like pass each event on at once
    return call;
}

}  // namespace detail

SAKE_INLINE EventStream::EventStream(detail::Call& call)
    : sender_(new detail::EventSender(detail::begin_events(call))) {
    detail::send_head(call);  // the sender's farewell decides what a stop makes of it
}
SAKE_INLINE EventStream::~EventStream() { sender_->stop_listening(); }

SAKE_INLINE detail::SendEvents EventStream::send(std::string_view data) {
    std::string text;
    detail::append_event_lines(text, "data: ", data);
    text += '\n';
    return write(std::move(text));
}
SAKE_INLINE detail::SendEvents EventStream::send(const Event& event) {
    return {sender_, {event.text(), event.retry()}};
}
SAKE_INLINE detail::SendEvents EventStream::comment(std::string_view text) {
    std::string lines;
    detail::append_event_comment(lines, text);
    return write(std::move(lines));
}
SAKE_INLINE std::string_view EventStream::last_event_id() {
    return sender_->call().running().context.header("Last-Event-ID");
}
SAKE_INLINE detail::SendEvents EventStream::write(std::string text) noexcept {
    return {sender_, detail::EventBytes{std::move(text)}};
}

SAKE_INLINE EventStream Context::events() { return EventStream(*call_); }

}  // namespace SAKE_ABI
}  // namespace sake
