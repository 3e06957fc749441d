// BodyWriter: writes the body of an answer in pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_handle.hpp"
#include "sake/app/client_wait.hpp"
#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What is to be written, and for which call.
struct PieceOf {
    PieceOf(CallHandle of, std::string_view text) noexcept : call(std::move(of)), bytes(text) {}
    CallHandle call;
    std::string_view bytes;
};

class WriteWait;

}  // namespace detail

/// What Context::stream returns: writes the body of a streamed answer. It may be copied. It is valid while
/// the handler of the call runs; a later write throws std::logic_error.
class BodyWriter {
  public:
    /// Sends these bytes, and waits while the client reads slowly. The first write sends the head of the
    /// answer before them. An empty write does nothing. One write at a time: a write that begins while
    /// another waits throws std::logic_error. Throws Cancelled when the client disconnects or reads too
    /// slowly.
    detail::Operation<detail::WriteWait, detail::PieceOf> write(std::string_view bytes) noexcept;

  private:
    friend class Context;
    explicit BodyWriter(detail::Call& call) : call_(call) {}

    detail::CallHandle call_;
};

namespace detail {

class [[nodiscard]] WriteWait final : public ClientWait {
  public:
    explicit WriteWait(const PieceOf& piece) noexcept
        : call_(piece.call), bytes_(piece.bytes), size_(bytes_.size()) {}
    WriteWait(const WriteWait&) = delete;
    WriteWait& operator=(const WriteWait&) = delete;
    ~WriteWait();
    void await_resume();
    void describe(std::string& out) const override { out += "a client to take an answer"; }

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

    const CallHandle call_;
    std::string_view bytes_;  // what is left
    const std::size_t size_;  // of all of them
    bool is_held_up_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
