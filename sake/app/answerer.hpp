// Answerer: the interface for streamed answers, over any protocol. A call has one while its handlers run as
// coroutines. Handlers use it through BodyWriter.
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

    /// Whether the head has left. After that the answer cannot become another one.
    [[nodiscard]] bool has_begun() const noexcept { return state_ != State::whole; }

    /// Sends the head if it has not left yet, and as much of `bytes` as the client accepts now; advances
    /// `bytes` past it. True if everything was sent. The rest of the bytes may be sent from its place: it
    /// must stay there until a later call has sent it, or no later call will come. If the connection is lost,
    /// the handler is cancelled soon. Throws Cancelled if the handler was cut off, HttpError if streams can
    /// no longer begin, std::bad_alloc.
    virtual bool write(std::string_view& bytes) = 0;
    /// Wakes the signal of `wait` when another write is worthwhile. Returns the time by which the client must
    /// have accepted something.
    [[nodiscard]] virtual TimePoint wait_for_room(ClientWait& wait) = 0;
    /// The signal is no longer expected.
    virtual void stop_waiting() noexcept = 0;
    /// A write was given up after a part of its bytes was sent. Nothing can follow it, and the answer is cut
    /// when the handlers end.
    void break_off() noexcept {
        if (state_ == State::begun) state_ = State::broken;
    }
    /// Whether a part of a write was announced to the client but not sent yet, so that nothing else can
    /// follow.
    [[nodiscard]] bool owes() const noexcept { return owed_ > 0; }
    /// The time of wait_for_room is over. If the client has accepted some bytes meanwhile, returns its new
    /// deadline. Otherwise returns {}, cuts the answer, and has the handler cancelled soon.
    virtual TimePoint prolong_or_give_up() noexcept = 0;

    [[nodiscard]] virtual const Config& config() const noexcept = 0;

    /// Written after everything else if a stop of the server ends the answer.
    std::string farewell;
    /// Encodes everything that is written, if it was set before the head left. The head names its coding.
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
