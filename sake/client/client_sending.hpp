// A request under way, in one attempt: over a reused or new connection, through redirects, to the head of its
// answer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "sake/async/combinators.hpp"
#include "sake/async/flag.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/client/breaker.hpp"
#include "sake/client/client.hpp"
#include "sake/client/client_connections.hpp"
#include "sake/client/client_request_impl.hpp"
#include "sake/client/client_response_impl.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/chunked.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/response_parser.hpp"
#include "sake/io/net_error.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// The steps of a request. A step that does not get the connections refers to parts of them, which live while
/// respond or open runs. client_impl.hpp has the layers around an attempt.
struct Client::Sending {
    using Connections = sake::detail::CountedPtr<detail::ClientConnections>;

    [[nodiscard]] static Connections of(const Shared& connections) noexcept {
        return Connections(static_cast<detail::ClientConnections*>(connections.get()));
    }
    // Whether it may be sent again, and would be.
    template <class R>
    [[nodiscard]] static bool may_repeat(const detail::ClientConnections& connections, const R& request) {
        if (!request.is_repeatable()) return false;
        return !connections.breaker.is_on() ||
               !connections.breaker.refuses(request.url_.origin(), sake::now());
    }
    [[nodiscard]] static detail::ResponseBody& body_of(ResponseStream& stream) noexcept {
        return static_cast<detail::ResponseBody&>(*stream.body_);
    }

    // Around an attempt, from the outside to the inside: the cache, retries, the breaker.
    template <class R>
    static Task<Response> respond(Connections connections, R request);
    template <class R>
    static Task<ResponseStream> open(Connections connections, R request);
    template <class R>
    static Task<Response> ask_cache(Connections connections, R& request);
    template <class R, class Result>
    using Attempt = Task<Result> (*)(Connections connections, R& request);  // gather or begin
    template <class R, class Result>
    static Task<Result> send(Connections connections, R& request, Attempt<R, Result> attempt);
    template <class R, class Result>
    static Task<Result> repeat(Connections connections, R& request, Attempt<R, Result> attempt);
    template <class R>
    static Task<Response> gather(Connections connections, R& request);
    template <class R>
    static Task<ResponseStream> begin(Connections connections, R& request);

    // An attempt.
    template <class R>
    static Task<ResponseStream> follow(Connections connections, R& request, detail::Passage& passage);
    template <class R>
    static Task<std::optional<ResponseStream>> try_once(Connections connections, R& request);
    template <class R>
    static Task<bool> write(const ClientOptions& options, R& request, TcpStream& stream,
                            detail::Answer& answer);
    template <class R>
    static Task<bool> write_body(const ClientOptions& options, R& request, TcpStream& stream);
    template <class Bytes>
    static Task<bool> put_bytes(const ClientOptions& options, const http::Url& url, TcpStream& stream,
                                const Bytes& bytes);
    template <class Answer>
    static Task<bool> read_head(TcpStream& stream, Answer& answer);
    template <class Answer>
    static Task<bool> read_head_in_time(TcpStream& stream, Answer& answer, std::chrono::milliseconds limit);
    template <class Answer>
    static Task<> rest_is_unwanted(TcpStream& stream, Answer& answer);
    template <class Stream>
    static Task<> finish(Stream& stream);
};

// In pieces, each with its own limit. False if the connection has failed, of which reading will tell more: an
// error that a server sends on its way out is the answer.
template <class Bytes>
Task<bool> Client::Sending::put_bytes(const ClientOptions& options, const http::Url& url, TcpStream& stream,
                                      const Bytes& bytes) {
    constexpr std::size_t piece = 64 * 1024;
    try {
        for (std::string_view left = bytes; !left.empty(); left.remove_prefix(std::min(piece, left.size()))) {
            co_await stream.write_all(left.substr(0, piece), options.write_timeout);
        }
    } catch (const std::system_error&) {
        co_return false;
    } catch (const TimedOut&) {
        sake::detail::throw_timed_out(options.write_timeout, "sending the request to", url.origin());
    }
    co_return true;
}

template <class R>
Task<bool> Client::Sending::write_body(const ClientOptions& options, R& request, TcpStream& stream) {
    if (!request.is_streamed()) co_return co_await put_bytes(options, request.url_, stream, request.body_);
    for (;;) {
        const std::string piece = co_await request.source_();
        std::string chunk;
        sake::detail::http1::append_chunk(chunk, piece);
        if (piece.empty()) chunk = sake::detail::http1::last_chunk;
        const bool is_written = co_await put_bytes(options, request.url_, stream, chunk);
        if (!is_written || piece.empty()) co_return is_written;
    }
}

// Gives whether all is written. It is not if the server says before that that it does not want the rest.
template <class R>
Task<bool> Client::Sending::write(const ClientOptions& options, R& request, TcpStream& stream,
                                  detail::Answer& answer) {
    constexpr std::size_t small_body = 16 * 1024;
    const bool is_small = !request.is_streamed() && request.body_.size() <= small_body;
    std::string head = request.head();
    if (is_small) head += request.body_;
    const bool is_written = co_await put_bytes(options, request.url_, stream, head);
    if (is_small || !is_written) co_return is_written;
    auto first = co_await when_any(write_body(options, request, stream), rest_is_unwanted(stream, answer));
    co_return first.index() == 0 && std::get<0>(first);
}

