// How a TestClient serves its engine, and how its connections send, wait and receive.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/app/form.hpp"
#include "sake/app/form_writer.hpp"
#include "sake/async/poller_simulated.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http1/writer.hpp"
#include "sake/io/memory_wire.hpp"
#include "sake/io/socket.hpp"
#include "sake/server/engine_impl.hpp"
#include "sake/server/test_answer_reader.hpp"
#include "sake/server/test_client.hpp"

namespace sake {
inline namespace SAKE_ABI {

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
SAKE_INLINE TestConnection::TestConnection(TestConnection&& other) noexcept = default;
SAKE_INLINE TestConnection& TestConnection::operator=(TestConnection&& other) noexcept = default;
SAKE_INLINE TestConnection::~TestConnection() = default;

SAKE_INLINE TestConnection::State& TestConnection::state() const {
    if (state_ == nullptr) throw std::logic_error("TestConnection: it was closed by its own side");
    return *state_;
}

SAKE_INLINE TestConnection::TestConnection(TestClient& client, std::size_t capacity,
                                           bool acknowledges_at_once)
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

SAKE_INLINE TestConnection& TestConnection::send(std::string_view bytes) {
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

SAKE_INLINE std::string TestConnection::receive() {
    State& state = this->state();
    wait_until([&] { return state.take() || !state.received.empty(); },
               patience("nothing has come after 24 hours"));
    return state.hand_out();
}

SAKE_INLINE std::string TestConnection::receive_now() {
    State& state = this->state();
    client_->advance(std::chrono::seconds(0));
    static_cast<void>(state.take());
    return state.hand_out();
}

SAKE_INLINE std::string TestConnection::receive_all() {
    State& state = this->state();
    wait_until([&] { return state.take() && state.has_ended; },
               patience("the server has not closed after 24 hours: use receive()"));
    state.throw_reset();
    return state.hand_out();
}

SAKE_INLINE bool TestConnection::is_closed() {
    State& state = this->state();
    client_->advance(std::chrono::seconds(0));
    static_cast<void>(state.take());
    return state.has_ended && state.received.empty();
}

SAKE_INLINE void TestConnection::half_close() { static_cast<void>(state().socket.end_output()); }
SAKE_INLINE void TestConnection::close() noexcept { state_.reset(); }
SAKE_INLINE void TestConnection::reset() noexcept {
    if (state_ != nullptr) state_->socket.reset_on_close();
    state_.reset();
}

SAKE_INLINE detail::TestPatience TestConnection::patience(std::string complaint) const {
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

SAKE_INLINE void TestConnection::take_input() { static_cast<void>(state().take()); }
SAKE_INLINE std::string& TestConnection::input() { return state().received; }

SAKE_INLINE void TestConnection::read_head(detail::TestAnswerReader& reader, TestResponse& response,
                                           const detail::TestPatience& patience) {
    read_answer([&] { return reader.read_head(input(), response); }, true, patience);
    if (response.status == 0) detail::TestAnswerReader::throw_no_answer(input());
}

SAKE_INLINE void TestConnection::read_body(detail::TestAnswerReader& reader, TestResponse& response,
                                           const detail::TestPatience& patience) {
    read_answer([&] { return reader.read_body(input(), response.body); }, reader.ends_with_connection(),
                patience);
}

SAKE_INLINE TestResponse TestConnection::response(std::string_view method) {
    const detail::TestPatience patience =
        this->patience("the answer has not ended after 24 hours: use receive()");
    detail::TestAnswerReader reader(method);
    TestResponse response;
    read_head(reader, response, patience);
    read_body(reader, response, patience);
    return response;
}

// --- TestClient ---

struct TestClient::State {
    explicit State(Engine& app)
        : State(app, detail::OwningPtr<detail::SimulatedPoller>(new detail::SimulatedPoller)) {}
    State(Engine& app, detail::OwningPtr<detail::SimulatedPoller> poller)
        : time(*poller), running(app, std::move(poller), detail::Run::Signals::ignored) {}

    detail::SimulatedPoller& time;
    Engine::Running running;
};

SAKE_INLINE TestClient::TestClient(Engine& app) : state_(new State(app)) {
    static_cast<void>(state_->running.begin());
}
SAKE_INLINE TestClient::~TestClient() = default;

SAKE_INLINE detail::Run& TestClient::run() noexcept { return state_->running.run(); }
SAKE_INLINE Reactor& TestClient::reactor() noexcept { return run().reactor(); }

SAKE_INLINE TestConnection TestClient::connect() {
    return TestConnection(*this, detail::memory_wire_capacity, true);
}
SAKE_INLINE TestConnection TestClient::connect(std::size_t capacity) {
    return TestConnection(*this, capacity, false);
}

SAKE_INLINE void TestClient::pass(detail::Clock::duration time) { state_->time.advance(time); }

SAKE_INLINE TestConnection TestClient::begin(std::string_view method, std::string_view target,
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

SAKE_INLINE TestResponse TestClient::request(std::string_view method, std::string_view target,
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

SAKE_INLINE TestResponse TestClient::send_text(std::string_view method, std::string_view target,
                                               std::string_view body, http::Headers headers,
                                               std::string_view type) {
    if (!headers.contains("Content-Type")) headers.set("Content-Type", type);
    return request(method, target, headers, body);
}

template <class Value>
TestResponse TestClient::send_json(std::string_view method, std::string_view target, const Value& body,
                                   const http::Headers& headers) {
    std::string text;
    append_json<Value>(text, body);
    return send_text(method, target, text, headers, "application/json");
}

template <class F>
TestResponse TestClient::send_form(std::string_view method, std::string_view target, const F& body,
                                   http::Headers headers) {
    const auto form = detail::body_of(body);
    headers.set("Content-Type", form.content_type);
    return request(method, target, headers, form.text);
}

SAKE_INLINE int TestClient::stop() {
    run().stop();
    return run().wait();
}

#if defined(SAKE_IMPLEMENTATION)
template TestResponse TestClient::send_json(std::string_view, std::string_view, const Json&,
                                            const http::Headers&);
template TestResponse TestClient::send_form(std::string_view, std::string_view, const Form&, http::Headers);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
