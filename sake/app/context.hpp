// Context: one request and its response, as a handler sees them. A view of a Call, which holds both; it is
// valid until the handler ends, and so are all views that it gives. What the functions do is in
// context_methods.hpp and context_impl.hpp.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sake/app/json_check.hpp"
#include "sake/app/request_headers.hpp"
#include "sake/app/response_view.hpp"
#include "sake/async/task.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/json.hpp"
#include "sake/base/shape_of.hpp"
#include "sake/http/cookie.hpp"

namespace sake {
inline namespace SAKE_ABI {

class BodyWriter;
class Context;
class EventStream;
class Form;

namespace detail {
class CallHandle;
class ReadWait;
struct Call;
}  // namespace detail

class Context {
  public:
    Context(const Context&) = delete;  // take sake::Context&; leave out the return of `return ctx.json(...)`
    Context& operator=(const Context&) = delete;

    // --- The request ---

    /// The method as it was sent: "GET".
    [[nodiscard]] std::string_view method() const noexcept;
    /// The path, percent-decoded.
    [[nodiscard]] std::string_view path() const noexcept;
    /// The request target as it was sent: path and query, of an absolute one also scheme and host.
    [[nodiscard]] std::string_view target() const noexcept;
    /// What follows the '?', as it was sent.
    [[nodiscard]] std::string_view query_string() const noexcept;
    /// The whole body, without the framing of the protocol. Throws std::logic_error on a route with
    /// stream_body(), whose body comes by `read`. Plain middleware runs before a large body has
    /// come. If it asks for the body, it is left by an exception, its answer is undone, and it runs again
    /// when the body is here.
    [[nodiscard]] std::string_view body() const;
    /// The next piece of the body, valid until the next read; nothing at its end. On a route with
    /// stream_body() it waits while the client sends, and reads no more than is asked for. It throws
    /// HttpError: 413 for a body that is too large, 400 for one that is malformed, 408 for one that comes too
    /// slowly; and Cancelled when the client leaves. On any other route it is the whole body, once. For a
    /// handler that is a coroutine, until it ends: then what this has returned throws std::logic_error.
    detail::Operation<detail::ReadWait, detail::CallHandle> read();
    /// The host, and the port if there is one, that the request is for: of the target, if it names one (RFC
    /// 9112 section 3.2.2), else of the field Host; "" if nothing says so, as HTTP/1.0 may.
    [[nodiscard]] std::string_view host() const noexcept;
    /// "http", or "https" where the connection is secured. What trusted proxies say wins: see
    /// middleware::trusted_proxies.
    [[nodiscard]] std::string_view scheme() const noexcept;
    /// The address of the other end, without its port: "127.0.0.1", "2001:db8::1", or "unix". Behind a proxy
    /// it is the proxy's.
    [[nodiscard]] std::string_view remote_address();
    /// The address of the client: what the proxies say that middleware::trusted_proxies lists; without it, or
    /// for any other peer, the remote_address.
    [[nodiscard]] std::string_view client_ip();
    /// The pattern that matched: "/users/:id"; "" where no route did.
    [[nodiscard]] std::string_view route() const noexcept;
    /// Every field received, in order: `for (auto& [name, value] : ctx.headers())`.
    [[nodiscard]] RequestHeaders headers() const noexcept;

    // Headers, cookies, query parameters and path parameters are asked for in the same ways. For each x:
    //   x(name)               its text, decoded; "" if it is absent
    //   x(name, fallback)     its text, or the fallback
    //   x<T>(name)            a number, bool or string; 400, naming it, if it is absent or does not convert
    //   x<T>(name, fallback)  the same, or the fallback if it is absent
    //   find_x(name)          its text, or std::nullopt
    // A path parameter that the pattern does not have is a mistake of the program: param(name) and
    // param<T>(name) throw std::out_of_range.

    /// A field of the request by its name in any case; of several with that name the first.
    [[nodiscard]] std::string_view header(std::string_view name,
                                          std::string_view fallback = {}) const noexcept;
    template <class T>
    [[nodiscard]] T header(std::string_view name) const;
    template <class T>
    [[nodiscard]] T header(std::string_view name, std::type_identity_t<T> fallback) const;
    [[nodiscard]] std::optional<std::string_view> find_header(std::string_view name) const noexcept;

    /// A cookie that the client sent.
    [[nodiscard]] std::string_view cookie(std::string_view name,
                                          std::string_view fallback = {}) const noexcept;
    template <class T>
    [[nodiscard]] T cookie(std::string_view name) const;
    template <class T>
    [[nodiscard]] T cookie(std::string_view name, std::type_identity_t<T> fallback) const;
    [[nodiscard]] std::optional<std::string_view> find_cookie(std::string_view name) const noexcept;

    /// A parameter of the query; one that is badly escaped is answered with 400.
    [[nodiscard]] std::string_view query(std::string_view name, std::string_view fallback = {});
    template <class T>
    [[nodiscard]] T query(std::string_view name);
    template <class T>
    [[nodiscard]] T query(std::string_view name, std::type_identity_t<T> fallback);
    [[nodiscard]] std::optional<std::string_view> find_query(std::string_view name);
    /// All parameters of the query as a T, a struct of the program: `ctx.query<Paging>()`. Answers 422, which
    /// lists every fault.
    template <class T>
    [[nodiscard]] T query();
    /// All values of a query parameter that may be there more than once, in order.
    [[nodiscard]] std::vector<std::string_view> queries(std::string_view name);

    /// A parameter of the path.
    [[nodiscard]] std::string_view param(std::string_view name);
    [[nodiscard]] std::string_view param(std::string_view name, std::string_view fallback);
    template <class T>
    [[nodiscard]] T param(std::string_view name);
    template <class T>
    [[nodiscard]] T param(std::string_view name, std::type_identity_t<T> fallback);
    [[nodiscard]] std::optional<std::string_view> find_param(std::string_view name);

    /// The JSON body as a T: Json itself, a struct of the program as it stands, or a type with nlohmann's
    /// from_json. Answers 415 if the request says that its body is of another type, 400 if it is not JSON,
    /// and 422 if it does not fit T, which lists every fault.
    template <class T = Json>
    [[nodiscard]] T bind() const;

    /// The body as a form, urlencoded or multipart (415 for another type); read once, and kept for as long as
    /// the request. form<T>() is a T of its fields, which converts and refuses as bind<T>() does.
    template <class T = Form>
    [[nodiscard]] std::conditional_t<std::is_same_v<T, Form>, const Form&, T> form();
    /// The same for a coroutine, and the only way on a route with stream_body(): the body is read as it
    /// comes, and files larger than Config::form_memory are in temporary files that end with the request.
    template <class F = Form>
    Task<F&> read_form();

    // --- The response; the last body set wins. Once the head of a streamed answer has been sent, all of
    // these throw std::logic_error ---

    /// Throws std::invalid_argument unless 200 <= code <= 599.
    Context& status(int code);
    /// Replaces all fields of that name. Throws std::invalid_argument on a byte that may not stand there, and
    /// for the fields that frame the message, which are the server's (of those only "Connection: close" may
    /// be set).
    Context& set_header(std::string_view name, std::string_view value);
    /// Adds a field beside those of the same name. Throws like set_header.
    Context& add_header(std::string_view name, std::string_view value);
    /// Adds a cookie to set. Throws std::invalid_argument that says which part of it may not stand there.
    Context& set_cookie(const http::SetCookie& cookie);

    /// A copy of this text; a std::string that is moved in is not copied.
    Context& text(std::string_view body);
    Context& text(int code, std::string_view body) { return status(code).text(body); }
    template <std::same_as<std::string> Moved>
    Context& text(Moved&& body);
    template <std::same_as<std::string> Moved>
    Context& text(int code, Moved&& body) {
        return status(code).text(std::move(body));
    }
    Context& html(std::string_view body);
    Context& html(int code, std::string_view body) { return status(code).html(body); }
    template <std::same_as<std::string> Moved>
    Context& html(Moved&& body);
    template <std::same_as<std::string> Moved>
    Context& html(int code, Moved&& body) {
        return status(code).html(std::move(body));
    }
    /// JSON of a struct of the program as it stands, of lists, maps and optionals of such, and of anything
    /// that nlohmann/json converts; text in it that is not UTF-8 is replaced by U+FFFD.
    template <std::same_as<Json> Value = Json>
    Context& json(const std::type_identity_t<Value>& value);
    template <std::same_as<Json> Value = Json>
    Context& json(int code, const std::type_identity_t<Value>& value) {
        return status(code).json<Value>(value);
    }
    template <detail::HasShape T>
    Context& json(const T& value) {
        return send_shape(detail::ShapeOf<T>::value, &value);
    }
    template <detail::HasShape T>
    Context& json(int code, const T& value) {
        return status(code).json(value);
    }
    template <detail::HasNoJson T>
    Context& json(const T&) {
        detail::refuse_json<T>();
        return *this;
    }
    template <detail::HasNoJson T>
    Context& json(int, const T&) {
        detail::refuse_json<T>();
        return *this;
    }
    /// Any bytes, under any content type. A std::string that is moved in is not copied.
    template <std::convertible_to<std::string_view> Bytes>
    Context& send(Bytes&& bytes, std::string_view content_type);
    template <std::convertible_to<std::string_view> Bytes>
    Context& send(int code, Bytes&& bytes, std::string_view content_type);
    /// A regular file by its path, relative to the working directory: with its type, ranges, ETag and
    /// Last-Modified, by the conditions of the request. Never a path that a client has named: see
    /// Engine::static_files. Throws HttpError 404 if there is none, and 412 and 416 as the request asks.
    template <std::convertible_to<std::string> Path>
    Context& file(const Path& path) {
        return send_file(std::string(path));
    }
    /// The same, to be saved under this name, in any script; without one, under its own.
    template <std::convertible_to<std::string> Path>
    Context& attachment(const Path& path, std::string_view download_name = {}) {
        return send_attachment(std::string(path), download_name);
    }
    /// An answer in pieces, by a handler that is a coroutine: its head leaves with the first write, and its
    /// end when the handler ends. If the handler throws in between, the answer is cut off, and no client
    /// takes it for a whole one. The answer to a HEAD has no pieces, so that the first write ends the handler
    /// as a cancellation does. Throws std::logic_error in a plain handler, in a worker, and for a status
    /// without a body.
    [[nodiscard]] BodyWriter stream(std::string_view content_type);
    [[nodiscard]] BodyWriter stream(int code, std::string_view content_type);
    /// An answer of server-sent events, by a handler that is a coroutine; the rest as with `stream`, but that
    /// the head leaves at once. Sets Cache-Control, unless that is set, and X-Accel-Buffering.
    [[nodiscard]] EventStream events();
    /// Sends the client to another place. What may not stand in a URI is escaped; escapes that are there
    /// stay. Throws std::invalid_argument unless the code is 300 to 303, 307 or 308, and for a control byte.
    Context& redirect(std::string_view location, int code = 302);
    /// 204, without a body.
    Context& no_content();

    /// What is set so far: `status() body() headers()`, for middleware that runs after the handler.
    [[nodiscard]] ResponseView response() const noexcept;

    // --- Values for this request ---

    /// Keeps a value for the handlers that follow, on this thread or in a worker.
    template <class T>
    void set(std::string_view key, T&& value);
    /// A value that was set, as JSON; null if there is none.
    template <int = 0, std::same_as<Json> Value = Json>  // the int leaves get<Json>(key) to the next one
    [[nodiscard]] const Value& get(std::string_view key) const;
    /// A value that was set, as a T. Throws std::out_of_range, which names the key, if there is none or it is
    /// not a T.
    template <class T>
    [[nodiscard]] T get(std::string_view key) const;
    /// The same, or the fallback if there is none. It still throws if the value is not a T.
    template <class T>
    [[nodiscard]] T get(std::string_view key, std::type_identity_t<T> fallback) const;
    /// The one T of this request, made by T() at the first call. It stays on this side: a worker has one of
    /// its own.
    template <class T>
    [[nodiscard]] T& state();

    // --- The session, behind middleware::sessions; without that, in a worker, and once the head of the
    // answer has been sent, these throw std::logic_error ---

    /// What the program keeps of this visitor from one request to the next: an object, to be read and
    /// changed. Changes are kept when the answer is made, unless its status is 500 or above. Of two requests
    /// at a time, the changes of the one that ends later stay.
    template <std::same_as<Json> Value = Json>
    [[nodiscard]] Value& session();
    /// Gives the session a new id, and keeps what is in it. Call it when a visitor logs in or gets other
    /// rights: whoever knew the id from before is left outside.
    void renew_session();
    /// Ends the session, at once and for all requests, and empties it. What is put into it from then on is a
    /// new one.
    void end_session();

    // --- The way through the handlers ---

    /// Runs the middleware and the handler that follow, to their end. What they throw is answered by then:
    /// see response() and error(). For middleware that is a coroutine.
    Task<> next();
    /// Calls `f(ctx)`, which is plain, when the answer is made, and before it leaves; the last one given is
    /// called first. What it throws is answered as if the handler had thrown it. Called for every answer,
    /// also for one that no handler made, such as a 504. What a worker's handler gives is called in the
    /// worker, and not if that handler throws.
    template <std::invocable<Context&> F>
    void after(F f);
    /// What follows is not run; the response stands as it is, with the status that may be given here.
    Context& abort() noexcept;
    Context& abort(int code);
    [[nodiscard]] bool is_aborted() const noexcept;
    /// What a handler threw, for Engine::on_error and for middleware after next(); null if nothing.
    [[nodiscard]] std::exception_ptr error() const noexcept;

    [[nodiscard]] bool in_worker_pool() const noexcept;
    /// The number of worker threads; 0 when the pool is off.
    [[nodiscard]] int worker_pool_size() const noexcept;
    /// Tells when the answer is no longer wanted: the client has disconnected, the time is up, or the server
    /// stops at once.
    [[nodiscard]] std::stop_token stop_token();
    /// Tells that the server has begun to stop gracefully: this request is still answered, if that is soon.
    [[nodiscard]] std::stop_token draining_token() const noexcept;

  private:
    template <class Unused = void>
    Context& send_file(std::string path);
    template <class Unused = void>
    Context& send_attachment(std::string path, std::string_view download_name);
    Context& send_shape(const detail::Shape& shape, const void* value);
    Context& send_moved(std::string&& bytes, std::string_view content_type);
    Context& send_copy(std::string_view bytes, std::string_view content_type);

    friend struct detail::Call;  // makes it, as the view of itself
    explicit Context(detail::Call& call) noexcept : call_(&call) {}

    detail::Call* call_;
};

}  // namespace SAKE_ABI
}  // namespace sake
