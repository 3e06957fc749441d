// pipeline: items pass through stages one after the other. The stages work at the same time, each on threads
// of its own.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/async/spawn.hpp"
#include "sake/async/task.hpp"
#include "sake/base/array.hpp"
#include "sake/base/error.hpp"
#include "sake/compute/cpu_count.hpp"
#include "sake/compute/invoke.hpp"
#include "sake/compute/pipeline_queue.hpp"
#include "sake/compute/thread.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// A function of a pipeline, and its number of threads. See `stage`.
template <class F>
struct Stage {
    explicit Stage(F callable, int thread_count = 1) : function(std::move(callable)), threads(thread_count) {
        detail::demand_at_least(0, threads, "stage: threads");
        if (threads == 0) threads = usable_cpus();
    }
    F function;
    int threads;
};

/// A stage on `threads` threads, which call the same `f` at the same time; 0 means one per usable CPU. Throws
/// std::invalid_argument if `threads` is negative.
template <class F>
[[nodiscard]] Stage<std::decay_t<F>> stage(F&& f, int threads) {
    return Stage<std::decay_t<F>>(std::forward<F>(f), threads);
}

/// Stages that items pass through, with a bounded queue between each two. `pipeline` makes it. It may run
/// several times. The pipeline and its input must outlive a run.
///
/// A run has threads of its own, so stages may block. At most `queue_limit` items wait between two stages,
/// and each thread holds one item: memory is bounded for input of any length. The first exception from a
/// stage or the source is rethrown by the run; unfinished items are dropped. When the run returns, its
/// threads have ended and its items are destroyed. A stage or source that blocks delays this.
template <class... Fs>
class Pipeline {
  public:
    explicit Pipeline(Stage<Fs>... stages) : stages_(std::move(stages)...) {}

    /// Sets how many items may wait between two stages; 16 by default. The largest value of its type means
    /// "no limit". Throws std::invalid_argument unless it is at least 1.
    template <std::integral Number>
    [[nodiscard]] Pipeline queue_limit(Number items) && {
        shape_.queue_limit = detail::limit_of<std::size_t>(1, items, "Pipeline: queue_limit");
        return std::move(*this);
    }
    /// Lets items overtake each other in stages with several threads. By default single-threaded stages and
    /// the results keep the order of the input.
    [[nodiscard]] Pipeline unordered() && {
        shape_.keeps_order = false;
        return std::move(*this);
    }

    /// Runs all inputs through the stages, and blocks until that is done. Returns a vector of the last
    /// stage's results, or nothing if it returns nothing. `inputs` is a range, or a callable that returns a
    /// std::optional, empty at the end; one thread at a time calls it. The first stage receives references to
    /// the items of a range; it may move from them if the range is a temporary container. Throws Cancelled
    /// when `stop` is requested.
    template <class Inputs>
    auto run(Inputs&& inputs, std::stop_token stop = {});

    /// The same for a coroutine, without blocking the loop: `co_await p.run_async(inputs)`. When it is
    /// cancelled, the run is abandoned, waited for, and throws Cancelled. A temporary container or pipeline
    /// is moved into the task.
    template <class Inputs>
    [[nodiscard]] auto run_async(Inputs&& inputs, std::stop_token stop = {}) &;
    template <class Inputs>
    [[nodiscard]] auto run_async(Inputs&& inputs, std::stop_token stop = {}) &&;

  private:
    std::tuple<Stage<Fs>...> stages_;
    detail::PipelineShape shape_;
};

namespace detail {

template <class F>
struct StageOf {
    using type = F;
};
template <class F>
struct StageOf<Stage<F>> {
    using type = F;
};
template <class F>
using StageFunction = typename StageOf<std::decay_t<F>>::type;

}  // namespace detail

/// Makes a pipeline of callables. A bare callable has one thread, `stage(f, n)` has n.
///
///     auto pages = pipeline(fetch, stage(parse, 4), index);
///     pages.run(urls);
template <class... Stages>
    requires(sizeof...(Stages) > 0)
[[nodiscard]] Pipeline<detail::StageFunction<Stages>...> pipeline(Stages&&... stages) {
    return Pipeline<detail::StageFunction<Stages>...>(
        Stage<detail::StageFunction<Stages>>(std::forward<Stages>(stages))...);
}