// Ends when the server has ended, will close, or says anything but success. An answer that begins while the
// request is still wanted waits, its body unread, until all is written.
template <class Answer>
Task<> Client::Sending::rest_is_unwanted(TcpStream& stream, Answer& answer) {
    const bool has_come = co_await read_head(stream, answer);
    if (!has_come || answer.head.status >= 300 || answer.announces_close(stream.unread())) co_return;
    sake::detail::Flag never;
    co_await never.wait();
}

// Reads on until the head of the answer proper is there: interim ones are passed over. False if nothing came
// at all.
template <class Answer>
Task<bool> Client::Sending::read_head(TcpStream& stream, Answer& answer) {
    const auto refuse = [&](std::string_view why) { detail::throw_bad_response(answer.url.origin(), why); };
    for (;;) {
        const auto result = answer.parser.parse(stream.unread(), answer.head);
        if (result == sake::detail::http1::ResponseParser::Result::refused) refuse(answer.parser.reason());
        if (result == sake::detail::http1::ResponseParser::Result::done) {
            if (answer.head.status == 101) refuse("101, which was not asked for");
            if (!sake::detail::is_informational(answer.head.status)) co_return true;
            stream.skip(answer.head.size);
            answer.parser.reset();
            continue;
        }
        const std::size_t more = co_await stream.read_more();
        if (more > 0) continue;
        if (!stream.unread().empty()) refuse("it ends in the middle of its head");
        co_return false;
    }
}

template <class Answer>
Task<bool> Client::Sending::read_head_in_time(TcpStream& stream, Answer& answer,
                                              std::chrono::milliseconds limit) {
    try {
        co_return co_await timeout(read_head(stream, answer), limit);
    } catch (const TimedOut&) {
        sake::detail::throw_timed_out(limit, "waiting for the response from", answer.url.origin());
    }
}

// Nothing if the connection, which had been used before, was closed by the server, and another may be tried.
template <class R>
Task<std::optional<ResponseStream>> Client::Sending::try_once(Connections connections, R& request) {
    const ClientOptions& options = connections->options;
    auto connection = co_await connections->to(request.url_).acquire();
    const bool may_repeat = connection.is_used() && request.is_repeatable();
    detail::AbortUnlessAnswered giving_up(*connection);
    detail::Answer answer{sake::detail::http1::ResponseParser(detail::head_limits(options)), request.url_};
    const bool is_written = co_await write(options, request, *connection, answer);
    bool has_come = false;
    try {
        has_come = co_await read_head_in_time(*connection, answer, options.response_timeout);
    } catch (const std::system_error& error) {
        if (!may_repeat) detail::throw_while_reading(error, request.url_.origin());
    }
    if (!has_come) {
        giving_up.dismiss();
        connection.discard();
        if (may_repeat) co_return std::nullopt;
        sake::detail::throw_ended(request.url_.origin() + ": the server sent no answer");
    }
    const std::string_view bytes = connection->unread();
    sake::detail::http1::Framing framing = sake::detail::http1::decide_response_framing(
        answer.head, bytes.data(), sake::detail::method_from(request.method_));
    if (framing.refuse_status != 0) detail::throw_bad_response(request.url_.origin(), framing.reason);
    framing.keep_alive = framing.keep_alive && is_written;
    giving_up.dismiss();
    Headers headers = detail::fields_of(answer.head, bytes);
    // The body takes the head off the connection, where `bytes` are.
    auto* const body = new detail::ResponseBody(std::move(connections), std::move(connection),
                                                request.url_.origin(), answer.head.size, framing);
    co_return ResponseStream(answer.head.status, std::move(headers), body);
}

template <class R>
Task<ResponseStream> Client::Sending::follow(Connections connections, R& request, detail::Passage& passage) {
    const int most = connections->options.max_redirects;
    for (int redirects = 0;; ++redirects) {
        if (connections->breaker.is_on()) passage.begin(request.url_.origin());
        std::optional<ResponseStream> stream;
        while (!stream) {
            auto attempt = co_await try_once(connections, request);
            if (attempt) stream.emplace(*std::move(attempt));
        }
        if (connections->cache.is_on() && request.may_change(stream->status))
            connections->cache.forget(request.url_);
        if (most == 0 || !request.is_redirected_by(*stream)) co_return *std::move(stream);
        passage.end_with(stream->status);
        const std::string origin = request.url_.origin();
        if (redirects == most) {
            throw BadResponse("too many redirects: more than " + std::to_string(most) + ", the last from " +
                              origin);
        }
        try {
            request.follow(stream->status, *stream->headers.get("Location"));
        } catch (const std::invalid_argument& error) {
            throw BadResponse("bad redirect from " + origin + ": " + std::string(error.what()));
        }
        co_await finish(*stream);
    }
}

// Reads what is left of a body that nobody wants, to keep the connection, if that is little and there at
// once; otherwise another connection costs less.
template <class Stream>
Task<> Client::Sending::finish(Stream& stream) {
    const auto read = [&stream]() -> Task<> {
        while (body_of(stream).is_nearly_read()) static_cast<void>(co_await stream.read());
    };
    try {
        co_await timeout(read(), std::chrono::milliseconds(100));
    } catch (const std::exception&) {
        // The connection fails, not the request.
    }
    stream.close();
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
