// ctx.form(): urlencoded and multipart bodies as a Form, its limits, its uploads, and a TestClient that sends
// one.
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/reliability.hpp"
#include "support/temporary_directory.hpp"

namespace test_form {
namespace {

using harness::quiet_config;
using harness::with_client;
using sake::Context;
using sake::Form;
using sake::Json;
using sake::Task;
using sake::TestClient;
using sake::Upload;

/// All of a form, in words.
std::string described(const Form& form) {
    std::string text;
    for (const auto& [name, value] : form.fields()) text += name + "=" + value + "\n";
    for (const Upload& file : form.files()) {
        text.append(file.field()).append("@").append(file.filename()).append("(").append(file.content_type());
        text.append(")").append(file.bytes()).append("\n");
    }
    return text;
}
void describe(Context& ctx) { ctx.text(described(ctx.form())); }

void set_up(sake::Engine& app) {
    app.post("/", describe);
    app.post("/coroutine", [](Context& ctx) -> Task<> {
        co_await sake::yield();
        describe(ctx);
    });
    app.post("/worker", describe).worker();
    app.post("/read", [](Context& ctx) -> Task<> {
        Form& form = co_await ctx.read_form();
        ctx.text(described(form));
    });
}
constexpr const char* paths[] = {"/", "/coroutine", "/worker", "/read"};

constexpr const char* urlencoded = "application/x-www-form-urlencoded";
const char* const multipart = "multipart/form-data; boundary=b";

sake::http::Headers of_type(std::string_view type) { return {{"Content-Type", type}}; }

/// The detail of a refusal.
std::string detail_of(const sake::TestResponse& response) {
    return std::to_string(response.status) + " " + response.json()["detail"].get<std::string>();
}

std::string part(std::string_view disposition, std::string_view data) {
    return "--b\r\nContent-Disposition: form-data; " + std::string(disposition) + "\r\n\r\n" +
           std::string(data) + "\r\n";
}

}  // namespace

TEST_CASE("an input that was left empty is absent to a number or bool, and a checkbox is true") {
    sake::Engine app(quiet_config());
    app.post("/", [](Context& ctx) {
        const Form& form = ctx.form();
        ctx.json({{"count", form.value<int>("count", 7)},
                  {"is_gift", form.value<bool>("is_gift", false)},
                  {"name", form.value<std::string>("name", "nobody")}});
    });
    app.post("/required", [](Context& ctx) { ctx.json(ctx.form().value<int>("count")); });
    sake::TestClient client(app);
    const auto post = [&](const char* path, const char* body) {
        return client.request("POST", path, {{"Content-Type", "application/x-www-form-urlencoded"}}, body);
    };
    CHECK(post("/", "count=&is_gift=on&name=").body == R"({"count":7,"is_gift":true,"name":""})");
    CHECK(post("/", "count=3&is_gift=&name=Ann").body == R"({"count":3,"is_gift":false,"name":"Ann"})");
    CHECK(post("/", "count=x").status == 400);
    CHECK(post("/required", "count=").status == 400);
    CHECK(post("/required", "count=4").body == "4");
}

TEST_CASE("a urlencoded form is read as the WHATWG demands, in order and with repeats") {
    struct Row {
        const char* body;
        const char* fields;
    };
    const Row rows[] = {
        {"", ""},
        {"a=1", "a=1\n"},
        {"a=1&b=2&a=3", "a=1\nb=2\na=3\n"},
        {"a", "a=\n"},
        {"a=", "a=\n"},
        {"=1", "=1\n"},
        {"=", "=\n"},
        {"&&a=1&&", "a=1\n"},
        {"a=1;b=2", "a=1;b=2\n"},
        {"a=b=c", "a=b=c\n"},
        {"a+b=c+d%2B", "a b=c d+\n"},
        {"%61%20=%C3%A9%26%3D", "a =\xc3\xa9&=\n"},
        {"a=%&b=%4&c=%zz&d=%%41", "a=%\nb=%4\nc=%zz\nd=%A\n"},
        {"a=\r\nb\n", "a=\r\nb\n\n"},
    };
    with_client(set_up, [&](TestClient& client) {
        for (const Row& row : rows) {
            for (const char* path : paths) {
                INFO(path << " " << row.body);
                const auto response = client.post(path, row.body, of_type(urlencoded));
                CHECK(response.status == 200);
                CHECK(response.body == row.fields);
            }
        }
        CHECK(client.post("/", "a=1", of_type("Application/X-WWW-Form-URLencoded ; charset=UTF-8")).body ==
              "a=1\n");
    });
}

TEST_CASE("a multipart form is read with its files, in every kind of route") {
    const std::string body = part("name=\"a\"", "1") +
                             part("name=f; filename=\"\xc3\xa9.txt\"", "bytes\r\n--") + part("name=a", "2") +
                             "--b\r\nContent-Type: image/png\r\nContent-Disposition: form-data; name=f; "
                             "filename=\"../x\"\r\n\r\n\x89PNG\r\n--b--\r\n";
    with_client(set_up, [&](TestClient& client) {
        for (const char* path : paths) {
            const auto response = client.post(path, body, of_type(multipart));
            CHECK(response.status == 200);
            CHECK(response.body == "a=1\na=2\nf@\xc3\xa9.txt()bytes\r\n--\nf@../x(image/png)\x89PNG\n");
        }
        CHECK(client.post("/", "--b--", of_type(multipart)).body.empty());
        CHECK(client.post("/", "--a b--", of_type("Multipart/Form-Data; x=y; BOUNDARY=\"a b\"")).status ==
              200);
    });
}

TEST_CASE("a body that is no form is 415, and one that is malformed 400, in words") {
    with_client(set_up, [&](TestClient& client) {
        constexpr const char* wrong =
            "415 the body must be application/x-www-form-urlencoded or multipart/form-data";
        for (const char* path : paths) {
            for (const char* type : {"text/plain", "application/json", "multipart/mixed; boundary=b", "",
                                     "multipart/form-data2", "application/x-www-form-urlencoded2"}) {
                CHECK(detail_of(client.post(path, "a=1", of_type(type))) == wrong);
            }
            CHECK(detail_of(client.post(path)) == wrong);
            const auto type = [&](std::string_view parameters) {
                return detail_of(
                    client.post(path, "--b--", of_type("multipart/form-data" + std::string(parameters))));
            };
            CHECK(type("") == "400 the Content-Type of the form has no boundary");
            CHECK(type("; boundary=\"\"") == "400 the Content-Type of the form has no boundary");
            CHECK(type("; boundary=") == "400 the Content-Type of the form is malformed");
            CHECK(type("; boundary=a; boundary=b") == "400 the Content-Type of the form is malformed");
            CHECK(type("; boundary=\"b") == "400 the Content-Type of the form is malformed");
            CHECK(type("; boundary=\"b \"") ==
                  "400 the boundary of the form has a byte that is not allowed (boundary)");
            CHECK(type("; boundary=b@") ==
                  "400 the boundary of the form has a byte that is not allowed (boundary)");
            CHECK(detail_of(client.post(path, "--b", of_type(multipart))) ==
                  "400 the body ends before its last boundary");
        }
    });
}

TEST_CASE("L1 a boundary has at most 70 bytes") {
    with_client(set_up, [&](TestClient& client) {
        for (const std::size_t size : {1U, 69U, 70U, 71U}) {
            const std::string boundary(size, 'x');
            const auto response = client.post("/", "--" + boundary + "--",
                                              of_type("multipart/form-data; boundary=" + boundary));
            CHECK(response.status == (size <= 70 ? 200 : 400));
            if (size > 70) {
                CHECK(detail_of(response) ==
                      "400 the boundary of the form is longer than 70 bytes (boundary)");
            }
        }
    });
}

TEST_CASE("L1 every limit of a form is a setting, and its name is in the answer") {
    const auto parts = [](std::size_t count) {
        std::string body;
        for (std::size_t i = 0; i < count; ++i) body += part("name=a", "1");
        return body + "--b--";
    };
    const auto files = [](std::size_t count) {
        std::string body;
        for (std::size_t i = 0; i < count; ++i) body += part("name=a; filename=b", "1");
        return body + "--b--";
    };
    const auto field = [](std::size_t size) { return part("name=a", std::string(size, 'x')) + "--b--"; };
    const auto pairs = [](std::size_t count) {
        std::string body;
        for (std::size_t i = 0; i < count; ++i) body += "a=1&";
        return body;
    };
    const auto value = [](std::size_t size) { return "a=" + std::string(size, '+'); };
    const auto name = [](std::size_t size) { return std::string(size, '+') + "=a"; };
    const auto status = [](TestClient& client, const char* type, const std::string& body) {
        const auto response = client.post("/", body, of_type(type));
        return response.status == 200 ? "200" : detail_of(response);
    };
    const auto config = quiet_config()
                            .with_max_form_parts(5)
                            .with_max_form_files(3)
                            .with_max_form_field(7)
                            .with_max_form_pairs(4);
    const auto check = [&](const char* path, TestClient& client) {
        INFO(path);
        CHECK(status(client, multipart, parts(4)) == "200");
        CHECK(status(client, multipart, parts(5)) == "200");
        CHECK(status(client, multipart, parts(6)) == "413 the form has more than 5 parts (max_form_parts)");
        CHECK(status(client, multipart, files(2)) == "200");
        CHECK(status(client, multipart, files(3)) == "200");
        CHECK(status(client, multipart, files(4)) == "413 the form has more than 3 files (max_form_files)");
        const std::string large = "413 a field of the form is larger than 7 bytes (max_form_field)";
        CHECK(status(client, multipart, field(6)) == "200");
        CHECK(status(client, multipart, field(7)) == "200");
        CHECK(status(client, multipart, field(8)) == large);
        CHECK(status(client, urlencoded, value(7)) == "200");
        CHECK(status(client, urlencoded, value(8)) == large);
        CHECK(status(client, urlencoded, name(7)) == "200");
        CHECK(status(client, urlencoded, name(8)) == large);
        CHECK(status(client, urlencoded, pairs(3)) == "200");
        CHECK(status(client, urlencoded, pairs(4)) == "200");
        CHECK(status(client, urlencoded, pairs(5)) == "413 the form has more than 4 pairs (max_form_pairs)");
    };
    with_client([](sake::Engine& app) { app.post("/", describe); },
                [&](TestClient& client) { check("reactor", client); }, config);
    with_client([](sake::Engine& app) { app.post("/", describe).worker(); },
                [&](TestClient& client) { check("worker", client); }, config);
    with_client([](sake::Engine& app) { app.post("/", describe).max_body(10'000'000); },
                [&](TestClient& client) {
                    CHECK(status(client, multipart, parts(1000)) == "200");
                    CHECK(status(client, multipart, parts(1001)) ==
                          "413 the form has more than 1000 parts (max_form_parts)");
                    CHECK(status(client, multipart, files(100)) == "200");
                    CHECK(status(client, multipart, files(101)) ==
                          "413 the form has more than 100 files (max_form_files)");
                    CHECK(status(client, multipart, field(65536)) == "200");
                    CHECK(status(client, multipart, field(65537)) ==
                          "413 a field of the form is larger than 65536 bytes (max_form_field)");
                    CHECK(status(client, urlencoded, pairs(10'000)) == "200");
                    CHECK(status(client, urlencoded, pairs(10'001)) ==
                          "413 the form has more than 10000 pairs (max_form_pairs)");
                });
}

TEST_CASE("a form gives its fields by one rule of absence") {
    with_client(
        [](sake::Engine& app) {
            app.post("/", [](Context& ctx) {
                const Form& form = ctx.form();
                CHECK(form.value("a") == "1");
                CHECK(form.value("absent").empty());
                CHECK(form.value("absent", "else") == "else");
                CHECK(form.value("a", "else") == "1");
                CHECK(form.value("empty", "else").empty());
                CHECK(form.values("a") == std::vector<std::string_view>{"1", "2"});
                CHECK(form.values("absent").empty());
                CHECK(form.find_value("absent") == std::nullopt);
                CHECK(form.value<int>("a") == 1);
                CHECK(form.value<int>("absent", 7) == 7);
                CHECK(form.fields().size() == 3);
                CHECK(form.file("a") == nullptr);
                CHECK(form.files("f").size() == 2);
                CHECK(form.files("absent").empty());
                CHECK(form.file("f")->filename() == "1.txt");
                CHECK(form.files("f")[1]->filename() == "2.txt");
                CHECK(form.files().size() == 2);
                ctx.text(std::to_string(form.value<int>(ctx.query("which"))));
            });
        },
        [](TestClient& client) {
            Form form;
            form.add("a", "1").add("empty", "").add("a", "2");
            form.add_file("f", "1.txt", "x").add_file("f", "2.txt", "");
            CHECK(client.post("/?which=a", form).body == "1");
            CHECK(detail_of(client.post("/?which=absent", form)) == "400 form field 'absent' is missing");
            CHECK(detail_of(client.post("/?which=empty", form)) == "400 form field 'empty' is missing");
        });
}

TEST_CASE("where a browser sends a part because no file was chosen, there is no file") {
    with_client(set_up, [](TestClient& client) {
        const auto body = [&](std::string_view filename, std::string_view data) {
            return client
                .post("/", part("name=f; filename=\"" + std::string(filename) + "\"", data) + "--b--",
                      of_type(multipart))
                .body;
        };
        CHECK(body("", "").empty());
        CHECK(body("a", "") == "f@a()\n");
        CHECK(body("", "x") == "f@()x\n");
    });
}

TEST_CASE("a form is read once for each request, and its files stay where the body is") {
    with_client(
        [](sake::Engine& app) {
            app.use([](Context& ctx) {
                if (ctx.path() == "/_ping") return;
                ctx.set("first", reinterpret_cast<std::uintptr_t>(&ctx.form()));
            });
            const auto handler = [](Context& ctx) {
                const Form& form = ctx.form();
                const std::string_view bytes = form.file("f")->bytes();
                const std::string_view body = ctx.body();
                CHECK(bytes.data() >= body.data());
                CHECK(bytes.data() + bytes.size() <= body.data() + body.size());
                CHECK(&form == &ctx.form());
                ctx.text(ctx.get<std::uintptr_t>("first") == reinterpret_cast<std::uintptr_t>(&form)
                             ? "same"
                             : "other");
            };
            app.post("/", handler);
            app.post("/coroutine", [handler](Context& ctx) -> Task<> {
                const std::string_view before = ctx.form().file("f")->bytes();
                co_await sake::sleep(std::chrono::hours(1) / 1000);
                CHECK(before.data() == ctx.form().file("f")->bytes().data());
                CHECK(before == std::string(100'000, 'x'));
                handler(ctx);
            });
        },
        [](TestClient& client) {
            Form form;
            form.add_file("f", "a", std::string(100'000, 'x'));
            for (int i = 0; i < 3; ++i) {
                CHECK(client.post("/", form).body == "same");
                CHECK(client.post("/coroutine", form).body == "same");
            }
        });
}

TEST_CASE("an upload is saved under a safe name, never over another, and read in pieces") {
    const harness::TemporaryDirectory directory;
    with_client(
        [&](sake::Engine& app) {
            const auto save = [&](Context& ctx) {
                const Upload& file = *ctx.form().file("f");
                try {
                    file.save(directory.path(file.safe_name()));
                    ctx.text("saved");
                } catch (const std::system_error& error) {
                    ctx.text(409, error.code() == std::errc::file_exists ? "exists" : error.what());
                }
            };
            app.post("/", save);
            app.post("/worker", save).worker();
            app.post("/async", [&](Context& ctx) -> Task<> {
                const Upload& file = *ctx.form().file("f");
                std::string all;
                for (;;) {
                    const std::string piece = co_await file.read(all.size(), 3);
                    if (piece.empty()) break;
                    all += piece;
                }
                co_await file.save_async(directory.path("async"));
                ctx.text(all);
            });
        },
        [&](TestClient& client) {
            Form form;
            form.add_file("f", "../../x.txt", "content");
            CHECK(client.post("/", form).body == "saved");
            CHECK(directory.content("x.txt") == "content");
            CHECK(client.post("/", form).body == "exists");
            CHECK(client.post("/worker", form).body == "exists");
            Form other;
            other.add_file("f", "y.txt", "");
            CHECK(client.post("/worker", other).body == "saved");
            CHECK(directory.content("y.txt").empty());
            CHECK(client.post("/async", form).body == "content");
            CHECK(directory.content("async") == "content");
        });
}

struct Note {
    std::string text;
    int stars = 0;
    double weight = 0;
    bool is_done = false;
    std::vector<std::string> tags;
    std::vector<int> ids;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(Note, text, stars, weight, is_done, tags, ids)
};
struct Login {
    std::string name;
    unsigned pin = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Login, name, pin)
};

TEST_CASE("form<T> fills a type of the program, with the errors of bind<T>") {
    with_client(
        [](sake::Engine& app) {
            app.post("/note", [](Context& ctx) { ctx.json(ctx.form<Note>()); });
            app.post("/login", [](Context& ctx) { ctx.json(ctx.form<Login>()); });
            app.post("/bound", [](Context& ctx) { ctx.json(ctx.bind<Login>()); });
            app.post("/values", [](Context& ctx) { ctx.json(ctx.form().value<int>("count")); });
            app.post("/streamed",
                     [](Context& ctx) -> sake::Task<> {
                         Form& form = co_await ctx.read_form();
                         ctx.json(form.value<int>("count"));
                     })
                .stream_body();
            app.post("/query", [](Context& ctx) { ctx.json(ctx.query<int>("count")); });
        },
        [](TestClient& client) {
            const auto note = [&](const char* body) {
                return client.post("/note", body, of_type(urlencoded));
            };
            const Json full =
                note("text=1&stars=-5&weight=1.5&is_done=on&tags=1&tags=b&ids=3&ids=4&more=x").json();
            CHECK(full == Json{{"text", "1"},
                               {"stars", -5},
                               {"weight", 1.5},
                               {"is_done", true},
                               {"tags", {"1", "b"}},
                               {"ids", {3, 4}}});
            CHECK(note("").json() == Json(Note()));
            CHECK(note("tags=1").json()["tags"] == Json{"1"});
            CHECK(note("stars=1&stars=2").json()["stars"] == 1);
            CHECK(note("is_done=false").json()["is_done"] == false);
            CHECK(detail_of(note("stars=many")) == "422 form: /stars type must be number, but is string");
            CHECK(note("stars=").json() == Json(Note()));
            CHECK(detail_of(note("is_done=perhaps")) ==
                  "422 form: /is_done type must be boolean, but is string");
            CHECK(detail_of(note("ids=1&ids=x")) == "422 form: /ids type must be number, but is string");
            const auto same = [&](const char* form, const Json& json) {
                const std::string detail = detail_of(client.post("/login", form, of_type(urlencoded)));
                // The same words, of another thing.
                std::string bound = detail_of(client.post("/bound", json));
                const std::string_view of_json = "422 body: ";
                REQUIRE(bound.starts_with(of_json));
                CHECK(detail == "422 form: " + bound.substr(of_json.size()));
                return detail;
            };
            CHECK(same("name=a", {{"name", "a"}}) == "422 form: /pin is missing");
            const char* const at_pin = "422 form: /pin ";
            CHECK(same("name=a&pin=x", {{"name", "a"}, {"pin", "x"}}).starts_with(at_pin));
            CHECK(same("name=a&pin=-1", {{"name", "a"}, {"pin", -1}}).starts_with(at_pin));
            CHECK(same("name=a&pin=1.5", {{"name", "a"}, {"pin", 1.5}}).starts_with(at_pin));
            CHECK(same("name=a&pin=1e300", {{"name", "a"}, {"pin", 1e300}}).starts_with(at_pin));
            CHECK(client.post("/login", "name=a&pin=7", of_type(urlencoded)).json() ==
                  Json{{"name", "a"}, {"pin", 7}});
            CHECK(client.post("/login", "{}", of_type("application/json")).status == 415);
            for (const char* one_by_one : {"/values", "/streamed"}) {
                CHECK(detail_of(client.post(one_by_one, "count=x", of_type(urlencoded))) ==
                      "400 form field 'count' is not an integer in range");
                CHECK(detail_of(client.post(one_by_one, "a=1", of_type(urlencoded))) ==
                      "400 form field 'count' is missing");
            }
            CHECK(detail_of(client.post("/query?count=x")) ==
                  "400 query parameter 'count' is not an integer in range");
            CHECK(detail_of(client.post("/query")) == "400 query parameter 'count' is missing");
        });
}

TEST_CASE(
    "a TestClient sends a form as urlencoded, or as multipart if it has files, and it arrives as it is") {
    with_client(set_up, [](TestClient& client) {
        std::string all;
        for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
        Form form;
        form.add("a", "1").add("", "").add("a", "2").add("name with spaces & = + % ~ *", all).add(all, "x");
        std::string expected = "a=1\n=\na=2\nname with spaces & = + % ~ *=" + all + "\n" + all + "=x\n";
        for (const char* path : paths) CHECK(client.post(path, form).body == expected);

        Form files;
        const std::string name = "a\"b\r\nc;d/\xc3\xa9\xff.txt";
        files.add(name, all)
            .add_file("f", name, all + "\r\n------sake-form-0--", "text/x; y=z")
            .add_file(name, "", "x", "");
        expected = name + "=" + all + "\nf@" + name + "(text/x; y=z)" + all + "\r\n------sake-form-0--\n" +
                   name + "@()x\n";
        for (const char* path : paths) CHECK(client.post(path, files).body == expected);
        CHECK(client.post("/", Form()).body.empty());
        CHECK(client.put("/", form).status == 405);
    });
}

TEST_CASE("a form is refused again if it is asked for again") {
    with_client(
        [](sake::Engine& app) {
            app.post("/", [](Context& ctx) {
                int refusals = 0;
                for (int i = 0; i < 2; ++i) {
                    try {
                        static_cast<void>(ctx.form());
                    } catch (const sake::HttpError&) {
                        ++refusals;
                    }
                }
                ctx.text(std::to_string(refusals));
            });
        },
        [](TestClient& client) { CHECK(client.post("/", "--b", of_type(multipart)).body == "2"); });
}

}  // namespace test_form
