// TestStream: an answer that a TestClient receives in pieces, while its handler is still writing.
#pragma once

#include <string>
#include <string_view>

#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers.hpp"
#include "sake/server/test_answer.hpp"
#include "sake/server/test_client.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What TestClient::open returns: the head of the answer has arrived. Every wait is in virtual time. The
/// TestClient must outlive it.
class TestStream {
  public:
    TestStream(TestStream&& other) noexcept;
    TestStream& operator=(TestStream&& other) noexcept;
    ~TestStream();

    [[nodiscard]] int status() const noexcept { return response_.status; }
    [[nodiscard]] const http::Headers& headers() const noexcept { return response_.headers; }
    /// The first header field of that name, in any case; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return response_.header(name);
    }

    /// Waits for more of the body, and returns it; "" at the end of the body. Throws std::runtime_error if
    /// the answer is cut, std::system_error if the connection is reset, std::logic_error after 24 hours of
    /// virtual time.
    [[nodiscard]] std::string receive();
    /// The part of the body that has arrived by now, or "". First the server does everything that needs no
    /// time.
    [[nodiscard]] std::string receive_now();
    /// The rest of the body. Throws as `receive` does.
    [[nodiscard]] std::string receive_all();
    /// Whether the body has ended and was received completely.
    [[nodiscard]] bool has_ended();

    /// Sends more of the request's body, as raw bytes.
    TestStream& send(std::string_view bytes) {
        connection_.send(bytes);
        return *this;
    }
    /// Disconnects the client.
    void close() noexcept { connection_.close(); }
    /// Disconnects the client by a reset.
    void reset() noexcept { connection_.reset(); }
    /// The connection of this stream, for further requests on it.
    [[nodiscard]] TestConnection& connection() noexcept { return connection_; }

  private:
    friend class TestClient;  // makes it, and reads its head
    friend class TestWebSocket;
    TestStream(TestConnection connection, std::string_view method, std::string_view target);
    // Throws as the connection does if the stream was moved from.
    [[nodiscard]] detail::TestAnswerReader& reader() const;
    bool take();

    TestConnection connection_;
    detail::OwningPtr<detail::TestAnswerReader> reader_;
    TestResponse response_;
    std::string pending_;
    bool has_ended_ = false;
};

}  // namespace SAKE_ABI
}  // namespace sake
