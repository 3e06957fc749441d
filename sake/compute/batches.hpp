// The machinery of parallel and stream: how the members of a crew share a range. They take numbered batches
// of it, and put the results in order again.
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/compute/crew.hpp"
#include "sake/compute/invoke.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Anything that a range-based for loop accepts, with C++20 iterators.
template <class R>
concept Iterable = requires(R& range) {
    { std::ranges::begin(range) } -> std::input_iterator;
    std::ranges::end(range);
};
template <class R>
using IteratorOf = decltype(std::ranges::begin(std::declval<R&>()));
template <class R>
using SentinelOf = decltype(std::ranges::end(std::declval<R&>()));

/// What tells where it is at once, so that anyone may go anywhere in it.
template <class R>
concept Indexable =
    std::random_access_iterator<IteratorOf<R>> && std::sized_sentinel_for<SentinelOf<R>, IteratorOf<R>>;

/// What is kept of what an expression gives: no reference, nor what stands for one, to a bit of a vector.
template <class T>
using PlainValue = std::conditional_t<std::is_same_v<std::decay_t<T>, std::vector<bool>::reference> ||
                                          std::is_same_v<std::decay_t<T>, std::vector<bool>::const_reference>,
                                      bool, std::decay_t<T>>;

/// What a function is called with of something that was kept for it.
template <class T>
T&& opened(T& value) noexcept {
    return std::move(value);
}

/// How the size of batches is chosen.
enum class Sizes : std::uint8_t {
    timed,  // by Pace
    fixed,  // by their number and the length of the range alone: the same every time
};

/// One member's view of the work.
struct Member {
    Crew& crew;
    const Sizes sizes;
    Pace pace{};
};

/// The result of taking a batch: its number, the number of all batches, or that the work is over.
struct Taken {
    enum class Kind : std::uint8_t { batch, end, nothing };
    Kind kind;
    std::uint64_t number = 0;
};

/// The number of items between two places; one that does not fit is the largest. Differences may be wider
/// than any size: of a std::views::iota of 64-bit numbers they have 128 bits or are a class.
template <class Difference>
constexpr std::uint64_t count_of(Difference difference) noexcept {
    constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
    if constexpr (sizeof(Difference) > sizeof(std::uint64_t)) {
        if (difference > static_cast<Difference>(largest)) return largest;
    }
    return static_cast<std::uint64_t>(difference);
}

/// A range that is worked on. If it can be iterated over once only, its items are moved out of it, batch by
/// batch. What the range throws ends the work. Members may be at it at the same time.
template <class Range>
class RangeSource {
    using Iterator = IteratorOf<std::remove_reference_t<Range>>;
    static constexpr bool is_indexable = Indexable<std::remove_reference_t<Range>>;
    static constexpr bool is_forward = std::forward_iterator<Iterator>;
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  public:
    using Item =
        std::conditional_t<is_forward, std::iter_reference_t<Iterator>, std::iter_value_t<Iterator>&&>;
    using Value = std::iter_value_t<Iterator>;
    /// Whether items are references to what stays where it is as long as the range does.
    static constexpr bool items_stay = is_forward && std::is_lvalue_reference_v<Item>;

    explicit RangeSource(Range&& range) : range_(std::forward<Range>(range)) {}

    void limit(std::uint64_t most) noexcept { limit_ = std::min(limit_, most); }

    struct Batch {
        Taken taken;
        std::uint64_t first = 0;  // the index of its first item
        std::uint64_t size = 0;
        std::conditional_t<is_forward, Iterator, std::vector<std::iter_value_t<Iterator>>> items{};
    };

    // While it is in use, the range counts as ended: after an exception, no member may touch it again.
    Batch take(Member& member) {
        const std::lock_guard lock(member.crew.range_mutex());
        if (is_ended_ || taken_ >= limit_) return {{Taken::Kind::end, batches_}};
        is_ended_ = true;
        if (!position_) position_.emplace(std::ranges::begin(range_));
        if (at_end()) return {{Taken::Kind::end, batches_}};
        if (!member.crew.goes_on()) return {{Taken::Kind::nothing}};
        Batch batch{{Taken::Kind::batch, batches_}, taken_};
        pull(batch, size_of_next(member));
        if (batch.size == 0) return {{Taken::Kind::end, batches_}};
        taken_ += batch.size;
        ++batches_;
        is_ended_ = at_end();
        if (!is_ended_) member.crew.call_help();
        return batch;
    }

