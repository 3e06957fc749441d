// The messages that a topic of a Hub keeps: a ring with bounds, the oldest goes first. Not here: threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A message as it was published; one for all who read it.
struct HubPost : Counted {
    HubPost(std::string_view its_topic, std::string text) : topic(its_topic), data(std::move(text)) {}
    std::string topic;
    std::string data;
    std::uint64_t id = 0;
};

/// Counts the messages of its topic from 0 on, and has those from begin() to end().
class HubRing {
  public:
    using Post = CountedPtr<const HubPost>;

    /// Keeps so many messages, and fewer if they have more bytes than that; the newest in any case.
    HubRing(std::size_t messages, std::size_t bytes, std::uint64_t missing_up_to) noexcept
        : most_messages_(messages), most_bytes_(bytes), missing_up_to_(missing_up_to) {}

    [[nodiscard]] std::uint64_t begin() const noexcept { return end_ - size_; }
    [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] const Post& at(std::uint64_t number) const noexcept {
        return slots_[cast_to<std::size_t>(number % slots_.size())];
    }
    /// What it keeps, with what it takes to keep it.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// Of messages up to this id, some may have been here and gone.
    [[nodiscard]] std::uint64_t missing_up_to() const noexcept { return missing_up_to_; }

    /// The number of the first message with a greater id; end() if there is none.
    [[nodiscard]] std::uint64_t number_after(std::uint64_t id) const noexcept {
        std::uint64_t low = begin();
        for (std::uint64_t high = end_; low < high;) {
            const std::uint64_t middle = low + (high - low) / 2;
            if (at(middle)->id > id) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    /// Makes room in memory for one more.
    void reserve() {
        if (size_ < slots_.size() || size_ == most_messages_) return;
        Array<Post> larger(std::min(most_messages_, std::max<std::size_t>(4, 2 * size_)));
        for (std::uint64_t each = begin(); each != end_; ++each) {
            larger[cast_to<std::size_t>(each % larger.size())] =
                std::move(slots_[cast_to<std::size_t>(each % slots_.size())]);
        }
        slots_.swap(larger);
    }
    /// After reserve.
    void push(Post post) noexcept {
        if (size_ == most_messages_) drop_oldest();
        bytes_ += cost(*post);
        slots_[cast_to<std::size_t>(end_ % slots_.size())] = std::move(post);
        ++end_;
        ++size_;
        while (size_ > 1 && bytes_ > most_bytes_) drop_oldest();
    }

  private:
    [[nodiscard]] static std::size_t cost(const HubPost& post) noexcept {
        return sizeof(HubPost) + post.topic.size() + post.data.size();
    }
    void drop_oldest() noexcept {
        Post& oldest = slots_[cast_to<std::size_t>(begin() % slots_.size())];
        missing_up_to_ = oldest->id;
        bytes_ -= cost(*oldest);
        oldest.reset();
        --size_;
    }

    std::size_t most_messages_;
    std::size_t most_bytes_;
    std::uint64_t missing_up_to_;
    Array<Post> slots_;
    std::uint64_t end_ = 0;
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
