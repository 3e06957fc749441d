// The answers that no handler makes, for tests of middleware that has a part in all of them.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>

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
    sake::Engine app(sake::Config().with_max_body(100'000).with_max_buffered(50'000).with_log(
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
    expect(503, client.request("POST", "/body", fields, std::string(99'999, 'x')));
}

}  // namespace harness
