// stream: steps that are applied to the items of a range by several threads at once, in bounded memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/base/error.hpp"
#include "sake/compute/batches.hpp"
#include "sake/compute/crew.hpp"
#include "sake/compute/stream_stages.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// A lazy description of work on the items of a range. Nothing runs, and nothing is read, until a final
/// function is called: `collect`, `for_each` or `reduce`:
///
///     const auto names = stream(lines).map(parse).filter(is_new).map(name_of).take(10).collect();
///
/// Then the calling thread and free threads of the process pool take batches of items through all steps, with
/// the rules of `parallel`: several threads call the functions at once, the first exception is rethrown,
/// Cancelled is thrown if `stop` is requested while work is left, nothing runs when the call returns, and
/// calls may nest.
///
/// The order is kept unless `unordered()` is called. Only a limited number of batches is under way, so the
/// range may be endless if `take` ends it. Steps may run for some items after the last one wanted, unless
/// only `map`s precede `take`. A final function uses the stream up.
template <class Source, detail::Order order = detail::Order::kept>
class [[nodiscard("nothing happens before collect, for_each or reduce")]] Stream {
    using Value = detail::ValueOf<Source>;
    using Kept = detail::Kept<Source>;

  public:
    using Item = typename Source::Item;
    /// The argument of `for_each`'s function: an item, which has waited for its turn if the order is kept.
    using LastItem = std::conditional_t<order == detail::Order::kept, detail::Opened<Kept>, Item>;

    explicit Stream(Source source) : source_(std::move(source)) {}

    /// Replaces every item by `f(item)`.
    template <class F>
        requires std::invocable<F&, Item>
    auto map(F f) && {
        constexpr bool gives = !std::is_void_v<std::invoke_result_t<F&, Item>>;
        static_assert(gives, "the function gives nothing to go on with: end with for_each(f)");
        if constexpr (gives) return next<detail::MappedSource<Source, F>>(std::move(source_), std::move(f));
    }

    /// Keeps the items for which `predicate(item)` is true.
    template <class Predicate>
        requires std::predicate<Predicate&, std::remove_reference_t<Item>&>
    auto filter(Predicate predicate) && {
        return next<detail::FilteredSource<Source, Predicate>>(std::move(source_), std::move(predicate));
    }

    /// Keeps the first `count` items; any `count` of them if the order is not kept. The largest value of its
    /// type means all. Throws std::invalid_argument if it is negative.
    template <std::integral Number>
    auto take(Number count) && {
        const auto most = detail::limit_of<std::uint64_t>(0, count, "stream: the count of take");
        if constexpr (requires { source_.limit(most); }) {
            source_.limit(most);
            return std::move(*this);
        } else {
            return next<detail::SteppedSource<Source, detail::TakeStep<Source>>>(
                std::move(source_), detail::TakeStep<Source>(most), order);
        }
    }

    /// Groups the remaining items into vectors of `size` items; the last may be shorter. The largest value of
    /// its type means one vector of all. Throws std::invalid_argument unless `size` is at least 1.
    template <std::integral Number>
    auto chunks(Number size) && {
        const auto most = detail::limit_of<std::size_t>(1, size, "stream: the size of chunks");
        return next<detail::SteppedSource<Source, detail::ChunkStep<Source>>>(
            std::move(source_), detail::ChunkStep<Source>(most), order);
    }

    /// From here on items may overtake each other, so that none waits for a slow one.
    auto unordered() && { return Stream<Source, detail::Order::free>(std::move(source_)); }

    /// Runs the stream and returns all results.
    [[nodiscard]] std::vector<Value> collect(std::stop_token stop = {}) && {
        detail::Crew crew(std::move(stop));
        return detail::collect(crew, source_, order == detail::Order::kept);
    }

    /// Runs the stream and calls `f(item)` for all results. If the order is kept: in order and one at a time,
    /// though not always on the same thread. Else by several threads at once.
    template <class F>
        requires std::invocable<F&, LastItem>
    void for_each(F&& f, std::stop_token stop = {}) && {
        detail::Crew crew(std::move(stop));
        if constexpr (order == detail::Order::kept)
            detail::for_each_in_turn(crew, source_, f);
        else
            detail::for_each_in(crew, source_, f);
    }

    /// Runs the stream and joins all results by `reduce(one, other)`, which must be associative; `init` if
    /// there are none. If the order is kept, the result is the same every time, as with `map_reduce`.
    template <class Reduce, class T>
        requires std::invocable<Reduce&, T, T>
    [[nodiscard]] T reduce(Reduce&& reduce, T init, std::stop_token stop = {}) && {
        detail::Crew crew(std::move(stop));
        return detail::reduce_all(crew, source_, reduce, std::move(init));
    }

  private:
    template <class Next, class... Args>
    static auto next(Args&&... args) {
        return Stream<Next, order>(Next(std::forward<Args>(args)...));
    }

    Source source_;
};

/// A stream of the items of a range: anything that a range-based for loop accepts. It owns a temporary range,
/// and refers to any other. Functions receive references to the items in place; only `collect`, `chunks` and
/// `reduce` copy the remaining items. The items of a single-pass range are moved out of it.
template <detail::Iterable Range>
auto stream(Range&& range) {
    using Source = detail::RangeSource<Range>;
    return Stream<Source>(Source(std::forward<Range>(range)));
}

}  // namespace SAKE_ABI
}  // namespace sake
