// Call: one request, its response and where it is on its way, whatever protocol it came by. The server's
// readers, the worker bridge and the test client build it; handlers see it through Context.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/app/call_limits.hpp"
#include "sake/app/context.hpp"
#include "sake/app/request.hpp"
#include "sake/app/response.hpp"
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
class Carrier;
class ErrorAnswers;
class RouteEntry;

/// Where a call runs, and with what; the same for all calls of a connection.
struct CallPlace {
    const ErrorAnswers* errors = nullptr;
    Carrier* carrier = nullptr;  // takes the calls of worker routes; none if they run here
    PeerAddress peer;
    std::string_view scheme = "http";
    const CallLimits* limits = &no_call_limits;
    Budget* memory = nullptr;  // of all connections; none on a worker
    int worker_pool_size = 0;
    bool in_worker_pool = false;
};

/// One object each of the types that a program asks for; the last that was made goes first.
class TypedSlots {
  public:
    template <class T>
    [[nodiscard]] T& get() {
        if (T* const found = find<T>()) return *found;
        return static_cast<SlotOf<T>&>(slots_.push_front(new SlotOf<T>())).object;
    }
    /// nullptr if nobody has asked for it by `get`.
    template <class T>
    [[nodiscard]] T* find() noexcept {
        for (Slot* slot = slots_.first(); slot != nullptr; slot = slot->next) {
            if (slot->type == &type_of<T>) return &static_cast<SlotOf<T>*>(slot)->object;
        }
        return nullptr;
    }
    void clear() noexcept { slots_.clear(); }

  private:
    struct Slot {
        explicit Slot(const char* of_type) noexcept : type(of_type) {}
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        virtual ~Slot() = default;
        const char* type;
        Slot* next = nullptr;
    };
    template <class T>
    struct SlotOf final : Slot {
        SlotOf() : Slot(&type_of<T>) {}
        T object{};
    };
    template <class T>
    static inline char type_of = 0;  // whose address stands for the type

    OwningList<Slot> slots_;
};

/// What Context::set has set, in a slot of the call. Only a program that sets something compiles JSON for it.
template <class Value>
struct KeptValues {
    KeptValues() = default;
    KeptValues(const KeptValues&) = delete;
    KeptValues& operator=(const KeptValues&) = delete;
    ~KeptValues() { dismantle(object); }
    Value object = Value::object();
};

/// A function that Context::after was given.
struct After {
    After() = default;
    After(const After&) = delete;
    After& operator=(const After&) = delete;
    virtual ~After() = default;
    virtual void run(Context& ctx) = 0;
    After* next = nullptr;
};

/// Whether a handler may have the body.
enum class BodyState : std::uint8_t {
    here,
    was_read,  // it is here still, and Context::read has handed it out
    to_come,   // middleware runs before it has come; see on_head.hpp
    asked_for,
    streamed,         // only Context::read has it
    streamed_in_part  // and has handed out some of it, or its end
};

/// What of the program runs where a call has an Answerer: only a coroutine may stream, since writing waits.
enum class Running : std::uint8_t { coroutine, plain, after, on_error };

/// Thrown to middleware that asks for a body that is still to come.
struct BodyNeeded {};

struct Call;

/// Where those that may outlive a call look for it: nullptr once its handlers have ended.
struct CallSpot : Counted {
    explicit CallSpot(Call& its_call) noexcept : call(&its_call) {}
    Call* call;
};

struct Call {
    Call() = default;
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { end_handles(); }

    Request request;
    Response response;
    const RouteEntry* route = nullptr;
    std::size_t position = 0;  // of the next handler in the route's chain
    bool is_aborted = false;
    bool stop_requested = false;
    BodyState body_state = BodyState::here;
    Running running = Running::coroutine;  // where all are plain, nobody looks
    AnswerCause cause = AnswerCause::handler;
    Answerer* answerer = nullptr;       // for an answer in pieces; while its handlers run as coroutines
    BodySource* body_source = nullptr;  // of a body in pieces, while its handlers run
    BudgetShare* connection_memory = nullptr;  // while its handlers run as coroutines
    std::size_t form_bytes = 0;                // of that: what a form holds that was read in pieces
    std::exception_ptr error;
    CallPlace place;
    std::string remote_address;
    std::stop_source stop_source{std::nostopstate};  // made when a handler asks for its token
    OwningList<After> afters;                        // the last that was given comes first
    TypedSlots state;
    CountedPtr<CallSpot> handle;  // what CallHandle shares; made for an answer in pieces
    Context context{*this};