    /// Calls `each(item)` in order. False if the work is over before all is done; that is asked after every
    /// item if the first one was slow, otherwise after some, since to ask takes longer than a quick item.
    template <class Each>
    static bool visit(Member& member, Batch& batch, Each&& each) {
        constexpr std::chrono::microseconds quick{2};
        std::uint64_t between = 1;
        std::chrono::steady_clock::time_point begun{};
        if (batch.size > 1) begun = std::chrono::steady_clock::now();
        auto at = [&] {
            if constexpr (is_forward)
                return batch.items;
            else
                return batch.items.begin();
        }();
        for (std::uint64_t left = batch.size; left > 0;) {
            std::uint64_t some = std::min(left, between);
            left -= some;
            for (; some > 0; --some) {
                each(static_cast<Item>(*at));
                // What is behind the last belongs to others, and to increment may be to look at it.
                if (some > 1 || left > 0) ++at;
            }
            if (left == 0) break;
            if (!member.crew.goes_on()) return false;
            if (between == 1 && std::chrono::steady_clock::now() - begun < quick) between = 32;
        }
        return true;
    }

    /// Takes the next batch and visits it.
    template <class Each>
    Taken next(Member& member, Each&& each) {
        Batch batch = take(member);
        if (batch.taken.kind == Taken::Kind::batch && !visit(member, batch, each))
            return {Taken::Kind::nothing};
        return batch.taken;
    }

  private:
    // An iterator that can be used once only may read ahead: not before its next item is wanted.
    bool at_end() {
        if (taken_ >= limit_) return true;
        if constexpr (is_forward) return *position_ == std::ranges::end(range_);
        return false;
    }

    std::uint64_t left() const {
        if constexpr (is_indexable)
            return std::min(limit_ - taken_, count_of(std::ranges::end(range_) - *position_));
        else
            return limit_ - taken_;
    }

    std::uint64_t size_of_next(Member& member) {
        if constexpr (is_indexable) {
            if (member.sizes == Sizes::timed) return member.pace.next(left(), member.crew.size());
            constexpr std::uint64_t groups = 512;  // enough to be shared out evenly
            if (batches_ == 0) group_size_ = (left() - 1) / groups + 1;
            return std::min(left(), group_size_);
        } else {
            if (member.sizes == Sizes::timed) return std::min<std::uint64_t>(left(), member.pace.next());
            constexpr std::uint64_t per_size = 64;  // small ones for few items, large ones for many
            return std::min(left(), std::uint64_t{1} << std::min<std::uint64_t>(batches_ / per_size, 10));
        }
    }

    void pull(Batch& batch, std::uint64_t most) {
        if constexpr (is_indexable) {
            batch.items = *position_;
            batch.size = most;
            *position_ += static_cast<std::iter_difference_t<Iterator>>(most);
        } else if constexpr (is_forward) {
            batch.items = *position_;
            for (; batch.size < most && *position_ != std::ranges::end(range_); ++batch.size) ++*position_;
        } else {
            for (; batch.size < most; ++batch.size) {
                if (std::exchange(is_read_, false)) ++*position_;
                if (*position_ == std::ranges::end(range_)) break;
                batch.items.push_back(std::ranges::iter_move(*position_));
                is_read_ = true;
            }
        }
    }

    Range range_;
    std::optional<Iterator> position_;  // of the first that is not taken
    bool is_read_ = false;              // the item there is taken, if the range is read once only
    bool is_ended_ = false;
    std::uint64_t taken_ = 0;
    std::uint64_t limit_ = unlimited;
    std::uint64_t batches_ = 0;
    std::uint64_t group_size_ = 1;
};

/// What `function` makes of each item.
template <class Source, class F>
class MappedSource {
  public:
    using Item = std::invoke_result_t<F&, typename Source::Item>;
    using Value = PlainValue<Item>;
    static constexpr bool items_stay = false;  // a function may give a reference to what it uses again

    template <class Function>
    MappedSource(Source source, Function&& function)
        : source_(std::move(source)), function_(std::forward<Function>(function)) {}

    void limit(std::uint64_t most) noexcept
        requires requires(Source& source) { source.limit(most); }
    {
        source_.limit(most);
    }

    template <class Each>
    Taken next(Member& member, Each&& each) {
        return source_.next(
            member, [&](auto&& item) { each(detail::call(function_, std::forward<decltype(item)>(item))); });
    }

  private:
    Source source_;
    F function_;
};

template <class Source>
using ValueOf = typename Source::Value;

/// Runs `work(member)` on every member of a crew, until nothing is left.
template <class Work>
void work_together(Crew& crew, Sizes sizes, Work work) {
    auto take_all = [&] {
        Member member{crew, sizes};
        while (work(member)) continue;
    };
    crew.run(take_all);
}

/// Calls `f(item)` for all that comes out of a source.
template <class Source, class F>
void for_each_in(Crew& crew, Source& source, F& f) {
    work_together(crew, Sizes::timed, [&](Member& member) {
        const Taken taken = source.next(member, [&](auto&& item) {
            static_cast<void>(detail::call(f, std::forward<decltype(item)>(item)));
        });
        return taken.kind == Taken::Kind::batch;
    });
}

