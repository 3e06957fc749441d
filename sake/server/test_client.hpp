// TestClient: requests to an engine without a socket, a port or a thread of its own. The whole server is at
// work, parser, limits, middleware, workers and writer, over memory and in virtual time.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/app/form_writer.hpp"
#include "sake/async/poller_simulated.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers.hpp"
#include "sake/http1/writer.hpp"
#include "sake/io/memory_wire.hpp"
#include "sake/io/socket.hpp"
#include "sake/server/engine.hpp"
#include "sake/server/test_answer.hpp"

namespace sake {
inline namespace SAKE_ABI {

class TestClient;
class TestEvents;
class TestStream;

/// A connection of a TestClient, which it must not outlive: it sends and receives bytes as they are. Every
/// wait is in virtual time, so it ends: by what the server sends, when one of its timeouts closes the
/// connection, or by std::logic_error after 24 hours. If the server resets it, the functions that receive
/// throw std::system_error, once, after what came before. After close or reset, everything but these two
/// throws std::logic_error.
class TestConnection {
  public:
    TestConnection(TestConnection&& other) noexcept;
    TestConnection& operator=(TestConnection&& other) noexcept;
    ~TestConnection();

    /// Sends all of it, and waits while the server does not read; what the server sends meanwhile is
    /// received, unless this is a slow client. Throws std::system_error if the server has closed.
    TestConnection& send(std::string_view bytes);
    /// What comes next, after waiting for something to come; "" if the server has closed.
    [[nodiscard]] std::string receive();
    /// What has come by now: lets the server do all that needs no time.
    [[nodiscard]] std::string receive_now();
    /// Everything up to the close. After a reset, what came before it stays for `receive`.
    [[nodiscard]] std::string receive_all();
    /// The next answer, to a request with this method; interim ones are passed over. What follows it stays
    /// for the next call. Throws std::runtime_error if the server closes in the middle of it, or sends none.
    [[nodiscard]] TestResponse response(std::string_view method = "GET");
    /// Whether the server has closed or reset the connection, and nothing is left to be received.
    [[nodiscard]] bool is_closed();

    /// Sends no more, and goes on receiving.
    void half_close();
    /// Ends the connection in order. What was not received resets it, as with a socket.
    void close() noexcept;
    /// Ends it with a reset.
    void reset() noexcept;

  private:
    friend class TestClient;
    friend class TestStream;
    struct State;
    TestConnection(TestClient& client, std::size_t capacity, bool acknowledges_at_once);
    [[nodiscard]] State& state() const;
    [[nodiscard]] detail::TestPatience patience(std::string complaint) const;
    template <class Done>
    void wait_until(Done is_done, const detail::TestPatience& patience);
    template <class Done>
    void read_answer(Done is_done, bool may_end, const detail::TestPatience& patience);
    void read_head(detail::TestAnswerReader& reader, TestResponse& response,
                   const detail::TestPatience& patience);
    void read_body(detail::TestAnswerReader& reader, TestResponse& response,
                   const detail::TestPatience& patience);
    void take_input();
    [[nodiscard]] std::string& input();

    TestClient* client_;
    detail::OwningPtr<State> state_;
};

/// Serves an engine as Engine::run does, as long as it lives, whenever one of its functions waits:
///
///     sake::TestClient client(app);
///     CHECK(client.get("/users/7").json() == sake::Json{{"id", 7}});
///
/// Time is virtual and begins at 2026-01-01 00:00 UTC: if nothing is ready, it jumps to the next timer, so
/// that a handler that sleeps for an hour, or a timeout of one, takes no time. While worker routes,
/// background work or real sockets are waited for, time stands still. For one thread, outside of coroutines.
class TestClient {
  public:
    /// Throws std::logic_error if the engine is running, by run() or by another TestClient, and what its
    /// on_start throws.
    explicit TestClient(Engine& app)
        : TestClient(app, detail::OwningPtr<detail::SimulatedPoller>(new detail::SimulatedPoller)) {}
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;
    ~TestClient() = default;

    /// One request on a connection of its own, with Host and, for a body, Content-Length added where
    /// `headers` do not have them, or Transfer-Encoding. This and the functions below wait for the whole
    /// answer. They throw std::logic_error if that is an event stream (see `events`), or has not ended after
    /// 24 hours of virtual time (see `open`).
    TestResponse request(std::string_view method, std::string_view target, const http::Headers& headers = {},
                         std::string_view body = {});
    TestResponse get(std::string_view target, const http::Headers& headers = {}) {
        return request("GET", target, headers);
    }
    TestResponse head(std::string_view target, const http::Headers& headers = {}) {
        return request("HEAD", target, headers);
    }
    TestResponse del(std::string_view target, const http::Headers& headers = {}) {
        return request("DELETE", target, headers);
    }
    TestResponse options(std::string_view target, const http::Headers& headers = {}) {
        return request("OPTIONS", target, headers);
    }
    /// With a body: text is text/plain, a Json application/json, unless `headers` say otherwise, and a Form
    /// is urlencoded, or multipart/form-data if it has files. Braces are a Json: post("/notes", {{"text",
    /// "buy rice"}}). Without one, no Content-Type is sent.
    TestResponse post(std::string_view target) { return request("POST", target); }
    TestResponse put(std::string_view target) { return request("PUT", target); }
    TestResponse patch(std::string_view target) { return request("PATCH", target); }
    TestResponse query(std::string_view target) { return request("QUERY", target); }
    template <class Body = Json>
    TestResponse post(std::string_view target, const Body& body, const http::Headers& headers = {}) {
        return send("POST", target, body, headers);
    }
    template <class Body = Json>
    TestResponse put(std::string_view target, const Body& body, const http::Headers& headers = {}) {
        return send("PUT", target, body, headers);
    }
    template <class Body = Json>
    TestResponse patch(std::string_view target, const Body& body, const http::Headers& headers = {}) {
        return send("PATCH", target, body, headers);
    }
    template <class Body = Json>
    TestResponse query(std::string_view target, const Body& body, const http::Headers& headers = {}) {
        return send("QUERY", target, body, headers);
    }

    /// Begins a request on a connection of its own, and waits for the head of its answer, whose body is then
    /// received in pieces: open("/clock"), or open("POST", "/upper", {}, "text").
    [[nodiscard]] TestStream open(std::string_view target, const http::Headers& headers = {});
    [[nodiscard]] TestStream open(std::string_view method, std::string_view target,
                                  const http::Headers& headers = {}, std::string_view body = {});
    /// Reads server-sent events: see test_events.hpp. Throws std::runtime_error if the answer is something
    /// else.
    [[nodiscard]] TestEvents events(std::string_view target, const http::Headers& headers = {},
                                    std::string_view method = "GET", std::string_view body = {});

    /// A connection for bytes as they are. What the server sends counts as received, as if the system of the
    /// client kept it, up to 64 KiB.
    [[nodiscard]] TestConnection connect() {
        return TestConnection(*this, detail::memory_wire_capacity, true);
    }
    /// A connection of a slow client: so many bytes may be on their way, and what the server sends counts as
    /// received when this end receives it.
    [[nodiscard]] TestConnection connect(std::size_t capacity) {
        return TestConnection(*this, capacity, false);
    }

    /// Lets so much time pass; everything that is due meanwhile happens.
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> time) {
        time_.advance(time);
    }

    /// Stops the engine as Engine::stop does, waits until it has ended, and returns what Engine::run would.
    /// Afterwards `connect` and requests throw std::logic_error.
    int stop();

  private:
    friend class TestConnection;
    friend class TestEvents;

    TestClient(Engine& app, detail::OwningPtr<detail::SimulatedPoller> time)
        : time_(*time), running_(app, std::move(time), detail::Run::Signals::ignored) {
        static_cast<void>(running_.begin());
    }

    TestConnection begin(std::string_view method, std::string_view target, const http::Headers& headers,
                         std::string_view body);
    template <class Body>
    TestResponse send(std::string_view method, std::string_view target, const Body& body,
                      http::Headers headers) {
        constexpr bool is_form = std::is_same_v<Body, Form>;
        constexpr bool is_text = std::is_convertible_v<const Body&, std::string_view>;
        if (!is_form && !headers.contains("Content-Type")) {
            headers.set("Content-Type", is_text ? "text/plain; charset=utf-8" : "application/json");
        }
        if constexpr (is_form) {
            const auto form = detail::body_of(body);
            headers.set("Content-Type", form.content_type);
            return request(method, target, headers, form.text);
        } else if constexpr (is_text) {
            return request(method, target, headers, body);
        } else {
            std::string text;
            append_json(text, Json(body));
            return request(method, target, headers, text);
        }
    }
    [[nodiscard]] detail::Run& run() noexcept { return running_.run(); }
    [[nodiscard]] Reactor& reactor() noexcept { return run().reactor(); }

    detail::SimulatedPoller& time_;
    Engine::Running running_;
};

// --- TestConnection ---

struct TestConnection::State {
    State(Reactor& reactor, detail::OwningPtr<detail::Wire> wire)
        : socket(reactor, detail::FileDescriptor(), std::move(wire)) {}

