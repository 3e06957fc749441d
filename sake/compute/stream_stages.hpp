// The machinery of stream: the stages that batches pass through, after those of batches.hpp. Each stage is a
// source for the next, and works when it is asked for items.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/batches.hpp"
#include "sake/compute/crew.hpp"
#include "sake/compute/invoke.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// An item that waits for its turn: where it is, if it stays there, or taken along.
template <class Source>
struct Kept {
    static constexpr bool is_there = Source::items_stay;
    using Held =
        std::conditional_t<is_there, std::remove_reference_t<typename Source::Item>*, ValueOf<Source>>;

    explicit Kept(typename Source::Item&& item) : held(hold(std::forward<typename Source::Item>(item))) {}
    Held held;

  private:
    static Held hold(typename Source::Item&& item) {
        if constexpr (is_there)
            return std::addressof(item);
        else
            return Held(std::forward<typename Source::Item>(item));
    }
};
template <class Source>
decltype(auto) opened(Kept<Source>& kept) noexcept {
    if constexpr (Kept<Source>::is_there)
        return *kept.held;
    else
        return std::move(kept.held);
}
template <class T>
using Opened = decltype(opened(std::declval<T&>()));

/// Takes the next batch, and keeps what comes of it.
template <class Source>
Taken keep_next(Source& source, Member& member, std::vector<Kept<Source>>& items) {
    return source.next(member, [&](auto&& item) { items.emplace_back(std::forward<decltype(item)>(item)); });
}

/// What of the items `predicate` is true for.
template <class Source, class Predicate>
class FilteredSource {
  public:
    using Item = typename Source::Item;
    using Value = ValueOf<Source>;
    static constexpr bool items_stay = Source::items_stay;

    FilteredSource(Source source, Predicate predicate)
        : source_(std::move(source)), predicate_(std::move(predicate)) {}

    template <class Each>
    Taken next(Member& member, Each&& each) {
        return source_.next(member, [&](auto&& item) {
            if (detail::call(predicate_, item)) each(std::forward<decltype(item)>(item));
        });
    }

  private:
    Source source_;
    Predicate predicate_;
};

/// Whether batches are used in the order of the range, or as they are ready.
enum class Order : std::uint8_t { kept, free };

/// Passes batches from the members of a crew to a receiver: in order, one at a time, outside of every lock. A
/// limited number of batches waits for a late one; members that are further ahead wait. Its state is under
/// the lock of the crew.
template <class T>
class Turns {
  public:
    explicit Turns(Order order) noexcept : order_(order) {}

    /// `receiver.receive(items)` is called for this batch and what has waited for it, here or, if one is at
    /// it, by that member.
    template <class Receiver>
    void hand_in(Crew& crew, std::uint64_t number, std::vector<T> items, Receiver& receiver) {
        std::unique_lock lock(crew.mutex());
        if (order_ == Order::free) number = arrived_++;
        crew.wait_until(lock, [&] { return number - next_ < 4 * crew.size(); });
        waiting_.push_back({number, std::move(items)});
        deliver(crew, lock, receiver);
    }

    /// So many batches are all. When they have been received, `receiver.finish()` is called, once.
    template <class Receiver>
    void end(Crew& crew, std::uint64_t count, Receiver& receiver) {
        std::unique_lock lock(crew.mutex());
        end_ = count;
        deliver(crew, lock, receiver);
    }

  private:
    struct Ready {
        std::uint64_t number;
        std::vector<T> items;
    };
    static constexpr std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();

    template <class Receiver>
    void deliver(Crew& crew, std::unique_lock<std::mutex>& lock, Receiver& receiver) {
        if (is_delivering_) return;
        is_delivering_ = true;
        while (std::optional<std::vector<T>> items = take_next()) {
            lock.unlock();
            if (!crew.goes_on()) return;
            receiver.receive(*std::move(items));
            lock.lock();
            ++next_;
            crew.tell_all();
        }
        if (next_ == end_ && !std::exchange(has_finished_, true)) {
            lock.unlock();
            receiver.finish();
            lock.lock();
        }
        is_delivering_ = false;
    }

    std::optional<std::vector<T>> take_next() {
        const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                        [this](const Ready& each) { return each.number == next_; });
        if (found == waiting_.end()) return std::nullopt;
        std::optional<std::vector<T>> items(std::move(found->items));
        waiting_.erase(found);
        return items;
    }

    Order order_;
    std::vector<Ready> waiting_;
    std::uint64_t next_ = 0;  // the number of the batch whose turn it is
    std::uint64_t arrived_ = 0;
    std::uint64_t end_ = unknown;
    bool has_finished_ = false;
    bool is_delivering_ = false;
};

/// A stage that must see one item after the other. `step.add(item, out)` puts what comes of an item behind
/// `out`, `step.finish(out)` what is left at the end; once `step.is_done()` no more items are wanted.
template <class Source, class Step>
class SteppedSource {
    using Held = Kept<Source>;

