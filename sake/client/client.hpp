// http::Client: sends requests to other services from coroutines, over connections that it reuses.
#pragma once

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/reactor.hpp"
#include "sake/async/task.hpp"
#include "sake/base/json_types.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/client/client_request.hpp"
#include "sake/client/client_response.hpp"

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
template <sake::detail::HasShape Value>
    requires(!std::convertible_to<Value, Json>)
inline constexpr bool is_content<Value> = true;
template <Text Bytes, std::convertible_to<std::string_view> Type>
inline constexpr bool is_content<Bytes, Type> = true;
template <class... Body>
concept Content = is_content<Body...>;

}  // namespace detail

/// Sends requests. Keeps connections per origin and reuses them. If the server has closed a reused
/// connection, the request is sent again where that is harmless. Cancelling a request closes its connection.
/// For one reactor at a time. When the client is destroyed, requests under way and ResponseStreams continue.
/// Retries, a circuit breaker and a cache are options. Its coroutines throw std::system_error if the
/// connection fails, BadResponse, TimedOut, Cancelled, CircuitOpen if the breaker refuses, and
/// std::invalid_argument for what cannot be sent. The messages name the action, the origin and the cause.
///
///     http::Client client({.response_timeout = 2s});
///     const auto response = co_await client.get("http://localhost:8080/users/7");
///     if (response.status == 200) show(response.json());
class Client {
  public:
    /// Throws std::invalid_argument that names the option which makes no sense.
    template <std::same_as<ClientOptions> Options = ClientOptions>  // a template: see present_client
    explicit Client(Options options = {}) {
        connections_ = make_connections(options);
    }
    template <std::same_as<Reactor> R>
    explicit Client(R&) : Client() {}
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends the request, follows redirects and receives the whole body, up to `max_body`.
    template <std::same_as<Request> R>
    Task<Response> send(R request) {
        return gather(connections_, std::move(request));
    }

    /// The same, but returns when the head of the answer has arrived. Read the body from the stream.
    template <std::same_as<Request> R>
    Task<ResponseStream> open(R request) {
        return follow(connections_, std::move(request));
    }

    template <detail::Text Url>
    Task<Response> get(Url url) {
        return send(Request("GET", std::string(std::move(url))));
    }
    template <detail::Text Url>
    Task<Response> head(Url url) {
        return send(Request("HEAD", std::string(std::move(url))));
    }
    template <detail::Text Url>
    Task<Response> del(Url url) {
        return send(Request("DELETE", std::string(std::move(url))));
    }
    /// Sends a JSON body, or text and its type. Write a JSON object as `{{"name", name}, {"age", 7}}`.
    template <detail::Text Url, class... Body>
        requires detail::Content<Body...>
    Task<Response> post(Url url, Body... body) {
        return send(with_body("POST", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url>
    Task<Response> post(Url url, JsonMembers members) {
        return send(with_body("POST", std::string(std::move(url)), members.value()));
    }
    template <detail::Text Url, class... Body>
        requires detail::Content<Body...>
    Task<Response> put(Url url, Body... body) {
        return send(with_body("PUT", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url>
    Task<Response> put(Url url, JsonMembers members) {
        return send(with_body("PUT", std::string(std::move(url)), members.value()));
    }
    template <detail::Text Url, class... Body>
        requires detail::Content<Body...>
    Task<Response> patch(Url url, Body... body) {
        return send(with_body("PATCH", std::string(std::move(url)), std::move(body)...));
    }
    template <detail::Text Url>
    Task<Response> patch(Url url, JsonMembers members) {
        return send(with_body("PATCH", std::string(std::move(url)), members.value()));
    }

    /// The number of idle connections, of all origins.
    [[nodiscard]] int idle_connections() const noexcept { return connections_->idle(); }

  private:
    static Request with_body(std::string method, std::string_view url, const Json& value) {
        Request request(std::move(method), url);
        request.json(value);
        return request;
    }
    template <sake::detail::HasShape Value>
        requires(!std::convertible_to<Value, Json>)
    static Request with_body(std::string method, std::string_view url, const Value& value) {
        return with_body(std::move(method), url, dump_json(value), "application/json");
    }
    static Request with_body(std::string method, std::string_view url, std::string bytes,
                             std::string_view content_type) {
        Request request(std::move(method), url);
        request.body(std::move(bytes), content_type);
        return request;
    }

    // Shared by the client, its requests and its streams.
    using Shared = sake::detail::CountedPtr<detail::SharedConnections>;

    // Templates: see task.hpp.
    template <class Unused = void>
    static Shared make_connections(const ClientOptions& options);
    template <class R>
    static Task<Response> gather(Shared connections, R request);
    template <class R>
    static Task<ResponseStream> follow(Shared connections, R request);
    struct Sending;

    Shared connections_;
};

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
Task<Response> get(Url url) {
    return detail::present_client<Client>().get(std::move(url));
}
template <detail::Text Url>
Task<Response> head(Url url) {
    return detail::present_client<Client>().head(std::move(url));
}
template <detail::Text Url>
Task<Response> del(Url url) {
    return detail::present_client<Client>().del(std::move(url));
}
template <detail::Text Url, class... Body>
    requires detail::Content<Body...>
Task<Response> post(Url url, Body... body) {
    return detail::present_client<Client>().post(std::move(url), std::move(body)...);
}
template <detail::Text Url>
Task<Response> post(Url url, JsonMembers members) {
    return detail::present_client<Client>().post(std::move(url), std::move(members));
}
template <detail::Text Url, class... Body>
    requires detail::Content<Body...>
Task<Response> put(Url url, Body... body) {
    return detail::present_client<Client>().put(std::move(url), std::move(body)...);
}
template <detail::Text Url>
Task<Response> put(Url url, JsonMembers members) {
    return detail::present_client<Client>().put(std::move(url), std::move(members));
}
template <detail::Text Url, class... Body>
    requires detail::Content<Body...>
Task<Response> patch(Url url, Body... body) {
    return detail::present_client<Client>().patch(std::move(url), std::move(body)...);
}
template <detail::Text Url>
Task<Response> patch(Url url, JsonMembers members) {
    return detail::present_client<Client>().patch(std::move(url), std::move(members));
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
