// Definitions of client_response.hpp: an answer on its connection.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/pool.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/client/client_connections.hpp"
#include "sake/client/client_response.hpp"
#include "sake/client/url.hpp"
#include "sake/http/headers.hpp"
#include "sake/http1/body_reader.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/response_parser.hpp"
#include "sake/io/net_error.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

[[noreturn]] inline void throw_bad_response(std::string_view origin, std::string_view reason) {
    throw BadResponse("bad response from " + std::string(origin) + ": " + std::string(reason));
}

/// The failure of a connection, with what it was to bring.
[[noreturn]] inline void throw_while_reading(const std::system_error& error, const std::string& origin) {
    throw std::system_error(error.code(), "cannot read the response from " + origin);
}

/// The head of an answer, as far as it has come.
struct Answer {
    sake::detail::http1::ResponseParser parser;
    const Url& url;
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

/// The body of an answer, on its connection. What a ResponseStream shares with a read in progress.
class ResponseBody final : public SharedBody {
  public:
    using Connection = ClientConnections::Connections::Lease;
    using Kind = sake::detail::http1::Framing::Body;

    ResponseBody(sake::detail::CountedPtr<ClientConnections> kept, Connection connection, std::string origin,
                 std::size_t head_size, const sake::detail::http1::Framing& framing)
        : kept_(std::move(kept)),
          connection_(std::move(connection)),
          origin_(std::move(origin)),
          keep_alive_(framing.keep_alive) {
        connection_->skip(head_size);
        body_.reset(framing);
        if (framing.body == Kind::none) end();
    }

    void close() noexcept override {
        if (connection_) connection_->abort();
        connection_.discard();
    }

    /// As ResponseStream::read.
    template <class Self>
    static Task<std::string> read(sake::detail::CountedPtr<Self> self);

    // A few KiB of known length, or what has already come.
    [[nodiscard]] bool is_nearly_read() const noexcept {
        if (is_at_end_) return false;
        if (body_.kind() == Kind::length) return body_.left_in_piece() <= 4096;
        return body_.kind() == Kind::chunked && !connection_->unread().empty();
    }
    [[nodiscard]] const std::string& origin() const noexcept { return origin_; }

  private:
    template <class Unused = void>
    Task<std::size_t> read_more();
    [[nodiscard]] std::string take(std::string_view unread);
    // What would come behind the answer was not asked for: such a connection is not used again.
    void end() noexcept {
        is_at_end_ = true;
        if (!keep_alive_ || !connection_->unread().empty() || !kept_->make_room())
            return connection_.discard();
        const Connection goes_back = std::move(connection_);
    }

    sake::detail::CountedPtr<ClientConnections> kept_;
    Connection connection_;
    std::string origin_;  // in messages
    sake::detail::http1::BodyReader body_;
    bool keep_alive_;
    bool is_at_end_ = false;
};

// All that has come of the body, in one piece.
inline std::string ResponseBody::take(std::string_view unread) {
    using Step = sake::detail::http1::BodyReader::Step;
    std::string piece;
    for (;;) {
        const Step step = body_.read(unread);
        unread.remove_prefix(step.consumed);
        piece += step.data;
        if (step.kind == Step::Kind::data) continue;
        connection_->skip(connection_->unread().size() - unread.size());
        if (step.kind == Step::Kind::refused) throw_bad_response(origin_, body_.reason());
        if (step.kind == Step::Kind::done) end();
        return piece;
    }
}

template <class Self>
Task<std::string> ResponseBody::read(sake::detail::CountedPtr<Self> self) {
    if (self == nullptr) throw std::logic_error("the ResponseStream was moved from");
    co_await sake::detail::its_turn();
    while (!self->is_at_end_) {
        if (!self->connection_) throw std::logic_error("the ResponseStream is closed");
        const std::string_view unread = self->connection_->unread();
        if (!unread.empty()) {
            std::string piece = self->take(unread);
            if (!piece.empty()) co_return piece;
            continue;
        }
        const std::size_t more = co_await self->read_more();
        if (more > 0) continue;
        if (self->body_.kind() != Kind::to_the_end) {
            self->close();
            sake::detail::throw_ended(self->origin_ + ": the server ended in the middle of its answer");
        }
        self->end();
    }
    co_return std::string();
}

template <class Unused>
Task<std::size_t> ResponseBody::read_more() {
    const auto limit = kept_->options.read_timeout;
    try {
        co_return co_await connection_->read_more(limit);
    } catch (const std::system_error& error) {
        throw_while_reading(error, origin_);
    } catch (const TimedOut&) {
        sake::detail::throw_timed_out(limit, "reading the body of the response from", origin_);
    }
}

inline Headers fields_of(const sake::detail::http1::ReceivedHead& head, std::string_view bytes) {
    Headers headers;
    for (const sake::detail::FieldSlice& field : head.fields) {
        headers.add(field.name.of(bytes.data()), field.value.of(bytes.data()));
    }
    return headers;
}

}  // namespace detail

template <class Unused>
Task<std::string> ResponseStream::read() {
    using Body = sake::detail::CountedPtr<detail::ResponseBody>;
    return detail::ResponseBody::read(Body(static_cast<detail::ResponseBody*>(body_.share().get())));
}

#if defined(SAKE_IMPLEMENTATION)
template Task<std::string> ResponseStream::read<void>();
#endif

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
