// TestStream: an answer that a TestClient receives in pieces, while its handler still writes them.
#pragma once

#include <string>
#include <string_view>

#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers.hpp"
#include "sake/server/test_answer.hpp"
#include "sake/server/test_client.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What TestClient::open returns: the head of the answer has come. Every wait is in virtual time. Its
/// TestClient must outlive it.
class TestStream {
  public:
    TestStream(TestStream&& other) noexcept;
    TestStream& operator=(TestStream&& other) noexcept;
    ~TestStream();

    [[nodiscard]] int status() const noexcept { return response_.status; }
    [[nodiscard]] const http::Headers& headers() const noexcept { return response_.headers; }
    /// The first field of that name in any case; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return response_.header(name);
    }

    /// What comes next of the body, after waiting for something to come; "" at its end. Throws
    /// std::runtime_error if the answer is cut off, std::system_error if that is by a reset, std::logic_error
    /// after 24 hours of virtual time.
    [[nodiscard]] std::string receive();
    /// What has come by now: lets the server do all that needs no time. "" if that is nothing.
    [[nodiscard]] std::string receive_now();
    /// All up to the end. Throws as `receive`.
    [[nodiscard]] std::string receive_all();
    /// Whether the end has come, and nothing is left to be received.
    [[nodiscard]] bool has_ended();

    /// Sends more of the request's body, as it is to be on the wire.
    TestStream& send(std::string_view bytes) {
        connection_.send(bytes);
        return *this;
    }
    /// The client leaves.
    void close() noexcept { connection_.close(); }
    /// The same with a reset.
    void reset() noexcept { connection_.reset(); }
    /// What it comes by, for more requests behind it.
    [[nodiscard]] TestConnection& connection() noexcept { return connection_; }

  private:
    friend class TestClient;  // which makes it, and looks at its head
    friend class TestWebSocket;
    TestStream(TestConnection connection, std::string_view method, std::string_view target);
    // Of a stream that was moved from, it throws as the connection does.
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
