// How long the server waits for a client, in each phase of a connection.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "sake/async/timer.hpp"
#include "sake/server/server.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Deadlines, by the configuration and by what the server is about.
class Patience {
  public:
    explicit Patience(const Server& server) noexcept : server_(server), config_(server.config) {}

    /// For the first byte of a request. A stopping server gives one that is on its way a moment.
    [[nodiscard]] TimePoint request_deadline(TimePoint since, bool is_first) const {
        if (server_.is_draining) return std::max(since, now()) + std::chrono::milliseconds(50);
        return since + (is_first ? config_.header_timeout : config_.keep_alive_timeout);
    }

    [[nodiscard]] TimePoint head_deadline(TimePoint since) const {
        constexpr std::chrono::milliseconds when_draining(1000);
        return since + (server_.is_draining ? std::min(config_.header_timeout, when_draining)
                                            : config_.header_timeout);
    }

    /// Each byte that has come buys the time that it may take at the minimum rate.
    [[nodiscard]] TimePoint body_deadline(TimePoint since, std::uint64_t received) const {
        return since + config_.rate_grace + minimum_time(received);
    }

    /// Progress is due within the write timeout, and at the minimum rate on the whole.
    [[nodiscard]] TimePoint answer_deadline(TimePoint since, std::uint64_t sent) const {
        return std::min(now() + config_.write_timeout, since + config_.rate_grace + minimum_time(sent));
    }

    /// For the end of a client's input behind its last answer. It may be silent for a while, as long as it
    /// may take to read the answer; one that was slow before gets less in total.
    [[nodiscard]] TimePoint lingering_deadline(TimePoint since, bool was_slow) const {
        return std::min(now() + longest_silence(), since + longest_lingering(was_slow));
    }
    [[nodiscard]] static std::chrono::seconds longest_lingering(bool was_slow) noexcept {
        return std::chrono::seconds(was_slow ? 1 : 30);
    }

  private:
    [[nodiscard]] TimePoint now() const noexcept { return server_.reactor.now(); }
    [[nodiscard]] std::chrono::milliseconds minimum_time(std::uint64_t bytes) const noexcept {
        return std::chrono::milliseconds(bytes * 1000 / static_cast<std::uint64_t>(config_.minimum_rate));
    }
    [[nodiscard]] std::chrono::milliseconds longest_silence() const noexcept {
        return std::chrono::milliseconds(server_.is_draining ? 200 : server_.is_full() ? 1000 : 5000);
    }

    const Server& server_;
    const Config& config_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
