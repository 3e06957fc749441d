// The answers that no handler makes, for tests of middleware that has a part in all of them.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace harness {

inline sake::http::Headers fields_of(
    std::initializer_list<std::pair<std::string_view, std::string_view>> list) {
    sake::http::Headers fields;
    for (const auto& [name, value] : list) fields.add(name, value);
    return fields;
}

/// Calls `check(answer)` for a 404, 405, 413, 503 for want of memory, 504, 400, 408 and 431, in this order,
/// of an engine to which `add` has given its middleware. The requests have these fields; of the last three,
/// the head is not whole.
template <class Add, class Check>
void for_each_refusal(Add add, const sake::http::Headers& fields, Check check) {
    using namespace std::chrono_literals;
    sake::Engine app(sake::Config()
                         .with_max_body(100'000)
                         .with_max_buffered(100'000)
                         .with_request_timeout(1s)
                         .with_header_timeout(1s)
                         .with_log([](sake::LogLevel, std::string_view) {}));
    add(app);
    app.get("/", [](sake::Context& ctx) { ctx.text("hello"); });
    app.post("/body", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.get("/slow", [](sake::Context&) -> sake::Task<> { co_await sake::sleep(1h); });
    sake::TestClient client(app);
    const auto see = [&](int status, const sake::TestResponse& answer) {
        CAPTURE(status);
        CHECK(answer.status == status);
        check(answer);
    };
    const auto head = [&](std::string_view line) {
        std::string text = std::string(line) + " HTTP/1.1\r\nHost: test\r\n";
        for (const auto& [name, value] : fields) {
            if (name != "Host") text.append(name).append(": ").append(value).append("\r\n");
        }
        return text;
    };
    see(404, client.get("/nowhere", fields));
    see(405, client.request("DELETE", "/body", fields));
    see(413, client.request("POST", "/body", fields, std::string(100'001, 'x')));
    {
        // Bodies that are not whole are kept, and there is room for one of them.
        const std::string unfinished =
            head("POST /body") + "Content-Length: 80000\r\n\r\n" + std::string(60'000, 'x');
        sake::TestConnection first = client.connect();
        first.send(unfinished);
        CHECK(first.receive_now().empty());
        see(503, client.connect().send(unfinished).response("POST"));
    }
    see(504, client.get("/slow", fields));
    see(400, client.connect().send(head("GET /") + "bad field\r\n\r\n").response());
    sake::TestConnection slow = client.connect();
    slow.send(head("GET /"));
    client.advance(2s);
    see(408, slow.response());
    std::string many;
    for (int i = 0; i < 200; ++i) many += "A" + std::to_string(i) + ": x\r\n";
    see(431, client.connect().send(head("GET /") + many + "\r\n").response());
}
template <class Add, class Check>
void for_each_refusal(Add add, Check check) {
    for_each_refusal(add, sake::http::Headers(), check);
}

/// Calls `check(answer)` for each refusal of an engine with this step, and for a 200.
template <class Check>
void on_every_answer(const sake::middleware::Step& step, const sake::http::Headers& fields, Check check) {
    sake::Engine app;
    app.use(step);
    app.get("/", [] { return "hello"; });
    sake::TestClient client(app);
    const sake::TestResponse answer = client.get("/", fields);
    CHECK(answer.status == 200);
    check(answer);
    for_each_refusal([&](sake::Engine& refusing) { refusing.use(step); }, fields, check);
}

/// Checks that refusals are the same with this step and without it.
inline void expect_no_change(const sake::middleware::Step& step, const sake::http::Headers& fields) {
    std::vector<std::string> bodies;
    for_each_refusal([](sake::Engine&) {}, fields,
                     [&](const sake::TestResponse& answer) { bodies.push_back(answer.body); });
    std::size_t next = 0;
    for_each_refusal([&](sake::Engine& app) { app.use(step); }, fields,
                     [&](const sake::TestResponse& answer) { CHECK(answer.body == bodies.at(next++)); });
    CHECK(next == bodies.size());
}

}  // namespace harness
