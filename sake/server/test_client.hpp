// TestClient: sends requests to an engine without a socket, a port or a thread. The whole server is at work
// (parser, limits, middleware, workers, writer), over memory and in virtual time.
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

/// A connection of a TestClient, for raw bytes. The TestClient must outlive it. Every wait is in virtual time
/// and ends: the server sends something, one of its timeouts closes the connection, or std::logic_error is
/// thrown after 24 hours. If the server resets the connection, receiving functions return what came before,
/// and then throw std::system_error once. After close() or reset(), every other function throws
/// std::logic_error.
class TestConnection {
  public:
    TestConnection(TestConnection&& other) noexcept;
    TestConnection& operator=(TestConnection&& other) noexcept;
    ~TestConnection();

    /// Sends all bytes. Waits while the server does not read. Bytes that the server sends meanwhile are
    /// received, unless this is a slow client. Throws std::system_error if the server has closed.
    TestConnection& send(std::string_view bytes);
    /// Waits until bytes arrive, and returns them; "" if the server has closed.
    [[nodiscard]] std::string receive();
    /// The bytes that have arrived by now. First the server does everything that needs no time.
    [[nodiscard]] std::string receive_now();
    /// All bytes up to the close. After a reset, the bytes before it stay for `receive`.
    [[nodiscard]] std::string receive_all();
    /// Waits for the next answer, to a request with this method. Interim answers (1xx) are skipped. Bytes
    /// after it stay for the next call. Throws std::runtime_error if the server closes before the end of the
    /// answer.
    [[nodiscard]] TestResponse response(std::string_view method = "GET");
    /// Whether the server has closed or reset the connection, and all bytes were received.
    [[nodiscard]] bool is_closed();

    /// Closes the sending side only; receiving goes on.
    void half_close();
    /// Closes the connection in order. If bytes are unread, it is reset, as with a socket.
    void close() noexcept;
    /// Resets the connection.
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
/// Time is virtual and begins at 2026-01-01 00:00 UTC. If nothing is ready, it jumps to the next timer: a
/// handler that sleeps for an hour, or a timeout of an hour, takes no time. Time stands still while worker
/// routes, background work or real sockets are awaited. For one thread, outside of coroutines.
class TestClient {
  public:
    /// Throws std::logic_error if the engine is running, by run() or by another TestClient, and what its
    /// on_start throws.
    explicit TestClient(Engine& app);
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;
    ~TestClient();

    /// Sends one request on a new connection and waits for the whole answer. Adds Host, and Content-Length
    /// for a body, unless `headers` have them (or Transfer-Encoding). This function and the shortcuts below
    /// throw std::logic_error if the answer is an event stream (use `events`), or if it has not ended after
    /// 24 hours of virtual time (use `open`).
    TestResponse request(std::string_view method, std::string_view target, const http::Headers& headers = {},
                         std::string_view body = {});
    /// The same by method.
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
    /// The same with a body. Text is sent as text/plain; a Json or an aggregate as application/json; a Form
    /// urlencoded, or as multipart/form-data if it has files. `headers` may set another Content-Type. Braces
    /// make a Json: post("/notes", {{"text", "buy rice"}}). Without a body, no Content-Type is sent.
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

    /// Sends a request on a new connection and waits for the head of its answer. The body is then received in
    /// pieces: open("/clock"), or open("POST", "/upper", {}, "text").
    [[nodiscard]] TestStream open(std::string_view target, const http::Headers& headers = {});
    [[nodiscard]] TestStream open(std::string_view method, std::string_view target,
                                  const http::Headers& headers = {}, std::string_view body = {});
    /// Opens a stream of server-sent events: see test_events.hpp. Throws std::runtime_error if the answer is
    /// not an event stream.
    [[nodiscard]] TestEvents events(std::string_view target, const http::Headers& headers = {},
                                    std::string_view method = "GET", std::string_view body = {});

    /// Opens a WebSocket: see test_websocket.hpp. Adds the fields of the handshake unless `headers` have
    /// them. Throws std::runtime_error if the answer is not 101.
    [[nodiscard]] TestWebSocket websocket(std::string_view target, const http::Headers& headers = {});

    /// Opens a connection for raw bytes. Up to 64 KiB from the server count as received at once, as in a
    /// client's kernel.
    [[nodiscard]] TestConnection connect();
    /// Opens a connection of a slow client: `capacity` bytes fit on the way, and bytes count as received only
    /// when this end receives them.
    [[nodiscard]] TestConnection connect(std::size_t capacity);

    /// Lets this much virtual time pass. Everything that falls due in it happens.
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> time) {
        // A negative time is refused there.
        pass(time < time.zero() ? detail::Clock::duration(-1) : detail::to_clock(time));
    }

    /// Stops the engine as Engine::stop does, waits for its end, and returns what Engine::run would return.
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
    // Templates, so that only programs that send a form compile it.
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
