// Converts between a Call and the documents that travel to a worker and back.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_builder.hpp"
#include "sake/app/config.hpp"
#include "sake/app/file_body.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/request_id.hpp"
#include "sake/app/route.hpp"
#include "sake/app/trace_context_impl.hpp"
#include "sake/app/user.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/uri_impl.hpp"
#include "sake/worker/document_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// Templates, so that only a program with worker routes compiles them.

template <std::same_as<WorkerResponse> Document = WorkerResponse>
Document describe_response(const Response& response) {
    Document out;
    out.status = response.status;
    out.content_type = response.content_type();
    for (const auto& [name, value] : response.headers) out.headers.emplace_back(name, value);
    out.body = response.body;
    out.close = response.close;
    if (const FileBody* const file = response.file(); file != nullptr && !file->path.empty()) {
        out.file = file->path;
    }
    return out;
}

/// Sets the response that the document describes. The document may come from anywhere, so it passes the
/// checks for handlers. Throws std::invalid_argument, and then the response is unchanged.
template <std::same_as<WorkerResponse> Document>
void apply_response(Response& response, Document&& document) {
    http::Headers fields;
    bool close = document.close;
    for (const auto& field : document.headers) {
        const auto store = [&] { fields.add(field.first, field.second); };
        close = Response::check_header(field.first, field.second, store) || close;
    }
    Response::check_status(document.status);
    if (document.file && document.file->find('\0') != std::string::npos) {
        throw std::invalid_argument("worker document: 'file' is not a path");
    }
    if (document.content_type.empty()) {
        response.set_static_type({});
    } else {
        response.set_type(document.content_type);
    }
    response.status = document.status;
    response.headers = std::move(fields);
    response.body = std::move(document.body);
    response.close = close;
    if (!document.file || document.file->empty()) return;
    OwningPtr<FileBody> named(new FileBody);
    named->type = response.content_type();
    named->path = std::move(*document.file);
    response.set_file(std::move(named));
}

/// Throws the exception of a handler in another process.
[[noreturn]] inline void throw_error_of(int status, std::string error) {
    if (status >= 400 && status <= 599 && status != 500) throw HttpError(status, std::move(error));
    throw std::runtime_error(error);
}

template <std::same_as<WorkerContext> Document = WorkerContext>
Document describe_request(Call& call) {
    Document out;
    Request& request = call.request;
    out.route = call.route->pattern();
    out.method = request.method();
    out.target = request.target();
    out.path = request.path();
    for (std::size_t i = 0; i < call.route->param_count(); ++i) {
        out.params.emplace_back(param_name(call, i), request.param(i));
    }
    out.query = request.raw_query();
    for (const auto& [name, value] : call.context.headers()) out.headers.emplace_back(name, value);
    if (!request.field("Host") && !request.taken_host().empty())
        out.headers.emplace_back("Host", request.taken_host());
    out.body = request.body;
    if (const auto* const values = call.state.find<KeptValues<Json>>()) out.values = values->object;
    out.remote_address = call.context.remote_address();
    if (const auto* const client = call.state.find<ForwardedClient>()) out.client_ip = client->address;
    if (const auto* const user = call.state.find<User>()) out.user = user->name;
    if (const auto* const id = call.state.find<RequestId>()) out.request_id = id->text();
    if (const auto* const trace = call.state.find<TraceContext>()) {
        out.traceparent = trace->traceparent();
        out.tracestate = trace->tracestate();
        out.parent_id = trace->parent_id();
    }
    out.response = describe_response(call.response);
    return out;
}

/// The limits of a request, for its document.
struct RequestLimits {
    RequestLimits() : RequestLimits(Config()) {}
    explicit RequestLimits(const Config& config)
        : request_line(config.max_request_line),
          header_block(config.max_header_block),
          header_count(static_cast<std::size_t>(config.max_header_count)),
          body(config.max_body) {}
    std::size_t request_line;
    std::size_t header_block;
    std::size_t header_count;
    std::size_t body;
};

/// Checks that a server could have received the request of a document, which may come from anywhere.
template <std::same_as<WorkerContext> Document>
class RequestCheck {
  public:
    RequestCheck(const RouteEntry& route, const Document& document, const RequestLimits& limits)
        : route_(route), document_(document), limits_(limits) {}

