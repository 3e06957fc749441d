// TestStream: an answer that a TestClient receives in pieces, while its handler still writes them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "sake/http/headers.hpp"
#include "sake/server/test_answer.hpp"
#include "sake/server/test_client.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What TestClient::open returns: the head of the answer has come. Every wait is in virtual time. Its
/// TestClient must outlive it.
class TestStream {
  public:
    [[nodiscard]] int status() const noexcept { return response_.status; }
    [[nodiscard]] const http::Headers& headers() const noexcept { return response_.headers; }
    /// The first field of that name in any case; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
        return response_.header(name);
    }

    /// What comes next of the body, after waiting for something to come; "" at its end. Throws
    /// std::runtime_error if the answer is cut off, std::system_error if that is by a reset, std::logic_error
    /// after 24 hours of virtual time.
    [[nodiscard]] std::string receive() {
        connection_.read_answer([&] { return take() || !pending_.empty(); }, reader_.ends_with_connection(),
                                connection_.patience("nothing has come after 24 hours"));
        return std::exchange(pending_, {});
    }
    /// What has come by now: lets the server do all that needs no time. "" if that is nothing.
    [[nodiscard]] std::string receive_now() {
        connection_.client_->advance(std::chrono::seconds(0));
        connection_.take_input();
        static_cast<void>(take());
        return std::exchange(pending_, {});
    }
    /// All up to the end. Throws as `receive`.
    [[nodiscard]] std::string receive_all() {
        connection_.read_answer(
            [&] { return take(); }, reader_.ends_with_connection(),
            connection_.patience("the answer has not ended after 24 hours: use receive()"));
        return std::exchange(pending_, {});
    }
    /// Whether the end has come, and nothing is left to be received.
    [[nodiscard]] bool has_ended() {
        pending_ += receive_now();
        return has_ended_ && pending_.empty();
    }

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
    TestStream(TestConnection connection, std::string_view method, std::string_view target)
        : connection_(std::move(connection)), reader_(method) {
        std::string complaint = std::string(method) + " " + std::string(target);
        complaint += " has not begun after 24 hours";
        connection_.read_answer([&] { return reader_.read_head(connection_.input(), response_); }, false,
                                connection_.patience(std::move(complaint)));
    }
    bool take() {
        if (!has_ended_) has_ended_ = reader_.read_body(connection_.input(), pending_);
        return has_ended_;
    }

    TestConnection connection_;
    detail::TestAnswerReader reader_;
    TestResponse response_;
    std::string pending_;
    bool has_ended_ = false;
};

inline TestStream TestClient::open(std::string_view method, std::string_view target,
                                   const http::Headers& headers, std::string_view body) {
    return TestStream(begin(method, target, headers, body), method, target);
}
inline TestStream TestClient::open(std::string_view target, const http::Headers& headers) {
    return open("GET", target, headers);
}

}  // namespace SAKE_ABI
}  // namespace sake