/// All results of a source, in order or as they arrive.
template <class Source>
std::vector<ValueOf<Source>> collect(Crew& crew, Source& source, bool is_ordered) {
    using Part = std::pair<std::uint64_t, std::vector<ValueOf<Source>>>;
    std::vector<Part> parts;
    work_together(crew, Sizes::timed, [&](Member& member) {
        std::vector<ValueOf<Source>> part;
        const Taken taken =
            source.next(member, [&](auto&& item) { part.push_back(std::forward<decltype(item)>(item)); });
        if (taken.kind != Taken::Kind::batch) return false;
        if (part.empty()) return true;
        const std::lock_guard lock(crew.mutex());
        parts.emplace_back(taken.number, std::move(part));
        return true;
    });
    const auto is_before = [](const Part& one, const Part& other) { return one.first < other.first; };
    if (is_ordered) std::sort(parts.begin(), parts.end(), is_before);
    std::size_t size = 0;
    for (const auto& [number, part] : parts) size += part.size();
    std::vector<ValueOf<Source>> all;
    all.reserve(size);
    for (auto& [number, part] : parts) {
        for (auto&& item : part) all.push_back(static_cast<ValueOf<Source>&&>(item));
        std::vector<ValueOf<Source>>().swap(part);
    }
    return all;
}

/// Joins the results of batches, two neighbours at a time. The shape of this tree depends on the number of
/// batches alone, so that operations which are not quite associative, such as floating-point sums, give the
/// same result each time.
template <class T, class Reduce>
class Reduction {
  public:
    Reduction(Crew& crew, Reduce& reduce) : crew_(crew), reduce_(reduce) {}

    /// Takes what came of a batch, if anything did, and joins what can be joined now.
    void add(std::uint64_t number, std::optional<T> value) {
        Node node{0, number, std::move(value)};
        while (std::optional<Node> other = meet(node)) {
            const bool is_left = node.index % 2 == 0;
            node.value = is_left ? join(std::move(node.value), std::move(other->value))
                                 : join(std::move(other->value), std::move(node.value));
            ++node.level;
            node.index /= 2;
        }
    }

    /// When all have been added: the rest, from left to right.
    T result(T init) {
        std::sort(nodes_.begin(), nodes_.end(),
                  [](const Node& a, const Node& b) { return a.level > b.level; });
        std::optional<T> all(std::move(init));
        for (Node& node : nodes_) all = join(std::move(all), std::move(node.value));
        return std::move(*all);
    }

  private:
    struct Node {
        std::size_t level;
        std::uint64_t index;  // among those of its level
        std::optional<T> value;
    };

    // The neighbour, if it is there already; otherwise the node is left for it.
    std::optional<Node> meet(Node& node) {
        const std::lock_guard lock(crew_.mutex());
        for (Node& other : nodes_) {
            if (other.level != node.level || other.index != (node.index ^ 1U)) continue;
            std::optional<Node> met(std::move(other));
            if (&other != &nodes_.back()) other = std::move(nodes_.back());
            nodes_.pop_back();
            return met;
        }
        nodes_.push_back(std::move(node));
        return std::nullopt;
    }

    std::optional<T> join(std::optional<T> left, std::optional<T> right) {
        if (!left) return right;
        if (!right) return left;
        return std::optional<T>(detail::call(reduce_, std::move(*left), std::move(*right)));
    }

    Crew& crew_;
    Reduce& reduce_;
    std::vector<Node> nodes_;
};

template <class Source, class T, class Reduce>
T reduce_all(Crew& crew, Source& source, Reduce& reduce, T init) {
    Reduction<T, Reduce> reduction(crew, reduce);
    work_together(crew, Sizes::fixed, [&](Member& member) {
        std::optional<T> value;
        const Taken taken = source.next(member, [&](auto&& item) {
            using Given = std::remove_cvref_t<decltype(item)>;
            static_assert(std::convertible_to<Given, T>,
                          "reduce: the elements do not convert to the type of init");
            static_assert(!(std::floating_point<Given> && std::integral<T>),
                          "the type of init is that of the result, and would cut fractions off: write 0.0");
            if (!value) {
                value.emplace(std::forward<decltype(item)>(item));
                return;
            }
            // It may give a reference to what it was given.
            T joined(detail::call(reduce, std::move(*value), T(std::forward<decltype(item)>(item))));
            value.emplace(std::move(joined));
        });
        if (taken.kind != Taken::Kind::batch) return false;
        reduction.add(taken.number, std::move(value));
        return true;
    });
    return reduction.result(std::move(init));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
