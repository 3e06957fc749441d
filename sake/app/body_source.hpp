// BodySource: the interface for reading a body while it arrives, over any protocol; and how ReadWait reads
// from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sake/app/call.hpp"
#include "sake/app/client_wait_impl.hpp"
#include "sake/app/read_wait.hpp"
#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// For the reactor's thread.
class BodySource {
  public:
    BodySource() = default;
    BodySource(const BodySource&) = delete;
    BodySource& operator=(const BodySource&) = delete;

    /// The next piece, valid until the next call, or std::nullopt at the end of the body. False if neither is
    /// here yet. If the client disconnects, the handler is cancelled soon. Throws HttpError if the rest of
    /// the body cannot be received, Cancelled if the handler was cut off, std::bad_alloc.
    virtual bool try_read(std::optional<std::string_view>& piece) = 0;
    /// Wakes the signal of `wait` when another try is worthwhile. Returns the time by which more must have
    /// arrived.
    [[nodiscard]] virtual TimePoint wait_for_more(ClientWait& wait) = 0;
    /// The signal is no longer expected.
    virtual void stop_waiting() noexcept = 0;
    /// The client has sent too little for too long. Throws HttpError, as `try_read` does from now on.
    virtual void give_up() = 0;

  protected:
    ~BodySource() = default;
};

SAKE_INLINE ReadWait::~ReadWait() = default;

SAKE_INLINE std::optional<std::string_view> ReadWait::await_resume() {
    throw_failure();
    // If the handler has ended since the piece arrived, the bytes belong to another request.
    static_cast<void>(call_.running());
    return piece_;
}

// A body that came as a whole is one piece.
inline std::optional<std::string_view> take_whole_body(Call& call) {
    if (call.body_state == BodyState::was_read) return std::nullopt;
    const std::string_view body = call.body();
    call.body_state = BodyState::was_read;
    if (body.empty()) return std::nullopt;
    return body;
}

SAKE_INLINE bool ReadWait::try_read() {
    Call& call = call_.running();
    if (call.body_source != nullptr) {
        if (!call.body_source->try_read(piece_)) return false;
        call.body_state = BodyState::streamed_in_part;
        return true;
    }
    piece_ = take_whole_body(call);
    return true;
}
SAKE_INLINE TimePoint ReadWait::listen_for_more() {
    return call_.running().body_source->wait_for_more(*this);
}
SAKE_INLINE void ReadWait::leave() noexcept {
    if (Call* const call = call_.get()) call->body_source->stop_waiting();
}
SAKE_INLINE TimePoint ReadWait::give_up_body() {
    call_.running().body_source->give_up();
    return {};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
