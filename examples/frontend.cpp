// Frontend: a small single-page app and its API, in one program. The page's files are linked into it here;
// with a directory instead, say app.frontend("/", "dist").
//
//   g++ -std=c++20 -O2 -I../single_include frontend.cpp -o frontend -pthread && ./frontend
//
//   curl -H 'Accept: text/html' 127.0.0.1:8080/          # 200 <!DOCTYPE html>...
//     # Content-Type: text/html; charset=utf-8
//     # Cache-Control: no-cache
//   curl -H 'Accept: text/html' 127.0.0.1:8080/notes/1   # 200 <!DOCTYPE html>...
//   curl 127.0.0.1:8080/app.3f2a91c4.js                  # 200 const list...
//     # Cache-Control: public, max-age=31536000, immutable
//   curl -r 0-9 127.0.0.1:8080/app.3f2a91c4.js           # 206 const list
//     # Content-Range: bytes 0-9/...
//   curl 127.0.0.1:8080/missing.js                       # 404 ..."detail":"there is nothing at this path"}
//   curl 127.0.0.1:8080/api/missing                      # 404 ..."detail":"there is nothing at this path"}
//   curl 127.0.0.1:8080/api/notes                        # 200 ["buy rice"]
//   curl --json '{"text":"polish it"}' 127.0.0.1:8080/api/notes    # 201 ["buy rice","polish it"]

#include <string>
#include <vector>

#include "sake.hpp"

namespace {

constexpr const char* page = R"(<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Notes</title></head>
<body>
<h1>Notes</h1>
<ul id="list"></ul>
<form id="form"><input id="text" placeholder="a new note" required><button>Add</button></form>
<script type="module" src="/app.3f2a91c4.js"></script>
</body>
</html>
)";

constexpr const char* script = R"(const list = document.getElementById("list");
function show(notes) {
    list.replaceChildren(...notes.map((note) => {
        const item = document.createElement("li");
        item.textContent = note;
        return item;
    }));
}
document.getElementById("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = document.getElementById("text");
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/api/notes", { method: "POST", headers, body: JSON.stringify({ text: text.value }) });
    show(await answer.json());
    text.value = "";
});
show(await (await fetch("/api/notes")).json());
)";

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> notes{"buy rice"};
    sake::Engine app;

    auto api = app.group("/api");
    api.get("/notes", [&] { return notes; });
    api.post("/notes", [&](sake::Context& ctx) {
        const auto note = ctx.bind();
        if (!note.contains("text") || !note["text"].is_string())
            throw sake::HttpError(422, "a note has a text");
        notes.push_back(note["text"]);
        ctx.json(201, notes);
    });

    // Routes come first; the pages of the app are its index.
    app.frontend("/", sake::embed({{"index.html", page}, {"app.3f2a91c4.js", script}}));

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
