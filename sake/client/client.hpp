// http::Client: requests to other services from coroutines, over connections that are kept and used again.
#pragma once

#include <algorithm>
#include <cerrno>
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
#include "sake/async/event.hpp"
#include "sake/client/client_connections.hpp"
#include "sake/client/client_request.hpp"
#include "sake/client/client_response.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace v0 {
namespace http {

namespace detail {

template <class T>
concept Text = std::convertible_to<T, std::string>;

}  // namespace detail

/// Sends requests. It keeps connections per origin and uses them again; one that the server has closed
/// meanwhile costs another attempt, where repeating the request is harmless. Cancelling a request closes its
/// connection. For one reactor at a time; it must outlive its requests and streams. All its coroutines throw
/// std::system_error if the connection fails, BadResponse, TimedOut, Cancelled, and std::invalid_argument for
/// what cannot be sent.
///
///     http::Client client({.response_timeout = 2s});
///     const auto response = co_await client.get("http://localhost:8080/users/7");
///     if (response.status == 200) show(response.json());
class Client {
  public:
    /// Throws std::invalid_argument, with the name of the option that makes no sense.
    explicit Client(ClientOptions options = {}) : options_(options) { detail::check(options_); }
    explicit Client(Reactor&) : Client() {}
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends the request, follows redirects, and gathers the body, up to `max_body`.
    template <std::same_as<Request> R>
    [[nodiscard]] Task<Response> send(R request);

