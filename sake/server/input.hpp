// The bytes that came from a peer and are not dealt with yet. They are received into one buffer that all
// connections of a reactor share; only what is left over when others get their turn is copied to memory of
// the connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include "sake/async/sys.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// What all connections of a reactor receive into, one at a time.
using SharedInput = std::array<char, 64 * 1024>;

class Input {
  public:
    explicit Input(SharedInput& shared) noexcept : shared_(&shared) {}

    /// Received and not consumed, in one piece. Valid until the next call of receive or hold.
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    void consume(std::size_t count) noexcept { bytes_.remove_prefix(count); }

    /// One recv behind what is there. The result's value is 0 at the end of the stream; `full` tells whether
    /// there may be more, since the buffer was filled.
    struct Received {
        SysResult result;
        bool full;
    };
    Received receive(int fd) {
        if (bytes_.empty()) {
            held_.reset();
            held_capacity_ = 0;
            const SysResult result = sys::receive(fd, shared_->data(), shared_->size());
            bytes_ = {shared_->data(), count(result)};
            return {result, bytes_.size() == shared_->size()};
        }
        make_room();
        char* const end = held_.get() + bytes_.size();
        const std::size_t room = held_capacity_ - bytes_.size();
        const SysResult result = sys::receive(fd, end, room);
        bytes_ = {held_.get(), bytes_.size() + count(result)};
        return {result, count(result) == room};
    }

    /// The memory that this connection has of its own.
    [[nodiscard]] std::size_t held_bytes() const noexcept { return held_capacity_; }

    /// Another connection may use the shared buffer from now on: what is in it is copied. Without anything
    /// left the connection keeps no memory at all.
    void hold() {
        if (bytes_.empty()) {
            held_.reset();
            held_capacity_ = 0;
        } else if (!is_held()) {
            move_to(bytes_.size());
        }
    }

  private:
    static std::size_t count(const SysResult& result) noexcept {
        return result.ok() ? static_cast<std::size_t>(result.value) : 0;
    }
    [[nodiscard]] bool is_held() const noexcept { return held_ != nullptr; }

    void move_to(std::size_t capacity) {
        auto memory = std::make_unique_for_overwrite<char[]>(capacity);
        std::memcpy(memory.get(), bytes_.data(), bytes_.size());
        bytes_ = {memory.get(), bytes_.size()};
        held_ = std::move(memory);
        held_capacity_ = capacity;
    }

    // Room for at least as much again, so that trickled bytes cost linear time; what was consumed makes room
    // first.
    void make_room() {
        constexpr std::size_t least = 1024;
        const std::size_t wanted = bytes_.size() + std::max(bytes_.size(), least);
        if (!is_held() || held_capacity_ < bytes_.size() + least / 2) {
            move_to(wanted);
        } else if (bytes_.data() != held_.get()) {
            std::memmove(held_.get(), bytes_.data(), bytes_.size());
            bytes_ = {held_.get(), bytes_.size()};
        }
    }

    SharedInput* shared_;
    std::string_view bytes_;  // in shared_ or in held_
    std::unique_ptr<char[]> held_;
    std::size_t held_capacity_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
