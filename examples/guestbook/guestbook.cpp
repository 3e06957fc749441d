// A guestbook: a whole application. Visitors sign with a text and a picture, all who have the page open see
// it at once, and a moderator deletes what should not stand there. It works without scripts, too. pages.hpp
// has what it looks like, this file all that it does: main() is at its end, and lists it.
//
//   apt-get install libsqlite3-dev
//   g++ -std=c++20 -O2 -I../../single_include guestbook.cpp -o guestbook -pthread -lsqlite3
//   GUESTBOOK_PASSWORD=sesame ./guestbook 127.0.0.1:8080 guestbook-data
//
// Open http://127.0.0.1:8080/ in two windows. The moderator logs in at /moderator, and then sees /_sake. Or:
//
//   curl -F name=Ann -F text=Hello -F picture=@me.png 127.0.0.1:8080/entries    # 303
//   curl -d 'name=Ben&text=Hi' 127.0.0.1:8080/entries                           # 303
//   curl -u metrics:sesame 127.0.0.1:8080/metrics                               # 200, for Prometheus
//
// `make peers` drives it by Chromium.

#include <sqlite3.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "pages.hpp"
#include "sake.hpp"

using sake::Context;
using sake::HttpError;
namespace fs = std::filesystem;
namespace middleware = sake::middleware;

// ---- SQLite: a connection and a statement that close themselves, with errors in words ----

using Connection = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

void require_ok(int code, sqlite3* database) {
    if (code != SQLITE_OK) throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(database));
}

Connection open_database(const std::string& path) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open(path.c_str(), &opened);
    Connection connection(opened, sqlite3_close);  // which is there even if it could not be opened
    require_ok(code, opened);
    sqlite3_busy_timeout(opened, 5000);  // milliseconds to wait for another writer
    return connection;
}

/// A prepared statement. The values of its question marks never become part of its text.
class Statement {
  public:
    template <class... Values>
    Statement(sqlite3* database, const char* sql, const Values&... values) : database_(database) {
        sqlite3_stmt* prepared = nullptr;
        require_ok(sqlite3_prepare_v2(database_, sql, -1, &prepared, nullptr), database_);
        handle_.reset(prepared);
        int place = 0;
        (require_ok(bind(++place, values), database_), ...);
    }

    /// Goes to the next row. False at the end: a change of the data is complete then, and not before.
    bool next() {
        const int code = sqlite3_step(handle_.get());
        if (code != SQLITE_ROW && code != SQLITE_DONE) require_ok(code, database_);
        return code == SQLITE_ROW;
    }
    std::int64_t number(int column) const { return sqlite3_column_int64(handle_.get(), column); }
    std::string text(int column) const {
        const unsigned char* bytes = sqlite3_column_text(handle_.get(), column);
        return {bytes, bytes + sqlite3_column_bytes(handle_.get(), column)};
    }

  private:
    int bind(int place, std::int64_t value) { return sqlite3_bind_int64(handle_.get(), place, value); }
    int bind(int place, const std::string& value) {
        const auto size = static_cast<int>(value.size());
        return sqlite3_bind_text(handle_.get(), place, value.data(), size, SQLITE_TRANSIENT);
    }

    sqlite3* database_;
    std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> handle_{nullptr, sqlite3_finalize};
};

// ---- The book: entries in a database, their pictures beside it as files ----

struct Signature {  // what a visitor sends, besides the picture
    std::string name;
    std::string text;
};
template <>
inline constexpr auto sake::rules<Signature> =
    sake::fields(sake::length(&Signature::name, 1, 60), sake::length(&Signature::text, 1, 2000));

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// 128 random bits as hex digits: nobody guesses them.
std::string random_name() {
    std::random_device random;
    std::string name;
    for (int i = 0; i < 32; ++i) name += "0123456789abcdef"[random() % 16];
    return name;
}

