// The machinery of a pipeline: the sources, queues and results of its items. Every item carries its number in
// the input, so that the order can be kept with any number of threads per stage. (A Channel has no numbers.)
#pragma once

#include <atomic>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/async/combinators.hpp"
#include "sake/base/cast.hpp"
#include "sake/compute/batches.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What all queues of a pipeline have in common.
struct PipelineShape {
    std::size_t queue_limit = 16;
    bool keeps_order = true;
};

template <class T>
struct Numbered {
    std::uint64_t number;
    T value;
};

// ---- What the items come from ----

/// An item of a range, left where it is until it is used: a reference, to move from if the pipeline owns the
/// range.
template <class Iterator, bool is_owned>
struct RangeItem {
    Iterator at;
};

template <class Iterator, bool is_owned>
decltype(auto) opened(RangeItem<Iterator, is_owned>& item) {
    if constexpr (is_owned)
        return std::ranges::iter_move(item.at);
    else
        return *item.at;
}

/// A container is const throughout if it is const; a view is not, and does not own what it shows.
template <class Range>
concept OwnsItems =
    !std::is_reference_v<Range> && !std::is_const_v<Range> && requires(Range& range, const Range& constant) {
        { *std::ranges::begin(range) } -> std::same_as<std::iter_value_t<IteratorOf<Range>>&>;
        { *std::ranges::begin(constant) } -> std::same_as<const std::iter_value_t<IteratorOf<Range>>&>;
    };

/// Gives the items of a range one by one; those of what can be read once only are moved out of it.
template <class Range>
class PipelineRange {
    using Iterator = IteratorOf<Range>;
    static constexpr bool stays = std::forward_iterator<Iterator>;
    using Item =
        std::conditional_t<stays, RangeItem<Iterator, OwnsItems<Range>>, std::iter_value_t<Iterator>>;

  public:
    explicit PipelineRange(Range& range) : at_(std::ranges::begin(range)), end_(std::ranges::end(range)) {}

    std::optional<Item> operator()() {
        // Only now, since the next item of what can be read once only may be long in coming.
        if (std::exchange(is_taken_, false)) ++at_;
        if (at_ == end_) return std::nullopt;
        std::optional<Item> item;
        if constexpr (stays)
            item.emplace(Item{at_});
        else
            item.emplace(std::ranges::iter_move(at_));
        is_taken_ = true;
        return item;
    }

  private:
    Iterator at_;
    SentinelOf<Range> end_;
    bool is_taken_ = false;  // the item there
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class F>
concept PipelineSource = std::invocable<F&> && is_optional<std::invoke_result_t<F&>>;

/// What a source gives, numbered. The threads of the first stage take turns at it.
template <PipelineSource Pull>
class PipelineFeed {
  public:
    using Item = typename std::invoke_result_t<Pull&>::value_type;

    explicit PipelineFeed(Pull& pull) noexcept : pull_(pull) {}

    std::optional<Numbered<Item>> pop() {
        const std::lock_guard lock(mutex_);
        if (is_over_) return std::nullopt;
        is_over_ = true;  // and so it stays if the source throws
        std::optional<Item> item = pull_();
        if (!item || is_abandoned_) return std::nullopt;
        is_over_ = false;
        return Numbered<Item>{count_++, std::move(*item)};
    }
    void abandon() noexcept { is_abandoned_ = true; }

  private:
    Pull& pull_;
    std::mutex mutex_;  // held while the source runs
    std::atomic<bool> is_abandoned_ = false;
    bool is_over_ = false;
    std::uint64_t count_ = 0;
};

// ---- What they wait in ----

/// A window over the items: a limited number from the first item that has not left. Items that arrive early
/// wait in the window; items that are too early wait outside, on their threads.
template <class T>
class PipelineQueue {
  public:
    explicit PipelineQueue(const PipelineShape& shape)
        : keeps_order_(shape.keeps_order),
          window_(shape.queue_limit),
          cells_(std::min(shape.queue_limit, cells_at_first)) {}

