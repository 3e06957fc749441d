// Between a Context and the documents that cross to a worker: describing a request and a response, and making
// them again on the other side.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/route.hpp"
#include "sake/http1/request_parser.hpp"
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

inline WorkerContext describe_request(Context& ctx) {
    WorkerContext out;
    Request& request = ContextAccess::request(ctx);
    out.route = ContextAccess::route(ctx)->pattern();
    out.method = ctx.method();
    out.target = ctx.target();
    out.path = ctx.path();
    for (std::size_t i = 0; i < request.params.count; ++i) {
        out.params.emplace_back(param_name(ctx, i), request.param(i));
    }
    out.query = ctx.query_string();
    for (const auto& [name, value] : ctx.headers()) out.headers.emplace_back(name, value);
    out.body = ctx.body();
    out.values = ContextAccess::values(ctx);
    out.remote_address = ctx.remote_address();
    out.response = describe_response(ContextAccess::response(ctx));
    return out;
}

/// Makes `ctx` the request that the document describes. Throws std::invalid_argument if it describes none
/// that these routes could have got.
inline void load_request(Context& ctx, WorkerContext&& document, const RouteTable& routes) {
    Request& request = ContextAccess::request(ctx);
    request.storage.append(document.method).append(" ").append(document.target).append(" HTTP/1.1\r\n");
    for (const auto& [name, value] : document.headers) {
        request.storage.append(name).append(": ").append(value).append("\r\n");
    }
    request.storage.append("\r\n");
    constexpr std::size_t any = 1 << 30;
    http1::RequestParser parser({any, any, any});
    const bool is_parsed = parser.parse(request.storage, request.head) == http1::RequestParser::Result::done;
    request.base = request.storage.data();
    if (!is_parsed || request.head.size != request.storage.size() || !request.resolve_target()) {
        throw std::invalid_argument("worker document: it describes no request");
    }
    request.body_storage = std::move(document.body);
    request.body = request.body_storage;
    const Route* const route =
        routes.router().find(request.match_path(), request.head.method, request.method(), request.params);
    if (route == nullptr || route->pattern() != document.route) {
        throw std::invalid_argument("worker document: it has no route here");
    }
    ContextAccess::route(ctx) = route;
    ContextAccess::position(ctx) = route->chain().size();
    ContextAccess::values(ctx) = std::move(document.values);
    ContextAccess::remote_address(ctx) = std::move(document.remote_address);
    apply_response(ContextAccess::response(ctx), std::move(document.response));
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
