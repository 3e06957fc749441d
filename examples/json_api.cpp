// JSON API: notes in memory, with the usual five routes. bind<T> reads the body into a struct. A body of
// another type is answered with 415, bad JSON with 400, JSON that does not fit the struct with 422. A missing
// note is an exception with status 404.
//
//   g++ -std=c++20 -O2 -I../single_include json_api.cpp -o json_api -pthread && ./json_api
//
//   curl -i -H Content-Type:application/json -d '{"text":"buy rice","done":false}' 127.0.0.1:8080/notes
//     # 201 {"done":false,"id":1,"text":"buy rice"}
//     # Location: /notes/1
//     # Content-Type: application/json
//   curl -X PUT -H Content-Type:application/json -d '{"text":"buy rice","done":true}' 127.0.0.1:8080/notes/1
//     # 200 {"done":true,"id":1,"text":"buy rice"}
//   curl 127.0.0.1:8080/notes/1                 # 200 {"done":true,"id":1,"text":"buy rice"}
//   curl 127.0.0.1:8080/notes                   # 200 [{"done":true,"id":1,"text":"buy rice"}]
//   curl -i -X DELETE 127.0.0.1:8080/notes/1    # 204
//   curl -i 127.0.0.1:8080/notes/1              # 404 ..."detail":"there is no note 1"}
//     # Content-Type: application/problem+json
//   curl -d 'text=tea' 127.0.0.1:8080/notes     # 415 ..."detail":"the body must be application/json"}
//   curl -H Content-Type:application/json -d '{"text":' 127.0.0.1:8080/notes
//     # 400 ..."detail":"invalid JSON at byte 9"}
//   curl -H Content-Type:application/json -d '{"text":"tea"}' 127.0.0.1:8080/notes
//     # 422 ..."detail":"body: 'done' is missing"}
//   curl -H Content-Type:application/json -d '{"text":7,"done":false}' 127.0.0.1:8080/notes
//     # 422 ..."detail":"body: 'text': type must be string, but is number"}

#include <map>
#include <string>

#include "sake.hpp"

struct Note {
    std::string text;
    bool done = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Note, text, done)

using Notes = std::map<int, Note>;

Note& find(Notes& notes, int id) {
    const auto found = notes.find(id);
    if (found == notes.end()) throw sake::HttpError(404, "there is no note " + std::to_string(id));
    return found->second;
}

sake::Json show(int id, const Note& note) { return {{"id", id}, {"text", note.text}, {"done", note.done}}; }

int main(int argc, char** argv) {
    sake::Engine app;
    Notes notes;  // no lock: all handlers run on one thread
    int last_id = 0;

    app.get("/notes", [&] {
        sake::Json all = sake::Json::array();
        for (const auto& [id, note] : notes) all.push_back(show(id, note));
        return all;
    });

    app.post("/notes", [&](sake::Context& ctx) {
        const Note note = ctx.bind<Note>();
        notes[++last_id] = note;
        ctx.set_header("Location", "/notes/" + std::to_string(last_id)).json(201, show(last_id, note));
    });

    app.get("/notes/:id", [&](int id) { return show(id, find(notes, id)); });

    app.put("/notes/:id", [&](sake::Context& ctx, int id) {
        Note& note = find(notes, id);
        note = ctx.bind<Note>();
        return show(id, note);
    });

    app.del("/notes/:id", [&](sake::Context& ctx, int id) {
        find(notes, id);
        notes.erase(id);
        ctx.no_content();
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
