// A JSON API with everything from its types: notes in memory, made, read, changed, listed by pages and
// removed. What a client sends is checked by the types and their rules; the same types make the OpenAPI
// document and the page to try it: http://127.0.0.1:8080/docs
//
//   g++ -std=c++20 -O2 -I../single_include notes_api.cpp -o notes_api -pthread && ./notes_api
//
//   curl -i -H Content-Type:application/json -d '{"text":"buy rice","stars":5}' 127.0.0.1:8080/notes
//     # 201 {"id":1,"note":{"text":"buy rice","stars":5,"tags":[],"colour":"plain"}}
//     # Location: /notes/1
//     # Content-Type: application/json
//   curl -X PUT -H Content-Type:application/json -d '{"text":"rice","colour":"red"}' 127.0.0.1:8080/notes/1
//     # 200 {"id":1,"note":{"text":"rice","stars":null,"tags":[],"colour":"red"}}
//   curl 127.0.0.1:8080/notes/1                 # 200 {"id":1,"note":{"text":"rice",...
//   curl '127.0.0.1:8080/notes?size=1'          # 200 {"total":1,"page":1,"notes":[{"id":1,...
//   curl '127.0.0.1:8080/notes?search=tea'      # 200 {"total":0,"page":1,"notes":[]}
//   curl -i -X DELETE 127.0.0.1:8080/notes/1    # 204
//   curl -i 127.0.0.1:8080/notes/1              # 404 ..."detail":"there is no note 1"}
//     # Content-Type: application/problem+json
//   curl -d 'text=tea' 127.0.0.1:8080/notes     # 415 ..."detail":"the body must be application/json"}
//   curl -H Content-Type:application/json -d '{"text":' 127.0.0.1:8080/notes
//     # 400 ..."detail":"invalid JSON at byte 9"}
//   curl -H Content-Type:application/json -d '{"text":"","stars":9,"tags":["a","a"]}' 127.0.0.1:8080/notes
//     # 422 ..."errors":[{"pointer":"/text","code":"length",...},{"pointer":"/stars","code":"range",...
//   curl '127.0.0.1:8080/notes?page=0&size=x'   # 422 ..."pointer":"/size","code":"type",...
//   curl 127.0.0.1:8080/openapi.json            # 200 ..."openapi": "3.1.0",...

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sake.hpp"

enum class Colour { plain, red, green };

struct Note {
    std::string text;
    std::optional<int> stars;
    std::vector<std::string> tags;
    Colour colour = Colour::plain;
};
template <>
inline constexpr auto sake::rules<Note> =
    sake::fields(sake::length(&Note::text, 1, 80), sake::range(&Note::stars, 1, 5),
                 sake::defaulted(&Note::tags), sake::items(&Note::tags, 0, 10), sake::unique(&Note::tags),
                 sake::defaulted(&Note::colour), sake::no_other_members<Note>());

struct StoredNote {
    int id;
    Note note;
};

struct Paging {
    int page = 1;
    int size = 20;
    std::optional<std::string> search;
};
template <>
inline constexpr auto sake::rules<Paging> =
    sake::fields(sake::range(&Paging::page, 1, 1'000'000), sake::range(&Paging::size, 1, 100));

struct Page {
    std::size_t total;
    int page;
    std::vector<StoredNote> notes;
};

using Notes = std::map<int, Note>;

Note& find(Notes& notes, int id) {
    const auto found = notes.find(id);
    if (found == notes.end()) throw sake::HttpError(404, "there is no note " + std::to_string(id));
    return found->second;
}

Page page_of(const Notes& notes, const Paging& paging) {
    const auto size = static_cast<std::size_t>(paging.size);
    const std::size_t begin = (static_cast<std::size_t>(paging.page) - 1) * size;
    Page page{0, paging.page, {}};
    for (const auto& [id, note] : notes) {
        if (note.text.find(paging.search.value_or("")) == std::string::npos) continue;
        if (page.total >= begin && page.notes.size() < size) page.notes.push_back({id, note});
        ++page.total;
    }
    return page;
}

int main(int argc, char** argv) {
    sake::Engine app;
    Notes notes;  // no lock: all handlers run on one thread
    int last_id = 0;

    app.post("/notes",
             [&](sake::Body<Note> note) {
                 notes[++last_id] = *note;
                 return sake::Created(StoredNote{last_id, *note}, "/notes/" + std::to_string(last_id));
             })
        .summary("Make a note")
        .tag("notes");

    app.get("/notes", [&](sake::Query<Paging> paging) { return page_of(notes, *paging); })
        .summary("List notes by pages")
        .tag("notes");

    app.get("/notes/:id", [&](int id) { return StoredNote{id, find(notes, id)}; })
        .summary("Read a note")
        .tag("notes")
        .responds(404, "There is no such note");

    app.put("/notes/:id",
            [&](int id, sake::Body<Note> note) { return StoredNote{id, find(notes, id) = *note}; })
        .summary("Replace a note")
        .tag("notes")
        .responds(404, "There is no such note");

    app.del("/notes/:id",
            [&](sake::Context& ctx, int id) {
                find(notes, id);
                notes.erase(id);
                ctx.no_content();
            })
        .summary("Remove a note")
        .tag("notes")
        .responds(204, "It is removed")
        .responds(404, "There is no such note");

    app.openapi("/openapi.json", {.title = "Notes", .version = "1.0"});
    app.docs("/docs");

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
