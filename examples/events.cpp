// A live page: what somebody writes appears at once in every browser that has the page open. A browser that
// has lost its connection, also to a server that was started anew, comes again by itself and misses nothing
// that the server still has.
//
//   g++ -std=c++20 -O2 -I../single_include events.cpp -o events -pthread && ./events
//
// Open http://127.0.0.1:8080/ in two windows. Or:
//
//   curl 127.0.0.1:8080/                              # 200 <!doctype html>...new EventSource("/events")...
//   curl -d 'hello' 127.0.0.1:8080/messages           # 202 {"id":...}
//   curl -X POST 127.0.0.1:8080/messages              # 400 {...an empty message...}
//
// A client that says which event it has seen last is sent those after it; "1" is before all of them:
//
//   curl -m 0.5 -H 'Last-Event-ID: 1' 127.0.0.1:8080/events
//     # 200 event: stale...data: {"lost":null}...data: hello...
//     # Content-Type: text/event-stream

#include <cstdint>
#include <string>
#include <string_view>

#include "sake.hpp"

namespace {

constexpr std::string_view page = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Messages</title>
<h1>Messages <small id="state"></small></h1>
<form id="form"><input id="text" autofocus maxlength="200"> <button>Send</button></form>
<ul id="list"></ul>
<script>
const list = document.getElementById("list");
const show = (text) => {
    const item = document.createElement("li");
    item.textContent = text;
    list.prepend(item);
};
const events = new EventSource("/events");
events.onopen = () => (document.getElementById("state").textContent = "");
events.onerror = () => (document.getElementById("state").textContent = "(connecting)");
events.onmessage = (event) => show(event.data);
events.addEventListener("stale", () => show("(some messages are missing here)"));
document.getElementById("form").onsubmit = (event) => {
    event.preventDefault();
    const text = document.getElementById("text");
    if (text.value !== "") fetch("/messages", {method: "POST", body: text.value});
    text.value = "";
};
</script>
</html>
)html";

}  // namespace

int main(int argc, char** argv) {
    sake::Hub hub;  // keeps the last 1,000 messages for those who come again
    sake::Engine app;

    app.get("/", [](sake::Context& ctx) { ctx.html(page); });

    app.get("/events", [&hub](sake::Context& ctx) { return hub.serve(ctx, "messages"); });

    // A hub may be published to from anywhere: from handlers, worker routes and threads of one's own.
    app.post("/messages",
             [&hub](sake::Context& ctx) {
                 if (ctx.body().empty()) throw sake::HttpError(400, "an empty message");
                 const std::uint64_t id = hub.publish("messages", std::string(ctx.body()));
                 ctx.json(202, {{"id", id}});
             })
        .max_body(1000);

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
