// An API with every kind of type and route that Engine::openapi describes: what the golden document is of,
// and what the validators of tests/peers look at.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sake.hpp"

namespace sample {

enum class Color { red, green, blue };

struct Author {
    std::string name;
    std::optional<std::string> email;
};

struct Note {
    std::string text;
    std::optional<int> stars;
    Color color = Color::green;
    std::optional<Color> mark;
    std::vector<std::string> tags;
    std::map<std::string, double> weights;
    std::optional<Author> author;
    std::vector<Note> replies;
    std::variant<std::monostate, bool, std::int64_t, std::string, Author> extra;
    sake::Json more;
};

/// Numbers of every size, and defaults.
struct Numbers {
    std::int8_t i8 = -1;
    std::uint8_t u8 = 0;
    std::int16_t i16 = 0;
    std::uint16_t u16 = 0;
    std::int32_t i32 = 0;
    std::uint32_t u32 = 0;
    std::int64_t i64 = 0;
    std::uint64_t u64 = 0;
    float f = 0.5F;
    double d = 0;
    bool flag = false;
    bool is_on = true;
    std::array<int, 3> three{};
    std::vector<std::vector<int>> table;
    std::string language = "en \"quoted\"";
    std::vector<int> list = {1, 2};
    std::unique_ptr<int> pointer;
    int size = 1;
    int offset = 0;
};

struct Search {
    std::string words;
    int limit = 20;
    std::optional<Color> color;
    std::vector<std::string> tags;
};

struct Login {
    std::string user;
    std::string password;
    bool stay = false;
};

struct Token {
    std::string token;
    std::chrono::sys_time<std::chrono::milliseconds> expires;
    std::chrono::year_month_day day;
};

template <class T>
struct Page {
    std::vector<T> items;
    std::uint32_t total = 0;
};

namespace db {
struct Note {
    int id = 0;
};
}  // namespace db

/// Called as Sake's own schema.
struct Problem {
    std::string what;
};

struct Small {
    std::string text;
};

}  // namespace sample

template <>
inline constexpr auto sake::rules<sample::Author> = sake::fields(
    sake::length(&sample::Author::name, 1, 40), sake::format(&sample::Author::email, sake::Format::email));
template <>
inline constexpr auto sake::rules<sample::Note> =
    sake::fields(sake::length(&sample::Note::text, 1, 80), sake::range(&sample::Note::stars, 1, 5),
                 sake::items(&sample::Note::tags, 0, 4), sake::length(&sample::Note::tags, 1, 10),
                 sake::unique(&sample::Note::tags), sake::items(&sample::Note::weights, 0, 3),
                 sake::range(&sample::Note::weights, -1.5, 1.5), sake::defaulted(&sample::Note::tags),
                 sake::defaulted(&sample::Note::weights), sake::defaulted(&sample::Note::replies),
                 sake::defaulted(&sample::Note::extra), sake::defaulted(&sample::Note::more));
template <>
inline constexpr auto sake::rules<sample::Numbers> =
    sake::fields(sake::one_of(&sample::Numbers::size, 1, 2, 4), sake::defaulted(&sample::Numbers::offset));
template <>
inline constexpr auto sake::rules<sample::Search> =
    sake::fields(sake::range(&sample::Search::limit, 1, 100), sake::defaulted(&sample::Search::tags));
template <>
inline constexpr auto sake::rules<sample::Small> = sake::fields(sake::no_other_members<sample::Small>());

