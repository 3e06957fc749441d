// Event: a flag that coroutines wait for, and the message of a stream of events. One class is both, because
// both are called an event wherever they are used; a program seldom has one that is.
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

/// A flag: coroutines that await it go on when it is set. For one reactor's thread; it must outlive its
/// waiters.
///
///     Event opened;
///     co_await opened.wait();  // in one coroutine
///     opened.set();            // in another
///
/// Or what an EventStream sends:
///
///     co_await events.send(Event("7 of 9").name("progress").id(7));
///
/// A copy has the message and is set if the original is. It has no waiters.
class Event {
  public:
    Event() noexcept;
    /// An event with this data; each of its lines, whatever they end with, becomes a line of data.
    explicit Event(std::string data);
    /// An event whose data is JSON.
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
    /// Resumes the waiters of this one if the other is set.
    Event& operator=(const Event& other);
    Event& operator=(Event&& other) noexcept;
    ~Event();

    // --- The flag ---

    /// Resumes all waiters. Until `reset`, later calls of `wait` do not wait.
    void set() noexcept { flag_.set(); }
    void reset() noexcept { flag_.reset(); }
    [[nodiscard]] bool is_set() const noexcept { return flag_.is_set(); }
    /// Waits until the event is set. Throws Cancelled.
    [[nodiscard]] auto wait() noexcept { return flag_.wait(); }

    // --- The message ---

    /// What kind of event it is, for which a browser has listeners: addEventListener(name, ...). Throws
    /// std::invalid_argument on CR, LF and NUL.
    Event& name(std::string text) &;
    Event&& name(std::string text) && { return std::move(name(std::move(text))); }
    /// What a client that comes again sends as Last-Event-ID. Throws as `name` does.
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
    /// After how long a client that has lost its connection comes again. Throws std::invalid_argument if it
    /// is negative.
    template <class Rep, class Period>
    Event& retry(std::chrono::duration<Rep, Period> time) & {
        set_retry(time < time.zero() ? detail::Clock::duration(-1) : detail::to_clock(time));
        return *this;
    }
    template <class Rep, class Period>
    Event&& retry(std::chrono::duration<Rep, Period> time) && {
        return std::move(retry(time));
    }
    /// What was set by it.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept;

    /// The message as it is sent, with the empty line at its end; "" for a flag.
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
