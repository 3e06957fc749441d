// Call: one request, its response and its progress, over any protocol. The server's readers, the worker
// bridge and the test client build it; handlers see it through Context.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/app/call_handle.hpp"
#include "sake/app/context.hpp"
#include "sake/app/request.hpp"
#include "sake/app/response.hpp"
#include "sake/app/typed_slots.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/json.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/peer_address.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

class Answerer;
class BodySource;
class CallRunner;
class Carrier;
class ErrorAnswers;
class RouteEntry;
struct CallLimits;

/// The limits of a call that no server has made.
extern const CallLimits no_call_limits;

/// Where a call runs, and with which resources; the same for all calls of a connection.
struct CallPlace {
    const ErrorAnswers* errors = nullptr;
    Carrier* carrier = nullptr;  // carries the calls of worker routes; null if they run here
    PeerAddress peer;
    std::string_view scheme = "http";
    const CallLimits* limits = &no_call_limits;
    Budget* memory = nullptr;  // of all connections; null on a worker
    int worker_pool_size = 0;
    bool in_worker_pool = false;
};

/// Whether a handler may use the body.
enum class BodyState : std::uint8_t {
    here,
    was_read,  // it is still here, and Context::read has returned it
    to_come,   // middleware runs before it has arrived; see on_head.hpp
    asked_for,
    streamed,         // only Context::read returns it
    streamed_in_part  // Context::read has returned some of it, or its end
};

/// The kind of user code that runs for a call with an Answerer. Only a coroutine may stream, because writing
/// waits. `before_stream` is a function of Context::after that runs before the head of a streamed answer
/// leaves.
enum class Running : std::uint8_t { coroutine, plain, after, before_stream, on_error };

/// What trusted proxies report about the client, in a slot of its call: see middleware::trusted_proxies.
struct ForwardedClient {
    std::string address;
    PeerAddress peer;         // the same; not on a worker
    std::string_view scheme;  // "http" or "https"; "" if they do not report it
};

/// Thrown to middleware that asks for a body which has not arrived yet.
struct BodyNeeded {};

struct Call {
    static constexpr std::size_t no_body_limit = std::numeric_limits<std::size_t>::max();

    Call() = default;
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();

    Request request;
    Response response;
    const RouteEntry* route = nullptr;
    std::size_t position = 0;                // of the next handler in the route's chain
    std::size_t body_limit = no_body_limit;  // of middleware, besides those of the route and the settings
    std::chrono::milliseconds time_limit{};  // of middleware, for handlers that may wait
    // Next to each other, so that one store clears them.
    bool is_aborted = false;
    bool stop_requested = false;
    bool has_time_limit = false;
    AnswerCause cause = AnswerCause::handler;
    BodyState body_state = BodyState::here;
    Running running = Running::coroutine;      // not used if all handlers are plain
    Answerer* answerer = nullptr;              // for a streamed answer; while its handlers run as coroutines
    CallRunner* runner = nullptr;              // while its handlers run as coroutines
    BodySource* body_source = nullptr;         // of a body that is read in pieces, while its handlers run
    BudgetShare* connection_memory = nullptr;  // while its handlers run as coroutines
    std::size_t form_bytes = 0;                // part of that: the memory of a form that is read in pieces
    std::exception_ptr error;
    CallPlace place;
    std::string remote_address;
    std::stop_source stop_source{std::nostopstate};  // made when a handler asks for its token
    OwningList<After> afters;                        // the last that was added comes first
    TypedSlots state;
    CountedPtr<CallSpot> handle;  // shared by CallHandles; made for a streamed answer
    Context context{*this};

    /// The call behind a context, for Sake's own middleware.
    [[nodiscard]] static Call& of(const Context& ctx) noexcept { return *ctx.call_; }

    [[nodiscard]] std::string_view body() {
        if (body_state > BodyState::was_read) [[unlikely]]
            throw_no_body();
        return request.body;
    }
    [[noreturn]] void throw_no_body();
    /// The response, for the function `setter` to change. Throws std::logic_error if the head of a streamed
    /// answer has been sent.
    [[nodiscard]] Response& settable(const char* setter) {
        if (answerer != nullptr) [[unlikely]]
            require_unsent(setter);
        return response;
    }
    void require_unsent(const char* setter) const;  // in body_writer_impl.hpp

    /// The answer is no longer wanted: informs the handler.
    void request_stop() noexcept;

    /// The handlers have ended: tasks that they left behind have no call any more.
    void end_handles() noexcept;

    /// Prepares for the next request, and keeps the memory.
    void clear() noexcept;
};

/// Records what kind of code runs, while it is not a coroutine.
class RunningScope {
  public:
    RunningScope(Call& call, Running what) noexcept
        : call_(call), outer_(std::exchange(call.running, what)) {}
    RunningScope(const RunningScope&) = delete;
    RunningScope& operator=(const RunningScope&) = delete;
    ~RunningScope() { call_.running = outer_; }

  private:
    Call& call_;
    const Running outer_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