namespace sample {

inline sake::ApiInfo api_info() {
    return {
        .title = "Notes \"and more\"",
        .version = "1.0",
        .description = "Every kind of type and route.\n\n</script>",
        .servers = {"/"},
        .security = {sake::SecurityScheme::bearer("token"), sake::SecurityScheme::basic("login"),
                     sake::SecurityScheme::api_key("key", "X-Api-Key")},
        .tags = {{"notes", "What people write"}, {"types", "What programs have"}, {"other", "Whatever else"}},
        .contact = {.name = "Nobody", .url = "https://example.org/", .email = "nobody@example.org"},
        .license = {.name = "MIT", .url = "https://example.org/license"}};
}

inline void add_notes(sake::Engine& app) {
    app.post("/notes", [](sake::Body<Note> note) { return sake::Created<Note>(*note, "/notes/7"); })
        .summary("Makes a note")
        .description("Keeps *nothing*, and answers with what it was given.")
        .tag("notes")
        .security("token")
        .security("login");
    app.get("/notes",
            [](sake::Query<Search> search) {
                Page<Note> page;
                page.total = static_cast<std::uint32_t>(search->limit);
                Note note;
                note.text = search->words.empty() ? "none" : "some";
                note.mark = search->color;
                page.items.push_back(std::move(note));
                return page;
            })
        .summary("Finds notes")
        .description("By words, color and tags.")
        .tag("notes");
    app.get("/notes/:id",
            [](int id) {
                if (id > 100) throw sake::HttpError(404, "there is no such note");
                Note note;
                note.text = "a note";
                note.stars = 3;
                return note;
            })
        .summary("One note")
        .description("Of those below 100.")
        .tag("notes")
        .responds(404, "There is no such note")
        .operation_id("readNote");
    app.put("/notes/:id", [](int, sake::Body<Note> note) { return *note; })
        .summary("Replaces a note")
        .description("By what is in the body.")
        .tag("notes")
        .responds(404, "There is no such note");
    app.del("/notes/:name", [](sake::Context& ctx) { ctx.status(204); })
        .summary("Removes a note")
        .description("Whatever it is called.")
        .tag("notes")
        .responds(204, "It is gone")
        .security("key")
        .deprecated();
}

inline void add_types(sake::Engine& app) {
    app.post("/numbers", [](sake::Body<Numbers> numbers) { return std::move(*numbers); })
        .summary("Numbers of every size")
        .description("And their defaults.")
        .tag("types");
    app.post("/login",
             [](sake::FormBody<Login> login) {
                 using namespace std::chrono;
                 return Token{login->user, sys_time<milliseconds>(1'700'000'000'250ms),
                              year_month_day(2026y / November / 29d)};
             })
        .summary("A form, answered with times")
        .description("A token for a name and a password.")
        .tag("types");
    app.post("/small", [](sake::Body<Small> small) { return *small; })
        .max_body(100)
        .summary("A body of at most 100 bytes")
        .description("A larger one is 413.")
        .tag("types");
    app.post("/any", [](sake::Body<sake::Json> any) { return *any; })
        .summary("Any JSON")
        .description("It comes back as it is.")
        .tag("types");
    app.get("/rows", [] { return std::vector<db::Note>{{1}, {2}}; })
        .summary("Another type of the same name")
        .description("Both are in the document.")
        .tag("types");
    app.get("/maybe/:flag",
            [](bool flag) { return flag ? std::optional<Author>(Author{"Ada", {}}) : std::nullopt; })
        .summary("An object or null")
        .description("As the flag in the path says.")
        .tag("types");
    app.get("/ratio/:value/:word",
            [](double value, const std::string& word) { return word + std::to_string(value); })
        .summary("Text from \"typed\" parameters \\ \xE2\x80\xA8 \xFF")
        .description("The line separator and the byte that is not UTF-8 stay text.")
        .tag("types");
    app.get("/problem", [](sake::Context& ctx) { ctx.json(409, {{"what", "a conflict"}}); })
        .summary("An error of the program's own form")
        .description("In place of a problem document.")
        .tag("other")
        .responds<Problem>(409, "A conflict");
}

/// What the document leaves out, and routes of which nothing is known.
inline void add_others(sake::Engine& app) {
    app.get("/", [] { return "hello"; }).summary("Hello").description("As text.").tag("other");
    app.get("/files/*path", [](sake::Context& ctx) { ctx.text(ctx.param("path")); })
        .summary("The rest of a path")
        .description("With slashes in it.")
        .responds<std::string>(200, "That path")
        .tag("other");
    app.get("/hidden", [] { return "hidden"; }).hidden();
    app.any("/everything", [] { return "any method"; });
    app.query("/search", [] { return "QUERY"; });
    app.route("PROPFIND", "/dav", [] { return "PROPFIND"; });
}

inline void add_all(sake::Engine& app) {
    add_notes(app);
    add_types(app);
    add_others(app);
    app.openapi("/openapi.json", api_info());
}

}  // namespace sample
