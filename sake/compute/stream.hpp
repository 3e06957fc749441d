// stream: steps that are made of the items of a range, each item apart, by several threads at once, with
// memory for a bounded number of them.
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

/// A description of what is to be done with the items of a range. It is lazy: nothing happens, and nothing is
/// read, before one of the verbs at the end is called, `collect`, `for_each` or `reduce`:
///
///     const auto names = stream(lines).map(parse).filter(is_new).map(name_of).take(10).collect();
///
/// Then the calling thread and those of the process that are free take batches of items through all steps,
/// as `parallel` does it, with the same promises: functions are called by several threads at once, the first
/// exception is thrown on, Cancelled is thrown if `stop` is requested while there is work left, nothing runs
/// any more at the end, and calls may nest.
///
/// Order is kept unless `unordered()` is asked for. Only so many batches are under way at a time: the range
/// may be endless if `take` ends it. Steps may have been made of some items beyond the last that is wanted,
/// unless there are only `map`s in front of `take`. A stream is used up by its verbs.
template <class Source, detail::Order order = detail::Order::kept>
class [[nodiscard("nothing happens before collect, for_each or reduce")]] Stream {
    using Value = detail::ValueOf<Source>;
    using Kept = detail::Kept<Source>;

  public:
    using Item = typename Source::Item;
    /// What `for_each` calls its function with: an item, which has waited for its turn where order is kept.
    using LastItem = std::conditional_t<order == detail::Order::kept, detail::Opened<Kept>, Item>;

    explicit Stream(Source source) : source_(std::move(source)) {}

    /// `f(item)` instead of every item.
    template <class F>
        requires std::invocable<F&, Item>
    auto map(F f) && {
        constexpr bool gives = !std::is_void_v<std::invoke_result_t<F&, Item>>;
        static_assert(gives, "the function gives nothing to go on with: end with for_each(f)");
        if constexpr (gives) return next<detail::MappedSource<Source, F>>(std::move(source_), std::move(f));
    }

    /// Only items of which `predicate(item)` is true.
    template <class Predicate>
        requires std::predicate<Predicate&, std::remove_reference_t<Item>&>
    auto filter(Predicate predicate) && {
        return next<detail::FilteredSource<Source, Predicate>>(std::move(source_), std::move(predicate));
    }

    /// The first `count` items, fewer if there are no more; any `count` of them where order is not kept. The
    /// largest value of its type means all. Throws std::invalid_argument if it is negative.
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

    /// Vectors of `size` items each, of those that are left at the end. The largest value of its type means
    /// one vector of all. Throws std::invalid_argument if `size` is not at least 1.
    template <std::integral Number>
    auto chunks(Number size) && {
        const auto most = detail::limit_of<std::size_t>(1, size, "stream: the size of chunks");
        return next<detail::SteppedSource<Source, detail::ChunkStep<Source>>>(
            std::move(source_), detail::ChunkStep<Source>(most), order);
    }

    /// From here on items may pass each other, so that nothing waits for one that takes long.
    auto unordered() && { return Stream<Source, detail::Order::free>(std::move(source_)); }

    /// All that comes out.
    [[nodiscard]] std::vector<Value> collect(std::stop_token stop = {}) && {
        detail::Crew crew(std::move(stop));
        return detail::collect(crew, source_, order == detail::Order::kept);
    }

    /// Calls `f(item)` for all that comes out: in order and one at a time, though not always on the same
    /// thread; or, where order is not kept, by several threads at once.
    template <class F>
        requires std::invocable<F&, LastItem>
    void for_each(F&& f, std::stop_token stop = {}) && {
        detail::Crew crew(std::move(stop));
        if constexpr (order == detail::Order::kept)
            detail::for_each_in_turn(crew, source_, f);
        else
            detail::for_each_in(crew, source_, f);
    }

    /// Joins all that comes out by `reduce(one, other)`, which is associative; `init` if nothing does. As
    /// with `map_reduce` the result is the same every time, if order is kept.
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

/// A stream of the items of a range: of anything that a range-based for loop takes. It owns the range if that
/// is a temporary, and refers to it otherwise. Functions are given references to the items where they are,
/// and only `collect`, `chunks` and `reduce` copy what is left of them. The items of what can be read once
/// only are moved out of it.
template <detail::Iterable Range>
auto stream(Range&& range) {
    using Source = detail::RangeSource<Range>;
    return Stream<Source>(Source(std::forward<Range>(range)));
}

}  // namespace SAKE_ABI
}  // namespace sake
