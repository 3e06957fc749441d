// The bytes on their way to a peer. Answers gather in one buffer that all connections of a reactor share, and
// leave with one call; only what the socket does not take is copied to memory of the connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/reactor.hpp"
#include "sake/async/sys.hpp"
#include "sake/server/rate_limit.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Output {
  public:
    enum class Result : std::uint8_t { sent, blocked, failed };

    [[nodiscard]] bool has_unsent() const noexcept { return unsent_ != nullptr; }

    /// The memory that this connection has of its own.
    [[nodiscard]] std::size_t held_bytes() const noexcept {
        return has_unsent() ? unsent_->first.size() + unsent_->second.size() : 0;
    }

    /// While something is unsent: since when, and how much of the answers it belongs to has left.
    [[nodiscard]] TimePoint blocked_since() const noexcept { return unsent_->since; }
    [[nodiscard]] std::uint64_t sent_of_it() const noexcept { return unsent_->sent_before + unsent_->offset; }
    [[nodiscard]] TransferPace& pace() noexcept { return unsent_->pace; }

    /// Sends what is unsent, or else what is gathered, and empties it. What does not fit becomes unsent.
    Result flush(Watch& watch, std::string& gathered) {
        if (has_unsent()) return flush_unsent(watch);
        return gathered.empty() ? Result::sent : flush_with(watch, gathered, std::string());
    }

    /// Sends what is gathered with a body behind it, which is not copied. Not while anything is unsent.
    Result flush_with(Watch& watch, std::string& gathered, std::string body) {
        std::size_t sent = 0;
        const Result result = send_pieces(watch, gathered, body, sent);
        if (result == Result::blocked) {
            const std::size_t of_first = std::min(sent, gathered.size());
            unsent_ = std::make_unique<Unsent>();
            unsent_->first = gathered.substr(of_first);
            unsent_->offset = sent - of_first;
            unsent_->sent_before = of_first;
            unsent_->since = watch.reactor().now();
            unsent_->second = std::move(body);
        }
        gathered.clear();
        return result;
    }

  private:
    struct Unsent {
        std::string first;
        std::string second;
        std::size_t offset = 0;         // in both together
        std::uint64_t sent_before = 0;  // what is not in them any more
        TimePoint since;
        TransferPace pace;
    };

    Result flush_unsent(Watch& watch) {
        const Result result = send_pieces(watch, unsent_->first, unsent_->second, unsent_->offset);
        if (result == Result::sent) unsent_.reset();
        return result;
    }

    /// Sends two texts from `offset` of both together on, until all is sent or the socket is full.
    static Result send_pieces(Watch& watch, std::string_view first, std::string_view second,
                              std::size_t& offset) {
        while (offset < first.size() + second.size()) {
            const SysResult result = send_from(watch.fd(), first, second, offset);
            if (result.would_block()) {
                watch.filled();
                return Result::blocked;
            }
            if (!result.ok()) return Result::failed;
            offset += static_cast<std::size_t>(result.value);
        }
        return Result::sent;
    }

    static SysResult send_from(int fd, std::string_view first, std::string_view second, std::size_t offset) {
        if (offset >= first.size()) {
            second.remove_prefix(offset - first.size());
            return sys::send(fd, second.data(), second.size());
        }
        first.remove_prefix(offset);
        if (second.empty()) return sys::send(fd, first.data(), first.size());
        // sendmsg does not write through the pointers; iovec is only not const because readv shares it.
        iovec vectors[2] = {{const_cast<char*>(first.data()), first.size()},
                            {const_cast<char*>(second.data()), second.size()}};
        return sys::send_vectors(fd, vectors, 2);
    }

    std::unique_ptr<Unsent> unsent_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
