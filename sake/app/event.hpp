// Event: a flag that coroutines wait for, and also one message of an event stream. One class serves both
// because both are commonly called an event.
#pragma once

#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/async/flag.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_types.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {
struct EventFields;
}

/// A flag: coroutines that wait for it go on when it is set. For the thread of one reactor. It must outlive
/// its waiters.
///
///     Event opened;
///     co_await opened.wait();  // in one coroutine
///     opened.set();            // in another
///
/// Also one message for an EventStream:
///
///     co_await events.send(Event("7 of 9").name("progress").id(7));
///
/// A copy has the message, and is set if the original is set. It has no waiters.
class Event {
  public:
    Event() noexcept;
    /// A message with this data. Each line of it, whatever its line end, becomes one `data:` line.
    explicit Event(std::string data);
    /// A message whose data is JSON.
    template <std::same_as<Json> Value = Json>
    [[nodiscard]] static Event json(const std::type_identity_t<Value>& value) {
        return Event(dump_json<Value>(value));
    }
    template <detail::HasShape T>
    [[nodiscard]] static Event json(const T& value) {
        return Event(dump_json(value));
    }

    Event(const Event& other);
    Event(Event&& other) noexcept;
    /// Copies message and flag. If `other` is set, the waiters of this event resume.
    Event& operator=(const Event& other);
    Event& operator=(Event&& other) noexcept;
    ~Event();

    // --- The flag ---

    /// Resumes all waiters. Until `reset`, later calls of `wait` return at once.
    void set() noexcept { flag_.set(); }
    /// Clears the flag: later waits wait until the next `set`.
    void reset() noexcept { flag_.reset(); }
    [[nodiscard]] bool is_set() const noexcept { return flag_.is_set(); }
    /// Waits until the event is set. Throws Cancelled.
    [[nodiscard]] auto wait() noexcept { return flag_.wait(); }

    // --- The message ---

    /// Sets the type of the message; a browser receives it by addEventListener(name, ...). Throws
    /// std::invalid_argument for CR, LF and NUL.
    Event& name(std::string text) &;
    Event&& name(std::string text) && { return std::move(name(std::move(text))); }
    /// Sets the id. A client that reconnects sends it back as Last-Event-ID. Throws as `name` does.
    Event& id(std::string text) &;
    Event&& id(std::string text) && { return std::move(id(std::move(text))); }
    template <std::integral Number>
    Event& id(Number number) & {
        return id(std::to_string(number));
    }
    template <std::integral Number>
    Event&& id(Number number) && {
        return std::move(id(std::to_string(number)));
    }
    /// Sets how long a client waits before it reconnects. Throws std::invalid_argument if the time is
    /// negative.
    template <class Rep, class Period>
    Event& retry(std::chrono::duration<Rep, Period> time) & {
        set_retry(time < time.zero() ? detail::Clock::duration(-1) : detail::to_clock(time));
        return *this;
    }
    template <class Rep, class Period>
    Event&& retry(std::chrono::duration<Rep, Period> time) && {
        return std::move(retry(time));
    }
    /// The retry time, if one was set.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept;

    /// The message as it is sent, with the empty line at its end; "" for an event without a message.
    [[nodiscard]] std::string text() const;

  private:
    using Message = detail::OwningPtr<detail::EventFields>;
    [[nodiscard]] static Message copy_of(const Event& other);
    [[nodiscard]] detail::EventFields& message();
    /// A negative one is refused.
    void set_retry(detail::Clock::duration time);

    detail::Flag flag_;
    Message message_;  // none for a flag
};

}  // namespace SAKE_ABI
}  // namespace sake
