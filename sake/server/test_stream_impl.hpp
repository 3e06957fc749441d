// How a TestStream receives the pieces of its answer.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "sake/http/headers.hpp"
#include "sake/server/test_answer_reader.hpp"
#include "sake/server/test_client_impl.hpp"
#include "sake/server/test_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {

SAKE_INLINE TestStream::TestStream(TestConnection connection, std::string_view method,
                                   std::string_view target)
    : connection_(std::move(connection)), reader_(new detail::TestAnswerReader(method)) {
    std::string complaint = std::string(method) + " " + std::string(target);
    complaint += " has not begun after 24 hours";
    connection_.read_answer([&] { return reader().read_head(connection_.input(), response_); }, false,
                            connection_.patience(std::move(complaint)));
}
SAKE_INLINE TestStream::TestStream(TestStream&& other) noexcept = default;
SAKE_INLINE TestStream& TestStream::operator=(TestStream&& other) noexcept = default;
SAKE_INLINE TestStream::~TestStream() = default;

SAKE_INLINE detail::TestAnswerReader& TestStream::reader() const {
    static_cast<void>(connection_.state());
    return *reader_;
}

SAKE_INLINE std::string TestStream::receive() {
    connection_.read_answer([&] { return take() || !pending_.empty(); }, reader().ends_with_connection(),
                            connection_.patience("nothing has come after 24 hours"));
    return std::exchange(pending_, {});
}

SAKE_INLINE std::string TestStream::receive_now() {
    connection_.client_->advance(std::chrono::seconds(0));
    connection_.take_input();
    static_cast<void>(take());
    return std::exchange(pending_, {});
}

SAKE_INLINE std::string TestStream::receive_all() {
    connection_.read_answer([&] { return take(); }, reader().ends_with_connection(),
                            connection_.patience("the answer has not ended after 24 hours: use receive()"));
    return std::exchange(pending_, {});
}

SAKE_INLINE bool TestStream::has_ended() {
    pending_ += receive_now();
    return has_ended_ && pending_.empty();
}

SAKE_INLINE bool TestStream::take() {
    if (!has_ended_) has_ended_ = reader().read_body(connection_.input(), pending_);
    return has_ended_;
}

SAKE_INLINE TestStream TestClient::open(std::string_view method, std::string_view target,
                                        const http::Headers& headers, std::string_view body) {
    return TestStream(begin(method, target, headers, body), method, target);
}
SAKE_INLINE TestStream TestClient::open(std::string_view target, const http::Headers& headers) {
    return open("GET", target, headers);
}

}  // namespace SAKE_ABI
}  // namespace sake
