// Reads a TestResponse from received bytes, and limits how long a test waits for them.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/async/clock.hpp"
#include "sake/base/text.hpp"
#include "sake/http/message.hpp"
#include "sake/http/parameters.hpp"
#include "sake/http1/body_reader.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/response_parser.hpp"
#include "sake/server/test_answer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// How long a test waits for an answer, in virtual time. Without this limit, an answer without an end, such
/// as one line per second, would hang the test. Every default timeout of the server is shorter.
inline constexpr std::chrono::hours longest_test_wait{24};

/// When a test gives up a wait, and the message that it then gets.
struct TestPatience {
    TimePoint latest;
    std::string complaint;
};

[[nodiscard]] inline bool is_event_stream(const TestResponse& response) {
    return iequals(Parameters(response.header("Content-Type")).before(), "text/event-stream");
}

/// Reads one answer from the front of the received bytes, as far as it has arrived.
class TestAnswerReader {
  public:
    /// Of a request with this method.
    explicit TestAnswerReader(std::string_view method) : method_(method_from(method)) {}

    /// Whether the head is complete; interim ones are passed over. Throws std::runtime_error if it is
    /// malformed.
    bool read_head(std::string& received, TestResponse& response) {
        using Result = http1::ResponseParser::Result;
        for (;;) {
            const Result result = parser_.parse(received, head_);
            if (result == Result::need_more) return false;
            if (result == Result::refused) throw_no_answer(received);
            if (!is_informational(head_.status) || head_.status == 101) break;
            received.erase(0, head_.size);
            parser_.reset();
            head_.clear();
        }
        response.status = head_.status;
        for (const FieldSlice& field : head_.fields) {
            response.headers.add(field.name.of(received.data()), field.value.of(received.data()));
        }
        reader_.reset(http1::decide_response_framing(head_, received.data(), method_));
        received.erase(0, head_.size);
        return true;
    }

    /// Appends to `body` what has come of it. Whether that is all.
    bool read_body(std::string& received, std::string& body) {
        using Kind = http1::BodyReader::Step::Kind;
        Kind kind = Kind::data;
        while (kind == Kind::data) {
            const http1::BodyReader::Step step = reader_.read(received);
            body.append(step.data);
            received.erase(0, step.consumed);
            kind = step.kind;
        }
        if (kind == Kind::refused) throw std::runtime_error("the server sent a malformed chunk");
        return kind == Kind::done;
    }

    /// Whether the end of the connection is that of the body.
    [[nodiscard]] bool ends_with_connection() const noexcept {
        return reader_.kind() == http1::Framing::Body::to_the_end;
    }

    /// Whether the head does not say where the body ends, so that it may never.
    [[nodiscard]] bool is_open_ended() const noexcept {
        return reader_.kind() == http1::Framing::Body::chunked || ends_with_connection();
    }

    [[noreturn]] static void throw_no_answer(const std::string& received) {
        throw std::runtime_error("no answer: the server sent \"" + received + "\"");
    }
    [[noreturn]] static void throw_cut() {
        throw std::runtime_error("the server closed in the middle of its answer");
    }

  private:
    static constexpr std::size_t any = std::size_t{1}
                                       << 30;  // what a handler has set is not for the client to refuse
    http1::ResponseParser parser_{http1::HeadLimits{any, any, any}};
    http1::ReceivedHead head_;
    http1::BodyReader reader_;
    Method method_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
