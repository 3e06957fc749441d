// TestEvents: server-sent events as a TestClient reads them, in virtual time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/http/event_reader.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/body_reader.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/response_parser.hpp"
#include "sake/server/test_client.hpp"

namespace sake {
inline namespace v0 {

/// What TestClient::events returns, which it must not outlive:
///
///     sake::TestEvents events = client.events("/prices");
///     hub.publish("prices", "7.20");
///     CHECK(events.next()->data == "7.20");
class TestEvents {
  public:
    [[nodiscard]] int status() const noexcept { return head_.status; }
    /// The first field of that name in any case; "" if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept { return head_.header(name); }

    /// The next event, after waiting for it in virtual time; nothing if the server has ended the stream.
    /// Throws std::runtime_error if it was cut off instead, or if nothing but comments has come for a day.
    [[nodiscard]] std::optional<http::StreamEvent> next();
    /// The next event that has come by now.
    [[nodiscard]] std::optional<http::StreamEvent> next_now();
    /// Whether the stream has ended, by now, and all its events were taken.
    [[nodiscard]] bool has_ended();

    /// What a client that comes again would say, and after how long: it is told so by the stream.
    [[nodiscard]] std::string last_event_id() const {
        return reader_.has_next() ? last_taken_id_ : reader_.last_event_id();
    }
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept { return reader_.retry(); }
    /// How many lines of comments have come.
    [[nodiscard]] std::uint64_t comments() const noexcept { return reader_.comments(); }

    /// Leaves.
    void close() noexcept { connection_.close(); }

  private:
    friend class TestClient;
    TestEvents(TestClient& client, TestConnection connection)
        : client_(&client), connection_(std::move(connection)) {
        take_head();
    }
    void take_head();
    void take(std::string_view bytes);
    [[nodiscard]] std::optional<http::StreamEvent> hand_out() {
        std::optional<http::StreamEvent> event = reader_.next();
        if (event) last_taken_id_ = event->id;
        return event;
    }
    [[nodiscard]] bool is_over() const noexcept { return end_ != End::open; }

    enum class End { open, whole, cut };

    TestClient* client_;
    TestConnection connection_;
    TestResponse head_;
    detail::http1::BodyReader body_;
    std::string unread_;
    detail::EventReader reader_;
    std::string last_taken_id_;
    End end_ = End::open;
};

inline TestEvents TestClient::events(std::string_view target, const http::Headers& headers,
                                     std::string_view method) {
    http::Headers fields = headers;
    if (!fields.contains("Host")) fields.set("Host", "localhost");
    if (!fields.contains("Accept")) fields.set("Accept", "text/event-stream");
    std::string request(method);
    request.append(" ").append(target).append(" HTTP/1.1\r\n");
    for (const auto& [name, value] : fields) request.append(name).append(": ").append(value).append("\r\n");
    TestConnection connection = connect();
    connection.send(request += "\r\n");
    return TestEvents(*this, std::move(connection));
}

inline void TestEvents::take_head() {
    namespace http1 = detail::http1;
    constexpr std::size_t any = std::size_t{1} << 30;
    http1::ResponseParser parser(http1::HeadLimits{any, any, any});
    http1::ReceivedHead head;
    for (;;) {
        const std::string bytes = connection_.receive();
        unread_ += bytes;
        const auto result = parser.parse(unread_, head);
        if (result == http1::ResponseParser::Result::done) break;
        if (result != http1::ResponseParser::Result::need_more || bytes.empty()) {
            throw std::runtime_error("no answer: the server sent \"" + unread_ + "\"");
        }
    }
    head_.status = head.status;
    for (const detail::FieldSlice& field : head.fields) {
        head_.headers.add(field.name.of(unread_.data()), field.value.of(unread_.data()));
    }
    body_.reset(http1::decide_response_framing(head, unread_.data(), detail::Method::get));
    unread_.erase(0, head.size);
    take({});
}

inline void TestEvents::take(std::string_view bytes) {
    using Kind = detail::http1::BodyReader::Step::Kind;
    unread_ += bytes;
    Kind kind = Kind::need_more;
    do {
        const detail::http1::BodyReader::Step step = body_.read(unread_);
        reader_.take(step.data);
        unread_.erase(0, step.consumed);
        kind = step.kind;
    } while (kind == Kind::data);
    if (kind == Kind::done) end_ = End::whole;
}

inline std::optional<http::StreamEvent> TestEvents::next() {
    const detail::TimePoint begun = client_->reactor().present();
    for (;;) {
        if (auto event = hand_out()) return event;
        if (end_ == End::cut) throw std::runtime_error("the server closed in the middle of its answer");
        if (is_over()) return std::nullopt;
        if (client_->reactor().present() - begun > std::chrono::hours(24)) {
            throw std::runtime_error("no event has come for a day of virtual time");
        }
        const std::string bytes = connection_.receive();
        take(bytes);
        if (!bytes.empty() || is_over()) continue;
        const bool ends_with_connection = body_.kind() == detail::http1::Framing::Body::to_the_end;
        end_ = ends_with_connection ? End::whole : End::cut;
    }
}

inline std::optional<http::StreamEvent> TestEvents::next_now() {
    if (!is_over()) take(connection_.receive_now());
    return hand_out();
}

inline bool TestEvents::has_ended() {
    if (!is_over()) take(connection_.receive_now());
    return !reader_.has_next() && (is_over() || connection_.is_closed());
}

}  // namespace v0
}  // namespace sake