    [[nodiscard]] std::string_view body() {
        if (body_state > BodyState::was_read) [[unlikely]]
            throw_no_body();
        return request.body;
    }
    [[noreturn]] void throw_no_body() {
        if (body_state >= BodyState::streamed) {
            throw std::logic_error(
                "ctx.body: the route has stream_body(), so its body is read in pieces, by co_await "
                "ctx.read()");
        }
        body_state = BodyState::asked_for;
        throw BodyNeeded();
    }
    /// The response, for `setter` to change. Throws std::logic_error if the head of a streamed answer has
    /// been sent.
    [[nodiscard]] Response& settable(const char* setter) {
        if (answerer != nullptr) [[unlikely]]
            require_unsent(setter);
        return response;
    }
    void require_unsent(const char* setter) const;  // in body_writer.hpp

    /// The answer is no longer wanted: tells the handler.
    void request_stop() noexcept {
        stop_requested = true;
        stop_source.request_stop();
    }

    /// The handlers have ended: what they have left behind has no call any more.
    void end_handles() noexcept {
        if (!handle) return;
        handle->call = nullptr;
        handle.reset();
    }

    /// Ready for the next request, with its memory kept.
    void clear() noexcept {
        state.clear();
        request.clear();
        response.clear();
        route = nullptr;
        position = 0;
        is_aborted = false;
        stop_requested = false;
        cause = AnswerCause::handler;
        error = nullptr;
        remote_address.clear();
        if (stop_source.stop_possible()) stop_source = std::stop_source(std::nostopstate);
        afters.clear();
    }
};

/// Notes what runs, for as long as it is something other than a coroutine.
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

/// A call for something that may outlive it, such as a task: a Call is recycled, and freed with its
/// connection.
class CallHandle {
  public:
    explicit CallHandle(Call& call) {
        if (!call.handle) call.handle = CountedPtr<CallSpot>(new CallSpot(call));
        spot_ = call.handle;
    }
    /// nullptr from when its handlers have ended.
    [[nodiscard]] Call* get() const noexcept { return spot_->call; }
    /// Throws std::logic_error from then on.
    [[nodiscard]] Call& running() const {
        if (spot_->call == nullptr) throw std::logic_error(has_ended);
        return *spot_->call;
    }

    static constexpr const char* has_ended = "the handler has ended, and with it the request and its answer";

  private:
    CountedPtr<CallSpot> spot_;
};

/// For a coroutine that begins now. A task that the handler has left behind may come so late that the call is
/// between two requests: then it throws std::logic_error. Nothing tells it from a coroutine of the next one.
[[nodiscard]] inline CallHandle handle_of_running(Call& call) {
    const bool is_running = call.answerer != nullptr || call.place.in_worker_pool;
    if (!is_running) throw std::logic_error(CallHandle::has_ended);
    return CallHandle(call);
}

/// Why a request cannot be served.
struct Refusal {
    int status;
    std::string_view reason;
};
inline constexpr Refusal bad_target{400, "the request target is not valid"};
/// RFC 9110 section 7.4: only over a connection that is secured.
inline constexpr Refusal misdirected{421, "this connection is not secured, and the target is https"};

/// Fills a Call with a request. The text that it is given is copied, unless it lies in one piece that
/// outlives the call: see `take`.
class CallBuilder {
  public:
    explicit CallBuilder(Call& call) noexcept : request_(call.request), scheme_(call.place.scheme) {}

    void begin(std::string_view method, std::string_view target) {
        request_.own_fields.clear();
        request_.given_params.clear();
        request_.known_method = method_from(method);
        request_.method_name = keep(method);
        request_.target_text = keep(target);
    }
    void field(std::string_view name, std::string_view value) {
        const Slice kept_name = keep(name);
        request_.own_fields.push_back({kept_name, keep(value)});
    }

    /// The next parameter of the path, decoded, of a request that comes with them and is not routed.
    void param(std::string_view value) {
        request_.has_given_params = true;
        request_.params.values[request_.params.count++] = append(request_.given_params, value);
    }

    /// In place of begin and field, for a head that somebody has taken apart where it lies. Nothing is
    /// copied: text and fields must stay until the call is cleared, or has a `base` of its own.
    void take(const char* base, Method method, Slice method_name, Slice target,
              std::span<FieldSlice> fields) noexcept {
        request_.base = base;
        request_.known_method = method;
        request_.method_name = method_name;
        request_.target_text = target;
        request_.fields = fields;
    }

    /// The head is complete: takes the target apart. Returns nullptr, or why the request is refused.
    [[nodiscard]] const Refusal* end() {
        if (request_.base == nullptr) {
            request_.base = request_.storage.data();
            request_.fields = {request_.own_fields.data(), request_.own_fields.size()};
        }
        if (!request_.resolve_target()) return &bad_target;
        return request_.is_for_https() && scheme_ != "https" ? &misdirected : nullptr;
    }

  private:
    Slice keep(std::string_view text) { return append(request_.storage, text); }
    static Slice append(std::string& kept, std::string_view text) {
        const Slice slice{static_cast<std::uint32_t>(kept.size()), static_cast<std::uint32_t>(text.size())};
        kept.append(text);
        return slice;
    }

    Request& request_;
    std::string_view scheme_;  // of the connection
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
