// What all WebSockets of a reactor share: the memory into which they receive, the one in which frames gather
// that leave with one call, room for a message, and the port for other threads.
#pragma once

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "sake/async/port.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/websocket/websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class WsLink;

/// Keys for the frames of clients, which others must not foresee (RFC 6455 section 5.3): the system's random
/// bytes, many at a time.
class WsMasks {
  public:
    /// Throws std::system_error if the system has none.
    [[nodiscard]] std::uint32_t next() {
        if (left_ == 0) fill();
        return keys_[--left_];
    }

  private:
    void fill() {
        if (::getentropy(keys_.data(), sizeof keys_) != 0) {
            throw_system_error(errno, "cannot read random bytes");
        }
        left_ = keys_.size();
    }

    std::array<std::uint32_t, 64> keys_;
    std::size_t left_ = 0;
};

/// The last text that was published to many, and what it is when it is compressed without a context.
struct WsPublished {
    std::string text;
    std::string deflated;
    bool is_smaller = false;
};

/// Kept by the reactor: Reactor::local. A turn after frames have begun to gather it is resumed, and what is
/// still there leaves: one resumption for all the connections that have sent something meanwhile.
struct WsBuffers final : Resumable {
    explicit WsBuffers(Reactor& reactor) : port(Port::of(reactor)) {
        gathered.reserve(most_gathered);
        begin_waiting();
    }

    // Inside the class, as of all classes that only some programs use: GCC compiles the virtual functions of
    // a class, and all that they call, where the first of them is defined outside of it.
    void resume() override {
        begin_waiting();
        let_gathered_leave();
    }
    void let_gathered_leave() noexcept;

    const CountedPtr<Port> port;  // for other threads

    static constexpr std::size_t most_gathered = 32 * 1024;

    std::array<char, 64 * 1024> input;
    ByteBuffer gathered;         // frames that are about to leave
    WsLink* gatherer = nullptr;  // whose they are
    OwningPtr<Message> spare;    // for the next message that is received
    WsPublished published;
    WsMasks masks;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
