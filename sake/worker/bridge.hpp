// Between a Call and the documents that cross to a worker: describing a request and a response, and building
// the call again on the other side.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/route.hpp"
#include "sake/worker/document.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

inline WorkerResponse describe_response(const Response& response) {
    WorkerResponse out;
    out.status = response.status;
    out.content_type = response.content_type();
    for (const auto& [name, value] : response.headers) out.headers.emplace_back(name, value);
    out.body = response.body;
    out.close = response.close;
    return out;
}

inline void apply_response(Response& response, WorkerResponse&& document) {
    response.status = document.status;
    if (document.content_type.empty()) {
        response.set_static_type({});
    } else {
        response.set_type(document.content_type);
    }
    response.headers.clear();
    for (const auto& [name, value] : document.headers) response.headers.add(name, value);
    response.body = std::move(document.body);
    response.close = document.close;
}

inline WorkerContext describe_request(Call& call) {
    WorkerContext out;
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
    out.body = request.body;
    out.values = call.values;
    out.remote_address = call.context.remote_address();
    out.response = describe_response(call.response);
    return out;
}

/// Makes `call` the request that the document describes, for a route that takes it. Throws
/// std::invalid_argument if the document describes no request that the route could have received.
inline void build_call(Call& call, const RouteEntry& route, WorkerContext&& document) {
    if (document.route != route.pattern() || document.params.size() != route.param_count()) {
        throw std::invalid_argument("worker document: it is not for the route " + route.description());
    }
    CallBuilder builder(call);
    builder.begin(document.method, document.target);
    for (const auto& [name, value] : document.headers) builder.field(name, value);
    if (builder.end() != nullptr) throw std::invalid_argument("worker document: it describes no request");
    call.request.body_storage = std::move(document.body);
    call.request.body = call.request.body_storage;
    for (const auto& [name, value] : document.params) builder.param(value);
    call.route = &route;
    call.position = route.chain().size();
    call.values = std::move(document.values);
    call.remote_address = std::move(document.remote_address);
    apply_response(call.response, std::move(document.response));
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
