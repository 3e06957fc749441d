// The answers that no handler of the program made, for tests of middleware that is to cover them.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>

#include "observed.hpp"
#include "sake.hpp"

namespace harness {

/// Calls `check(response)` with the answer to a 404, 405, 413, 503, 504 and 400, of an engine to which `add`
/// has given its middleware.
template <class Add, class Check>
void for_each_refusal(Add add, Check check) {
    Log log;
    sake::Engine app(log.config().with_max_body(4).with_request_timeout(std::chrono::seconds(1)));
    add(app);
    app.get("/", [](sake::Context& ctx) { ctx.text("hello"); });
    app.post("/body", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.get("/busy", [](sake::Context&) { throw sake::HttpError(503, "busy"); });
    app.get("/slow", [](sake::Context&) -> sake::Task<> { co_await sake::sleep(std::chrono::hours(1)); });
    sake::TestClient client(app);
    const auto see = [&](int status, const sake::TestResponse& response) {
        if (response.status != status)
            throw std::logic_error("expected " + std::to_string(status) + ", got " +
                                   std::to_string(response.status));
        check(response);
    };
    see(404, client.get("/nowhere"));
    see(405, client.post("/"));
    see(413, client.post("/body", "12345"));
    see(503, client.get("/busy"));
    see(504, client.get("/slow"));
    sake::TestConnection raw = client.connect();
    raw.send("GET / HTTP/1.1\r\nbad field\r\n\r\n");
    see(400, raw.response());
}

}  // namespace harness
