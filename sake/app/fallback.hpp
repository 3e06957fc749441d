// The answers where no route takes a request: 404, 405, 501, and what OPTIONS asks for.
#pragma once

#include <string>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/route_table.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
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
        ServerHandler handler{this};
        if (not_found_.is_coroutine())
            handler.coroutine = &run_not_found;
        else
            handler.plain = &answer_not_found;
        RouteEntry& entry = table_->set_fallback(Handler(handler));
        entry.handler_reads_body = static_cast<bool>(not_found_);
        entry.middleware.push_back(new Middleware(Handler(ServerHandler{this, &answer_other_method})));
    }

  private:
    static Task<> run_not_found(void* self, Call& call) {
        call.response.status = 404;
        return static_cast<Fallback*>(self)->not_found_.call_coroutine(call);
    }
    static void answer_not_found(void* self, Call& call) {
        const Handler& handler = static_cast<Fallback*>(self)->not_found_;
        if (!handler) return call.response.set_problem(404, "there is nothing at this path");
        call.response.status = 404;
        handler.call(call);
    }

    // What follows is not run if another method has answered.
    static void answer_other_method(void* self, Call& call) {
        call.cause = AnswerCause::no_route;
        if (static_cast<Fallback*>(self)->answer_other_method(call))
            call.position = call.route->chain().size();
    }

    // Where no route takes the method: 501 if none on any path does and it is not a common one (RFC 9110
    // section 9.1), else 405 or the answer to OPTIONS, both with Allow. False if no route has the path at
    // all.
    bool answer_other_method(Call& call) const {
        const Request& request = call.request;
        if (request.known_method == Method::other && !table_->has_method(request.method())) {
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
        if (request.known_method == Method::options) {
            call.context.no_content();
        } else {
            // Without the method's name, since a HEAD is told how long the answer to a GET is.
            call.response.set_problem(
                405,
                "this resource does not accept this method: the field Allow lists those that it accepts");
        }
        return true;
    }

    RouteTable* table_;
    Handler not_found_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
