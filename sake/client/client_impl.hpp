// Definitions of client.hpp: what is around an attempt to have an answer, one layer for each habit.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/error.hpp"
#include "sake/client/breaker.hpp"
#include "sake/client/cache_rules.hpp"
#include "sake/client/client.hpp"
#include "sake/client/client_connections.hpp"
#include "sake/client/client_request_impl.hpp"
#include "sake/client/client_sending.hpp"
#include "sake/client/response_cache.hpp"
#include "sake/client/retry.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

// The whole answer, whose end is that of its passage.
template <class R>
Task<Response> Client::Sending::gather(Connections connections, R& request) {
    detail::Passage passage(connections->breaker);
    try {
        ResponseStream stream = co_await follow(connections, request, passage);
        Response response;
        response.status = stream.status;
        response.headers = std::move(stream.headers);
        const std::size_t most = connections->options.max_body;
        for (;;) {
            const std::string piece = co_await stream.read();
            if (piece.empty()) break;
            if (piece.size() > most - response.body.size()) {
                passage.end_with(response.status);
                throw ResponseTooLong("the response from " + body_of(stream).origin() + " is longer than " +
                                      std::to_string(most) + " bytes");
            }
            response.body += piece;
        }
        passage.end_with(response.status);
        co_return std::move(response);
    } catch (const std::exception& error) {
        if (!request.is_streamed()) passage.end_with(error);
        throw;
    }
}

// An answer whose body is still to come: how that ends is not known here.
template <class R>
Task<ResponseStream> Client::Sending::begin(Connections connections, R& request) {
    detail::Passage passage(connections->breaker);
    try {
        ResponseStream stream = co_await follow(connections, request, passage);
        passage.end_with(stream.status);
        co_return std::move(stream);
    } catch (const std::exception& error) {
        if (!request.is_streamed()) passage.end_with(error);
        throw;
    }
}

template <class R, class Result>
Task<Result> Client::Sending::send(Connections connections, R& request, Attempt<R, Result> attempt) {
    if (!connections->retries.is_on()) return attempt(std::move(connections), request);
    return repeat(std::move(connections), request, attempt);
}

// Attempts it until it is well, or no further attempt is allowed. An attempt has a result or a failure.
template <class R, class Result>
Task<Result> Client::Sending::repeat(Connections connections, R& request, Attempt<R, Result> attempt) {
    detail::Attempts attempts(connections->retries, sake::now());
    for (;;) {
        std::optional<Result> result;
        std::exception_ptr failure;
        try {
            Result received = co_await attempt(connections, request);
            result.emplace(std::move(received));
        } catch (const std::system_error&) {
            failure = sake::detail::caught_exception();
        } catch (const TimedOut&) {
            failure = sake::detail::caught_exception();
        }
        std::optional<std::chrono::milliseconds> pause;
        const bool may_help = !result || detail::is_worth_a_retry(result->status);
        if (may_help && may_repeat(*connections, request)) {
            pause = attempts.next_pause(
                result ? detail::wanted_pause(result->headers, sake::wall_now()) : std::chrono::seconds(0),
                sake::now());
        }
        if (!pause && failure) std::rethrow_exception(failure);
        if (!pause) co_return *std::move(result);
        if constexpr (std::same_as<Result, ResponseStream>) {
            if (result) co_await finish(*result);
        }
        co_await sake::sleep(*pause);
    }
}

// What is kept and fresh is the answer. What is stale may be confirmed by the server, or stand in for a
// failure.
template <class R>
Task<Response> Client::Sending::ask_cache(Connections connections, R& request) {
    detail::ResponseCache& cache = connections->cache;
    const detail::CacheQuestion question(request.url_, request.headers_);
    const detail::ResponseCache::Kept kept = cache.find(question);
    if (kept && kept->rules.is_fresh(question.control, sake::now())) co_return kept->answer(sake::now());
    if (kept) request.ask_for_changes(kept->response.headers);
    const auto may_stand_in = [&] { return kept && cache.may_stand_in(*kept, sake::now()); };
    detail::Exchange exchange(sake::now());
    std::optional<Response> response;
    try {
        Response received = co_await send(connections, request, &gather<R>);
        response.emplace(std::move(received));
    } catch (const std::exception& error) {
        if (!detail::may_be_stood_in_for(error) || !may_stand_in()) throw;
    }
    if (!response || (detail::may_be_stood_in_for(response->status) && may_stand_in())) {
        co_return kept->answer(sake::now());
    }
    exchange.end(sake::now(), sake::wall_now());
    const bool is_elsewhere = detail::CacheQuestion::key_of(request.url_) != question.key;
    if (is_elsewhere) co_return *std::move(response);  // after a redirect
    if (!kept || response->status != 304) {
        cache.keep(question, *response, exchange);
        co_return *std::move(response);
    }
    if (kept->is_confirmed_by(response->headers))
        co_return cache.refresh(question, *kept, *response, exchange);
    cache.forget(request.url_);
    request.ask_for_all();
    co_return co_await ask_cache(connections, request);
}

template <class R>
Task<Response> Client::Sending::respond(Connections connections, R request) {
    const bool may_be_kept = connections->cache.is_on() && request.is_plain_get() &&
                             detail::leaves_it_to_the_cache(request.headers_);
    if (may_be_kept) co_return co_await ask_cache(connections, request);
    co_return co_await send(connections, request, &gather<R>);
}

template <class R>
Task<ResponseStream> Client::Sending::open(Connections connections, R request) {
    co_return co_await send(connections, request, &begin<R>);
}

template <class Unused>
Client::Shared Client::make_connections(const ClientOptions& options) {
    detail::demand_valid(options);
    return Sending::Connections(new detail::ClientConnections(options));
}

template <class R>
Task<Response> Client::gather(Shared connections, R request) {
    return Sending::respond(Sending::of(connections), std::move(request));
}

template <class R>
Task<ResponseStream> Client::follow(Shared connections, R request) {
    return Sending::open(Sending::of(connections), std::move(request));
}

#if defined(SAKE_IMPLEMENTATION)
template Client::Shared Client::make_connections<void>(const ClientOptions& options);
template Task<Response> Client::gather<Request>(Shared connections, Request request);
template Task<ResponseStream> Client::follow<Request>(Shared connections, Request request);
#endif

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
