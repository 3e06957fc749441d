// Answerer: the seam for an answer that leaves in pieces, whatever protocol it leaves by. A call has one
// while its handlers run as coroutines. They see it as a BodyWriter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/app/body_encoder.hpp"
#include "sake/app/config.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class ClientWait;

/// For the reactor's thread.
class Answerer {
  public:
    Answerer() = default;
    Answerer(const Answerer&) = delete;
    Answerer& operator=(const Answerer&) = delete;

    /// Whether the head has left, so that the answer cannot become another one.
    [[nodiscard]] bool has_begun() const noexcept { return state_ != State::whole; }

    /// Sends the head, if that has not left yet, and what the client takes now of `bytes`, which are moved
    /// on. True if nothing is left of both. What is left of the bytes may be sent from where it lies, and
    /// must stay until a later call has sent it, or none is to come. If the connection is lost, the handler
    /// is cancelled soon. Throws Cancelled if it was cut off, HttpError if no stream may begin any more,
    /// std::bad_alloc.
    virtual bool write(std::string_view& bytes) = 0;
    /// Has the signal of `wait` woken when it is worth writing on. Returns when the client must have taken
    /// something.
    [[nodiscard]] virtual TimePoint wait_for_room(ClientWait& wait) = 0;
    /// That signal is not expected any more.
    virtual void stop_waiting() noexcept = 0;
    /// A write was given up when a part of its bytes had been sent: nothing can follow, and the answer is cut
    /// when the handlers end.
    void break_off() noexcept {
        if (state_ == State::begun) state_ = State::broken;
    }
    /// Whether a part of what is written has been announced to the client and not sent yet, so that nothing
    /// else can follow.
    [[nodiscard]] bool owes() const noexcept { return owed_ > 0; }
    /// The time of wait_for_room is over. Returns until when the client has more, since it has taken some of
    /// what has left. Else returns {}, the answer is cut, and the handler cancelled soon.
    virtual TimePoint prolong_or_give_up() noexcept = 0;

    [[nodiscard]] virtual const Config& config() const noexcept = 0;

    /// What is written behind all else if a stop of the server ends the answer.
    std::string farewell;
    /// What all that is written passes on its way, if the head has not left yet. The head says its coding.
    OwningPtr<BodyEncoder> encoder;

  protected:
    ~Answerer() = default;

    enum class State : std::uint8_t {
        whole,    // nothing has left: the answer is still the Response
        begun,    // the head has left
        broken,   // so has a part of a write that was given up
        complete  // nothing more is to be sent: it is the answer to a HEAD
    };
    State state_ = State::whole;
    std::size_t owed_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