    /// Waits until the item is within the window. False if the pipeline is abandoned.
    bool push(std::uint64_t number, T value) {
        std::unique_lock lock(mutex_);
        const auto is_within = [&] { return (keeps_order_ ? number : end_) - first_ < window_; };
        if (!is_abandoned_ && !is_within()) {
            ++waiting_to_push_;
            has_room_.wait(lock, [&] { return is_abandoned_ || is_within(); });
            --waiting_to_push_;
        }
        if (is_abandoned_) return false;
        if (!keeps_order_) number = end_++;
        if (number - first_ >= cells_.size()) grow(cast_to<std::size_t>(number - first_));
        cell(number).emplace(std::move(value));
        ++filled_;
        const bool wakes = number == first_ && waiting_to_pop_ > 0;
        lock.unlock();
        if (wakes) has_item_.notify_one();
        return true;
    }

    /// Waits for the next item. Nothing if none will come, or the pipeline is abandoned.
    std::optional<Numbered<T>> pop() {
        std::unique_lock lock(mutex_);
        const auto is_settled = [&] { return is_abandoned_ || is_closed_ || cell(first_).has_value(); };
        if (!is_settled()) {
            ++waiting_to_pop_;
            has_item_.wait(lock, is_settled);
            --waiting_to_pop_;
        }
        std::optional<T>& next = cell(first_);
        if (is_abandoned_ || !next) return std::nullopt;
        std::optional<Numbered<T>> item(Numbered<T>{first_, std::move(*next)});
        next.reset();
        ++first_;
        --filled_;
        const bool is_more = cell(first_).has_value();
        const bool wakes_other = is_more && waiting_to_pop_ > 0;
        // Not for every free place, which would switch threads for each item. But the thread that has the
        // next item must not wait for the items behind it.
        const bool wakes_pushers = waiting_to_push_ > 0 && (!is_more || filled_ <= window_ / 2);
        lock.unlock();
        if (wakes_other) has_item_.notify_one();
        if (wakes_pushers) has_room_.notify_all();
        return item;
    }

    /// No item comes any more.
    void close() noexcept { set(is_closed_); }
    /// Nothing goes in or comes out any more.
    void abandon() noexcept { set(is_abandoned_); }

  private:
    static constexpr std::size_t cells_at_first = 1024;

    // So that the item at this place in the window has a cell.
    void grow(std::size_t place) {
        std::vector<std::optional<T>> more(std::min(window_, std::max(place + 1, 2 * cells_.size())));
        for (std::uint64_t each = first_; each != first_ + cells_.size(); ++each) {
            if (cell(each)) more[each % more.size()].emplace(*std::move(cell(each)));
        }
        cells_.swap(more);
    }
    std::optional<T>& cell(std::uint64_t number) { return cells_[number % cells_.size()]; }
    void set(bool& flag) noexcept {
        {
            const std::lock_guard lock(mutex_);
            flag = true;
        }
        has_item_.notify_all();
        has_room_.notify_all();
    }

    const bool keeps_order_;
    const std::size_t window_;
    std::mutex mutex_;  // of what follows
    std::condition_variable has_item_;
    std::condition_variable has_room_;
    std::vector<std::optional<T>> cells_;
    std::size_t filled_ = 0;
    std::uint64_t first_ = 0;  // comes out next
    std::uint64_t end_ = 0;    // goes in next where no order is kept
    int waiting_to_push_ = 0;
    int waiting_to_pop_ = 0;
    bool is_closed_ = false;
    bool is_abandoned_ = false;
};

// ---- What they end in ----

/// What the last stage gives, in the order of the input, or of its coming if that is not kept.
template <class T>
class PipelineResults {
  public:
    explicit PipelineResults(const PipelineShape& shape) noexcept : keeps_order_(shape.keeps_order) {}

    bool push(std::uint64_t number, T value) {
        const std::lock_guard lock(mutex_);
        const std::size_t place = keeps_order_ ? cast_to<std::size_t>(number) : results_.size();
        if (place >= results_.size()) results_.resize(place + 1);
        results_[place].emplace(std::move(value));
        return true;
    }
    void close() noexcept {}
    void abandon() noexcept {}
    std::vector<T> take() { return unwrap(results_); }

  private:
    const bool keeps_order_;
    std::mutex mutex_;
    std::vector<std::optional<T>> results_;
};

template <>
class PipelineResults<void> {
  public:
    explicit PipelineResults(const PipelineShape&) noexcept {}
    void close() noexcept {}
    void abandon() noexcept {}
    void take() const noexcept {}
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
