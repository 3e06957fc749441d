// http::Client: requests to other services from coroutines, over connections that are kept and used again.
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/combinators.hpp"
#include "sake/async/flag.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/client/client_connections.hpp"
#include "sake/client/client_request.hpp"
#include "sake/client/client_response.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

namespace detail {

template <class T>
concept Text = std::convertible_to<T, std::string>;

/// What becomes the body of a post: something as JSON, or text and its type.
template <class... Body>
inline constexpr bool is_content = false;
template <std::convertible_to<Json> Value>
inline constexpr bool is_content<Value> = true;
template <Text Bytes, std::convertible_to<std::string_view> Type>
inline constexpr bool is_content<Bytes, Type> = true;
template <class... Body>
concept Content = is_content<Body...>;

}  // namespace detail

/// Sends requests. It keeps connections per origin and uses them again; one that the server has closed
/// meanwhile costs another attempt, where repeating the request is harmless. Cancelling a request closes its
/// connection. For one reactor at a time. A request that is under way when the client is destroyed goes on,
/// and so does a ResponseStream. All its coroutines throw std::system_error if the connection fails,
/// BadResponse, TimedOut, Cancelled, and std::invalid_argument for what cannot be sent; their messages name
/// what was being done, the origin and the cause.
///
///     http::Client client({.response_timeout = 2s});
///     const auto response = co_await client.get("http://localhost:8080/users/7");
///     if (response.status == 200) show(response.json());
class Client {
  public:
    /// Throws std::invalid_argument, with the name of the option that makes no sense.
    template <std::same_as<ClientOptions> Options = ClientOptions>  // a template: see present_client
    explicit Client(Options options = {}) {
        detail::demand_valid(options);
        connections_ =
            sake::detail::CountedPtr<detail::ClientConnections>(new detail::ClientConnections(options));
    }
    template <std::same_as<Reactor> R>
    explicit Client(R&) : Client() {}
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends the request, follows redirects, and gathers the body, up to `max_body`.
    template <std::same_as<Request> R>
    [[nodiscard]] Task<Response> send(R request) {
        return gather(connections_, std::move(request));
    }

    /// The same, but gives the answer when its head has come: the body is read from it.
    template <std::same_as<Request> R>
    [[nodiscard]] Task<ResponseStream> open(R request) {
        return follow(connections_, std::move(request));
    }

