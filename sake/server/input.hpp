// The bytes that came from a peer and are not dealt with yet. All connections of a reactor share one Input,
// each for its turn; only what is left over when others get theirs is copied to memory of the connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/socket.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a connection keeps of its input while others have their turn.
struct HeldInput {
    OwningPtr<char[]> memory;
    std::size_t capacity = 0;
    std::string_view bytes;  // in it
};

class Input {
  public:
    /// A connection's turn begins, with what it has held since its last; as a rule nothing.
    void restore(OwningPtr<HeldInput> held) noexcept {
        own_ = std::move(held);
        bytes_ = own_ ? own_->bytes : std::string_view();
    }

    /// Its turn ends: what is left is the connection's to keep.
    [[nodiscard]] OwningPtr<HeldInput> hold() {
        if (bytes_.empty()) {
            own_.reset();
        } else {
            if (!own_) move_to(bytes_.size());
            own_->bytes = std::exchange(bytes_, {});
        }
        return std::move(own_);
    }
    /// Its turn ends, and what is left is not wanted.
    void drop() noexcept {
        own_.reset();
        bytes_ = {};
    }
    /// The memory that `hold` keeps.
    [[nodiscard]] std::size_t bytes_to_hold() const noexcept {
        return own_ && !bytes_.empty() ? own_->capacity : bytes_.size();
    }

    /// Received and not consumed, in one piece. Valid until the next call of receive, hold or restore.
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    void consume(std::size_t count) noexcept { bytes_.remove_prefix(count); }

    /// One recv behind what is there. The result's value is 0 at the end of the stream; `full` tells whether
    /// there may be more, since the buffer was filled.
    struct Received {
        SysResult result;
        bool full;
    };
    Received receive(Socket& socket) {
        if (bytes_.empty()) {
            own_.reset();
            return receive_to(socket, shared_.data(), shared_.size());
        }
        make_room();
        return receive_to(socket, own_->memory.get() + bytes_.size(), own_->capacity - bytes_.size());
    }

  private:
    Received receive_to(Socket& socket, char* end, std::size_t room) noexcept {
        const SysResult result = socket.receive(end, room);
        const std::size_t count = result.ok() ? static_cast<std::size_t>(result.value) : 0;
        bytes_ = {end - bytes_.size(), bytes_.size() + count};
        return {result, count == room};
    }

    void move_to(std::size_t capacity) {
        if (!own_) own_ = OwningPtr<HeldInput>(new HeldInput);
        OwningPtr<char[]> memory(new char[capacity]);
        std::memcpy(memory.get(), bytes_.data(), bytes_.size());
        bytes_ = {memory.get(), bytes_.size()};
        own_->memory = std::move(memory);
        own_->capacity = capacity;
    }

    // Room for at least as much again, so that trickled bytes cost linear time; what was consumed makes room
    // first.
    void make_room() {
        constexpr std::size_t least = 1024;
        const std::size_t wanted = bytes_.size() + std::max(bytes_.size(), least);
        if (!own_ || own_->capacity < bytes_.size() + least / 2) {
            move_to(wanted);
        } else if (bytes_.data() != own_->memory.get()) {
            std::memmove(own_->memory.get(), bytes_.data(), bytes_.size());
            bytes_ = {own_->memory.get(), bytes_.size()};
        }
    }

    std::array<char, 64 * 1024> shared_;
    std::string_view bytes_;    // in shared_, or in own_
    OwningPtr<HeldInput> own_;  // none while bytes_ are in shared_
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
