// Demo: a small tour in the browser, which `make demo` builds and serves.
//
//   g++ -std=c++20 -O2 -I../single_include demo.cpp -o demo -pthread && ./demo
//
//   curl -i 127.0.0.1:8080/             # 200 ...<h1>Sake</h1>...
//     # Content-Type: text/html; charset=utf-8
//   curl 127.0.0.1:8080/json            # 200 {"drink":"sake","served":["cold","warm"]}
//   curl '127.0.0.1:8080/hello/Ada?greeting=Kanpai'    # 200 Kanpai, Ada!
//   curl 127.0.0.1:8080/square/12       # 200 {"number":12,"square":144}
//   curl 127.0.0.1:8080/square/twelve
//     # 400 ..."detail":"path parameter 'number' is not a non-negative integer in range"}
//   curl 127.0.0.1:8080/fib/30          # 200 {"fib":832040,"n":30}
//   curl 127.0.0.1:8080/slow            # 200 {"slept_ms":1000}
//   curl -i 127.0.0.1:8080/_sake        # 200 ...<title>Sake dashboard</title>...
//   curl 127.0.0.1:8080/teapot          # 418 ..."detail":"tea is another house"}
//   curl 127.0.0.1:8080/broken
//     # 500 {"type":"about:blank","title":"Internal Server Error","status":500,...}
//     # stderr: sake: error: GET /broken failed in GET /broken (...): only the log knows why

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake.hpp"

constexpr std::string_view page = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sake</title>
<style>
  body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 10vh auto; padding: 0 1rem }
  a { color: #a33; font-family: ui-monospace, monospace }
</style>
<h1>Sake</h1>
<p>You are served by one thread and one header. A small tour:
<ul>
  <li><a href="/json">/json</a>: an answer in JSON
  <li><a href="/hello/Ada">/hello/Ada</a>: a word of the path, and
      <a href="/hello/Ada?greeting=Kanpai">?greeting=Kanpai</a> from the query
  <li><a href="/square/12">/square/12</a>: a number, and <a href="/square/twelve">twelve</a>, which is none
  <li><a href="/fib/30">/fib/30</a>: computing, on the worker pool
  <li><a href="/slow">/slow</a>: a second of sleep, in which others are served
  <li><a href="/teapot">/teapot</a>: an error that the program chose
  <li><a href="/broken">/broken</a>: one that it did not choose; only the log says why
  <li><a href="/_sake">/_sake</a>: what the server does at this moment
</ul>
)";

std::uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char** argv) {
    sake::Engine app;

    app.get("/", [](sake::Context& ctx) { ctx.html(page); });

    app.get("/json", [] { return sake::Json{{"drink", "sake"}, {"served", {"cold", "warm"}}}; });

    app.get("/hello/:name", [](sake::Context& ctx, std::string name) {
        return std::string(ctx.query("greeting", "Hello")) + ", " + name + "!";
    });

    app.get("/square/:number", [](unsigned number) {
        return sake::Json{{"number", number}, {"square", std::uint64_t{number} * number}};
    });

    // It computes for long, so it runs on the worker pool, and the other routes still answer at once.
    app.get("/fib/:n",
            [](unsigned n) {
                if (n > 45) throw sake::HttpError(422, "45 at most");
                return sake::Json{{"n", n}, {"fib", fib(n)}};
            })
        .worker();

    app.get("/slow", []() -> sake::Task<sake::Json> {
        co_await sake::sleep(std::chrono::seconds(1));
        co_return sake::Json{{"slept_ms", 1000}};
    });

    app.get("/teapot", [] { throw sake::HttpError(418, "tea is another house"); });
    app.get("/broken", [] { throw std::runtime_error("only the log knows why"); });

    // For this machine alone: whoever listens to others gives it a guard.
    app.dashboard("/_sake");

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
