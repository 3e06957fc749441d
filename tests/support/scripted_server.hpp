// A server that says what a test wants, one answer for each connection, and a client beside it, in virtual
// time: pauses of minutes pass at once, sockets are real.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coroutines.hpp"
#include "machinery.hpp"
#include "sake.hpp"

namespace harness {

/// Reads a request with its body, says the next answer, and closes. An answer may also be one of these.
class ScriptedServer {
  public:
    static constexpr std::string_view closes = "";          // without an answer
    static constexpr std::string_view never = "(never)";    // keeps the connection, and says nothing
    static constexpr std::string_view resets = "(resets)";  // the connection

    explicit ScriptedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {}

    /// Until it is cancelled. When the answers are used up, the last is said again.
    sake::Task<> serve() {
        for (;;) {
            sake::TcpStream stream = co_await listener_.accept();
            auto request = co_await read_request(stream);
            requests_.push_back(std::move(request));
            moments_.push_back(sake::now());
            const std::string answer = answers_[std::min(requests_.size(), answers_.size()) - 1];
            if (answer == never) {
                held_.push_back(std::move(stream));
            } else if (answer == resets) {
                stream.abort();
            } else {
                co_await stream.write_all(answer);
            }
        }
    }

    [[nodiscard]] std::string origin() const {
        return "http://127.0.0.1:" + std::to_string(listener_.port());
    }
    /// Whole, in their order.
    [[nodiscard]] const std::vector<std::string>& requests() const { return requests_; }
    [[nodiscard]] std::size_t count() const { return requests_.size(); }
    /// The time between a request and the one before it.
    [[nodiscard]] std::chrono::milliseconds pause_before(std::size_t index) const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(moments_.at(index) -
                                                                     moments_.at(index - 1));
    }
    /// Whether the request has this field, or this text at all.
    [[nodiscard]] bool has(std::size_t index, std::string_view text) const {
        return requests_.at(index).find(text) != std::string::npos;
    }

  private:
    static sake::Task<std::string> read_request(sake::TcpStream& stream) {
        const auto head = co_await stream.read_until("\r\n\r\n");
        std::string request = head.value_or("") + "\r\n\r\n";
        const std::size_t at = request.find("Content-Length: ");
        if (at != std::string::npos) {
            const std::string digits = request.substr(at + 16, request.find('\r', at) - at - 16);
            const std::string body = co_await stream.read_exactly(std::stoul(digits));
            request += body;
        }
        co_return request;
    }

    sake::TcpListener listener_{"127.0.0.1:0"};
    std::vector<std::string> answers_;
    std::vector<std::string> requests_;
    std::vector<std::chrono::steady_clock::time_point> moments_;
    std::vector<sake::TcpStream> held_;
};

/// "HTTP/1.1 503 X" with these fields, each ending in CR LF, and this body.
inline std::string answer(int status, std::string_view fields = "", std::string_view body = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

/// Runs `body()`, a coroutine, in virtual time, and gives what it gives.
template <class Body>
auto in_virtual_time(Body body) {
    sake::detail::SimulationOptions options;
    // In vain, since both ends of each socket are in this thread. The kernel may take its time.
    options.descriptor_patience = std::chrono::milliseconds(250);
    sake::Reactor reactor{
        sake::detail::OwningPtr<sake::detail::SimulatedPoller>(new sake::detail::SimulatedPoller(options))};
    auto task = sake::detail::spawn_on(reactor, body());
    reactor.run_until([&] { return task.is_done(); });
    return task.take();
}

/// Runs `body(server, client)`, a coroutine, against a server that gives these answers.
template <class Body>
void with_script(std::vector<std::string> answers, sake::http::ClientOptions options, Body body) {
    in_virtual_time([&]() -> sake::Task<> {
        ScriptedServer server(std::move(answers));
        auto serving = sake::spawn(failure_of(server.serve()));
        {
            sake::http::Client client(options);
            co_await body(server, client);
        }
        serving.cancel();
        const std::string why = co_await serving;
        CHECK(why == "Cancelled");
    });
}

/// The status and the body, or why there is none; the origin is "http://here".
inline sake::Task<std::string> outcome(sake::http::Client& client, sake::http::Request request) {
    const std::string origin = request.url().origin();
    std::string text;
    const auto ask = [&]() -> sake::Task<> {
        const sake::http::Response response = co_await client.send(std::move(request));
        text = std::to_string(response.status) + " " + response.body;
    };
    std::string why = co_await failure_of(ask());
    const std::size_t at = why.find(origin);
    if (at != std::string::npos) why.replace(at, origin.size(), "http://here");
    co_return why == "no exception" ? text : why;
}
inline sake::Task<std::string> outcome(sake::http::Client& client, std::string url) {
    return outcome(client, sake::http::Request("GET", url));
}

}  // namespace harness
