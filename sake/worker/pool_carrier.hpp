// The carrier to the worker pool. A call travels as JSON text, the same handler object serves it there, and
// its answer returns the same way. The reactor never waits for the pool, and the pool never touches objects
// of the reactor. A side that gives up leaves a job behind whose answer is dropped.
#pragma once

#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/carrier.hpp"
#include "sake/app/chain_impl.hpp"
#include "sake/app/config.hpp"
#include "sake/app/file_answer.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/spawn.hpp"
#include "sake/async/task.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/function.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/worker_board.hpp"
#include "sake/compute/worker_pool.hpp"
#include "sake/worker/bridge.hpp"
#include "sake/worker/document_impl.hpp"
#include "sake/worker/mailbox.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What the worker routes of one run share. Pool is WorkerPool: templates, so that only a program with worker
/// routes compiles them and what they use; see task.hpp.
template <class Pool>
struct PoolCarrier final : Carrier {
    PoolCarrier(Reactor& reactor, const Config& config, CountedPtr<const RouteTable> table, Budget& budget)
        : memory(budget),
          log(config.log),
          mailbox(new Mailbox(reactor)),
          routes(std::move(table)),
          queue_timeout(config.worker_queue_timeout),
          call_limits(config),
          limits(config),
          pool(config.worker_pool_size, config.worker_queue_limit) {}

    OwningPtr<CarriedCall> carry(Call& call) override;
    [[nodiscard]] WorkerPool::Stats stats() const override { return pool.stats(); }
    void show_on(WorkerBoard& shown) override { board = CountedPtr<WorkerBoard>(&shown); }
    void request_stop() noexcept override { stopping.request_stop(); }
    std::size_t stop(std::chrono::milliseconds patience) noexcept override {
        const auto stuck = static_cast<std::size_t>(pool.stop(patience));
        mailbox->close();
        return stuck;
    }

    Budget& memory;
    LogSink log;
    std::stop_source stopping;  // tells what handlers have spawned
    CountedPtr<Mailbox> mailbox;
    CountedPtr<WorkerBoard> board;        // none if nobody looks
    CountedPtr<const RouteTable> routes;  // held by jobs too: a stuck one may outlive the engine
    std::chrono::milliseconds queue_timeout;
    CallLimits call_limits;
    RequestLimits limits;
    Pool pool;
};

// --- On the worker ---

/// The loop of the calling worker, on which its handlers run. A worker serves one engine, whose log it is. A
/// handler that calls exit() destroys the thread's objects in the middle of the loop: then it stays.
inline Reactor& worker_reactor(const LogSink& log) {
    struct Owner {
        explicit Owner(const LogSink& log) : loop(new Reactor) { loop->set_log(log); }
        Owner(const Owner&) = delete;
        Owner& operator=(const Owner&) = delete;
        ~Owner() {
            if (Reactor::current() != loop) delete loop;
        }
        Reactor* const loop;
    };
    thread_local const Owner owner(log);
    return *owner.loop;
}

/// One request on its way through the pool.
template <class Pool>
class RequestJob final : public PoolJob {
  public:
    RequestJob(const PoolCarrier<Pool>& carrier, const Call& call, std::string request)
        : mailbox_(carrier.mailbox),
          routes_(carrier.routes),
          route_(call.route),
          log_(carrier.log),
          stopping_(carrier.stopping.get_token()),
          ticket_(carrier.board),
          limits_(carrier.limits),
          call_limits_(carrier.call_limits),
          request_(std::move(request)) {
        place_.scheme = call.context.scheme();
        call_limits_.temporary_directory = {};  // the Config may be gone by then, and a body here is whole
        place_.limits = &call_limits_;
        place_.worker_pool_size = carrier.pool.size();
        place_.in_worker_pool = true;
    }

    void run() override {
        const WorkerBoard::Entry shown(ticket_, route_);
        keep_exception([&] {
            Reactor& loop = loop_of_this_thread();
            loop.tell_stop_by(stopping_);
            loop.serve_modules((*routes_).modules);
            const FiberGuard no_fiber_outlives(loop);
            keep_exception([&] { serve(loop); });
            run_what_was_spawned(loop);
        });
    }

    void finished(bool thread_ended) noexcept override {
        if (is_delivered_) return mailbox_->wake();
        thread_ended_ = thread_ended;
        deliver();
    }

    // What follows is for the reactor's thread.

    Wait* waiter = nullptr;
    [[nodiscard]] bool is_done() const noexcept { return is_done_; }

