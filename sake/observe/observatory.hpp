// Observatory: counts every answer of an engine, by route, method and class of status, and how long the turns
// of its loop take. An engine has one if the program asks for its metrics or its dashboard.
//
// It is written and read on the reactor's thread alone, without locks. A series takes memory when it is
// first counted: there are as many as routes x methods x classes that have come, whatever clients send.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>

#include "sake/app/answered.hpp"
#include "sake/app/call.hpp"
#include "sake/app/carrier.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/array.hpp"
#include "sake/base/duration_counts.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/worker_board.hpp"
#include "sake/http/message.hpp"
#include "sake/observe/slow_requests.hpp"
#include "sake/server/engine.hpp"
#include "sake/server/engine_impl.hpp"
#include "sake/server/run.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The answers of one route to one method with one class of status.
struct AnswerSeries {
    AnswerSeries(Method its_method, int status) noexcept
        : method(its_method), first_status(status / 100 * 100) {}
    [[nodiscard]] bool has(Method of, int status) const noexcept {
        return method == of && static_cast<unsigned>(status - first_status) < 100;
    }

    const Method method;
    const int first_status;  // 200 for all from there to 299
    DurationCounts durations;
    AnswerSeries* next = nullptr;
};

/// All series of a route.
struct AnswerRow {
    const RouteEntry* route = nullptr;  // null where none matched
    OwningList<AnswerSeries> series;
};

inline constexpr std::size_t cause_count = 9;

/// A template: of a class, compilers would take its functions into programs that make none, since no other
/// counts.
template <class Unused = void>
class ObservatoryOf final : public AnswerCounter, public RunObserver {
  public:
    void begin(Reactor& reactor, const RouteTable& routes, Carrier* carrier) override {
        std::size_t count = 1;
        for (const RouteEntry* each = routes.first(); each != nullptr; each = each->next) ++count;
        rows_ = OwningPtr<AnswerRow[]>(new AnswerRow[count]);
        row_count_ = count;
        for (const RouteEntry* each = routes.first(); each != nullptr; each = each->next) {
            rows_[each->number].route = each;
        }
        received_ = sent_ = 0;
        causes_ = {};
        turns_ = {};
        slow_ = {};
        workers_ = CountedPtr<WorkerBoard>(new WorkerBoard);
        reactor_ = &reactor;
        begun_ = reactor.present();
        reactor.count_turns(turns_);
        if (carrier != nullptr) carrier->show_on(*workers_);
    }

    void count(const Call& call, std::uint64_t sent, std::uint64_t received,
               std::chrono::nanoseconds duration, bool is_stream) noexcept override {
        AnswerRow& row = rows_[call.route != nullptr ? call.route->number : 0];
        const Method method = call.request.known_method;
        const int status = call.response.status;
        AnswerSeries* series = row.series.first();
        while (series != nullptr && !series->has(method, status)) series = series->next;
        if (series == nullptr) [[unlikely]]
            series = add_series(row, method, status);
        series->durations.add(duration);
        sent_ += sent;
        received_ += received;
        ++causes_[static_cast<std::size_t>(call.cause)];
        if (duration >= SlowRequests::shortest) [[unlikely]]
            note_slow(row, call, duration, is_stream);
    }

    /// One for each route by its number; the first is for requests without one.
    [[nodiscard]] std::size_t row_count() const noexcept { return row_count_; }
    [[nodiscard]] const AnswerRow& row(std::size_t number) const noexcept { return rows_[number]; }
    /// By AnswerCause.
    [[nodiscard]] const std::array<std::uint64_t, cause_count>& causes() const noexcept { return causes_; }
    /// When the run began.
    [[nodiscard]] TimePoint begun() const noexcept { return begun_; }
    /// Bytes of bodies.
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
    /// How long the turns of the loop were busy.
    [[nodiscard]] const DurationCounts& turns() const noexcept { return turns_; }
    [[nodiscard]] const WorkerBoard& workers() const noexcept { return *workers_; }
    [[nodiscard]] SlowRequests& slow() noexcept { return slow_; }

  private:
    [[gnu::noinline]] AnswerSeries* add_series(AnswerRow& row, Method method, int status) noexcept {
        try {
            return &row.series.push_back(new AnswerSeries(method, status));
        } catch (const std::bad_alloc&) {
            return &lost_;
        }
    }
    [[gnu::noinline]] void note_slow(const AnswerRow& row, const Call& call,
                                     std::chrono::nanoseconds duration, bool is_stream) noexcept {
        if (is_stream) return;  // it is as long as it is meant to be
        const SlowRequest request{row.route, call.request.known_method, call.response.status, call.cause,
                                  duration,  reactor_->wall_now()};
        slow_.add(request, reactor_->now());
    }

    AnswerSeries lost_{Method::other, 0};  // those for which there was no memory
    OwningPtr<AnswerRow[]> rows_;
    std::size_t row_count_ = 0;
    Reactor* reactor_ = nullptr;
    TimePoint begun_{};
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    std::array<std::uint64_t, cause_count> causes_{};
    DurationCounts turns_;
    SlowRequests slow_;
    CountedPtr<WorkerBoard> workers_;
};

using Observatory = ObservatoryOf<>;

/// What the floor above the server reaches of an engine.
struct EngineInside {
    [[nodiscard]] static RouteTable& table(Engine& engine) noexcept { return *engine.table_; }
    /// While it serves, on the reactor's thread.
    [[nodiscard]] static Run& run(Engine& engine) noexcept { return engine.state_->current->run(); }
    [[nodiscard]] static const Observers& observers(const Engine& engine) noexcept {
        return engine.observers_;
    }
    /// From now on, `check` throws if the engine must not serve these listeners.
    static void check_listeners(Engine& engine, void (*check)(const Listeners&)) noexcept {
        engine.state_->check_listeners = check;
    }
    /// The one of this engine, which is made by the first call. Throws std::logic_error while it serves.
    template <class Made = Observatory>
    [[nodiscard]] static Made& observatory(Engine& engine) {
        engine.table_->require_unfrozen();
        auto& kept = engine.state_->observer;
        if (!kept) {
            OwningPtr<Made> made(new Made);
            engine.observers_.count_by(*made);
            kept = std::move(made);
        }
        return static_cast<Made&>(*kept);
    }
};

/// The name of a method as a label: of those that are not known, one for all.
[[nodiscard]] inline std::string_view method_label(Method method) noexcept {
    constexpr std::string_view names[] = {"GET",     "HEAD",  "POST",    "PUT",   "PATCH", "DELETE",
                                          "OPTIONS", "QUERY", "CONNECT", "TRACE", "_OTHER"};
    return names[static_cast<std::size_t>(method)];
}
/// The name of a route.
[[nodiscard]] inline std::string_view route_label(const RouteEntry* route) noexcept {
    return route != nullptr ? route->pattern() : "unmatched";
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
