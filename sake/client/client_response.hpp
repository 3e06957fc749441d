// What a client receives: a Response that is all there, or a ResponseStream that is read piece by piece.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/pool.hpp"
#include "sake/base/json.hpp"
#include "sake/client/client_connections.hpp"
#include "sake/http/headers.hpp"
#include "sake/http1/body_reader.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/response_parser.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace v0 {
namespace http {

/// Thrown for an answer that is not HTTP as it should be, or that is larger than the client allows.
class BadResponse : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// An answer with all of its body.
struct Response {
    int status = 0;
    Headers headers;
    std::string body;

    /// Whether the status is 2xx.
    [[nodiscard]] bool is_ok() const noexcept { return status >= 200 && status < 300; }
    /// The body as JSON, with the limits of parse_json. Throws JsonError.
    template <class Value = Json>
    [[nodiscard]] Value json() const {
        return parse_json<Value>(body);
    }
};

namespace detail {

/// The head of an answer, as far as it has come.
struct Answer {
    sake::detail::http1::ResponseParser parser;
    sake::detail::http1::ReceivedHead head = {};

    [[nodiscard]] bool announces_close(std::string_view unread) const noexcept {
        return head.minor_version > 0 && !sake::detail::http1::decide_keep_alive(head, unread.data());
    }
};

/// Aborts the connection of a request that is given up, so that the server may give it up too.
class AbortUnlessAnswered {
  public:
    explicit AbortUnlessAnswered(TcpStream& stream) noexcept : stream_(&stream) {}
    AbortUnlessAnswered(const AbortUnlessAnswered&) = delete;
    AbortUnlessAnswered& operator=(const AbortUnlessAnswered&) = delete;
    ~AbortUnlessAnswered() {
        if (stream_ != nullptr) stream_->abort();
    }
    void dismiss() noexcept { stream_ = nullptr; }

  private:
    TcpStream* stream_;
};

}  // namespace detail

/// An answer whose body is still to come. When it goes before all is read, the connection is closed. It must
/// not outlive its client.
class ResponseStream {
  public:
    int status = 0;
    Headers headers;

    ResponseStream(ResponseStream&&) noexcept = default;
    ResponseStream& operator=(ResponseStream&&) = delete;
    ~ResponseStream() { close(); }

    /// The next piece of the body; empty at its end. Throws BadResponse, std::system_error if the connection
    /// ends in the middle, TimedOut if nothing comes in time, and Cancelled.
    template <class Unused = void>
    [[nodiscard]] Task<std::string> read();

    /// Gives up what is still to come.
    void close() noexcept {
        if (connection_) connection_->abort();
        connection_.discard();
    }

  private:
    friend class Client;
    using Connection = detail::ClientConnections::Connections::Lease;
    using Body = sake::detail::http1::Framing::Body;

    ResponseStream(detail::ClientConnections& kept, Connection connection,
                   const sake::detail::http1::ReceivedHead& head, std::string_view bytes,
                   const sake::detail::http1::Framing& framing, std::chrono::milliseconds read_timeout)
        : status(head.status),
          kept_(&kept),
          connection_(std::move(connection)),
          keep_alive_(framing.keep_alive),
          read_timeout_(read_timeout) {
        for (const sake::detail::FieldSlice& field : head.fields) {
            headers.add(field.name.of(bytes.data()), field.value.of(bytes.data()));
        }
        connection_->skip(head.size);
        body_.reset(framing);
        if (framing.body == Body::none) end();
    }

    // A few KiB of known length, or what has already come.
    [[nodiscard]] bool is_nearly_read() const noexcept {
        if (is_at_end_) return false;
        if (body_.kind() == Body::length) return body_.left_in_piece() <= 4096;
        return body_.kind() == Body::chunked && !connection_->unread().empty();
    }
    [[nodiscard]] std::string take(std::string_view unread);
    // What would come behind the answer was not asked for: such a connection is not used again.
    void end() noexcept {
        is_at_end_ = true;
        if (!keep_alive_ || !connection_->unread().empty() || !kept_->make_room())
            return connection_.discard();
        const Connection goes_back = std::move(connection_);
    }

    detail::ClientConnections* kept_;
    Connection connection_;
    sake::detail::http1::BodyReader body_;
    bool keep_alive_;
    bool is_at_end_ = false;
    std::chrono::milliseconds read_timeout_;
};

// All that has come of the body, in one piece.
inline std::string ResponseStream::take(std::string_view unread) {
    using Step = sake::detail::http1::BodyReader::Step;
    std::string piece;
    for (;;) {
        const Step step = body_.read(unread);
        unread.remove_prefix(step.consumed);
        piece += step.data;
        if (step.kind == Step::Kind::data) continue;
        connection_->skip(connection_->unread().size() - unread.size());
        if (step.kind == Step::Kind::refused) {
            throw BadResponse("bad response: " + std::string(body_.reason()));
        }
        if (step.kind == Step::Kind::done) end();
        return piece;
    }
}

template <class Unused>
Task<std::string> ResponseStream::read() {
    while (!is_at_end_) {
        if (!connection_) throw std::logic_error("the ResponseStream is closed");
        const std::string_view unread = connection_->unread();
        if (!unread.empty()) {
            std::string piece = take(unread);
            if (!piece.empty()) co_return piece;
            continue;
        }
        const std::size_t more = co_await connection_->read_more(read_timeout_);
        if (more > 0) continue;
        if (body_.kind() != Body::to_the_end) {
            close();
            sake::detail::throw_system_error(ECONNRESET, "the server ended in the middle of its answer");
        }
        end();
    }
    co_return std::string();
}

}  // namespace http
}  // namespace v0
}  // namespace sake
