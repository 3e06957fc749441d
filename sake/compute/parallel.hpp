// parallel, for_each and map_reduce: work on all items of a range at once. For chains of steps, and for input
// larger than memory, see stream.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/base/cast.hpp"
#include "sake/base/text.hpp"
#include "sake/compute/batches.hpp"
#include "sake/compute/crew.hpp"
#include "sake/compute/invoke.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

template <class Range>
using ItemOf = typename RangeSource<Range&>::Item;
template <class F, class Range>
using ResultFor = PlainValue<std::invoke_result_t<F&, ItemOf<Range>>>;
/// A function that gives nothing is refused by words, not by what a vector says of nothing.
template <class F, class Range>
using ResultsFor =
    std::vector<std::conditional_t<std::is_void_v<ResultFor<F, Range>>, bool, ResultFor<F, Range>>>;

}  // namespace detail

/// Calls `f(item)` for every item of the range, on the calling thread and on free threads of the process
/// pool. Returns the results in the order of the items:
///
///     const std::vector<Image> small = parallel(images, shrink);
///
/// The range may be anything that a range-based for loop accepts. A random-access range is shared out in
/// place. The items of a single-pass range are moved out of it in batches. Several threads call `f` at once,
/// each with another item. `f` may be a pointer to member. Results may be of any movable type. Elements of a
/// std::vector<bool> share bytes: read them, but do not change them in place.
///
/// Throws std::length_error, before it calls `f`, if a vector cannot hold results for all items. The first
/// exception of `f` or of the range, in time, is rethrown; no further items are begun then, except some
/// quick ones. Throws Cancelled if `stop` is requested while items are left. In either case nothing runs when
/// the call returns. Calls may nest, and may come from any thread, including pool threads. The call blocks
/// its thread; in a coroutine use `co_await background([&] { return parallel(images, shrink); })`.
template <detail::Iterable Range, class F>
    requires std::invocable<F&, detail::ItemOf<Range>>
[[nodiscard]] detail::ResultsFor<F, Range> parallel(Range&& range, F&& f, std::stop_token stop = {});

/// Calls `f(item)` for every item and drops the results. Otherwise like `parallel`.
template <detail::Iterable Range, class F>
    requires std::invocable<F&, detail::ItemOf<Range>>
void for_each(Range&& range, F&& f, std::stop_token stop = {});

/// Joins the results of `map(item)` for every item by `reduce(one, other)`, which accepts and returns values
/// of the type of `init`. Returns `init` for an empty range. Otherwise like `parallel`:
///
///     const double length = map_reduce(roads, &Road::length, std::plus(), 0.0);
///
/// `reduce` must be associative. It receives neighbours in their order, so it need not be commutative. The
/// grouping depends on the range alone: a sum of floating-point numbers is the same every time, with any
/// number of threads.
template <detail::Iterable Range, class Map, class Reduce, class T>
    requires std::invocable<Map&, detail::ItemOf<Range>> && std::invocable<Reduce&, T, T>
[[nodiscard]] T map_reduce(Range&& range, Map&& map, Reduce&& reduce, T init, std::stop_token stop = {});

namespace detail {

/// Results that arrive in any order, each at its index.
template <class R>
class ResultSlots {
  public:
    explicit ResultSlots(std::uint64_t size) : slots_(checked(size)) {}

    template <class Make>
    void put(std::size_t index, Make make) {
        if constexpr (is_in_place)
            slots_[index] = make();
        else
            slots_[index].emplace(make());
    }
    std::vector<R> take() {
        if constexpr (is_in_place) {
            return std::move(slots_);
        } else {
            std::vector<R> results;
            results.reserve(slots_.size());
            for (auto& slot : slots_) results.push_back(*std::move(slot));
            return results;
        }
    }

  private:
    // Neighbours in a vector of bool share a byte.
    static constexpr bool is_in_place = std::is_nothrow_default_constructible_v<R> &&
                                        std::is_move_assignable_v<R> && !std::is_same_v<R, bool>;
    using Slots = std::vector<std::conditional_t<is_in_place, R, std::optional<R>>>;

    static std::size_t checked(std::uint64_t size) {
        if (std::cmp_less_equal(size, std::min(Slots().max_size(), std::vector<R>().max_size())))
            return cast_to<std::size_t>(size);
        throw std::length_error("parallel: " + std::to_string(size) +
                                " results are more than a vector can hold; use for_each or map_reduce");
    }

    Slots slots_;
};

template <class R, class Range, class F>
std::vector<R> parallel(Crew& crew, Range& range, F& f) {
    if constexpr (Indexable<Range>) {
        RangeSource<Range&> source(range);
        ResultSlots<R> results(count_of(std::ranges::end(range) - std::ranges::begin(range)));
        work_together(crew, Sizes::timed, [&](Member& member) {
            auto batch = source.take(member);
            auto index = static_cast<std::size_t>(batch.first);
            return source.visit(member, batch, [&](auto&& item) {
                results.put(index++, [&]() -> decltype(auto) {
                    return detail::call(f, std::forward<decltype(item)>(item));
                });
            }) && batch.size > 0;
        });
        return results.take();
    } else {
        MappedSource<RangeSource<Range&>, F&> source(RangeSource<Range&>(range), f);
        return collect(crew, source, true);
    }
}

/// Stops the compiler with the words for a function that does not take an element.
template <class F>
void refuse_element() {
    static_assert(always_false<F>,
                  "parallel and for_each: the function does not take an element of this range: take that by "
                  "value or const reference");
}

template <class Range, class Map, class Reduce, class T>
T map_reduce(Crew& crew, Range& range, Map& map, Reduce& reduce, T init) {
    MappedSource<RangeSource<Range&>, Map&> source(RangeSource<Range&>(range), map);
    return reduce_all(crew, source, reduce, std::move(init));
}

}  // namespace detail

template <detail::Iterable Range, class F>
    requires std::invocable<F&, detail::ItemOf<Range>>
detail::ResultsFor<F, Range> parallel(Range&& range, F&& f, std::stop_token stop) {
    using R = detail::ResultFor<F, Range>;
    static_assert(!std::is_void_v<R>, "the function gives nothing: use for_each(range, f)");
    if constexpr (!std::is_void_v<R>) {
        detail::Crew crew(std::move(stop));
        return detail::parallel<R>(crew, range, f);
    } else {
        std::terminate();  // never compiled
    }
}

template <detail::Iterable Range, class F>
    requires std::invocable<F&, detail::ItemOf<Range>>
void for_each(Range&& range, F&& f, std::stop_token stop) {
    detail::Crew crew(std::move(stop));
    detail::RangeSource<Range&> source(range);
    detail::for_each_in(crew, source, f);
}

/// What does not take an element stops the compiler.
template <detail::Iterable Range, class F>
    requires(!std::invocable<F&, detail::ItemOf<Range>>)
std::vector<int> parallel(Range&&, F&&, std::stop_token = {}) {
    detail::refuse_element<F>();
    return {};
}
template <detail::Iterable Range, class F>
    requires(!std::invocable<F&, detail::ItemOf<Range>>)
void for_each(Range&&, F&&, std::stop_token = {}) {
    detail::refuse_element<F>();
}

template <detail::Iterable Range, class Map, class Reduce, class T>
    requires std::invocable<Map&, detail::ItemOf<Range>> && std::invocable<Reduce&, T, T>
T map_reduce(Range&& range, Map&& map, Reduce&& reduce, T init, std::stop_token stop) {
    detail::Crew crew(std::move(stop));
    return detail::map_reduce(crew, range, map, reduce, std::move(init));
}

}  // namespace SAKE_ABI
}  // namespace sake