  public:
    using Item = Opened<typename Step::Out>;
    using Value = PlainValue<Item>;
    static constexpr bool items_stay = std::is_lvalue_reference_v<Item>;

    SteppedSource(Source source, Step step, Order order)
        : source_(std::move(source)), step_(std::move(step)), turns_(order), is_ended_(step_.is_done()) {}

    template <class Each>
    Taken next(Member& member, Each&& each) {
        while (true) {
            if (const OwningPtr<Ready> ready = take_ready(member.crew)) {
                for (auto& item : ready->items) {
                    if (!member.crew.goes_on()) return {Taken::Kind::nothing};
                    each(opened(item));
                }
                return ready->taken;
            }
            std::vector<Held> items;
            const Taken taken = keep_next(source_, member, items);
            Receiver receiver{*this, member.crew};
            if (taken.kind == Taken::Kind::nothing) return taken;
            if (taken.kind == Taken::Kind::batch)
                turns_.hand_in(member.crew, taken.number, std::move(items), receiver);
            else
                await_the_end(member.crew, taken.number, receiver);
            if (member.crew.is_over()) return {Taken::Kind::nothing};
        }
    }

  private:
    struct Ready {
        Taken taken;
        std::vector<typename Step::Out> items;
        Ready* next = nullptr;
    };

    struct Receiver {
        SteppedSource& stage;
        Crew& crew;

        void receive(std::vector<Held> items) {
            std::vector<typename Step::Out> out;
            for (auto& item : items) {
                if (stage.step_.is_done()) break;
                stage.step_.add(std::move(item), out);
            }
            stage.give(crew, std::move(out), stage.step_.is_done());
        }
        void finish() {
            std::vector<typename Step::Out> out;
            stage.step_.finish(out);
            stage.give(crew, std::move(out), true);
        }
    };

    // What is ready, or that there will be nothing more.
    OwningPtr<Ready> take_ready(Crew& crew) {
        const std::lock_guard lock(crew.mutex());
        if (!ready_.empty()) return ready_.take_front();
        return OwningPtr<Ready>(is_ended_ ? new Ready{{Taken::Kind::end, given_}, {}} : nullptr);
    }

    void give(Crew& crew, std::vector<typename Step::Out> items, bool is_last) {
        const std::lock_guard lock(crew.mutex());
        if (is_ended_) return;
        ready_.push_back(new Ready{{Taken::Kind::batch, given_}, std::move(items)});
        ++given_;
        is_ended_ = is_last;
        crew.tell_all();
    }

    // The others may still be at work on batches, of which there will be something to do.
    void await_the_end(Crew& crew, std::uint64_t count, Receiver& receiver) {
        turns_.end(crew, count, receiver);
        std::unique_lock lock(crew.mutex());
        crew.wait_until(lock, [this] { return is_ended_ || !ready_.empty(); });
    }

    Source source_;
    Step step_;
    Turns<Held> turns_;
    OwningList<Ready> ready_;  // this and what follows are under the lock of the crew
    std::uint64_t given_ = 0;
    bool is_ended_;
};

/// Lets so many items pass.
template <class Source>
class TakeStep {
  public:
    using Out = Kept<Source>;
    explicit TakeStep(std::uint64_t count) noexcept : left_(count) {}

    [[nodiscard]] bool is_done() const noexcept { return left_ == 0; }
    void add(Out item, std::vector<Out>& out) {
        out.push_back(std::move(item));
        --left_;
    }
    void finish(std::vector<Out>&) const noexcept {}

  private:
    std::uint64_t left_;
};

/// Gathers so many items into one; fewer at the end.
template <class Source>
class ChunkStep {
  public:
    using Out = std::vector<ValueOf<Source>>;
    explicit ChunkStep(std::size_t size) noexcept : size_(size) {}

    [[nodiscard]] bool is_done() const noexcept { return false; }
    void add(Kept<Source> item, std::vector<Out>& out) {
        chunk_.push_back(opened(item));
        if (chunk_.size() == size_) out.push_back(std::exchange(chunk_, {}));
    }
    void finish(std::vector<Out>& out) {
        if (!chunk_.empty()) out.push_back(std::move(chunk_));
    }

  private:
    std::size_t size_;
    Out chunk_;
};

/// Calls `f(item)` for everything that comes out of a source, one at a time in order.
template <class Source, class F>
void for_each_in_turn(Crew& crew, Source& source, F& f) {
    using Held = Kept<Source>;
    struct Receiver {
        Crew& crew;
        F& function;
        void receive(std::vector<Held> items) {
            for (auto& item : items) {
                if (!crew.goes_on()) return;
                static_cast<void>(detail::call(function, opened(item)));
            }
        }
        void finish() const noexcept {}
    };
    Receiver receiver{crew, f};
    Turns<Held> turns(Order::kept);
    work_together(crew, Sizes::timed, [&](Member& member) {
        std::vector<Held> items;
        const Taken taken = keep_next(source, member, items);
        if (taken.kind != Taken::Kind::batch) return false;
        turns.hand_in(crew, taken.number, std::move(items), receiver);
        return true;
    });
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
