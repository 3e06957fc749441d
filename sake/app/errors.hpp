// Turns exceptions of handlers into answers. An HttpError is an answer that the program chose. Any other
// exception is a failure: its text goes to the log, never to the client.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "sake/app/answerer.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/route.hpp"
#include "sake/base/log.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class ErrorAnswers {
  public:
    ErrorAnswers(const Handler& on_error, const LogSink& log) noexcept : on_error_(&on_error), log_(&log) {}

    /// Sets the answer for `exception`; the program's on_error may change it. A failure is logged unless the
    /// answer ends below 500. A failure of on_error is logged, too.
    void answer(Call& call, const std::exception_ptr& exception) const {
        call.error = exception;
        if (call.answerer != nullptr && call.answerer->has_begun()) return report_cut(call, exception);
        call.cause = AnswerCause::error;
        const std::string failure = set_answer(call.response, exception);
        std::string failure_of_on_error;
        if (*on_error_) {
            const RunningScope scope(call, Running::on_error);
            try {
                on_error_->call(call);
            } catch (...) {
                failure_of_on_error = set_answer(call.response, std::current_exception());
            }
        }
        if (call.response.status < 500) return;
        if (!failure.empty()) report(call, LogLevel::error, failure);
        if (!failure_of_on_error.empty())
            report(call, LogLevel::error, "on_error threw: " + failure_of_on_error);
    }

    /// Logs why an answer is not what the program intended.
    void report(const Call& call, LogLevel level, std::string_view what,
                std::string_view became = " failed") const {
        std::string line(call.request.method());
        line.append(" ").append(call.request.target()).append(became);
        if (call.route != nullptr) line.append(" in ").append(call.route->description());
        line += ": ";
        append_escaped(line, what);  // the text may contain bytes of a client
        log_quietly(*log_, level, line, {});
    }

  private:
    // Returns the text to log; "" for an answer that the program chose.
    static std::string set_answer(Response& response, const std::exception_ptr& exception) {
        try {
            std::rethrow_exception(exception);
        } catch (const HttpError& error) {
            response.set_problem_document(error.status(), error.document());
            for (const auto& [name, value] : error.headers()) response.headers.set(name, value);
        } catch (const Cancelled&) {
            response.set_problem(503, "the request was cancelled");
        } catch (const std::bad_alloc&) {
            response.set_problem(503, "out of memory");
            return "out of memory";
        } catch (const std::exception& error) {
            response.set_problem(500, {});
            return *error.what() != '\0' ? error.what() : "an exception without a text";
        } catch (...) {
            response.set_problem(500, {});
            return "an exception that is not a std::exception";
        }
        return {};
    }

    // The head has left, so the answer cannot become another one.
    void report_cut(Call& call, const std::exception_ptr& exception) const {
        call.cause = AnswerCause::cut;
        report(call, LogLevel::error, text_of(exception), " was cut off in the middle of its answer");
    }

    static std::string text_of(const std::exception_ptr& exception) {
        try {
            std::rethrow_exception(exception);
        } catch (const Cancelled& cancelled) {
            return cancelled.what();
        } catch (const std::exception& error) {
            return *error.what() != '\0' ? error.what() : "an exception without a text";
        } catch (...) {
            return "an exception that is not a std::exception";
        }
    }

    const Handler* on_error_;
    const LogSink* log_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