/// All functions may be called on any thread.
class Book {
  public:
    explicit Book(const fs::path& folder) : file_(folder / "guestbook.db"), pictures_(folder / "pictures") {
        fs::create_directories(pictures_);
        Statement(here(), "pragma journal_mode = wal").next();  // one may write while others read
        Statement(here(), R"(create table if not exists entries (
            id integer primary key autoincrement,
            name text not null, text text not null, picture text not null,
            time text not null default (strftime('%Y-%m-%d %H:%M', 'now'))))")
            .next();
    }

    /// The newest entries whose id is below `end`.
    std::vector<Entry> entries(std::int64_t end) const {
        constexpr const char* sql =
            "select id, name, text, time, picture from entries where id < ? order by id desc limit ?";
        Statement row(here(), sql, end, std::int64_t{entries_per_page});
        std::vector<Entry> found;
        while (row.next())
            found.push_back({row.number(0), row.text(1), row.text(2), row.text(3), row.text(4)});
        return found;
    }

    /// The id of the new entry. A picture gets a name of ours: what the visitor called it may be anything.
    std::int64_t add(const Signature& signature, const sake::Upload* upload, const char* extension) const {
        const std::string picture = upload == nullptr ? "" : random_name() + extension;
        if (upload != nullptr) upload->save((pictures_ / picture).string());
        try {
            constexpr const char* sql =
                "insert into entries (name, text, picture) values (?, ?, ?) returning id";
            Statement row(here(), sql, signature.name, signature.text, picture);
            std::int64_t id = 0;
            while (row.next()) id = row.number(0);
            return id;
        } catch (...) {
            if (upload != nullptr) remove_picture(picture);
            throw;
        }
    }

    void remove(std::int64_t id) const {
        Statement row(here(), "delete from entries where id = ? returning picture", id);
        std::string picture;
        while (row.next()) picture = row.text(0);
        if (!picture.empty()) remove_picture(picture);
    }

    std::string pictures() const { return pictures_.string(); }

  private:
    /// A file that stays behind is a line in the log, and no failure of the request.
    void remove_picture(const std::string& name) const {
        std::error_code error;
        fs::remove(pictures_ / name, error);
        if (error) std::fprintf(stderr, "%s stays behind: %s\n", name.c_str(), error.message().c_str());
    }

    /// The connection of this thread, so that nothing needs a lock. (There is one book in this program.)
    sqlite3* here() const {
        thread_local const Connection connection = open_database(file_.string());
        return connection.get();
    }

    const fs::path file_, pictures_;
};

/// The kind of a picture by its first bytes. Its name and its type say whatever the visitor likes.
const char* extension_of(std::string_view beginning) {
    if (beginning.starts_with("\x89PNG\r\n\x1a\n")) return ".png";
    if (beginning.starts_with("\xff\xd8\xff")) return ".jpg";
    if (beginning.starts_with("GIF87a") || beginning.starts_with("GIF89a")) return ".gif";
    if (beginning.starts_with("RIFF") && beginning.substr(8) == "WEBP") return ".webp";
    throw HttpError(415, "the picture must be a PNG, JPEG, GIF or WebP file");
}

// ---- Middleware of this application ----

bool is_moderator(Context& ctx) { return ctx.session().value("is_moderator", false); }

void let_moderators_pass(Context& ctx) {
    if (!is_moderator(ctx)) throw HttpError(403, "only the moderator may do this: log in first");
}

/// Sessions stay on the reactor, so a worker route is told what it has to know.
void tell_who_asks(Context& ctx) { ctx.set("is_moderator", is_moderator(ctx)); }

/// Browsers get every error as a page, also a 413 or a 429 that no handler made. Programs get it as JSON.
void show_errors_as_pages(Context& ctx) {
    ctx.after([](Context& answered) {
        const bool is_problem = answered.response().content_type() == "application/problem+json";
        if (!is_problem || answered.header("Accept").find("text/html") == std::string_view::npos) return;
        const sake::Json problem = sake::Json::parse(answered.response().body());
        const std::string title = problem.at("title"), detail = problem.value("detail", "");
        answered.html(page("<div class=\"card\"><h2>" + escaped(title) + "</h2><p>" + escaped(detail) +
                           "</p></div>\n<a href=\"/\">Back to the guestbook</a>\n"));
    });
}

