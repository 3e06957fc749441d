// Context: one request and its response, as a handler sees them. A view of a Call, which holds both. It is
// valid until the handler ends, and so are all views that it returns. The functions are defined in
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

    /// The method as the client sent it: "GET".
    [[nodiscard]] std::string_view method() const noexcept;
    /// The path, percent-decoded.
    [[nodiscard]] std::string_view path() const noexcept;
    /// The request target as the client sent it: path and query; an absolute target also has scheme and host.
    [[nodiscard]] std::string_view target() const noexcept;
    /// The text after the '?' as the client sent it, without decoding.
    [[nodiscard]] std::string_view query_string() const noexcept;
    /// The whole body, after the framing of the protocol is removed. Throws std::logic_error on a route with
    /// stream_body(): use `read` there. Plain middleware first runs before a large body has arrived. If it
    /// asks for the body then, an exception leaves it, its changes to the answer are undone, and it runs
    /// again when the body is here.
    [[nodiscard]] std::string_view body() const;
    /// The next piece of the body, valid until the next read; std::nullopt at the end of the body. On a route
    /// with stream_body() it waits for the client and reads no further ahead than asked. Throws HttpError 413
    /// (body too large), 400 (malformed) or 408 (too slow), and Cancelled when the client disconnects. On
    /// other routes it returns the whole body once. For coroutine handlers. Once the handler has ended,
    /// awaiting it throws std::logic_error.
    detail::Operation<detail::ReadWait, detail::CallHandle> read();
    /// The host that the request is for, with the port if the client sent one. An absolute target names it
    /// (RFC 9112 section 3.2.2), else the field Host. "" if there is neither, which HTTP/1.0 permits.
    [[nodiscard]] std::string_view host() const noexcept;
    /// "https" on a secured connection, else "http". Behind middleware::trusted_proxies, the scheme that the
    /// proxy reports.
    [[nodiscard]] std::string_view scheme() const noexcept;
    /// The address of the other end of the connection, without its port: "127.0.0.1", "2001:db8::1", or
    /// "unix" for a Unix socket. Behind a proxy this is the proxy's address.
    [[nodiscard]] std::string_view remote_address();
    /// The address of the client. Behind middleware::trusted_proxies, the address that a listed proxy
    /// reports. Otherwise the same as remote_address.
    [[nodiscard]] std::string_view client_ip();
    /// The pattern that matched: "/users/:id"; "" if no route matched.
    [[nodiscard]] std::string_view route() const noexcept;
    /// All header fields in the order received: `for (auto& [name, value] : ctx.headers())`.
    [[nodiscard]] RequestHeaders headers() const noexcept;

    // Headers, cookies, query parameters and path parameters share one set of functions. For each x:
    //   x(name)               its text; "" if it is absent
    //   x(name, fallback)     its text, or the fallback
    //   x<T>(name)            a number, bool or string; 400, naming it, if it is absent or does not convert
    //   x<T>(name, fallback)  the same, or the fallback if it is absent
    //   find_x(name)          its text, or std::nullopt
    // Query and path parameters are percent-decoded, headers and cookies are not. A cookie loses the quotes
    // around it.
    // A path parameter that the pattern does not have is a mistake of the program: param(name) and
    // param<T>(name) throw std::out_of_range.

    /// A header field by name, in any case. If the client sent several, the first.
    [[nodiscard]] std::string_view header(std::string_view name,
                                          std::string_view fallback = {}) const noexcept;
    template <class T>
    [[nodiscard]] T header(std::string_view name) const;
    template <class T>
    [[nodiscard]] T header(std::string_view name, std::type_identity_t<T> fallback) const;
    [[nodiscard]] std::optional<std::string_view> find_header(std::string_view name) const noexcept;

    /// A cookie that the client sent, by name.
    [[nodiscard]] std::string_view cookie(std::string_view name,
                                          std::string_view fallback = {}) const noexcept;
    template <class T>
    [[nodiscard]] T cookie(std::string_view name) const;
    template <class T>
    [[nodiscard]] T cookie(std::string_view name, std::type_identity_t<T> fallback) const;
    [[nodiscard]] std::optional<std::string_view> find_cookie(std::string_view name) const noexcept;

    /// A query parameter by name, decoded. If several have this name, the first. A `%` that escapes nothing
    /// is kept as it is.
    [[nodiscard]] std::string_view query(std::string_view name, std::string_view fallback = {});
    template <class T>
    [[nodiscard]] T query(std::string_view name);
    template <class T>
    [[nodiscard]] T query(std::string_view name, std::type_identity_t<T> fallback);
    [[nodiscard]] std::optional<std::string_view> find_query(std::string_view name);
    /// All query parameters as a struct of the program: `ctx.query<Paging>()`. If they do not fit, the answer
    /// is 422 and lists every fault.
    template <class T>
    [[nodiscard]] T query();
    /// All values of a query parameter that may occur more than once, in order.
    [[nodiscard]] std::vector<std::string_view> queries(std::string_view name);

    /// A parameter of the path by name.
    [[nodiscard]] std::string_view param(std::string_view name);
    [[nodiscard]] std::string_view param(std::string_view name, std::string_view fallback);
    template <class T>
    [[nodiscard]] T param(std::string_view name);
    template <class T>
    [[nodiscard]] T param(std::string_view name, std::type_identity_t<T> fallback);
    [[nodiscard]] std::optional<std::string_view> find_param(std::string_view name);

    /// The JSON body as a T: Json itself, an aggregate, or a type with nlohmann's from_json. Throws
    /// HttpError: 415 if Content-Type names another type, 400 if the body is not JSON, 422 that lists every
    /// fault if it does not fit T.
    template <class T = Json>
    [[nodiscard]] T bind() const;

    /// The body as a form, urlencoded or multipart. For another type the answer is 415. The form is read
    /// once and lives as long as the request. form<T>() converts its fields to a T and answers 422 as
    /// bind<T>() does.
    template <class T = Form>
    [[nodiscard]] std::conditional_t<std::is_same_v<T, Form>, const Form&, T> form();
    /// Reads the form while the body arrives. For coroutines. A route with stream_body() has no other way to
    /// read a form. Files larger than Config::form_memory are kept in temporary files, which end with the
    /// request.
    template <class F = Form>
    Task<F&> read_form();

    // --- The response. The last body set counts. After the head of a streamed answer has left, these throw
    // std::logic_error ---

    /// Sets the status. Throws std::invalid_argument unless 200 <= code <= 599.
    Context& status(int code);
    /// Sets a header field, and replaces all of that name. Throws std::invalid_argument for a byte that a
    /// field cannot hold, and for the fields that frame the message, such as Content-Length: the server sets
    /// these. Of them only "Connection: close" may be set.
    Context& set_header(std::string_view name, std::string_view value);
    /// Adds a header field and keeps those of the same name. Throws as set_header does.
    Context& add_header(std::string_view name, std::string_view value);
    /// Adds a Set-Cookie field. Throws std::invalid_argument that names the bad part of the cookie.
    Context& set_cookie(const http::SetCookie& cookie);

    /// Sets a text as the body, as text/plain in UTF-8. The text is copied unless a std::string is moved in.
    Context& text(std::string_view body);
    Context& text(int code, std::string_view body) { return status(code).text(body); }
    template <std::same_as<std::string> Moved>
    Context& text(Moved&& body);
    template <std::same_as<std::string> Moved>
    Context& text(int code, Moved&& body) {
        return status(code).text(std::move(body));
    }
    /// Sets HTML as the body, as text/html in UTF-8. Copied unless a std::string is moved in.
    Context& html(std::string_view body);
    Context& html(int code, std::string_view body) { return status(code).html(body); }
    template <std::same_as<std::string> Moved>
    Context& html(Moved&& body);
    template <std::same_as<std::string> Moved>
    Context& html(int code, Moved&& body) {
        return status(code).html(std::move(body));
    }
    /// Sets JSON as the body, made of an aggregate, a list, map or optional of such, or any type that
    /// nlohmann/json converts. Text that is not UTF-8 is replaced by U+FFFD.
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
    /// Answers with a regular file. The path is relative to the working directory. Sets the type, ETag and
    /// Last-Modified, and evaluates Range and the conditional fields of the request. Throws HttpError 404 if
    /// the file does not exist, 412 or 416 as the request demands. In a worker nothing of this is thrown: the
    /// reactor opens the file after the handler has returned. Never pass a path that a client has named: see
    /// Engine::static_files.
    template <std::convertible_to<std::string> Path>
    Context& file(const Path& path) {
        return send_file(std::string(path));
    }
    /// The same, for the browser to save under this name, in any script. "" saves it under its own name.
    template <std::convertible_to<std::string> Path>
    Context& attachment(const Path& path, std::string_view download_name = {}) {
        return send_attachment(std::string(path), download_name);
    }
    /// Starts a streamed answer, in a coroutine handler. The head leaves with the first write, and the answer
    /// ends when the handler ends. If the handler throws in between, the answer is cut, so that no client
    /// takes the answer for complete. A HEAD request has no body: the first write ends the handler, as a
    /// cancellation does. Throws std::logic_error in a plain handler, in a worker, and for a status without a
    /// body.
    [[nodiscard]] BodyWriter stream(std::string_view content_type);
    [[nodiscard]] BodyWriter stream(int code, std::string_view content_type);
    /// Starts an answer of server-sent events, in a coroutine handler. Like `stream`, except that the head
    /// leaves at once. Sets X-Accel-Buffering, and Cache-Control unless it is set already.
    [[nodiscard]] EventStream events();
    /// Redirects the client. Bytes that a URI cannot hold are escaped; existing escapes stay. Throws
    /// std::invalid_argument unless the code is 300 to 303, 307 or 308, and for a control byte.
    Context& redirect(std::string_view location, int code = 302);
    /// Answers 204 without a body.
    Context& no_content();

    /// The response as set so far: `status() body() headers()`. For middleware after the handler.
    [[nodiscard]] ResponseView response() const noexcept;

    // --- Values for this request ---

    /// Stores a value for the handlers that follow, on this thread or in a worker. T needs a JSON form; a
    /// struct is stored as `json(value)` writes it. Throws std::invalid_argument for an enum value without a
    /// name in it.
    template <class T>
    void set(std::string_view key, T&& value);
    /// A stored value as JSON; null if the key is not set.
    template <int = 0, std::same_as<Json> Value = Json>  // the int leaves get<Json>(key) to the next one
    [[nodiscard]] const Value& get(std::string_view key) const;
    /// A stored value as a T. Throws std::out_of_range that names the key if it is not set or does not
    /// convert.
    template <class T>
    [[nodiscard]] T get(std::string_view key) const;
    /// The same, or the fallback if the key is not set. Still throws if the value does not convert.
    template <class T>
    [[nodiscard]] T get(std::string_view key, std::type_identity_t<T> fallback) const;
    /// The T of this request. The first call makes it by T(). It does not cross to a worker: a worker has one
    /// of its own.
    template <class T>
    [[nodiscard]] T& state();

    // --- The session, behind middleware::sessions. These throw std::logic_error without it, in a worker, and
    // once the head of the answer has left ---

    /// The data that the program keeps for this visitor between requests: a JSON object to read and change.
    /// Changes are stored when the answer is made, unless its status is 500 or above. If two requests of one
    /// visitor overlap, the one that ends later overwrites the other's changes.
    template <std::same_as<Json> Value = Json>
    [[nodiscard]] Value& session();
    /// Gives the session a new id and keeps its data. Call it when a visitor logs in or gains rights: an
    /// attacker who knew the old id loses access (session fixation).
    void renew_session();
    /// Ends the session at once, for all requests, and empties it. Data stored afterwards starts a new
    /// session.
    void end_session();

    // --- The chain of handlers ---

    /// Runs the rest of the chain, to its end. For coroutine middleware. After it the response is complete,
    /// even if a handler threw: see response() and error().
    Task<> next();
    /// Calls `f(ctx)` when the answer is complete, before it leaves. `f` is plain. The last function added
    /// runs first. An exception from it is answered as if the handler had thrown it. Called for every answer,
    /// also for one that no handler made, such as a 504. A function added in a worker runs there, and not if
    /// the worker's handler throws.
    template <std::invocable<Context&> F>
    void after(F f);
    /// Skips the rest of the chain. The response stands as it is, with this status if one is given.
    Context& abort() noexcept;
    Context& abort(int code);
    /// Whether abort() was called.
    [[nodiscard]] bool is_aborted() const noexcept;
    /// What a handler threw, for Engine::on_error and for middleware after next(); null if nothing was
    /// thrown.
    [[nodiscard]] std::exception_ptr error() const noexcept;

    /// Whether this runs on a thread of the worker pool.
    [[nodiscard]] bool in_worker_pool() const noexcept;
    /// The number of worker threads; 0 if the pool is off.
    [[nodiscard]] int worker_pool_size() const noexcept;
    /// A token that is stopped when the answer is no longer wanted: the client disconnected, the time limit
    /// passed, or the server is stopping at once.
    [[nodiscard]] std::stop_token stop_token();
    /// A token that is stopped when a graceful stop of the server begins. This request still gets its answer
    /// within the grace.
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
