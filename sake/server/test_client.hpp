// TestClient: requests to an engine without a socket, a port or a thread of its own. The whole server is at
// work, parser, limits, middleware, workers and writer, over memory and in virtual time.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/json_check.hpp"
#include "sake/async/clock.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_types.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/headers.hpp"
#include "sake/server/engine.hpp"
#include "sake/server/test_answer.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Form;
class TestClient;
class TestEvents;
class TestStream;
class TestWebSocket;

namespace detail {

class Run;
class TestAnswerReader;
struct TestPatience;

}  // namespace detail

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
    friend class TestWebSocket;
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
    explicit TestClient(Engine& app);
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;
    ~TestClient();

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
    /// With a body: text is text/plain, a Json or a struct of the program application/json, unless `headers`
    /// say otherwise, and a Form is urlencoded, or multipart/form-data if it has files. Braces are a Json:
    /// post("/notes", {{"text", "buy rice"}}). Without one, no Content-Type is sent.
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

    /// Opens a WebSocket, with the fields of the handshake added where `headers` do not have them: see
    /// test_websocket.hpp. Throws std::runtime_error if the answer is something else than 101.
    [[nodiscard]] TestWebSocket websocket(std::string_view target, const http::Headers& headers = {});

    /// A connection for bytes as they are. What the server sends counts as received, as if the system of the
    /// client kept it, up to 64 KiB.
    [[nodiscard]] TestConnection connect();
    /// A connection of a slow client: so many bytes may be on their way, and what the server sends counts as
    /// received when this end receives it.
    [[nodiscard]] TestConnection connect(std::size_t capacity);

    /// Lets so much time pass; everything that is due meanwhile happens.
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> time) {
        // Less than nothing is refused there.
        pass(time < time.zero() ? detail::Clock::duration(-1) : detail::to_clock(time));
    }

    /// Stops the engine as Engine::stop does, waits until it has ended, and returns what Engine::run would.
    /// Afterwards `connect` and requests throw std::logic_error.
    int stop();

  private:
    friend class TestConnection;
    friend class TestEvents;

    void pass(detail::Clock::duration time);
    TestConnection begin(std::string_view method, std::string_view target, const http::Headers& headers,
                         std::string_view body);
    template <class Body>
    TestResponse send(std::string_view method, std::string_view target, const Body& body,
                      const http::Headers& headers) {
        if constexpr (std::is_same_v<Body, Form>) {
            return send_form(method, target, body, headers);
        } else if constexpr (std::is_convertible_v<const Body&, std::string_view>) {
            return send_text(method, target, body, headers, "text/plain; charset=utf-8");
        } else if constexpr (detail::HasShape<Body>) {
            return send_text(method, target, dump_json(body), headers, "application/json");
        } else if constexpr (detail::HasNoJson<Body>) {
            detail::refuse_json<Body>();
            return request(method, target);
        } else {
            return send_json(method, target, Json(body), headers);
        }
    }
    TestResponse send_text(std::string_view method, std::string_view target, std::string_view body,
                           http::Headers headers, std::string_view type);
    // Templates, so that only programs that send one compile it.
    template <class Value>
    TestResponse send_json(std::string_view method, std::string_view target, const Value& body,
                           const http::Headers& headers);
    template <class F>
    TestResponse send_form(std::string_view method, std::string_view target, const F& body,
                           http::Headers headers);
    [[nodiscard]] detail::Run& run() noexcept;
    [[nodiscard]] Reactor& reactor() noexcept;

    struct State;
    detail::OwningPtr<State> state_;
};

}  // namespace SAKE_ABI
}  // namespace sake