namespace detail {

/// What the items that a stage has done go into: one for each stage, the last one for the results.
template <class Outlets, class In, class... Fs>
struct PipelineOutlets;

template <class F, class In>
using StageResult = PlainValue<std::invoke_result_t<F&, In>>;

enum class PipelineFault : std::uint8_t { none, source, takes_other, waits, gives_nothing };

/// What keeps stages from passing on an In.
template <class In, class F, class... Rest>
consteval PipelineFault stages_fault() {
    if constexpr (!std::invocable<F&, In>)
        return PipelineFault::takes_other;
    else if constexpr (is_task<std::invoke_result_t<F&, In>>)
        return PipelineFault::waits;
    else if constexpr (sizeof...(Rest) == 0)
        return PipelineFault::none;
    else if constexpr (std::is_void_v<StageResult<F, In>>)
        return PipelineFault::gives_nothing;
    else
        return stages_fault<StageResult<F, In>, Rest...>();
}

template <class... Outlets, class In, class F>
struct PipelineOutlets<std::tuple<Outlets...>, In, F> {
    using type = std::tuple<Outlets..., PipelineResults<StageResult<F, In>>>;
};

template <class... Outlets, class In, class F, class Next, class... Rest>
struct PipelineOutlets<std::tuple<Outlets...>, In, F, Next, Rest...> {
    using Out = StageResult<F, In>;
    using type =
        typename PipelineOutlets<std::tuple<Outlets..., PipelineQueue<Out>>, Out, Next, Rest...>::type;
};

/// What a source hands to the first stage.
template <class Pull>
using FirstItem = decltype(opened(std::declval<typename PipelineFeed<Pull>::Item&>()));

/// One run of a pipeline, from its first thread to its last.
template <class Pull, class... Fs>
class PipelineRun {
    using Feed = PipelineFeed<Pull>;
    using Outlets = typename PipelineOutlets<std::tuple<>, FirstItem<Pull>, Fs...>::type;
    static constexpr std::size_t size = sizeof...(Fs);

  public:
    PipelineRun(std::tuple<Stage<Fs>...>& stages, const PipelineShape& shape, Pull& pull)
        : stages_(stages), feed_(pull), outlets_(same_for<Fs>(shape)...) {}

    auto run(const std::stop_token& stop) {
        run_threads(stop);
        if (failure_) std::rethrow_exception(failure_);
        return std::get<size - 1>(outlets_).take();
    }

  private:
    // When it ends, nothing else knows of this run any more.
    void run_threads(const std::stop_token& stop) {
        const auto cancel = [this]() noexcept { abandon(std::make_exception_ptr(Cancelled())); };
        const std::stop_callback on_stop(stop, cancel);
        Array<ThreadHandle<void>> threads;
        try {
            start(threads, std::make_index_sequence<size>());
        } catch (...) {
            abandon(std::current_exception());
        }
        for (auto& each : threads) each.join();
    }

    template <class>
    static const PipelineShape& same_for(const PipelineShape& shape) noexcept {
        return shape;
    }

    template <std::size_t... index>
    void start(Array<ThreadHandle<void>>& threads, std::index_sequence<index...>) {
        ((running_[index] = std::get<index>(stages_).threads), ...);
        // A thread without a place in the vector would be joined before the others are told to end.
        threads.reserve((static_cast<std::size_t>(std::get<index>(stages_).threads) + ...));
        (start_stage<index>(threads), ...);
    }
    template <std::size_t index>
    void start_stage(Array<ThreadHandle<void>>& threads) {
        const std::string name = "pipeline " + std::to_string(index + 1);
        for (int i = 0; i < std::get<index>(stages_).threads && !is_abandoned_; ++i) {
            threads.push_back(thread::spawn(thread::Name(name), [this] { work<index>(); }));
        }
    }

    // A thread of a stage, from its begin to its end. A pthread_exit in the stage does not pass it.
    template <std::size_t index>
    void work() noexcept {
        auto& outlet = std::get<index>(outlets_);
        try {
            while (auto item = inlet<index>().pop()) {
                if (!pass_on(std::get<index>(stages_).function, *item, outlet)) break;
            }
        } catch (...) {
            abandon(std::current_exception());
        }
        if (--running_[index] == 0) outlet.close();
    }
    template <class F, class T, class Outlet>
    static bool pass_on(F& function, Numbered<T>& item, Outlet& outlet) {
        if constexpr (std::is_same_v<Outlet, PipelineResults<void>>) {
            detail::call(function, opened(item.value));
            return true;
        } else {
            return outlet.push(item.number, detail::call(function, opened(item.value)));
        }
    }
    template <std::size_t index>
    auto& inlet() noexcept {
        if constexpr (index == 0)
            return feed_;
        else
            return std::get<index - 1>(outlets_);
    }