    /// Puts the answer of a job that is done into `call`, then throws what the handler threw.
    void finish_request(Call& call) {
        if (thread_ended_) throw std::runtime_error("the handler ended its thread");
        if (!response_.empty()) {
            auto response = from_text<WorkerResponse>(response_, no_limits);
            if (response.aborted) call.is_aborted = true;
            if (!response.values.empty() || call.state.find<KeptValues<Json>>() != nullptr) {
                call.state.get<KeptValues<Json>>().object.swap(response.values);
            }
            dismantle(response.values);
            const int status = response.status;
            std::optional<std::string> error = std::move(response.error);
            apply_response(call.response, std::move(response));
            if (error) throw_error_of(status, *std::move(error));
            if (call.response.file() != nullptr && !exception_) open_named_file(call);
        }
        if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
    }

    /// The answer is no longer wanted: tells the handler.
    void request_stop() noexcept { stop_.request_stop(); }

  private:
    // They were kept when the request was read, and the text was made by this process.
    static constexpr WorkerLimits no_limits{static_cast<std::size_t>(-1), static_cast<std::size_t>(-1),
                                            static_cast<std::size_t>(-1)};

    /// If the thread ends in the middle, its coroutines end before what they use.
    class FiberGuard {
      public:
        explicit FiberGuard(Reactor& loop) noexcept : loop_(loop) {}
        FiberGuard(const FiberGuard&) = delete;
        FiberGuard& operator=(const FiberGuard&) = delete;
        ~FiberGuard() {
            if (is_needed) loop_.destroy_fibers();
        }
        bool is_needed = true;

      private:
        Reactor& loop_;
    };

    Reactor& loop_of_this_thread() {
        thread_local bool is_told = false;
        try {
            Reactor& loop = worker_reactor(log_);
            is_told = false;
            return loop;
        } catch (const std::system_error& error) {
            // For want of descriptors, mostly: another request may have more luck.
            if (!std::exchange(is_told, true))
                log_quietly(log_, LogLevel::error, "a worker has no event loop: ", error.what());
            throw HttpError(503, "the server has no resources to spare for this request")
                .header("Retry-After", "1");
        }
    }

    void serve(Reactor& loop) {
        Call call;
        FiberGuard no_fiber_outlives_call(loop);
        call.place = place_;
        call.stop_source = stop_;
        build_call(call, *route_, from_text<WorkerContext>(std::exchange(request_, {}), no_limits), limits_);
        const Handler& handler = route_->handler();
        keep_exception([&] {
            if (handler.is_coroutine()) {
                run_coroutine(loop, handler, call);
            } else {
                loop.enter([&] { handler.call(call); });
            }
        });
        // What it gave to Context::after runs here too, but not if the handler threw: its answer is made on
        // the reactor.
        const bool has_thrown = exception_ != nullptr;
        while (!has_thrown && !call.afters.empty()) {
            const auto after = call.afters.take_front();
            keep_exception([&] { loop.enter([&] { after->run(call.context); }); });
        }
        // What a handler has set before it threw is kept, as it is on the reactor.
        WorkerResponse response = describe_response(call.response);
        if (auto* const values = call.state.find<KeptValues<Json>>()) response.values.swap(values->object);
        response.aborted = call.is_aborted;
        response_ = to_text(response);
        no_fiber_outlives_call.is_needed = false;  // what was spawned may go on
    }

    template <class F>
    void keep_exception(F work) {
        try {
            work();
        } catch (...) {
            exception_ = caught_exception();
        }
    }

    void run_coroutine(Reactor& reactor, const Handler& handler, Call& call) {
        struct Shared : Counted {
            explicit Shared(JoinHandle<void> its_handle) noexcept : handle(std::move(its_handle)) {}
            JoinHandle<void> handle;
        };
        const CountedPtr<Shared> task(new Shared(spawn_on(reactor, handler.call_coroutine(call))));
        const std::stop_callback cancel_on_stop(stop_.get_token(), [&]() noexcept {
            try {
                reactor.post([task] { task->handle.cancel(); });
            } catch (const std::bad_alloc&) {
                // No memory to tell it: it goes on, and its answer is dropped.
            }
        });
        reactor.run_until([&] { return task->handle.is_done(); });
        task->handle.take();
    }

    // It goes on, to its end or the server's, and the answer does not wait for it. From here on that is the
    // reactor's, so a failure goes to the log.
    void run_what_was_spawned(Reactor& loop) {
        if (!loop.has_fibers()) return;
        deliver();
        try {
            struct Presence : Counted {  // so that a late word is not for the next job
                bool is_over = false;
            };
            const CountedPtr<Presence> presence(new Presence);
            const AtExit gone([&] { presence->is_over = true; });
            const std::stop_callback cancel_on_stop(stopping_, [&]() noexcept {
                try {
                    loop.post([&loop, presence] {
                        if (!presence->is_over) loop.cancel_fibers();
                    });
                } catch (const std::bad_alloc&) {
                    // No memory to tell them: they are left behind when the patience is over.
                }
            });
            loop.run_until([&] { return !loop.has_fibers(); });
        } catch (...) {
            report_failure("what a worker's handler spawned failed: ", caught_exception());
        }
    }

