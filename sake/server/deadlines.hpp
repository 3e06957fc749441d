// How long the server waits for a client, in each state of a connection.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "sake/async/timer.hpp"
#include "sake/server/rate_limit.hpp"
#include "sake/server/shard.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Depends on the configuration, and on whether the server is full or drains.
class Deadlines {
  public:
    explicit Deadlines(const Shard& shard) noexcept : shard_(shard), config_(shard.config) {}

    /// For the first byte of a request. While the server drains, a request on its way still gets a moment.
    [[nodiscard]] TimePoint request_deadline(TimePoint since, bool is_first) const {
        if (shard_.is_draining()) return std::max(since, now()) + std::chrono::milliseconds(50);
        return since + (is_first ? config_.header_timeout : config_.keep_alive_timeout);
    }

    [[nodiscard]] TimePoint head_deadline(TimePoint since) const {
        constexpr std::chrono::milliseconds when_draining(1000);
        return since + (shard_.is_draining() ? std::min(config_.header_timeout, when_draining)
                                             : config_.header_timeout);
    }

    /// For more of a body, `received` bytes of which have arrived since `since`.
    [[nodiscard]] TimePoint body_deadline(RateLimit& rate, TimePoint since, std::uint64_t received) const {
        return rate.due(config_, since, received, now(), config_.read_timeout);
    }

    /// For room for more of an answer, `sent` bytes of which have left since `since`.
    [[nodiscard]] TimePoint answer_deadline(RateLimit& rate, TimePoint since, std::uint64_t sent) const {
        return rate.due(config_, since, sent, now(), config_.write_timeout);
    }

    /// The next deadline after that one has passed. `taken` is the number of sent bytes that the client
    /// received meanwhile; the socket reports room only after the client received a large part. {} if the
    /// wait must end.
    [[nodiscard]] TimePoint prolonged_answer(RateLimit& rate, std::uint64_t taken) const {
        if (taken == 0 || shard_.is_draining()) return {};
        return rate.prolong(config_, taken, now(), config_.write_timeout);
    }

    /// For the end of a client's input after its last answer. The client may be silent while it reads the
    /// answer. A client that was slow before gets less time in total.
    [[nodiscard]] TimePoint lingering_deadline(TimePoint since, bool was_slow) const {
        return std::min(now() + longest_silence(), since + longest_lingering(was_slow));
    }
    [[nodiscard]] std::chrono::seconds longest_lingering(bool was_slow) const noexcept {
        return std::chrono::seconds(was_slow ? 1 : shard_.is_full() ? 5 : 30);
    }

  private:
    [[nodiscard]] TimePoint now() const noexcept { return shard_.reactor.now(); }
    [[nodiscard]] std::chrono::milliseconds longest_silence() const noexcept {
        return std::chrono::milliseconds(shard_.is_draining() ? 200 : shard_.is_full() ? 1000 : 5000);
    }

    const Shard& shard_;
    const Config& config_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