    // The first reason is kept.
    void abandon(std::exception_ptr why) noexcept {
        {
            const std::lock_guard lock(mutex_);
            if (!failure_) failure_ = std::move(why);
            is_abandoned_ = true;
        }
        feed_.abandon();
        std::apply([](auto&... outlet) { (outlet.abandon(), ...); }, outlets_);
    }

    std::tuple<Stage<Fs>...>& stages_;
    Feed feed_;
    Outlets outlets_;
    std::array<std::atomic<int>, size> running_{};  // threads of each stage
    std::mutex mutex_;                              // of the failure
    std::exception_ptr failure_;
    std::atomic<bool> is_abandoned_ = false;
};

/// Runs a pipeline from a thread that is made for it: what it gives or throws comes to the loop, which goes
/// on meanwhile. The pipeline and the inputs are references, or live in this frame.
template <class P, class Inputs>
auto run_pipeline(P pipeline, Inputs inputs, std::stop_token stop)
    -> Task<decltype(pipeline.run(std::forward<Inputs>(inputs), stop))> {
    ThreadHandle runner = thread::spawn(thread::Name("pipeline"), [&](std::stop_token cancelled) {
        std::stop_source either;
        const auto request_stop = [&]() noexcept { either.request_stop(); };
        const std::stop_callback on_cancel(cancelled, request_stop);
        const std::stop_callback on_stop(stop, request_stop);
        return pipeline.run(std::forward<Inputs>(inputs), either.get_token());
    });
    ThreadWait wait(runner, ThreadOnCancel::stop);
    co_return co_await wait;
}

template <class Inputs>
inline constexpr bool is_safe_input = !PipelineSource<Inputs> || is_safe_to_await<Inputs>;

template <class Inputs, class... Fs>
consteval PipelineFault pipeline_fault() {
    if constexpr (PipelineSource<Inputs>)
        return stages_fault<FirstItem<Inputs>, Fs...>();
    else if constexpr (Iterable<Inputs>)
        return stages_fault<FirstItem<PipelineRange<Inputs>>, Fs...>();
    else
        return PipelineFault::source;
}
/// Stops the compiler with the words for the fault.
template <PipelineFault fault>
void refuse_pipeline() {
    using enum PipelineFault;
    static_assert(
        fault != source,
        "a pipeline runs over a range, or over a callable that returns a std::optional: give one of "
        "the two to run");
    static_assert(
        fault != takes_other,
        "a stage of the pipeline does not take what the stage or source before it returns: give it a "
        "parameter of that type");
    static_assert(fault != waits,
                  "a stage of a pipeline is a plain function on a thread of its own: let it wait there, and "
                  "not in a coroutine");
    static_assert(fault != gives_nothing,
                  "only the last stage of a pipeline may return nothing: return what the next stage takes");
}

}  // namespace detail

template <class... Fs>
template <class Inputs>
auto Pipeline<Fs...>::run(Inputs&& inputs, std::stop_token stop) {
    constexpr detail::PipelineFault fault = detail::pipeline_fault<Inputs, Fs...>();
    if constexpr (fault != detail::PipelineFault::none) {
        detail::refuse_pipeline<fault>();
    } else if constexpr (detail::PipelineSource<Inputs>) {
        detail::PipelineRun<Inputs, Fs...> run(stages_, shape_, inputs);
        return run.run(stop);
    } else {
        detail::PipelineRange<Inputs> source(inputs);
        detail::PipelineRun<detail::PipelineRange<Inputs>, Fs...> run(stages_, shape_, source);
        return run.run(stop);
    }
}

template <class... Fs>
template <class Inputs>
auto Pipeline<Fs...>::run_async(Inputs&& inputs, std::stop_token stop) & {
    static_assert(detail::is_safe_input<Inputs>,
                  "GCC before 13 destroys the captures of this lambda twice: name the source first");
    return detail::run_pipeline<Pipeline&, Inputs>(*this, std::forward<Inputs>(inputs), std::move(stop));
}

template <class... Fs>
template <class Inputs>
auto Pipeline<Fs...>::run_async(Inputs&& inputs, std::stop_token stop) && {
    static_assert(detail::is_safe_input<Inputs> && detail::is_safe_to_await<Pipeline>,
                  "GCC before 13 destroys the captures of these lambdas twice: name the pipeline, or source, "
                  "first, `auto p = pipeline(...); co_await p.run_async(...);`");
    return detail::run_pipeline<Pipeline, Inputs>(std::move(*this), std::forward<Inputs>(inputs),
                                                  std::move(stop));
}

}  // namespace SAKE_ABI
}  // namespace sake