std::string moderator_password() {
    const char* given = std::getenv("GUESTBOOK_PASSWORD");
    if (given != nullptr && *given != '\0') return given;
    const std::string made = random_name();
    std::printf("The moderator's password of this run is %s\n", made.c_str());
    std::fflush(stdout);
    return made;
}

// ---- The application ----

int main(int argc, char** argv) {
    const Book book(argc > 2 ? argv[2] : "guestbook-data");
    const auto is_password = [secret = moderator_password()](std::string_view sent) {
        return sake::equal_in_constant_time(sent, secret);
    };
    sake::Hub hub;
    sake::Engine app({.max_body = 16 * 1024});

    // For every request, also those that are refused. Behind a proxy, middleware::trusted_proxies comes
    // first.
    app.use(middleware::request_id());
    app.use(middleware::logger());
    app.use(middleware::security_headers(
        {.content_security_policy =
             "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
             "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}));
    app.use(show_errors_as_pages);
    app.use(middleware::csrf());
    app.use(middleware::sessions());

    app.static_files("/assets", sake::embed({{"style.css", style}, {"live.js", script}, {"icon.svg", icon}}));
    app.static_files("/pictures", book.pictures(), {.cache_control = "max-age=3600"});
    app.get("/events", [&](Context& ctx) { return hub.serve(ctx, "entries"); });

    // Reading waits for nothing but the database: a worker route.
    const auto show_entries = [&](Context& ctx) {
        const auto end = ctx.query<std::int64_t>("before", std::numeric_limits<std::int64_t>::max());
        ctx.html(html_of(book.entries(end), ctx.get<bool>("is_moderator")));
    };
    app.get("/", show_entries).use(tell_who_asks).worker();

    // Signing waits for an upload: a coroutine on the reactor. Only what blocks goes to another thread.
    const auto sign = [&](Context& ctx) -> sake::Task<> {
        const sake::Form& form = co_await ctx.read_form();
        const auto signature = ctx.form<Signature>();
        if (is_blank(signature.name) || is_blank(signature.text))
            throw HttpError(422, "a name and a text are more than spaces");
        const sake::Upload* picture = form.file("picture");
        const char* extension = "";
        if (picture != nullptr) {
            const std::string beginning = co_await picture->read(0, 12);
            extension = extension_of(beginning);
        }
        const auto id = co_await sake::background([&] { return book.add(signature, picture, extension); });
        hub.publish("entries", "signed");
        ctx.redirect("/#entry-" + std::to_string(id), 303);  // a GET, so that a reload does not sign again
    };
    app.post("/entries", sign)
        .use(middleware::rate_limit({.per_minute = 10, .burst = 10, .name = "entries"}))
        .stream_body()
        .max_body(4 * 1024 * 1024);

    // Guesses of the password, counted together with those at /metrics.
    const auto guesses = middleware::rate_limit({.per_minute = 20, .burst = 10, .name = "guesses"});
    auto moderator = app.group("/moderator");
    moderator.use(middleware::body_limit(1024));
    moderator.get("/", [](Context& ctx) { ctx.html(page(is_moderator(ctx) ? moderator_menu : login_form)); });

    const auto log_in = [is_password](Context& ctx) {
        if (!is_password(ctx.form().value("password"))) throw HttpError(403, "that is not the password");
        ctx.renew_session();  // so that an id which somebody has seen before is worth nothing
        ctx.session()["is_moderator"] = true;
        ctx.redirect("/", 303);
    };
    moderator.post("/login", log_in).use(guesses);

    moderator.post("/logout", [](Context& ctx) {
        ctx.end_session();
        ctx.redirect("/", 303);
    });

    const auto remove = [&](Context& ctx, std::int64_t id) {
        book.remove(id);
        hub.publish("entries", "deleted");  // on any thread
        ctx.redirect("/", 303);
    };
    moderator.post("/delete/:id", remove).use(let_moderators_pass).worker();

    // For the people who run it.
    app.health("/health");
    app.ready("/ready");
    const auto is_scraper = [is_password](std::string_view, std::string_view sent) {
        return is_password(sent);
    };
    app.metrics("/metrics").use(guesses).use(middleware::basic_auth("metrics", is_scraper));
    app.dashboard("/_sake", let_moderators_pass);

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
