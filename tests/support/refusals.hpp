// The answers that no handler makes, for tests of middleware that has a part in all of them.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "sake.hpp"

namespace harness {

inline sake::http::Headers fields_of(
    std::initializer_list<std::pair<std::string_view, std::string_view>> list) {
    sake::http::Headers fields;
    for (const auto& [name, value] : list) fields.add(name, value);
    return fields;
}

/// Calls `check(answer)` for a 200, 404, 405, 413 and 503 of an engine with this step, to requests with these
/// fields.
template <class Check>
void on_every_answer(const sake::middleware::Step& step, const sake::http::Headers& fields, Check check) {
    sake::Engine app(sake::Config().with_max_body(100'000).with_max_buffered(100'000).with_log(
        [](sake::LogLevel, std::string_view) {}));
    app.use(step);
    app.get("/", [] { return "hello"; });
    app.post("/body", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    sake::TestClient client(app);
    const auto expect = [&](int status, const sake::TestResponse& answer) {
        CAPTURE(status);
        CHECK(answer.status == status);
        check(answer);
    };
    expect(200, client.get("/", fields));
    expect(404, client.get("/nowhere", fields));
    expect(405, client.request("DELETE", "/body", fields));
    expect(413, client.request("POST", "/body", fields, std::string(100'001, 'x')));
    // Bodies that are not whole are kept, and there is room for one of them.
    std::string unfinished = "POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 80000\r\n";
    for (const auto& [name, value] : fields) {
        if (name != "Host") unfinished.append(name).append(": ").append(value).append("\r\n");
    }
    unfinished.append("\r\n").append(60'000, 'x');
    sake::TestConnection first = client.connect();
    first.send(unfinished);
    CHECK(first.receive_now().empty());
    expect(503, client.connect().send(unfinished).response("POST"));
}

}  // namespace harness