    /// The same, but gives the answer when its head has come: the body is read from it.
    template <std::same_as<Request> R>
    [[nodiscard]] Task<ResponseStream> open(R request);

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
    /// With a JSON body, or with text and its type.
    template <detail::Text Url, class... Body>
    [[nodiscard]] Task<Response> post(Url url, Body... body) {
        return send(with_body("POST", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url, class... Body>
    [[nodiscard]] Task<Response> put(Url url, Body... body) {
        return send(with_body("PUT", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url, class... Body>
    [[nodiscard]] Task<Response> patch(Url url, Body... body) {
        return send(with_body("PATCH", std::string(std::move(url)), std::move(body)...));
    }

    /// Connections that are kept for later, of all origins.
    [[nodiscard]] int idle_connections() const noexcept { return connections_.idle(); }

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

    // Templates: see task.hpp.
    template <class R>
    Task<std::optional<ResponseStream>> try_once(R& request);
    template <class R>
    Task<bool> write(R& request, TcpStream& stream, detail::Answer& answer);
    template <class R>
    Task<bool> write_body(R& request, TcpStream& stream);
    template <class Bytes>
    Task<bool> put(TcpStream& stream, const Bytes& bytes);
    template <class Answer>
    Task<bool> read_head(TcpStream& stream, Answer& answer);
    template <class Answer>
    Task<> rest_is_unwanted(TcpStream& stream, Answer& answer);
    template <class Stream>
    Task<> finish(Stream& stream);

    const ClientOptions options_;
    detail::ClientConnections connections_{options_};
};

// In pieces, each with its own limit. False if the connection has failed, of which reading will tell more: an
// error that a server sends on its way out is the answer.
template <class Bytes>
Task<bool> Client::put(TcpStream& stream, const Bytes& bytes) {
    constexpr std::size_t piece = 64 * 1024;
    try {
        for (std::string_view left = bytes; !left.empty(); left.remove_prefix(std::min(piece, left.size()))) {
            co_await stream.write_all(left.substr(0, piece), options_.write_timeout);
        }
    } catch (const std::system_error&) {
        co_return false;
    }
    co_return true;
}

template <class R>
Task<bool> Client::write_body(R& request, TcpStream& stream) {
    if (!request.is_streamed()) co_return co_await put(stream, request.body_);
    for (;;) {
        const std::string piece = co_await request.source_();
        std::string chunk;
        sake::detail::http1::append_chunk(chunk, piece);
        if (piece.empty()) chunk = sake::detail::http1::last_chunk;
        const bool is_written = co_await put(stream, chunk);
        if (!is_written || piece.empty()) co_return is_written;
    }
}

// Gives whether all is written. It is not if the server says before that that it does not want the rest.
template <class R>
Task<bool> Client::write(R& request, TcpStream& stream, detail::Answer& answer) {
    constexpr std::size_t small = 16 * 1024;
    const bool is_small = !request.is_streamed() && request.body_.size() <= small;
    std::string head = request.head();
    if (is_small) head += request.body_;
    const bool is_written = co_await put(stream, head);
    if (is_small || !is_written) co_return is_written;
    auto first = co_await when_any(write_body(request, stream), rest_is_unwanted(stream, answer));
    co_return first.index() == 0 && std::get<0>(first);
}

// Ends when the server has ended, will close, or says anything but success. An answer that begins while the
// request is still wanted waits, its body unread, until all is written.
template <class Answer>
Task<> Client::rest_is_unwanted(TcpStream& stream, Answer& answer) {
    const bool has_come = co_await read_head(stream, answer);
    if (!has_come || answer.head.status >= 300 || answer.announces_close(stream.unread())) co_return;
    Event never;
    co_await never.wait();
}

// Reads on until the head of the answer proper is there: interim ones are passed over. False if nothing came
// at all.
template <class Answer>
Task<bool> Client::read_head(TcpStream& stream, Answer& answer) {
    for (;;) {
        const auto result = answer.parser.parse(stream.unread(), answer.head);
        if (result == sake::detail::http1::ResponseParser::Result::refused)
            throw BadResponse("bad response: " + std::string(answer.parser.reason()));
        if (result == sake::detail::http1::ResponseParser::Result::done) {
            if (answer.head.status == 101) throw BadResponse("bad response: 101, which was not asked for");
            if (!sake::detail::is_informational(answer.head.status)) co_return true;
            stream.skip(answer.head.size);
            answer.parser.reset();
            continue;
        }
        const std::size_t more = co_await stream.read_more();
        if (more > 0) continue;
        if (!stream.unread().empty()) throw BadResponse("bad response: it ends in the middle of its head");
        co_return false;
    }
}

// Nothing if the connection, which had been used before, was closed by the server, and another may be tried.
template <class R>
Task<std::optional<ResponseStream>> Client::try_once(R& request) {
    auto connection = co_await connections_.to(request.url_).acquire();
    const bool may_repeat = connection.is_used() && request.is_repeatable();
    detail::AbortUnlessAnswered giving_up(*connection);
    detail::Answer answer{sake::detail::http1::ResponseParser(detail::head_limits(options_))};
    bool is_written = false;
    bool has_come = false;
    try {
        is_written = co_await write(request, *connection, answer);
        has_come = co_await timeout(read_head(*connection, answer), options_.response_timeout);
    } catch (const std::system_error&) {
        if (!may_repeat) throw;
    }
    if (!has_come) {
        giving_up.dismiss();
        connection.discard();
        if (may_repeat) co_return std::nullopt;
        sake::detail::throw_system_error(ECONNRESET,
                                         request.url_.to_string() + ": the server gave no answer");
    }
    const std::string_view bytes = connection->unread();
    sake::detail::http1::Framing framing = sake::detail::http1::decide_response_framing(
        answer.head, bytes.data(), sake::detail::method_from(request.method_));
    if (framing.refuse_status != 0) throw BadResponse("bad response: " + std::string(framing.reason));
    framing.keep_alive = framing.keep_alive && is_written;
    giving_up.dismiss();
    co_return ResponseStream(connections_, std::move(connection), answer.head, bytes, framing,
                             options_.read_timeout);
}

template <std::same_as<Request> R>
Task<ResponseStream> Client::open(R request) {
    for (int redirects = 0;; ++redirects) {
        std::optional<ResponseStream> stream;
        while (!stream) {
            auto attempt = co_await try_once(request);
            if (attempt) stream.emplace(*std::move(attempt));
        }
        if (options_.max_redirects == 0 || !request.is_redirected_by(*stream)) co_return *std::move(stream);
        if (redirects == options_.max_redirects) throw BadResponse("too many redirects");
        try {
            request.follow(stream->status, *stream->headers.get("Location"));
        } catch (const std::invalid_argument& error) {
            throw BadResponse("bad redirect: " + std::string(error.what()));
        }
        co_await finish(*stream);
    }
}

// Reads what is left of a body that nobody wants, to keep the connection, if that is little and there at
// once; otherwise another connection costs less.
template <class Stream>
Task<> Client::finish(Stream& stream) {
    const auto read = [&stream]() -> Task<> {
        while (stream.is_nearly_read()) static_cast<void>(co_await stream.read());
    };
    try {
        co_await timeout(read(), std::chrono::milliseconds(100));
    } catch (const std::exception&) {
        // The connection fails, not the request.
    }
    stream.close();
}

template <std::same_as<Request> R>
Task<Response> Client::send(R request) {
    ResponseStream stream = co_await open(std::move(request));
    Response response;
    response.status = stream.status;
    response.headers = std::move(stream.headers);
    for (;;) {
        const std::string piece = co_await stream.read();
        if (piece.empty()) co_return std::move(response);
        if (piece.size() > options_.max_body - response.body.size()) {
            throw BadResponse("the response is longer than " + std::to_string(options_.max_body) + " bytes");
        }
        response.body += piece;
    }
}

namespace detail {

inline Client& present_client() {
    Reactor* const reactor = Reactor::current();
    if (reactor == nullptr) throw std::logic_error("http: needs a running reactor: call it in a coroutine");
    return reactor->local<Client>();
}

}  // namespace detail

/// The same with a client that the reactor keeps, which has the default options.
template <detail::Text Url>
[[nodiscard]] Task<Response> get(Url url) {
    return detail::present_client().get(std::move(url));
}
template <detail::Text Url>
[[nodiscard]] Task<Response> head(Url url) {
    return detail::present_client().head(std::move(url));
}
template <detail::Text Url>
[[nodiscard]] Task<Response> del(Url url) {
    return detail::present_client().del(std::move(url));
}
template <detail::Text Url, class... Body>
[[nodiscard]] Task<Response> post(Url url, Body... body) {
    return detail::present_client().post(std::move(url), std::move(body)...);
}
template <detail::Text Url, class... Body>
[[nodiscard]] Task<Response> put(Url url, Body... body) {
    return detail::present_client().put(std::move(url), std::move(body)...);
}
template <detail::Text Url, class... Body>
[[nodiscard]] Task<Response> patch(Url url, Body... body) {
    return detail::present_client().patch(std::move(url), std::move(body)...);
}

}  // namespace http
}  // namespace v0
}  // namespace sake
