// EventStream: sends server-sent events (WHATWG HTML, section 9.2) from a handler.
#pragma once

#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "sake/app/client_wait.hpp"
#include "sake/app/context.hpp"
#include "sake/app/event.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/json.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

class EventStream;

namespace detail {

class EventSender;
struct Call;

/// One or more events as they are sent.
struct EventBytes {
    std::string text;
    std::optional<std::chrono::milliseconds> retry = std::nullopt;  // which they tell the client
};

class [[nodiscard]] EventWait final : public ClientWait {
  public:
    EventWait(CountedPtr<EventSender> sender, EventBytes&& events) noexcept;
    EventWait(const EventWait&) = delete;
    EventWait& operator=(const EventWait&) = delete;
    ~EventWait();
    void await_resume();
    void describe(std::string& out) const override { out += "a client to take an event"; }

  private:
    bool try_now() override { return try_write(); }
    TimePoint wake_later() override { return listen_for_room(); }
    void stop_waiting() noexcept override { leave(); }
    void give_up_rest() noexcept override { break_off(); }
    TimePoint be_late() override { return prolong(); }

    // What the virtual functions do. They stay in the class, so that its vtable is where it is used.
    bool try_write();
    TimePoint listen_for_room();
    void leave() noexcept;
    void break_off() noexcept;
    TimePoint prolong();

    const CountedPtr<EventSender> sender_;
    const EventBytes events_;
    std::string_view left_;
};

/// Events that are to be sent. Awaiting it makes its wait.
class [[nodiscard("nothing is sent until it is awaited: co_await it")]] SendEvents {
  public:
    SendEvents(CountedPtr<EventSender> sender, EventBytes&& events) noexcept;
    SendEvents(const SendEvents&);
    SendEvents(SendEvents&&) noexcept;
    SendEvents& operator=(const SendEvents&);
    SendEvents& operator=(SendEvents&&) noexcept;
    ~SendEvents();
    [[nodiscard]] EventWait operator co_await() && noexcept;

  private:
    CountedPtr<EventSender> sender_;
    EventBytes events_;
};

}  // namespace detail

/// What Context::events returns: an answer of server-sent events, which lasts until the handler ends. Every
/// send waits while the client reads slowly. It throws Cancelled when the client disconnects or reads nothing
/// for too long. One send at a time: a send that begins while another waits throws std::logic_error.
///
/// After Config::event_keep_alive of silence, a comment is sent, so that proxies do not close an idle
/// connection. When the server stops, the client is told to reconnect after a few seconds.
class EventStream {
  public:
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;
    ~EventStream();

    /// Sends an event with this data, of any number of lines.
    [[nodiscard]] detail::SendEvents send(std::string_view data);
    /// Sends an event with a name, an id or a retry time. An event without a message sends nothing.
    [[nodiscard]] detail::SendEvents send(const Event& event);
    /// Sends an event whose data is JSON, of any type that nlohmann/json converts.
    template <std::same_as<Json> Value = Json>
    [[nodiscard]] detail::SendEvents send_json(const std::type_identity_t<Value>& value) {
        return send(Event::json<Value>(value));
    }
    template <detail::HasShape T>
    [[nodiscard]] detail::SendEvents send_json(const T& value) {
        return send(Event::json(value));
    }
    /// Sends a comment, which clients ignore.
    [[nodiscard]] detail::SendEvents comment(std::string_view text = {});

    /// The id of the last event that this client received, as it reports; "" if it reports none. Valid until
    /// the handler ends; later calls throw std::logic_error.
    [[nodiscard]] std::string_view last_event_id();

  private:
    friend class Context;
    friend class Hub;
    explicit EventStream(detail::Call& call);
    [[nodiscard]] detail::SendEvents write(std::string text) noexcept;

    const detail::CountedPtr<detail::EventSender> sender_;
};

}  // namespace SAKE_ABI
}  // namespace sake
