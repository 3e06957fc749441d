// http::Response, an answer with its whole body, and http::ResponseStream, an answer whose body is read in
// pieces.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "sake/async/task.hpp"
#include "sake/base/closing_ptr.hpp"
#include "sake/base/json.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// Thrown for an answer that violates HTTP or exceeds a limit of the client.
class BadResponse : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Thrown for an answer whose body is longer than ClientOptions::max_body. It is not a failure of the server.
class ResponseTooLong : public BadResponse {
  public:
    using BadResponse::BadResponse;
};

/// An answer with its whole body.
struct Response {
    int status = 0;
    Headers headers;
    std::string body;

    /// Whether the status is 2xx.
    [[nodiscard]] bool is_ok() const noexcept { return status >= 200 && status < 300; }
    /// The body as JSON, within the limits of parse_json. Throws JsonError.
    template <class Value = Json>
    [[nodiscard]] Value json() const {
        return parse_json<Value>(body);
    }
};

namespace detail {

/// What a client, its requests and its streams share; see client_connections.hpp.
class SharedConnections : public sake::detail::Counted {
  public:
    SharedConnections() = default;
    SharedConnections(const SharedConnections&) = delete;
    SharedConnections& operator=(const SharedConnections&) = delete;
    virtual ~SharedConnections() = default;

    /// How many connections are kept for later.
    [[nodiscard]] virtual int idle() const noexcept = 0;
};

/// What a ResponseStream shares with a read in progress; see client_response_impl.hpp.
class SharedBody : public sake::detail::Counted {
  public:
    SharedBody() = default;
    SharedBody(const SharedBody&) = delete;
    SharedBody& operator=(const SharedBody&) = delete;
    virtual ~SharedBody() = default;

    /// Gives up what is still to come.
    virtual void close() noexcept = 0;
};

}  // namespace detail

/// An answer whose body is still arriving. Destroying it early closes its connection. It may outlive its
/// client. Movable, also while a read is waiting; not copyable.
class ResponseStream {
  public:
    int status = 0;
    Headers headers;

    ResponseStream(ResponseStream&&) noexcept = default;
    ResponseStream& operator=(ResponseStream&&) = delete;

    /// The next piece of the body; empty at its end. Throws BadResponse; std::system_error if the connection
    /// ends early or the stream is closed meanwhile; TimedOut if nothing arrives in time; Cancelled.
    template <class Unused = void>
    Task<std::string> read();

    /// Discards the rest of the body and closes the connection.
    void close() noexcept {
        if (body_) body_->close();
    }

  private:
    friend class Client;
    ResponseStream(int its_status, Headers its_headers, detail::SharedBody* body)
        : status(its_status), headers(std::move(its_headers)), body_(body) {}

    sake::detail::ClosingPtr<detail::SharedBody> body_;
};

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
