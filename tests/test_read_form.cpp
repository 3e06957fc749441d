// ctx.read_form(): a form that is read while it comes, with large files in temporary files, of which nothing
// is left whatever ends the request.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/dice.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"
#include "support/temporary_directory.hpp"

namespace test_read_form {
namespace {

using namespace std::chrono_literals;
using harness::pattern_bytes;
using harness::quiet_config;
using harness::RawClient;
using harness::TestServer;
using harness::with_client;
using harness::with_server;
using sake::Context;
using sake::Form;
using sake::Task;
using sake::TestClient;
using sake::Upload;
namespace http = sake::http;

constexpr std::size_t kib = 1024;
const std::string multipart_type = "multipart/form-data; boundary=b";

std::string part(std::string_view disposition, std::string_view data) {
    return "--b\r\nContent-Disposition: form-data; " + std::string(disposition) + "\r\n\r\n" +
           std::string(data) + "\r\n";
}
std::string file_part(std::string_view data) { return part("name=f; filename=x", data); }
sake::http::Headers of_type(std::string_view type) { return {{"Content-Type", type}}; }

std::string detail_of(const sake::TestResponse& response) {
    return std::to_string(response.status) + " " + response.json()["detail"].get<std::string>();
}

/// Sizes of fields and files, "m" for those in memory and "t" for those in temporary files, and the content
/// of all.
Task<> describe(Context& ctx) {
    Form& form = co_await ctx.read_form();
    std::string text;
    for (const auto& [name, value] : form.fields()) text += name + "=" + std::to_string(value.size()) + " ";
    std::size_t wrong = 0;
    for (const Upload& file : form.files()) {
        text += (file.is_in_memory() ? "m" : "t") + std::to_string(file.size()) + " ";
        std::string all;
        for (;;) {
            const std::string piece = co_await file.read(all.size(), 100'000);
            if (piece.empty()) break;
            all += piece;
        }
        if (all != pattern_bytes(file.size())) ++wrong;
    }
    if (wrong > 0) text += "wrong";
    ctx.text(text);
}

void set_up(sake::Engine& app) {
    app.post("/", describe).stream_body().max_body(100'000'000);
    app.post("/whole", describe).max_body(100'000'000);
}

std::string request(std::string_view body, std::string_view path = "/") {
    return harness::post_request(path, body, "Content-Type: " + multipart_type + "\r\n");
}

/// Files of this process grow to 400 kB at most.
class SmallFiles {
  public:
    SmallFiles() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
        rlimit small = before_;
        small.rlim_cur = 400'000;
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    }
    ~SmallFiles() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    SmallFiles(const SmallFiles&) = delete;
    SmallFiles& operator=(const SmallFiles&) = delete;

  private:
    void (*handler_)(int);
    rlimit before_{};
};

}  // namespace

TEST_CASE("a form that comes in pieces is the same as one that is whole") {
    with_client(set_up, [](TestClient& client) {
        const std::string bodies[] = {
            "--b--",
            part("name=a", "1") + "--b--",
            part("name=a", "1") + file_part(pattern_bytes(1000)) + part("name=b", "") + "--b--\r\nepilogue",
            file_part("") + file_part(pattern_bytes(100'000)) + "--b--",
        };
        for (const std::string& body : bodies) {
            const std::string whole = client.post("/whole", body, of_type(multipart_type)).body;
            CHECK(client.post("/", body, of_type(multipart_type)).body == whole);
            sake::TestConnection connection = client.connect();
            connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: " +
                            multipart_type + "\r\n\r\n");
            for (std::size_t at = 0; at < body.size(); at += 777) {
                std::string chunk;
                sake::detail::http1::append_chunk(chunk, std::string_view(body).substr(at, 777));
                connection.send(chunk);
            }
            connection.send("0\r\n\r\n");
            CHECK(connection.response().body == whole);
        }
        for (const char* body : {"", "a=1&b=22&a=", "a=%41%42"}) {
            const auto type = of_type("application/x-www-form-urlencoded");
            CHECK(client.post("/", body, type).body == client.post("/whole", body, type).body);
        }
    });
}

TEST_CASE("L1 a file above form_memory is in a temporary file, and one of that size in memory") {
    with_client(set_up, [](TestClient& client) {
        const auto sizes = [&](std::string_view path, std::vector<std::size_t> of_files) {
            std::string body;
            for (const std::size_t size : of_files) body += file_part(pattern_bytes(size));
            return client.post(path, body + "--b--", of_type(multipart_type)).body;
        };
        CHECK(sizes("/", {256 * kib - 1}) == "m262143 ");
        CHECK(sizes("/", {256 * kib}) == "m262144 ");
        CHECK(sizes("/", {256 * kib + 1}) == "t262145 ");
        CHECK(sizes("/", {1, 3'000'000, 2}) == "m1 t3000000 m2 ");
        CHECK(sizes("/whole", {300'000}) == "m300000 ");
        // All that are in memory together are no more than four times that.
        CHECK(sizes("/", {200'000, 200'000, 200'000, 200'000, 200'000, 200'000, 10, 100'000}) ==
              "t200000 t200000 m200000 m200000 m200000 m200000 m10 m100000 ");
    });
    with_client(
        set_up,
        [](TestClient& client) {
            const auto body = [](std::string_view data) { return file_part(data) + "--b--"; };
            CHECK(client.post("/", body(""), of_type(multipart_type)).body == "m0 ");
            CHECK(client.post("/", body(pattern_bytes(1)), of_type(multipart_type)).body == "t1 ");
        },
        quiet_config().with_form_memory(0));
}

TEST_CASE("a file in a temporary file says how to get at it, and is saved as any other") {
    const harness::TemporaryDirectory directory;
    with_client(
        [&](sake::Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         Form& form = co_await ctx.read_form();
                         const Upload& file = *form.file("f");
                         try {
                             static_cast<void>(file.bytes());
                         } catch (const std::logic_error& error) {
                             ctx.text(error.what());
                         }
                         file.save(directory.path("now"));
                         co_await file.save_async(directory.path("later"));
                         Form& again = co_await ctx.read_form();
                         CHECK(&again == &form);
                         CHECK(&ctx.form() == &form);
                         const std::string end = co_await file.read(file.size() - 3);
                         CHECK(end == pattern_bytes(300'000).substr(299'997));
                         bool threw = false;
                         try {
                             co_await file.save_async(directory.path("now"));
                         } catch (const std::system_error& error) {
                             threw = error.code() == std::errc::file_exists;
                         }
                         CHECK(threw);
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            const auto response =
                client.post("/", file_part(pattern_bytes(300'000)) + "--b--", of_type(multipart_type));
            CHECK(response.body ==
                  "Upload::bytes: this file is in a temporary file, because it is larger than "
                  "Config::form_memory; "
                  "keep it with save(path), or read its pieces with co_await upload.read(offset, most)");
            CHECK(directory.content("now") == pattern_bytes(300'000));
            CHECK(directory.content("later") == pattern_bytes(300'000));
        });
}

TEST_CASE("when the memory of a form is full, its largest file goes to a temporary file") {
    with_client(set_up, [](TestClient& client) {
        std::string body;
        std::string expected = "t262144 m262144 m262144 m262144 ";
        for (int i = 0; i < 4; ++i) body += file_part(pattern_bytes(256 * kib));
        for (int i = 0; i < 90; ++i) {
            body += file_part(pattern_bytes(4));
            expected += "m4 ";
        }
        CHECK(client.post("/", body + "--b--", of_type(multipart_type)).body == expected);
    });
}

TEST_CASE("a streamed form that would exceed max_buffered is refused for now, and its memory is given back") {
    sake::LogSink log = [](sake::LogLevel, std::string_view) {};
    sake::detail::Budget budget(1000, log);
    sake::detail::BudgetShare other(budget);
    REQUIRE(other.resize(400));
    const sake::detail::CallLimits limits;
    for (const std::string& body : {file_part(pattern_bytes(700)), part("name=a", pattern_bytes(700))}) {
        sake::detail::BudgetShare memory(budget);
        sake::detail::FormReader<> reader(multipart_type, limits);
        std::size_t held = 0;
        reader.count_in(memory, held);
        std::string_view piece = body;
        try {
            static_cast<void>(reader.take(piece));
            FAIL("taken");
        } catch (const sake::HttpError& error) {
            CHECK(error.status() == 503);
        }
    }
    CHECK(budget.used() == 400);
}

TEST_CASE("a want of descriptors is a 503 and a full disk a 507, each with a line in the log") {
    struct Want {
        const char* call;
        int error;
        int status;
    };
    for (const Want& want :
         {Want{"open", EMFILE, 503}, Want{"open", ENFILE, 503}, Want{"open", ENOMEM, 503},
          Want{"open", ENOSPC, 507}, Want{"write", ENOMEM, 503}, Want{"write", ENOSPC, 507},
          Want{"write", EDQUOT, 507}, Want{"write", EIO, 500}, Want{"open", EACCES, 500}}) {
        CAPTURE(want.call);
        CAPTURE(want.error);
        const harness::TemporaryDirectory directory;
        std::vector<std::string> lines;
        lines.reserve(100);
        const auto config =
            quiet_config()
                .with_temporary_directory(directory.path())
                .with_log([&](sake::LogLevel, std::string_view line) { lines.emplace_back(line); });
        sake::Engine app(config);
        set_up(app);
        TestClient client(app);
        const std::string body = file_part(pattern_bytes(300 * kib)) + "--b--";
        {
            // The first write of another thread is that of the file; those that follow wake the loop.
            const std::uint64_t count = want.call == std::string_view("open") ? 1000 : 1;
            const harness::ScopedFaults faults(
                harness::FaultPlan().fail_range(want.call, 1, count, want.error));
            const harness::faults::AllOtherThreads all;
            const sake::TestResponse response = client.post("/", body, of_type(multipart_type));
            CHECK(response.status == want.status);
            CHECK(response.headers.contains("Retry-After") == (want.status == 503));
            CHECK(response.body.find(directory.path()) == std::string::npos);
        }
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].starts_with("POST / failed in POST / ("));
        CHECK(lines[0].ends_with(": a temporary file in " + directory.path() + ": " +
                                 std::system_category().message(want.error)));
        CHECK(client.post("/", body, of_type(multipart_type)).status == 200);  // there is room again
        CHECK(directory.is_empty());
    }
}

TEST_CASE("L3 a streamed form for which max_buffered has no room is a 503, and one that is alone is let in") {
    const std::string body =
        file_part(pattern_bytes(250 * kib)) + part("name=a", pattern_bytes(60 * kib)) + "--b--";
    with_client(
        set_up,
        [&](TestClient& client) {
            for (int round = 0; round < 2; ++round) {
                CHECK(client.post("/", body, of_type(multipart_type)).body == "a=61440 m256000 ");
                sake::TestConnection other = client.connect();
                other.send("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n" +
                           std::string(140'000, 'x'));
                client.advance(0s);
                const sake::TestResponse response = client.post("/", body, of_type(multipart_type));
                CHECK(response.status == 503);
                CHECK(response.header("Retry-After") == "1");
                other.close();
                client.advance(0s);
            }
            // Two at a time: the first is let in, since it is alone, and the second finds no room.
            sake::TestConnection first = client.connect();
            const std::string whole = request(body);
            first.send(whole.substr(0, whole.size() - 10));
            client.advance(0s);
            CHECK(client.post("/", body, of_type(multipart_type)).status == 503);
            first.send(whole.substr(whole.size() - 10));
            CHECK(first.response("POST").body == "a=61440 m256000 ");
            // While the first keeps its connection, it holds nothing more.
            CHECK(client.post("/", body, of_type(multipart_type)).body == "a=61440 m256000 ");
        },
        quiet_config().with_max_buffered(300'000));
}

TEST_CASE("on a route with stream_body, ctx.form() says what to do before the form is read") {
    with_client(
        [&](sake::Engine& app) {
            app.post("/",
                     [](Context& ctx) -> Task<> {
                         std::string text;
                         try {
                             static_cast<void>(ctx.form());
                         } catch (const std::logic_error& error) {
                             text = error.what();
                         }
                         Form& form = co_await ctx.read_form();
                         ctx.text(text + " " + std::string(form.value("a")));
                     })
                .stream_body();
        },
        [](TestClient& client) {
            Form form;
            form.add("a", "1");
            CHECK(client.post("/", form).body ==
                  "ctx.form: the route has stream_body(), so its form is read by co_await ctx.read_form() 1");
        });
}

TEST_CASE("a task left behind in read_form is told that the handler has ended, and touches nothing of it") {
    enum class Begins : std::uint8_t { at_once, made_in_time, late };
    const auto read = [](Task<Form&> made, std::string& said) -> Task<> {
        try {
            static_cast<void>(co_await std::move(made));
            said = "read";
        } catch (const std::exception& error) {
            said = error.what();
        }
    };
    const auto read_late = [](Context& ctx, std::string& said) -> Task<> {
        co_await sake::sleep(10s);
        try {
            static_cast<void>(co_await ctx.read_form());
        } catch (const std::exception& error) {
            said = error.what();
        }
    };
    const auto wait_and_read = [](Task<Form&> made, std::string& said, auto then) -> Task<> {
        co_await sake::sleep(10s);
        co_await then(std::move(made), said);
    };
    const std::string fields = part("name=a", "1");
    const std::string large = fields + file_part(pattern_bytes(600'000));
    for (const Begins begins : {Begins::at_once, Begins::made_in_time, Begins::late}) {
        for (const std::string& body : {std::string(), fields, large}) {
            for (const bool leaves : {false, true}) {
                // A spill may be on its way, or over, when the handler ends.
                for (int turns = 1; turns <= (begins == Begins::at_once && !leaves ? 12 : 1); ++turns) {
                    CAPTURE(static_cast<int>(begins));
                    CAPTURE(body.size());
                    CAPTURE(leaves);
                    CAPTURE(turns);
                    std::string said;
                    said.reserve(200);
                    const auto setup = [&](sake::Engine& app) {
                        set_up(app);
                        app.post("/left",
                                 [&](Context& ctx) -> Task<> {
                                     if (begins == Begins::at_once) {
                                         sake::spawn(read, ctx.read_form(), std::ref(said)).detach();
                                     } else if (begins == Begins::made_in_time) {
                                         sake::spawn(wait_and_read, ctx.read_form(), std::ref(said), read)
                                             .detach();
                                     } else {
                                         sake::spawn(read_late, std::ref(ctx), std::ref(said)).detach();
                                     }
                                     for (int i = 0; i < turns; ++i) co_await sake::yield();
                                     if (leaves) co_await sake::sleep(1h);
                                     ctx.text("left");
                                 })
                            .stream_body()
                            .max_body(100'000'000);
                    };
                    with_client(setup, [&](TestClient& client) {
                        sake::TestConnection connection = client.connect();
                        connection.send(
                            "POST /left HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n"
                            "Content-Type: " +
                            multipart_type + "\r\n\r\n" + body);
                        client.advance(0s);
                        if (leaves) connection.close();
                        client.advance(0s);
                        const auto type = of_type("application/x-www-form-urlencoded");
                        if (begins != Begins::late) CHECK(client.post("/", "a=1", type).body == "a=1 ");
                        client.advance(20s);
                    });
                    CHECK(said == "the handler has ended, and with it the request and its answer");
                }
            }
        }
    }
}

TEST_CASE("a streamed form is refused while it comes, with the name of the limit, and the client reads it") {
    const auto config =
        quiet_config().with_max_form_field(1000).with_max_form_parts(50).with_max_form_files(2);
    with_client(
        set_up,
        [](TestClient& client) {
            const auto detail = [&](std::string_view body, std::string_view type = multipart_type) {
                return detail_of(client.post("/", body, of_type(type)));
            };
            const auto fields = [](std::size_t count, std::size_t size) {
                std::string body;
                for (std::size_t i = 0; i < count; ++i) body += part("name=a", std::string(size, 'x'));
                return body + "--b--";
            };
            CHECK(detail(fields(1, 1001)) ==
                  "413 a field of the form is larger than 1000 bytes (max_form_field)");
            CHECK(detail(fields(51, 1)) == "413 the form has more than 50 parts (max_form_parts)");
            CHECK(detail(file_part("1") + file_part("2") + file_part("3")) ==
                  "413 the form has more than 2 files (max_form_files)");
            const std::string together =
                "413 the fields of the form are larger than 16000 bytes together (16 times max_form_field)";
            CHECK(client.post("/", fields(16, 999), of_type(multipart_type)).status == 200);
            CHECK(detail(fields(16, 1000)) == together);
            CHECK(detail("a=" + std::string(20'000, 'x'), "application/x-www-form-urlencoded") == together);
            CHECK(detail("--b") == "400 the body ends before its last boundary");
            CHECK(detail("--b--", "text/plain") ==
                  "415 the body must be application/x-www-form-urlencoded or multipart/form-data");
            CHECK(detail("--bx" + std::string(1'000'000, 'x')) ==
                  "400 a boundary is not followed by a line end");
        },
        config);
    with_client(
        [](sake::Engine& app) { app.post("/", describe).stream_body().max_body(400'000); },
        [](TestClient& client) {
            const std::string body = file_part(pattern_bytes(500'000)) + "--b--";
            const std::string large = "413 the body is larger than 400000 bytes";
            CHECK(detail_of(client.post("/", body, of_type(multipart_type))).starts_with(large));
            sake::TestConnection connection = client.connect();
            connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: " +
                            multipart_type + "\r\n\r\n");
            std::string chunk;
            sake::detail::http1::append_chunk(chunk, body);
            connection.send(chunk.substr(0, 400'100));
            CHECK(detail_of(connection.response()).starts_with(large));
        });
}

TEST_CASE("L2 a body limit gives the same status for a form of either kind, whole or streamed") {
    with_client(
        [](sake::Engine& app) {
            app.post("/plain", [](Context& ctx) { ctx.text(std::to_string(ctx.form().fields().size())); });
            app.post("/coroutine", describe);
            app.post("/worker", describe).worker();
            app.post("/streamed", describe).stream_body();
        },
        [](TestClient& client) {
            for (const char* path : {"/plain", "/coroutine", "/worker", "/streamed"}) {
                for (const std::size_t size : {999U, 1000U, 1001U}) {
                    INFO(path << " " << size);
                    const int expected = size <= 1000 ? 200 : 413;
                    const std::string frame = part("name=a", "") + "--b--";
                    const std::string multipart =
                        part("name=a", std::string(size - frame.size(), 'x')) + "--b--";
                    const std::string pairs = "a=" + std::string(size - 2, 'x');
                    const auto urlencoded = of_type("application/x-www-form-urlencoded");
                    CHECK(client.post(path, multipart, of_type(multipart_type)).status == expected);
                    CHECK(client.post(path, pairs, urlencoded).status == expected);
                    for (const std::string& body : {multipart, pairs}) {
                        std::string chunked;
                        sake::detail::http1::append_chunk(chunked, body);
                        const http::Headers type = body == pairs ? urlencoded : of_type(multipart_type);
                        http::Headers fields = type;
                        fields.set("Transfer-Encoding", "chunked");
                        CHECK(client.request("POST", path, fields, chunked + "0\r\n\r\n").status == expected);
                    }
                }
            }
        },
        quiet_config().with_max_body(1000));
}

TEST_CASE("nothing is left of a form whose handler throws, or that cannot be written") {
    const harness::TemporaryDirectory directory;
    const auto config = quiet_config()
                            .with_temporary_directory(directory.path())
                            .with_log([](sake::LogLevel, std::string_view) {});
    with_server(
        [](sake::Engine& app) {
            set_up(app);
            app.post("/throws",
                     [](Context& ctx) -> Task<> {
                         Form& form = co_await ctx.read_form();
                         if (!form.files().empty()) throw std::runtime_error("no");
                     })
                .stream_body();
        },
        [&](TestServer& server) {
            const int before = harness::settled_fds(server);
            const std::string body = file_part(pattern_bytes(600'000)) + "--b--";
            RawClient client = server.connect();
            for (int i = 0; i < 20; ++i) {
                client.send(request(body, "/throws"));
                CHECK(client.read_response().status == 500);
            }
            client.close();
            // Not by a fault in write(), which also wakes loops.
            const SmallFiles small_files;
            for (int i = 0; i < 20; ++i) {
                RawClient unlucky = server.connect();
                unlucky.send(request(body));
                CHECK(unlucky.read_response().status == 500);
            }
            CHECK(harness::settled_fds(server) == before);
            CHECK(directory.is_empty());
        },
        config);
    with_client(
        set_up,
        [](TestClient& client) {
            const auto response =
                client.post("/", file_part(pattern_bytes(600'000)) + "--b--", of_type(multipart_type));
            CHECK(response.status == 500);
        },
        quiet_config().with_temporary_directory("/absent").with_log([](sake::LogLevel, std::string_view) {}));
}

TEST_CASE("a file that a full disk cuts short is not there, and its upload can be saved elsewhere") {
    // In memory, or in a temporary file: its first name costs nothing, and what is saved after that is a
    // copy.
    for (const std::size_t form_memory : {1024 * kib, kib}) {
        for (const bool has_no_links : {false, true}) {
            CAPTURE(form_memory);
            CAPTURE(has_no_links);
            const harness::TemporaryDirectory directory;
            std::string why;
            why.reserve(500);
            std::atomic<int> error{0};
            const auto save = [&](Context& ctx) -> Task<> {
                const Form& form = co_await ctx.read_form();
                const Upload* const file = form.file("f");
                const std::string first = directory.path("first");
                co_await file->save_async(first);
                const std::string second = directory.path("second");
                try {
                    const SmallFiles small_files;
                    co_await file->save_async(second);
                } catch (const std::system_error& failed) {
                    error = failed.code().value();
                    why = failed.what();
                }
                const std::string third = directory.path("third");
                co_await file->save_async(third);
                ctx.text(std::to_string(file->size()));
            };
            const auto save_at_once = [&](Context& ctx) -> Task<> {
                const Form& form = co_await ctx.read_form();
                const std::string path = directory.path("never");
                const SmallFiles small_files;
                co_await form.file("f")->save_async(path);
            };
            with_server(
                [&](sake::Engine& app) {
                    app.post("/save", save).stream_body();
                    app.post("/save-at-once", save_at_once).stream_body();
                },
                [&](TestServer& server) {
                    const int before = harness::settled_fds(server);
                    const std::string bytes = pattern_bytes(600'000);
                    const std::string body = file_part(bytes) + "--b--";
                    const harness::faults::AllOtherThreads threads;
                    {
                        const harness::ScopedFaults faults(
                            has_no_links ? harness::FaultPlan().fail_range("linkat", 1, 1000, EPERM)
                                         : harness::FaultPlan());
                        RawClient client = server.connect();
                        client.send(request(body, "/save"));
                        CHECK(client.read_response().body == "600000");
                    }
                    CHECK(error == EFBIG);
                    CHECK(why.find(directory.path("second")) != std::string::npos);
                    CHECK(directory.content("first") == bytes);
                    CHECK(directory.content("third") == bytes);
                    CHECK(directory.count() == 2);
                    if (form_memory > 600'000) {
                        RawClient client = server.connect();
                        client.send(request(body, "/save-at-once"));
                        CHECK(client.read_response().status == 500);
                        CHECK(directory.count() == 2);
                    }
                    CHECK(harness::settled_fds(server) == before);
                },
                quiet_config().with_form_memory(form_memory).with_temporary_directory(directory.path()));
        }
    }
}

TEST_CASE("nothing is left of uploads that are cut off: no file, no descriptor, no byte") {
    const harness::TemporaryDirectory directory;
    const auto config = quiet_config().with_temporary_directory(directory.path());
    for (const bool is_without_unnamed : {false, true}) {
        with_server(
            set_up,
            [&](TestServer& server) {
                const int before = harness::settled_fds(server);
                const harness::faults::AllOtherThreads threads;
                const harness::ScopedFaults faults(
                    is_without_unnamed ? harness::FaultPlan().fail_randomly("open", 0.5, EOPNOTSUPP)
                                       : harness::FaultPlan());
                harness::Dice dice(17);
                const std::string upload = request(part("name=a", "1") + file_part(pattern_bytes(700'000)) +
                                                   file_part(pattern_bytes(300'000)) + "--b--");
                const int uploads = std::max(150, harness::rounds(5000));
                for (int i = 0; i < uploads; ++i) {
                    RawClient client = server.connect();
                    client.send(std::string_view(upload).substr(0, dice.below(upload.size())));
                    if (dice.one_in(2)) {
                        client.reset();
                    } else {
                        client.close();
                    }
                }
                CHECK(harness::eventually([&] { return harness::settled_fds(server) == before; }));
                CHECK(directory.is_empty());
            },
            config);
    }
}

TEST_CASE("a stop in the middle of an upload leaves nothing, whether it is gentle or not") {
    const harness::TemporaryDirectory directory;
    for (const auto grace : {0ms, 300ms}) {
        const auto config =
            quiet_config().with_temporary_directory(directory.path()).with_shutdown_grace(grace);
        std::atomic<int> begun = 0;
        with_server(
            [&](sake::Engine& app) {
                app.post("/",
                         [&](Context& ctx) -> Task<> {
                             ++begun;
                             Task<> reading = describe(ctx);
                             co_await std::move(reading);
                         })
                    .stream_body()
                    .max_body(100'000'000);
            },
            [&](TestServer& server) {
                const std::string upload = request(file_part(pattern_bytes(1'000'000)) + "--b--");
                std::vector<RawClient> clients;
                for (int i = 0; i < 20; ++i) {
                    clients.push_back(server.connect());
                    clients.back().send(std::string_view(upload).substr(0, 600'000));
                }
                CHECK(harness::eventually([&] { return begun == 20; }));
                server.stop();
            },
            config);
        CHECK(directory.is_empty());
    }
}

TEST_CASE("a stop while a handler holds a large file leaves nothing") {
    const harness::TemporaryDirectory directory;
    for (const auto grace : {0ms, 200ms}) {
        std::atomic<bool> is_read = false;
        const auto config =
            quiet_config().with_temporary_directory(directory.path()).with_shutdown_grace(grace);
        with_server(
            [&](sake::Engine& app) {
                app.post("/",
                         [&](Context& ctx) -> Task<> {
                             Form& form = co_await ctx.read_form();
                             is_read = form.file("f")->size() == 9'000'000;
                             co_await sake::sleep(1h);
                         })
                    .stream_body()
                    .max_body(100'000'000);
            },
            [&](TestServer& server) {
                RawClient client = server.connect();
                client.send(request(file_part(pattern_bytes(9'000'000)) + "--b--"));
                CHECK(harness::eventually([&] { return is_read.load(); }));
                server.stop();
            },
            config);
        CHECK(directory.is_empty());
    }
}

TEST_CASE("a large upload takes little memory, and others are answered meanwhile") {
    const std::size_t size = (harness::is_full_size() ? 1024 : 48) * kib * kib;
    with_server(
        [](sake::Engine& app) {
            app.post("/",
                     [](Context& ctx) -> Task<> {
                         Form& form = co_await ctx.read_form();
                         ctx.text(std::to_string(form.file("f")->size()));
                     })
                .stream_body()
                .max_body(2048 * kib * kib);
        },
        [&](TestServer& server) {
            const std::string head = file_part("").substr(0, file_part("").size() - 2);
            const std::string end = "\r\n--b--";
            const std::string piece = pattern_bytes(64 * kib);
            RawClient warm = server.connect();
            warm.send(request(file_part(pattern_bytes(1'000'000)) + "--b--")).read_response();
            const auto before = harness::resident_bytes();
            std::int64_t most = 0;
            std::vector<std::chrono::nanoseconds> times;
            std::atomic<bool> is_over = false;
            std::thread asking([&] {
                RawClient client = server.connect();
                while (!is_over) {
                    const auto begin = std::chrono::steady_clock::now();
                    client.send("GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n").read_response();
                    times.push_back(std::chrono::steady_clock::now() - begin);
                }
            });
            RawClient client = server.connect();
            client.set_deadline(60s);
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + multipart_type +
                        "\r\nContent-Length: " + std::to_string(head.size() + size + end.size()) +
                        "\r\n\r\n" + head);
            for (std::size_t sent = 0; sent < size; sent += piece.size()) {
                client.send(piece);
                if (sent % (8 * kib * kib) == 0) most = std::max(most, harness::resident_bytes());
            }
            client.send(end);
            CHECK(client.read_response().body == std::to_string(size));
            is_over = true;
            asking.join();
            // Sanitizers keep what is freed.
            if (!harness::is_sanitized) CHECK(most - before < 6 * 1024 * 1024);
            std::sort(times.begin(), times.end());
            CHECK(times.size() > 1);
            const auto worst = times[times.size() - 1 - times.size() / 100];
            INFO("p99 of ", times.size(), " others: ", worst.count() / 1000, " us");
            if (harness::is_full_size()) CHECK(worst < 20ms);
        });
}

TEST_CASE("a form may be read within a time of the program's own") {
    with_client(
        [](sake::Engine& app) {
            app.post("/",
                     [](Context& ctx) -> Task<> {
                         try {
                             const Form form = co_await sake::timeout(ctx.read_form(), 1min);
                             ctx.text(form.value("a"));
                         } catch (const sake::TimedOut&) {
                             ctx.text("late");
                         }
                     })
                .stream_body();
        },
        [](TestClient& client) {
            const std::string upload = request(part("name=a", "1") + "--b--");
            CHECK(client.connect().send(upload).response().body == "1");
            sake::TestConnection connection = client.connect();
            connection.send(upload.substr(0, upload.size() - 1));
            client.advance(2min);
            CHECK(connection.response().body == "late");
        },
        quiet_config().with_request_timeout(1h).with_rate_grace(1h).with_read_timeout(1h));
}

TEST_CASE("a client that sends a form too slowly gets a 408, and nothing is left") {
    with_client(set_up, [](TestClient& client) {
        sake::TestConnection connection = client.connect();
        const std::string upload = request(file_part(pattern_bytes(1'000'000)) + "--b--");
        connection.send(std::string_view(upload).substr(0, 500'000));
        client.advance(1h);
        CHECK(connection.response().status == 408);
    });
}

TEST_CASE("a form is not read from a body that was read in pieces, and may be read twice") {
    const auto read_piece = [](Context& ctx) -> Task<> { static_cast<void>(co_await ctx.read()); };
    const auto read_all = [](Context& ctx) -> Task<> {
        while (co_await ctx.read()) {
        }
    };
    const auto read_form = [](Context& ctx) -> Task<> { static_cast<void>(co_await ctx.read_form()); };
    const auto after = [](auto before) {
        return [before](Context& ctx) -> Task<> {
            std::string said;
            try {
                co_await before(ctx);
            } catch (const std::exception& error) {
                said = std::string(error.what()) + ": ";
            }
            try {
                Form& form = co_await ctx.read_form();
                said += std::string(form.value("a"));
            } catch (const std::logic_error& error) {
                said += error.what();
            }
            ctx.text(said);
        };
    };
    with_client(
        [&](sake::Engine& app) {
            app.post("/piece", after(read_piece)).stream_body();
            app.post("/all", after(read_all)).stream_body();
            app.post("/twice", after(read_form)).stream_body();
            app.post("/middleware", after([](Context&) -> Task<> { co_await sake::yield(); }))
                .stream_body()
                .use([](Context& ctx) -> Task<> {
                    static_cast<void>(co_await ctx.read());
                    co_await ctx.next();
                });
            app.post("/form", after([](Context& ctx) -> Task<> {
                         static_cast<void>(co_await ctx.read());
                         static_cast<void>(ctx.form());
                     }))
                .stream_body();
            app.post("/whole", after(read_all));
            app.post("/whole-twice", after(read_form));
        },
        [](TestClient& client) {
            const std::string refused =
                "the form cannot be read any more: the body has been read in pieces, by ctx.read() or by "
                "another ctx.read_form()";
            Form fields;
            fields.add("a", "1");
            Form files;
            files.add("a", "1").add_file("f", "x", "bytes");
            for (const Form& form : {fields, files, Form()}) {
                CHECK(client.post("/piece", form).body == refused);
                CHECK(client.post("/all", form).body == refused);
                CHECK(client.post("/middleware", form).body == refused);
                CHECK(client.post("/form", form).body == refused + ": " + refused);
            }
            for (const Form& form : {fields, files}) {
                for (const char* target : {"/twice", "/whole", "/whole-twice"}) {
                    CHECK(client.post(target, form).body == "1");
                }
            }
            // A form that was refused in its middle cannot be read on.
            const std::string cut = part("name=a", "1") + "--b nonsense";
            const std::string body = client.post("/twice", cut, of_type(multipart_type)).body;
            CHECK(body.ends_with(": " + refused));
        });
}

}  // namespace test_read_form
