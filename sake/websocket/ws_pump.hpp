// The subscriptions of a WebSocket: for each topic of a hub, a pump that sends what is published. What a pump
// reads is in server/hub_pump.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/websocket/websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// In the list of its link, which it keeps alive. An object and not a coroutine, since each subscriber has
/// one: a message that is published to thousands passes all of them.
class WsPump : protected Resumable {
  public:
    WsPump(WsLink& link, const void* hub, std::string_view topic) : hold_(link), hub_(hub), topic_(topic) {
        begin_waiting();
    }
    virtual ~WsPump() = default;

    [[nodiscard]] bool is_for(const void* hub, std::string_view topic) const noexcept {
        return state_ != State::over && hub_ == hub && topic_ == topic;
    }
    /// There may be something to send: it is resumed.
    void look_again() noexcept;
    /// The other side reads on.
    void tell_of_room() noexcept {
        if (state_ == State::held_up) look_again();
    }
    /// It sends nothing more. Whether it can be deleted now; if not, it deletes itself when it is resumed.
    [[nodiscard]] bool end() noexcept {
        state_ = State::over;
        return is_waiting();
    }

    WsPump* next = nullptr;

  protected:
    enum class Step : std::uint8_t { sent, nothing_there, over };

    [[nodiscard]] WsLink& link() const noexcept { return hold_.link(); }
    /// Sends one message. May throw.
    virtual Step send_next() = 0;
    /// Has `look_again` called when there is something to send, or never will be. May throw.
    virtual void await_next() = 0;

  private:
    enum class State : std::uint8_t { running, held_up, over };

    void resume() override { take_turn(); }
    void take_turn() noexcept;
    void send_all();

    WsHold hold_;
    const void* hub_;
    std::string topic_;
    State state_ = State::running;
};

/// The pumps of one link. On its thread.
class WsPumps {
  public:
    WsPumps() = default;
    WsPumps(const WsPumps&) = delete;
    WsPumps& operator=(const WsPumps&) = delete;

    [[nodiscard]] bool has(const void* hub, std::string_view topic) const noexcept {
        return find(hub, topic) != nullptr;
    }
    void add(OwningPtr<WsPump> pump) noexcept { pumps_.push_front(pump.release()).look_again(); }
    void remove(const void* hub, std::string_view topic) noexcept {
        WsPump* const pump = find(hub, topic);
        if (pump != nullptr && pump->end()) remove(*pump);
    }
    void remove(WsPump& pump) noexcept { static_cast<void>(pumps_.take(pump)); }

    void tell_of_room() const noexcept {
        for (WsPump* each = pumps_.first(); each != nullptr; each = each->next) each->tell_of_room();
    }
    /// Ends all.
    void end() noexcept {
        for (WsPump* each = pumps_.first(); each != nullptr;) {
            WsPump& pump = *std::exchange(each, each->next);
            if (pump.end()) remove(pump);
        }
    }
    /// Deletes all; for a reactor that has ended.
    void clear() noexcept { pumps_.clear(); }

  private:
    [[nodiscard]] WsPump* find(const void* hub, std::string_view topic) const noexcept {
        WsPump* each = pumps_.first();
        while (each != nullptr && !each->is_for(hub, topic)) each = each->next;
        return each;
    }

    OwningList<WsPump> pumps_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