    /// Throws std::invalid_argument that says what is wrong.
    void demand_valid() const {
        demand_route();
        demand(is_token(document_.method), "'method' is not valid");
        const std::string& target = document_.target;
        const char* const end = target.data() + target.size();
        demand(skip_target(target.data(), end) == end, "it describes no request");
        demand(fits(limits_.request_line, document_.method.size(), target.size(), 12),
               "'method' and 'target' are too long");
        demand_fields();
        demand(document_.body.size() <= route_.max_body.value_or(limits_.body), "'body' is too large");
        demand(is_address(document_.remote_address), "'remote_address' is not one");
        demand(document_.client_ip.empty() || is_address(document_.client_ip), "'client_ip' is not one");
        demand(document_.request_id.empty() || is_request_id(document_.request_id),
               "'request_id' is not one");
        demand(document_.values.is_object(), "'values' must be an object");
    }

  private:
    void demand(bool is_so, std::string_view otherwise) const {
        if (!is_so) throw std::invalid_argument("worker document: " + std::string(otherwise));
    }

    // Only of worker routes, whose middleware the other side has run.
    void demand_route() const {
        const bool takes_method = route_.method() == document_.method || route_.method() == any_method ||
                                  (route_.method() == "GET" && document_.method == "HEAD");
        std::string_view rest = document_.route;
        const bool is_it = rest == route_.pattern() && document_.params.size() == route_.param_count();
        demand(is_it && takes_method, "it is not for the route " + route_.description());
        demand(route_.is_worker(), "this is not a worker route: " + route_.description());
        for (const auto& [name, value] : document_.params) {
            demand(name == take_param_name(rest) && is_path_text(value), "'params' are not those of a path");
        }
    }

    // The one Host may come from the target, so its size is part of the request line's.
    void demand_fields() const {
        demand(document_.headers.size() <= limits_.header_count, "'headers' are too many");
        std::size_t left = limits_.header_block;
        bool has_host = false;
        for (const auto& [name, value] : document_.headers) {
            demand(is_valid_field_name(name) && is_valid_field_value(value) && trim_ows(value) == value,
                   "'headers' has a field that is not valid");
            const bool is_host = iequals(name, "Host");
            demand(!is_host || (!has_host && is_valid_host(value)), "'headers' has no valid Host");
            has_host = has_host || is_host;
            const std::size_t size = name.size() + (is_host ? 0 : value.size()) + 3;
            demand(size <= left, "'headers' are too large");
            left -= size;
        }
    }

    static bool is_address(std::string_view text) noexcept {
        return text == "unix" || PeerAddress::parse(text).has_value();
    }

    static bool fits(std::size_t limit, std::size_t one, std::size_t other, std::size_t more) noexcept {
        return one <= limit && other <= limit - one && more <= limit - one - other;
    }

    const RouteEntry& route_;
    const Document& document_;
    const RequestLimits& limits_;
};

/// Makes `call` the request that the document describes, for a worker route that takes it. Throws
/// std::invalid_argument if the document describes no request that the route could have received, or is
/// beyond the limits.
template <std::same_as<WorkerContext> Document>
void build_call(Call& call, const RouteEntry& route, Document&& document, const RequestLimits& limits = {}) {
    RequestCheck(route, document, limits).demand_valid();
    CallBuilder builder(call);
    builder.begin(document.method, document.target);
    for (const auto& [name, value] : document.headers) builder.field(name, value);
    if (builder.end() != nullptr) throw std::invalid_argument("worker document: it describes no request");
    apply_response(call.response, std::move(document.response));
    call.request.body = "";
    if (!document.body.empty()) call.request.body = call.request.keep(std::move(document.body));
    for (const auto& [name, value] : document.params) builder.param(value);
    call.route = &route;
    call.position = route.chain().size();
    if (!document.values.empty()) call.state.get<KeptValues<Json>>().object.swap(document.values);
    call.remote_address = std::move(document.remote_address);
    if (!document.client_ip.empty())
        call.state.get<ForwardedClient>().address = std::move(document.client_ip);
    if (!document.user.empty()) call.state.get<User>().name = std::move(document.user);
    if (!document.request_id.empty()) IdWriter::write(call.state.get<RequestId>(), document.request_id);
    const bool has_trace =
        !(document.traceparent.empty() && document.tracestate.empty() && document.parent_id.empty());
    if (!has_trace) return;
    if (!TraceWriter::restore(call.state.get<TraceContext>(), document.traceparent, document.tracestate,
                              document.parent_id)) {
        throw std::invalid_argument(
            "worker document: 'traceparent', 'tracestate' and 'parent_id' are not those of a trace");
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
