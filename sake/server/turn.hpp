// Turn: access to the shared buffers of a shard, the input and the gathered answers. One connection has it at
// a time, so that two connections never mix in them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "sake/base/byte_buffer.hpp"
#include "sake/server/h1_reader.hpp"
#include "sake/server/input.hpp"
#include "sake/server/output.hpp"
#include "sake/server/shard.hpp"
#include "sake/server/transport.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Open until `end`, which keeps the rest of the input for the connection. Without `end`, for example when
/// the connection is lost, input and gathered answers are dropped.
class Turn {
  public:
    Turn(Shard& shard, Transport& transport) noexcept : shard_(shard), transport_(transport) { begin(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { drop(); }

    /// Before a coroutine handler starts: others have turns while it waits. Throws std::bad_alloc if memory
    /// for the rest of the input is missing.
    void end() {
        transport_.held_ = shard_.input_.hold();
        is_open_ = false;
    }
    /// Ends it, and drops what is left: of a connection that closes.
    void drop() noexcept {
        if (!std::exchange(is_open_, false)) return;
        shard_.gathered_.clear();
        shard_.input_.drop();
    }
    /// Opens it again when that handler has ended.
    void begin() noexcept {
        shard_.input_.restore(std::move(transport_.held_));
        is_open_ = true;
    }

    [[nodiscard]] Input& input() noexcept { return shard_.input_; }
    void drop_input() noexcept { input().consume(input().bytes().size()); }
    /// One recv behind what is there. False at the end of the stream, and if the connection is broken.
    bool receive() {
        const Input::Received received = input().receive(transport_.socket_);
        return note(received.result, received.full);
    }
    /// One recv of a body, as large as its reader has room for, or else behind the rest of the input. False
    /// as above.
    bool receive(H1Reader& reader) {
        const std::span<char> room = reader.room_for_body(input());
        if (room.empty()) return receive();
        const SysResult result = transport_.socket_.receive(room.data(), room.size());
        const std::size_t size = result.ok() ? static_cast<std::size_t>(result.value) : 0;
        reader.took(size);
        return note(result, size == room.size());
    }

    /// The buffer for answers, while nothing is unsent.
    [[nodiscard]] ByteBuffer& gathered() noexcept { return shard_.gathered_; }
    /// Sends the unsent bytes, or else the gathered ones. Bytes that the socket does not accept become
    /// unsent.
    Output::Result send() { return transport_.output_.flush(transport_.socket_, gathered()); }
    /// Sends what is gathered with a body behind it, which is not copied.
    Output::Result send_with(std::string body) {
        OutputPiece piece(std::move(body));
        return send_with(&piece);
    }
    /// The same with these pieces behind it.
    Output::Result send_with(OutputPiece* pieces) {
        return transport_.output_.flush_with(transport_.socket_, gathered(), pieces);
    }

    /// Sends what is gathered with this and an end behind it, which are not copied unless the socket does not
    /// take them. Of the text no more than `most_kept` bytes are copied: if more are left they stay in
    /// `text`, to be sent by another call, with the end.
    Output::Result send_with(std::string_view& text, std::string_view end, std::size_t most_kept) {
        OutputPiece piece(text);
        OutputPiece last(end);
        piece.next = &last;
        piece.leave_beyond(most_kept);
        const Output::Result result = transport_.output_.flush_with(transport_.socket_, gathered(), &piece);
        text = piece.is_left() ? piece.text() : std::string_view();
        return result;
    }
    /// Sends this after everything else: gathers it, unless something is unsent.
    void append(std::string_view text) {
        if (transport_.has_unsent()) {
            transport_.output_.append_unsent(std::string(text));
        } else {
            gathered().append(text);
        }
    }

    /// Reports the memory that this connection holds while it waits, plus `others` bytes elsewhere. False if
    /// the budget is exceeded.
    [[gnu::always_inline]] bool account_memory(std::size_t others) noexcept {
        return transport_.memory_.resize(input().bytes_to_hold() + transport_.output_.held_bytes() + others);
    }

    // A client that sends without pause gets this many receives and answers before the others have their
    // turn.
    static constexpr int most_receives = 8;
    static constexpr int most_answers = 256;
    int receives = 0;
    int answers = 0;

  private:
    // False if nothing more can arrive.
    bool note(const SysResult& result, bool is_full) noexcept {
        Socket& socket = transport_.socket_;
        if (result.would_block()) {
            socket.blocked(readable);
        } else if (!is_full && socket.is_drained_by_short_receive()) {
            socket.watch().drained();
        }
        return result.would_block() || (result.ok() && result.value > 0);
    }

    Shard& shard_;
    Transport& transport_;
    bool is_open_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