    template <detail::Text Url>
    [[nodiscard]] Task<Response> get(Url url) {
        return send(Request("GET", std::string(std::move(url))));
    }
    template <detail::Text Url>
    [[nodiscard]] Task<Response> head(Url url) {
        return send(Request("HEAD", std::string(std::move(url))));
    }
    template <detail::Text Url>
    [[nodiscard]] Task<Response> del(Url url) {
        return send(Request("DELETE", std::string(std::move(url))));
    }
    /// With a JSON body, or with text and its type; an object may be written as `{{"name", name}, {"age",
    /// 7}}`.
    template <detail::Text Url, class... Body>
        requires detail::Content<Body...>
    [[nodiscard]] Task<Response> post(Url url, Body... body) {
        return send(with_body("POST", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url>
    [[nodiscard]] Task<Response> post(Url url, JsonMembers members) {
        return send(with_body("POST", std::string(std::move(url)), members.value()));
    }
    template <detail::Text Url, class... Body>
        requires detail::Content<Body...>
    [[nodiscard]] Task<Response> put(Url url, Body... body) {
        return send(with_body("PUT", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url>
    [[nodiscard]] Task<Response> put(Url url, JsonMembers members) {
        return send(with_body("PUT", std::string(std::move(url)), members.value()));
    }
    template <detail::Text Url, class... Body>
        requires detail::Content<Body...>
    [[nodiscard]] Task<Response> patch(Url url, Body... body) {
        return send(with_body("PATCH", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url>
    [[nodiscard]] Task<Response> patch(Url url, JsonMembers members) {
        return send(with_body("PATCH", std::string(std::move(url)), members.value()));
    }

    /// Connections that are kept for later, of all origins.
    [[nodiscard]] int idle_connections() const noexcept { return connections_->idle(); }

  private:
    static Request with_body(std::string method, std::string_view url, const Json& value) {
        Request request(std::move(method), url);
        request.json(value);
        return request;
    }
    static Request with_body(std::string method, std::string_view url, std::string bytes,
                             std::string_view content_type) {
        Request request(std::move(method), url);
        request.body(std::move(bytes), content_type);
        return request;
    }

    // What requests share with the client, and keep.
    using Shared = sake::detail::CountedPtr<detail::ClientConnections>;

    // Templates: see task.hpp. What is not given it holds a part of, for as long as gather or follow run.
    template <class R>
    static Task<Response> gather(Shared connections, R request);
    template <class R>
    static Task<ResponseStream> follow(Shared connections, R request);
    template <class R>
    static Task<std::optional<ResponseStream>> try_once(Shared connections, R& request);
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

    Shared connections_;
};

// In pieces, each with its own limit. False if the connection has failed, of which reading will tell more: an
// error that a server sends on its way out is the answer.
template <class Bytes>
Task<bool> Client::put_bytes(const ClientOptions& options, const http::Url& url, TcpStream& stream,
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
Task<bool> Client::write_body(const ClientOptions& options, R& request, TcpStream& stream) {
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
Task<bool> Client::write(const ClientOptions& options, R& request, TcpStream& stream,
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
Task<> Client::rest_is_unwanted(TcpStream& stream, Answer& answer) {
    const bool has_come = co_await read_head(stream, answer);
    if (!has_come || answer.head.status >= 300 || answer.announces_close(stream.unread())) co_return;
    sake::detail::Flag never;
    co_await never.wait();
}

// Reads on until the head of the answer proper is there: interim ones are passed over. False if nothing came
// at all.
template <class Answer>
Task<bool> Client::read_head(TcpStream& stream, Answer& answer) {
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
Task<bool> Client::read_head_in_time(TcpStream& stream, Answer& answer, std::chrono::milliseconds limit) {
    try {
        co_return co_await timeout(read_head(stream, answer), limit);
    } catch (const TimedOut&) {
        sake::detail::throw_timed_out(limit, "waiting for the response from", answer.url.origin());
    }
}

// Nothing if the connection, which had been used before, was closed by the server, and another may be tried.
template <class R>
Task<std::optional<ResponseStream>> Client::try_once(Shared connections, R& request) {
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
        sake::detail::throw_ended(request.url_.origin() + ": the server gave no answer");
    }
    const std::string_view bytes = connection->unread();
    sake::detail::http1::Framing framing = sake::detail::http1::decide_response_framing(
        answer.head, bytes.data(), sake::detail::method_from(request.method_));
    if (framing.refuse_status != 0) detail::throw_bad_response(request.url_.origin(), framing.reason);
    framing.keep_alive = framing.keep_alive && is_written;
    giving_up.dismiss();
    co_return ResponseStream(std::move(connections), std::move(connection), request.url_.origin(),
                             answer.head, bytes, framing);
}

template <class R>
Task<ResponseStream> Client::follow(Shared connections, R request) {
    const int most = connections->options.max_redirects;
    for (int redirects = 0;; ++redirects) {
        std::optional<ResponseStream> stream;
        while (!stream) {
            auto attempt = co_await try_once(connections, request);
            if (attempt) stream.emplace(*std::move(attempt));
        }
        if (most == 0 || !request.is_redirected_by(*stream)) co_return *std::move(stream);
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
Task<> Client::finish(Stream& stream) {
    const auto read = [&stream]() -> Task<> {
        while (stream.body_->is_nearly_read()) static_cast<void>(co_await stream.read());
    };
    try {
        co_await timeout(read(), std::chrono::milliseconds(100));
    } catch (const std::exception&) {
        // The connection fails, not the request.
    }
    stream.close();
}

template <class R>
Task<Response> Client::gather(Shared connections, R request) {
    ResponseStream stream = co_await follow(connections, std::move(request));
    Response response;
    response.status = stream.status;
    response.headers = std::move(stream.headers);
    const std::size_t most = connections->options.max_body;
    for (;;) {
        const std::string piece = co_await stream.read();
        if (piece.empty()) co_return std::move(response);
        if (piece.size() > most - response.body.size()) {
            throw BadResponse("the response from " + stream.body_->origin() + " is longer than " +
                              std::to_string(most) + " bytes");
        }
        response.body += piece;
    }
}

namespace detail {

// A template, as the constructor of Client is: programs without a client do not compile it.
template <class C>
C& present_client() {
    Reactor* const reactor = Reactor::current();
    if (reactor == nullptr) throw std::logic_error("http: needs a running reactor: call it in a coroutine");
    return reactor->local<C>();
}

}  // namespace detail

/// The same with a client that the reactor keeps, which has the default options.
template <detail::Text Url>
[[nodiscard]] Task<Response> get(Url url) {
    return detail::present_client<Client>().get(std::move(url));
}
template <detail::Text Url>
[[nodiscard]] Task<Response> head(Url url) {
    return detail::present_client<Client>().head(std::move(url));
}
template <detail::Text Url>
[[nodiscard]] Task<Response> del(Url url) {
    return detail::present_client<Client>().del(std::move(url));
}
template <detail::Text Url, class... Body>
    requires detail::Content<Body...>
[[nodiscard]] Task<Response> post(Url url, Body... body) {
    return detail::present_client<Client>().post(std::move(url), std::move(body)...);
}
template <detail::Text Url>
[[nodiscard]] Task<Response> post(Url url, JsonMembers members) {
    return detail::present_client<Client>().post(std::move(url), std::move(members));
}
template <detail::Text Url, class... Body>
    requires detail::Content<Body...>
[[nodiscard]] Task<Response> put(Url url, Body... body) {
    return detail::present_client<Client>().put(std::move(url), std::move(body)...);
}
template <detail::Text Url>
[[nodiscard]] Task<Response> put(Url url, JsonMembers members) {
    return detail::present_client<Client>().put(std::move(url), std::move(members));
}
template <detail::Text Url, class... Body>
    requires detail::Content<Body...>
[[nodiscard]] Task<Response> patch(Url url, Body... body) {
    return detail::present_client<Client>().patch(std::move(url), std::move(body)...);
}
template <detail::Text Url>
[[nodiscard]] Task<Response> patch(Url url, JsonMembers members) {
    return detail::present_client<Client>().patch(std::move(url), std::move(members));
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
