// The answers where no route takes a request: 404, 405, 501, and what OPTIONS asks for.
#pragma once

#include <string>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/context_methods.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/route_table.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Fallback {
  public:
    explicit Fallback(RouteTable& table) noexcept : table_(&table) {}
    Fallback(const Fallback&) = delete;
    Fallback& operator=(const Fallback&) = delete;

    /// What the program answers instead of the plain 404.
    void set_not_found(Handler handler) {
        table_->require_unfrozen();
        not_found_ = std::move(handler);
    }

    /// Makes the table answer by this object, which must outlive the serving.
    void install() {
        RouteEntry& entry = table_->set_fallback(make_handler());
        entry.handler_reads_body = static_cast<bool>(not_found_);
        entry.middleware.emplace_back(ServerHandler{}, [this](Call& call) {
            call.cause = AnswerCause::no_route;
            if (answer_other_method(call)) call.position = call.route->chain().size();
        });
    }

  private:
    Handler make_handler() {
        if (not_found_.is_coroutine()) {
            return Handler(ServerHandler{}, [this](Call& call) {
                call.response.status = 404;
                return not_found_.call_coroutine(call);
            });
        }
        return Handler(ServerHandler{}, [this](Call& call) {
            if (!not_found_) return call.response.set_problem(404, "there is nothing at this path");
            call.response.status = 404;
            not_found_.call(call);
        });
    }

    // Where no route takes the method: 501 if none on any path does and it is no common one (RFC 9110
    // section 9.1), else 405 or the answer to OPTIONS, both with Allow. False if no route has the path at
    // all.
    bool answer_other_method(Call& call) const {
        const Request& request = call.request;
        if (request.known_method == http::Method::other && !table_->has_method(request.method())) {
            call.response.set_problem(501, "this method is not known here");
            return true;
        }
        const bool is_about_server = request.path() == "*";
        std::string allow;
        for (const std::string& method :
             is_about_server ? table_->methods() : table_->allowed(request.match_path())) {
            allow.append(allow.empty() ? "" : ", ").append(method);
        }
        if (allow.empty()) return false;
        call.response.headers.set("Allow", allow);
        if (request.known_method == http::Method::options) {
            call.context.no_content();
        } else {
            // Without the method's name, since a HEAD is told how long the answer to a GET is.
            call.response.set_problem(405, "this resource does not take this method");
        }
        return true;
    }

    RouteTable* table_;
    Handler not_found_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
