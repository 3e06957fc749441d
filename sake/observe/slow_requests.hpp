// SlowRequests: the slowest requests of the last minutes, up to a limit. It keeps only what is listed here:
// no path, no query, no body.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>

#include "sake/app/answered.hpp"
#include "sake/app/route.hpp"
#include "sake/async/clock.hpp"
#include "sake/base/array.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct SlowRequest {
    const RouteEntry* route = nullptr;  // null where none matched
    Method method = Method::other;
    int status = 0;
    AnswerCause cause = AnswerCause::handler;
    std::chrono::nanoseconds duration{};
    std::chrono::system_clock::time_point at;  // of the answer
};

/// In two halves: one takes what comes, and what the other has is as old as `period` to twice that.
class SlowRequests {
  public:
    static constexpr std::size_t most = 50;
    static constexpr std::chrono::seconds period{150};

    /// What is quicker is never among them, and costs nothing here.
    static constexpr std::chrono::milliseconds shortest{1};

    void add(const SlowRequest& request, TimePoint now) noexcept {
        renew(now);
        if (request.duration <= least_) return;
        if (present_.size < most) {
            present_.requests[present_.size++] = request;
        } else {
            *quickest() = request;
        }
        if (present_.size == most) least_ = quickest()->duration;
    }

    /// The slowest first.
    [[nodiscard]] Array<SlowRequest> list(TimePoint now) {
        renew(now);
        Array<SlowRequest> all;
        all.reserve(2 * most);
        for (const Half* half : {&present_, &past_}) {
            for (std::size_t i = 0; i < half->size; ++i) {
                const SlowRequest& each = half->requests[i];
                all.insert(std::upper_bound(all.begin(), all.end(), each, is_slower), each);
            }
        }
        if (all.size() > most) all.resize(most);
        return all;
    }

  private:
    struct Half {
        std::array<SlowRequest, most> requests;
        std::size_t size = 0;
    };

    static bool is_slower(const SlowRequest& a, const SlowRequest& b) noexcept {
        return a.duration != b.duration ? a.duration > b.duration : a.at > b.at;
    }
    SlowRequest* quickest() noexcept {
        SlowRequest* quickest = present_.requests.data();
        for (SlowRequest& each : present_.requests) {
            if (each.duration < quickest->duration) quickest = &each;
        }
        return quickest;
    }
    void renew(TimePoint now) noexcept {
        if (now < renew_at_) return;
        if (now < renew_at_ + period) {
            past_ = present_;
        } else {
            past_.size = 0;
        }
        present_.size = 0;
        least_ = {};
        renew_at_ = now + period;
    }

    Half present_;
    Half past_;
    std::chrono::nanoseconds least_{};  // what does not take longer is not for this half
    TimePoint renew_at_{};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