    detail::Socket socket;
    std::string received;  // and not taken yet
    int error = 0;         // of the reset that ended it, until it is thrown
    bool has_ended = false;
    bool receives_always = true;  // also while it sends

    /// Takes what is there. True if something came, or the end.
    bool take() {
        char bytes[16 * 1024];
        for (bool is_new = false;;) {
            if (has_ended) return true;
            const detail::SysResult result = socket.receive(bytes, sizeof bytes);
            if (result.would_block()) {
                socket.blocked(detail::readable);
                return is_new;
            }
            is_new = true;
            error = result.error;
            has_ended = !result.ok() || result.value == 0;
            if (!has_ended) received.append(bytes, static_cast<std::size_t>(result.value));
        }
    }
    void throw_reset() {
        if (error != 0) detail::throw_system_error(std::exchange(error, 0), "receive");
    }
    std::string hand_out() {
        if (received.empty()) throw_reset();
        return std::exchange(received, {});
    }
};

// Behind State, which only then can be destroyed.
inline TestConnection::TestConnection(TestConnection&& other) noexcept = default;
inline TestConnection& TestConnection::operator=(TestConnection&& other) noexcept = default;
inline TestConnection::~TestConnection() = default;

inline TestConnection::State& TestConnection::state() const {
    if (state_ == nullptr) throw std::logic_error("TestConnection: it was closed by its own side");
    return *state_;
}

inline TestConnection::TestConnection(TestClient& client, std::size_t capacity, bool acknowledges_at_once)
    : client_(&client) {
    // A turn of another connection may be open there.
    if (Reactor::current() != nullptr) throw std::logic_error("TestClient: not for use inside a coroutine");
    auto [ours, theirs] = detail::make_memory_wires(capacity);
    theirs->acknowledge_at_once(acknowledges_at_once);
    state_ = detail::OwningPtr<State>(new State(client.reactor(), std::move(ours)));
    state_->receives_always = acknowledges_at_once;
    client.run().serve(std::move(theirs));
    if (state_->socket.watch().is_broken()) throw std::logic_error("TestClient: the engine has stopped");
}

inline TestConnection& TestConnection::send(std::string_view bytes) {
    State& state = this->state();
    detail::Socket& socket = state.socket;
    const auto send_some = [&] {
        while (!bytes.empty()) {
            const detail::SysResult result = socket.send(bytes.data(), bytes.size());
            if (result.would_block()) {
                socket.blocked(detail::writable);
                if (state.receives_always) static_cast<void>(state.take());
                return false;
            }
            if (!result.ok()) detail::throw_system_error(result.error, "send");
            bytes.remove_prefix(static_cast<std::size_t>(result.value));
        }
        return true;
    };
    wait_until(send_some, patience("the server has not read everything after 24 hours"));
    return *this;
}

inline std::string TestConnection::receive() {
    State& state = this->state();
    wait_until([&] { return state.take() || !state.received.empty(); },
               patience("nothing has come after 24 hours"));
    return state.hand_out();
}

inline std::string TestConnection::receive_now() {
    State& state = this->state();
    client_->advance(std::chrono::seconds(0));
    static_cast<void>(state.take());
    return state.hand_out();
}

inline std::string TestConnection::receive_all() {
    State& state = this->state();
    wait_until([&] { return state.take() && state.has_ended; },
               patience("the server has not closed after 24 hours: use receive()"));
    state.throw_reset();
    return state.hand_out();
}

inline bool TestConnection::is_closed() {
    State& state = this->state();
    client_->advance(std::chrono::seconds(0));
    static_cast<void>(state.take());
    return state.has_ended && state.received.empty();
}

inline void TestConnection::half_close() { static_cast<void>(state().socket.end_output()); }
inline void TestConnection::close() noexcept { state_.reset(); }
inline void TestConnection::reset() noexcept {
    if (state_ != nullptr) state_->socket.reset_on_close();
    state_.reset();
}

inline detail::TestPatience TestConnection::patience(std::string complaint) const {
    return {client_->reactor().present() + detail::longest_test_wait, std::move(complaint)};
}

template <class Done>
void TestConnection::wait_until(Done is_done, const detail::TestPatience& patience) {
    Reactor& reactor = client_->reactor();
    bool done = false;
    reactor.run_until([&] { return (done = is_done()) || reactor.present() > patience.latest; });
    if (!done) throw std::logic_error(patience.complaint);
}

template <class Done>
void TestConnection::read_answer(Done is_done, bool may_end, const detail::TestPatience& patience) {
    State& state = this->state();
    bool done = false;
    const auto take = [&] {
        static_cast<void>(state.take());
        return (done = is_done()) || state.has_ended;
    };
    wait_until(take, patience);
    if (done) return;
    state.throw_reset();
    if (!may_end) detail::TestAnswerReader::throw_cut();
}

inline void TestConnection::take_input() { static_cast<void>(state().take()); }
inline std::string& TestConnection::input() { return state().received; }

inline void TestConnection::read_head(detail::TestAnswerReader& reader, TestResponse& response,
                                      const detail::TestPatience& patience) {
    read_answer([&] { return reader.read_head(input(), response); }, true, patience);
    if (response.status == 0) detail::TestAnswerReader::throw_no_answer(input());
}

inline void TestConnection::read_body(detail::TestAnswerReader& reader, TestResponse& response,
                                      const detail::TestPatience& patience) {
    read_answer([&] { return reader.read_body(input(), response.body); }, reader.ends_with_connection(),
                patience);
}

inline TestResponse TestConnection::response(std::string_view method) {
    const detail::TestPatience patience =
        this->patience("the answer has not ended after 24 hours: use receive()");
    detail::TestAnswerReader reader(method);
    TestResponse response;
    read_head(reader, response, patience);
    read_body(reader, response, patience);
    return response;
}

// --- TestClient ---

inline TestConnection TestClient::begin(std::string_view method, std::string_view target,
                                        const http::Headers& headers, std::string_view body) {
    namespace http1 = detail::http1;
    http1::RequestTerms terms{.method = method, .target = target, .host = "test"};
    http::Headers fields = headers;
    const std::string host(fields.get("Host").value_or("test"));
    terms.host = host;
    fields.remove("Host");
    const bool is_framed = fields.contains("Content-Length") || fields.contains("Transfer-Encoding");
    const bool has_body = !body.empty() || method == "POST" || method == "PUT" || method == "PATCH";
    terms.body = has_body && !is_framed ? http1::BodyLine::length : http1::BodyLine::none;
    terms.content_length = body.size();
    detail::ByteBuffer bytes;
    http1::append_request_head(bytes, terms, fields);
    bytes.append(body);
    TestConnection connection = connect();
    connection.send(bytes.view());
    return connection;
}

inline TestResponse TestClient::request(std::string_view method, std::string_view target,
                                        const http::Headers& headers, std::string_view body) {
    const std::string name = std::string(method) + " " + std::string(target);
    TestConnection connection = begin(method, target, headers, body);
    const detail::TestPatience patience =
        connection.patience(name + " has not ended after 24 hours: use client.open(target)");
    detail::TestAnswerReader reader(method);
    TestResponse response;
    connection.read_head(reader, response, patience);
    if (reader.is_open_ended() && detail::is_event_stream(response)) {
        throw std::logic_error(name + " is an event stream: use client.events(target)");
    }
    connection.read_body(reader, response, patience);
    connection.close();
    advance(std::chrono::seconds(0));
    return response;
}

inline int TestClient::stop() {
    run().stop();
    return run().wait();
}

}  // namespace SAKE_ABI
}  // namespace sake
