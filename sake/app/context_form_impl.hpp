// Reads a form, whole or while it arrives: ctx.form() and ctx.read_form().
#pragma once

#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/app/body_source.hpp"
#include "sake/app/call.hpp"
#include "sake/app/call_limits.hpp"
#include "sake/app/context.hpp"
#include "sake/app/context_form.hpp"
#include "sake/app/errors.hpp"
#include "sake/app/form_bind_impl.hpp"
#include "sake/app/form_impl.hpp"
#include "sake/app/form_reader.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/read_wait.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/spawn.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/task.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/maybe.hpp"
#include "sake/compute/background.hpp"
#include "sake/io/file.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The form of a request, once it was read.
struct FormOfCall {
    Maybe<Form> form;
};

/// Finds the place of a call's form, and whether it is there. Reads the form if the body is here.
template <class Unused = void>
Maybe<Form>& form_of(Call& call) {
    Maybe<Form>& form = call.state.get<FormOfCall>().form;
    if (!form && call.body_state == BodyState::streamed_in_part) {
        throw std::logic_error(
            "the form cannot be read any more: the body has been read in pieces, by ctx.read() or by another "
            "ctx.read_form()");
    }
    if (!form && call.body_state != BodyState::streamed) {
        const std::string_view body = call.body();
        FormReader<Unused> reader(call.context.header("Content-Type"), *call.place.limits);
        form.emplace(reader.parse(body));
    }
    return form;
}

template <class Unused>
Form& whole_form_of(Call& call) {
    Maybe<Form>& form = form_of<Unused>(call);
    if (form) return *form;
    throw std::logic_error(
        "ctx.form: the route has stream_body(), so its form is read by co_await ctx.read_form()");
}

/// Closes a file on a thread that may block, so that the loop goes on. Without a loop, closes it at once.
template <class Unused>
void close_elsewhere(FileDescriptor file) noexcept {
    if (Reactor::current() == nullptr) return;
    try {
        auto close = [held = std::move(file)]() mutable { held.close(); };
        spawn(run_on<BlockingThreads<ForFiles>>(std::move(close))).detach();
    } catch (...) {
        // No memory: it is closed already.
    }
}

/// A file of the form cannot be written. The client learns the consequence, the log the cause.
template <class Unused>
[[noreturn]] void refuse_spill(const Call& call, const std::system_error& failure) {
    try {
        FormReader<Unused>::refuse_for(failure);
    } catch (const HttpError&) {
        call.place.errors->report(call, LogLevel::error, failure.what());
        throw;
    }
    throw;
}

/// The memory of a form no longer counts, unless the form is complete. The end of the call does the same.
template <class Unused>
void give_back_form(const CallHandle& handle) noexcept {
    Call* const call = handle.get();
    if (call == nullptr || call->connection_memory == nullptr) return;
    const FormOfCall* const kept = call->state.find<FormOfCall>();
    if (kept != nullptr && kept->form) return;
    static_cast<void>(call->connection_memory->resize_part(call->form_bytes, 0));
}

/// Reads a form while it arrives. File contents beyond the memory limit are written on a thread that may
/// block; meanwhile nothing is read from the client. The handler may have ended: after each wait, the call
/// may belong to another request unless the handle still has it.
template <class Unused>
Task<> stream_form(CallHandle handle) {
    FormReader<Unused> reader(handle.running().context.header("Content-Type"), *handle.running().place.limits,
                              &close_elsewhere<Unused>);
    BudgetShare* const memory = handle.running().connection_memory;
    if (memory != nullptr) reader.count_in(*memory, handle.running().form_bytes);
    const AtExit give_back([&handle] { give_back_form<Unused>(handle); });
    const auto spill = [&reader] { reader.spill(); };
    for (;;) {
        const Operation<ReadWait, CallHandle> reading(handle);
        const std::optional<std::string_view> piece = co_await reading;
        if (!piece) break;
        std::string_view rest = *piece;
        while (reader.take(rest)) {
            try {
                Task<> writing = run_on<BlockingThreads<ForFiles>>(spill);
                co_await std::move(writing);
            } catch (const std::system_error& failure) {
                refuse_spill<Unused>(handle.running(), failure);
            }
            static_cast<void>(handle.running());
        }
    }
    handle.running().state.template get<FormOfCall>().form.emplace(reader.finish());
}

template <class F>
Task<F&> read_form_of(CallHandle handle) {
    if (!form_of(handle.running())) {
        Task<> reading = stream_form<void>(handle);
        co_await std::move(reading);
    }
    co_return *form_of(handle.running());
}

}  // namespace detail

template <class F>
Task<F&> Context::read_form() {
    return detail::read_form_of<F>(detail::handle_of_running(*call_));
}

#if defined(SAKE_IMPLEMENTATION)
template Form& detail::whole_form_of<void>(detail::Call& call);
template Task<Form&> Context::read_form<Form>();
#endif

}  // namespace SAKE_ABI
}  // namespace sake