    void deliver() noexcept {
        if (std::exchange(is_delivered_, true)) return;
        try {
            mailbox_->post([self = CountedPtr<RequestJob>(this)] {
                self->is_done_ = true;
                if (self->waiter != nullptr) self->waiter->finish();
            });
        } catch (const std::bad_alloc&) {
            // No memory to tell: whoever waits does so until the request's timeout.
        }
    }

    CountedPtr<Mailbox> mailbox_;
    const RouteTable::Use routes_;
    const RouteEntry* route_;
    LogSink log_;
    std::stop_token stopping_;
    WorkerBoard::Ticket ticket_;
    RequestLimits limits_;
    CallLimits call_limits_;
    std::string request_;
    std::string response_;
    CallPlace place_;
    std::stop_source stop_;
    std::exception_ptr exception_;
    bool is_delivered_ = false;
    bool thread_ended_ = false;
    bool is_done_ = false;  // the reactor's
};

// --- On the reactor ---

/// A call in the pool. If it has been in the queue for too long, it is answered by 503.
template <class Pool>
class PooledCall final : public CarriedCall, private Timer {
  public:
    PooledCall(PoolCarrier<Pool>& carrier, Call& call) noexcept
        : Timer(&queued_too_long), carrier_(carrier), call_(call), memory_(carrier.memory) {}
    ~PooledCall() override {
        if (!job_ || job_->is_done()) return;
        job_->request_stop();
        carrier_.pool.abandon(*job_);
    }

    /// False if it was refused.
    bool submit() {
        if (!carrier_.pool.has_room()) return refuse("all workers are busy");
        std::string text = to_text(describe_request(call_));
        if (!memory_.resize(text.size())) return refuse("the server has no memory to spare for this request");
        job_ = CountedPtr<RequestJob<Pool>>(new RequestJob<Pool>(carrier_, call_, std::move(text)));
        return carrier_.pool.submit_job(job_) || refuse("all workers are busy");
    }

  private:
    bool refuse(std::string_view why) {
        call_.cause = AnswerCause::overload;
        call_.response.set_problem(503, why);
        call_.response.headers.set("Retry-After", "1");
        return false;
    }

    void begin(Reactor& loop) override {
        loop.deadlines().set(*this, loop.now() + carrier_.queue_timeout);
        loop_ = &loop;
        outside_.emplace(loop);
        job_->waiter = this;
    }
    void end() override {
        withdraw();
        throw_if_cancelled();
        if (job_->is_done()) {
            job_->finish_request(call_);
        } else {
            refuse("no worker was free in time");
        }
    }

    static void queued_too_long(Timer& timer) noexcept {
        auto& pooled = static_cast<PooledCall&>(timer);
        if (pooled.carrier_.pool.withdraw(*pooled.job_)) pooled.finish();
    }
    bool withdraw() noexcept override {
        job_->waiter = nullptr;
        loop_->deadlines().cancel(*this);
        outside_.reset();
        return true;
    }

    PoolCarrier<Pool>& carrier_;
    Call& call_;
    BudgetShare memory_;
    CountedPtr<RequestJob<Pool>> job_;
    Maybe<Reactor::OutsideWork> outside_;
    Reactor* loop_ = nullptr;
};

template <class Pool>
OwningPtr<CarriedCall> PoolCarrier<Pool>::carry(Call& call) {
    OwningPtr<PooledCall<Pool>> pooled(new PooledCall<Pool>(*this, call));
    if (!pooled->submit()) return nullptr;
    return pooled;
}

template <class Pool>
OwningPtr<Carrier> make_pool_carrier(Reactor& reactor, const Config& config,
                                     const CountedPtr<const RouteTable>& routes, Budget& memory) {
    return OwningPtr<PoolCarrier<Pool>>(new PoolCarrier<Pool>(reactor, config, routes, memory));
}

}  // namespace detail

template <class Pool>
Route& Route::worker(bool on) {
    entry_->require_unfrozen();
    if (on && entry_->streams_body) entry_->refuse_both_sides();
    if (on && entry_->upgrades) entry_->refuse_upgrade_in_worker();
    entry_->make_carrier = on ? &detail::make_pool_carrier<Pool> : nullptr;
    return *this;
}

#if defined(SAKE_IMPLEMENTATION)
template Route& Route::worker<WorkerPool>(bool on);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
