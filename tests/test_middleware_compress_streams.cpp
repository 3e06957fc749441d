// compress: answers in pieces, events among them. What is written can be read at once, and what is cut does
// not look whole.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "support/client_fixture.hpp"
#include "support/common.hpp"
#include "support/decoder.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"

namespace test_middleware_compress_streams {

using namespace harness;
using sake::BodyWriter;
using sake::Context;
using sake::Engine;
using sake::EventStream;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestResponse;
using sake::TestStream;
using sake::http::Headers;
using sake::middleware::compress;
using sake::middleware::CompressOptions;

namespace {

constexpr std::string_view codings[] = {"gzip", "br", "zstd"};

Headers accepting(std::string_view coding) { return {{"Accept-Encoding", coding}}; }

/// Text that becomes about half as large.
std::string text_of(std::size_t size) {
    std::string text;
    std::uint64_t state = 88172645463325252u;
    while (text.size() < size) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text += static_cast<char>('a' + (state >> 60));
    }
    return text;
}

/// "/lines/N" writes N lines, one a second; "/text/N" N bytes in one write; "/cut" a line, and throws then.
void add_streams(Engine& app, CompressOptions options = {}) {
    app.use(compress(options));
    app.get("/lines/:n", [](Context& ctx, int count) -> Task<> {
        BodyWriter out = ctx.stream("text/csv");
        for (int i = 0; i < count; ++i) {
            if (i > 0) co_await sake::sleep(1s);
            co_await out.write("line " + std::to_string(i) + "\n");
        }
    });
    app.get("/text/:n", [](Context& ctx, std::size_t size) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        const std::string text = text_of(size);
        co_await out.write(text);
    });
    app.get("/cut", [](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        co_await out.write("a line\n");
        throw std::runtime_error("no more");
    });
    app.get("/plain", [](Context& ctx) { ctx.text("plain"); });
}

std::function<void(Engine&)> streams(CompressOptions options = {}) {
    return [options](Engine& app) { add_streams(app, options); };
}

}  // namespace

TEST_CASE("compress: each write of a stream can be read at once, and the end when the handler ends") {
    with_client(streams(), [](TestClient& client) {
        for (const std::string_view coding : codings) {
            CAPTURE(coding);
            TestStream stream = client.open("/lines/5", accepting(coding));
            CHECK(stream.status() == 200);
            CHECK(stream.header("Content-Encoding") == coding);
            CHECK(stream.header("Vary") == "Accept-Encoding");
            CHECK(stream.header("Content-Length").empty());
            Decoder decoder(coding);
            for (int i = 0; i < 5; ++i) {
                CHECK(decoder.read(stream.receive_now()) == "line " + std::to_string(i) + "\n");
                CHECK(decoder.read(stream.receive_now()).empty());
                CHECK(decoder.has_ended() == (i == 4));
                client.advance(1s);
            }
            CHECK(stream.has_ended());
            stream.connection().send(get_request("/plain"));
            CHECK(stream.connection().response().body == "plain");
        }
    });
}

TEST_CASE(
    "compress: a stream is compressed by what the client wants most, and gzip if it is the same to it") {
    with_client(streams(), [](TestClient& client) {
        const std::pair<const char*, const char*> table[] = {
            {"gzip, deflate, br, zstd", "gzip"},
            {"zstd, br", "zstd"},
            {"br", "br"},
            {"br, gzip;q=0.9", "br"},
            {"identity", ""},
            {"", ""},
            {"*", "gzip"},
            {"*;q=0, zstd", "zstd"},
        };
        for (const auto& [field, coding] : table) {
            CAPTURE(field);
            const TestResponse response = client.get("/lines/2", accepting(field));
            CHECK(response.header("Content-Encoding") == coding);
            CHECK(response.header("Vary") == "Accept-Encoding");
            CHECK(decoded(response) == "line 0\nline 1\n");
        }
        const TestResponse refused = client.get("/lines/2", accepting("identity;q=0"));
        CHECK(refused.status == 406);
        CHECK(refused.header("Content-Encoding").empty());
        CHECK(refused.header("Vary") == "Accept-Encoding");
    });
}

TEST_CASE("compress: writes of any size arrive whole") {
    with_client(streams(), [](TestClient& client) {
        for (const std::string_view coding : codings) {
            CAPTURE(coding);
            for (const std::size_t size :
                 {1UL, 16'383UL, 16'384UL, 16'385UL, 65'536UL, 65'537UL, 1'000'000UL}) {
                CAPTURE(size);
                const TestResponse response = client.get("/text/" + std::to_string(size), accepting(coding));
                CHECK(response.header("Content-Encoding") == coding);
                CHECK(decoded(response) == text_of(size));
                if (size > 16'384) CHECK(response.body.size() < size * 3 / 4);
            }
        }
    });
}

TEST_CASE("compress: a slow client gets all of a stream, and a large write lets others have their turn") {
    with_client(streams(), [](TestClient& client) {
        for (const std::string_view coding : codings) {
            CAPTURE(coding);
            TestConnection slow = client.connect(1000);
            slow.send(get_request("/text/300000", "Accept-Encoding: " + std::string(coding) + "\r\n"));
            CHECK(client.get("/plain").body == "plain");
            CHECK(decoded(slow.response()) == text_of(300'000));
        }
    });
    // A client that takes everything at once: the loop is not kept until the write ends.
    int turns = 0;
    const auto setup = [&turns](Engine& app) {
        app.use(compress());
        app.get("/", [&turns](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            const std::string text = text_of(600'000);
            co_await sake::TaskGroup::run([&](sake::TaskGroup& group) -> Task<> {
                bool is_written = false;
                group.spawn([&]() -> Task<> {
                    while (!is_written) {
                        ++turns;
                        co_await sake::yield();
                    }
                });
                co_await out.write(text);
                is_written = true;
                co_await sake::yield();
                co_await sake::yield();
            });
        });
    };
    with_client(setup, [&](TestClient& client) {
        CHECK(decoded(client.get("/", accepting("gzip"))) == text_of(600'000));
        CHECK(turns >= 9);
    });
}

TEST_CASE("compress: a client that leaves in the middle of a large write") {
    with_client(streams(), [](TestClient& client) {
        for (const std::string_view coding : codings) {
            TestConnection connection = client.connect(1000);
            connection.send(get_request("/text/300000", "Accept-Encoding: " + std::string(coding) + "\r\n"));
            CHECK_FALSE(connection.receive().empty());
            connection.reset();
            client.advance(1s);
        }
    });
}

TEST_CASE("compress: a write that is cancelled in its middle cuts the stream") {
    const auto setup = [](Engine& app) {
        app.use(compress());
        app.get("/", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            const std::string text = text_of(1'000'000);
            try {
                auto writing = out.write(text);
                co_await sake::timeout(std::move(writing), 1s);
            } catch (const sake::TimedOut&) {
            }
        });
    };
    with_client(setup, [](TestClient& client) {
        TestConnection connection = client.connect(1000);
        connection.send(get_request("/", "Accept-Encoding: gzip\r\n"));
        static_cast<void>(connection.receive());
        client.advance(2s);
        CHECK_THROWS(static_cast<void>(connection.response()));
    });
}

TEST_CASE("compress: a stream that is cut has no end in its coding either") {
    with_client(streams(), [](TestClient& client) {
        for (const std::string_view coding : codings) {
            CAPTURE(coding);
            TestStream stream = client.open("/cut", accepting(coding));
            Decoder decoder(coding);
            std::string text;
            const auto read_all = [&] {
                while (!stream.has_ended()) text += decoder.read(stream.receive());
            };
            CHECK_THROWS(read_all());
            CHECK(text == "a line\n");
            CHECK_FALSE(decoder.has_ended());

            TestConnection old = client.connect();
            old.send("GET /cut HTTP/1.0\r\nAccept-Encoding: " + std::string(coding) + "\r\n\r\n");
            CHECK_THROWS(static_cast<void>(old.receive_all()));  // it is reset
        }
    });
}

TEST_CASE("compress: HTTP/1.0 and HEAD have streams as well") {
    with_client(streams(), [](TestClient& client) {
        for (const std::string_view coding : codings) {
            CAPTURE(coding);
            TestConnection old = client.connect();
            old.send("GET /lines/3 HTTP/1.0\r\nAccept-Encoding: " + std::string(coding) + "\r\n\r\n");
            const TestResponse response = old.response();
            CHECK(response.header("Content-Encoding") == coding);
            CHECK(response.header("Transfer-Encoding").empty());
            CHECK(decoded(response) == "line 0\nline 1\nline 2\n");
            const TestResponse head = client.head("/lines/3", accepting(coding));
            CHECK(head.header("Content-Encoding") == coding);
            CHECK(head.header("Vary") == "Accept-Encoding");
            CHECK(head.body.empty());
        }
    });
}

TEST_CASE("compress: which streams leave as they are") {
    const auto setup = [](Engine& app) {
        add_streams(app);
        const auto add = [&](const char* target, auto decorate) {
            app.get(sake::runtime(target), [decorate](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                decorate(ctx);
                co_await out.write("text");
            });
        };
        add("/coded", [](Context& ctx) { ctx.set_header("Content-Encoding", "x-own"); });
        add("/kept", [](Context& ctx) { ctx.set_header("Cache-Control", "no-transform"); });
        add("/png", [](Context& ctx) { ctx.set_header("Content-Type", "image/png"); });
        add("/part", [](Context& ctx) { ctx.status(206); });
        app.get("/nothing", [](Context& ctx) -> Task<> {
            static_cast<void>(ctx.stream("text/plain"));
            co_return;
        });
        app.get("/empty", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            co_await out.write("");
        });
        app.get("/whole", [](Context& ctx) -> Task<> {
            static_cast<void>(ctx.stream("text/plain"));
            ctx.text("whole");
            co_return;
        });
    };
    with_client(setup, [](TestClient& client) {
        CHECK(client.get("/coded", accepting("gzip")).header("Content-Encoding") == "x-own");
        for (const char* target : {"/kept", "/png", "/part", "/nothing", "/empty", "/whole"}) {
            CAPTURE(target);
            const TestResponse response = client.get(target, accepting("gzip"));
            CHECK(response.header("Content-Encoding").empty());
            CHECK(response.header("Vary").empty());
            CHECK(response.body == client.get(target).body);
        }
        const TestResponse png = client.get("/png", accepting("gzip, identity;q=0"));
        CHECK(png.header("Content-Encoding") == "gzip");
        CHECK(decoded(png) == "text");
    });
    with_client(streams({.streams = false}), [](TestClient& client) {
        const TestResponse response = client.get("/lines/1", accepting("gzip"));
        CHECK(response.header("Content-Encoding").empty());
        CHECK(response.header("Vary").empty());
        CHECK(client.get("/lines/1", accepting("gzip, identity;q=0")).status == 406);
    });
}

TEST_CASE(
    "compress: an ETag of a stream becomes weak, and what a handler answers in place of one stays plain") {
    const auto setup = [](Engine& app) {
        app.use([](Context& ctx) {
            if (ctx.path() == "/veto") ctx.after([](Context&) { throw sake::HttpError(409, "no"); });
        });
        app.use(compress());
        app.get("/tagged", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            ctx.set_header("ETag", "\"v1\"");
            co_await out.write("text");
        });
        // Middleware in front refuses the stream when compress has decided already.
        app.get("/veto", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            bool is_refused = false;
            try {
                co_await out.write("text");
            } catch (const sake::HttpError&) {
                is_refused = true;
            }
            if (is_refused) ctx.text("in place of it");
        });
    };
    with_client(setup, [](TestClient& client) {
        CHECK(client.get("/tagged", accepting("gzip")).header("ETag") == "W/\"v1\"");
        CHECK(client.get("/tagged").header("ETag") == "\"v1\"");
        const TestResponse response = client.get("/veto", accepting("gzip"));
        CHECK(response.status == 200);
        CHECK(response.header("Content-Encoding").empty());
        CHECK(response.body == "in place of it");
    });
}

TEST_CASE("compress: events and the comments of a silent stream arrive at once, and a stop ends it whole") {
    for (const std::string_view coding : codings) {
        CAPTURE(coding);
        Engine* engine = nullptr;
        const auto setup = [&engine](Engine& app) {
            engine = &app;
            app.use(compress());
            app.get("/events", [](Context& ctx) -> Task<> {
                EventStream events = ctx.events();
                co_await events.send("one");
                co_await sake::sleep(1s);
                co_await events.send("two");
                co_await sake::sleep(24h);
            });
        };
        with_client(setup, [&](TestClient& client) {
            TestStream stream = client.open("/events", accepting(coding));
            CHECK(stream.header("Content-Encoding") == coding);
            CHECK(stream.header("Content-Type") == "text/event-stream");
            Decoder decoder(coding);
            CHECK(decoder.read(stream.receive_now()) == "data: one\n\n");
            client.advance(1s);
            CHECK(decoder.read(stream.receive_now()) == "data: two\n\n");
            client.advance(15s);
            CHECK(decoder.read(stream.receive_now()) == ":\n\n");
            engine->stop();
            client.advance(1s);
            const std::string hint = decoder.read(stream.receive_all());
            CHECK(hint.starts_with("retry: "));
            CHECK(hint.ends_with("\n\n"));
            CHECK(decoder.has_ended());
        });
    }
}

TEST_CASE("compress: messages of a hub arrive compressed, each at once") {
    sake::Hub hub;
    Engine app(quiet_config());
    app.use(compress());
    app.get("/events", [&hub](Context& ctx) { return hub.serve(ctx, "t"); });
    {
        TestClient client(app);
        TestStream stream = client.open("/events", accepting("gzip"));
        Decoder decoder("gzip");
        CHECK(decoder.read(stream.receive_now()).empty());
        for (const char* message : {"one", "two"}) {
            hub.publish("t", message);
            CHECK(decoder.read(stream.receive_now()).find(std::string("data: ") + message) !=
                  std::string::npos);
        }
        hub.close();
        decoder.read(stream.receive_all());
        CHECK(decoder.has_ended());
    }
}

TEST_CASE("compress: observers are told of the bytes that leave") {
    Answers answers;
    const auto setup = [&answers](Engine& app) {
        answers.observe(app);
        add_streams(app);
    };
    with_client(setup, [&](TestClient& client) {
        const TestResponse response = client.get("/text/100000", accepting("gzip"));
        REQUIRE(answers.all.size() == 1);
        CHECK(answers.all[0].bytes == response.body.size());
        CHECK(response.body.size() < 70'000);
    });
}

TEST_CASE("compress: the memory of a stream's compressor is what was expected at most") {
    using sake::detail::BodyEncoder;
    using sake::detail::CompressorKind;
    using sake::detail::ContentCoding;
    const std::string text = text_of(300'000);
    for (const auto& [coding, most_level] :
         {std::pair(ContentCoding::gzip, 9), std::pair(ContentCoding::zstd, 12),
          std::pair(ContentCoding::br, 9)}) {
        for (int level = 1; level <= most_level; ++level) {
            for (int bits = 10; bits <= 15; ++bits) {
                CAPTURE(to_string(coding));
                CAPTURE(level);
                CAPTURE(bits);
                const CompressorKind kind{coding, level, bits};
                const auto compressor = sake::detail::make_compressor(kind);
                sake::detail::ByteBuffer out;
                compressor->encode(text, BodyEncoder::Behind::more, out);
                compressor->encode("end", BodyEncoder::Behind::pause, out);
                CHECK(compressor->memory() <= sake::detail::expected_memory(kind));
                compressor->encode({}, BodyEncoder::Behind::end, out);
                Decoder decoder(to_string(coding));
                CHECK(decoder.read(out.view()) == text + "end");
                CHECK(decoder.has_ended());
            }
        }
    }
}

TEST_CASE(
    "compress: a compressor of whole bodies keeps its memory from one to the next, and no more than that") {
    using sake::detail::BodyEncoder;
    using sake::detail::CompressorKind;
    using sake::detail::ContentCoding;
    for (const ContentCoding coding : {ContentCoding::gzip, ContentCoding::zstd, ContentCoding::br}) {
        CAPTURE(to_string(coding));
        const auto compressor = sake::detail::make_compressor(CompressorKind{coding, 4});
        std::size_t held = 0;
        for (const std::size_t size : {200'000UL, 200'000UL, 5'000UL, 70'000UL, 1'000UL, 200'000UL}) {
            const std::string text = text_of(size);
            sake::detail::ByteBuffer out;
            compressor->begin(size);
            compressor->encode(text, BodyEncoder::Behind::end, out);
            CHECK(Decoder(to_string(coding)).read(out.view()) == text);
            CHECK(compressor->memory() < 8UL * 1024 * 1024);
            if (held == 0) held = compressor->memory();
        }
        CHECK(compressor->memory() <= held * 2);
    }
}

TEST_CASE(
    "compress: what compressors hold counts in max_buffered, and without room a stream leaves as it is") {
    // gzip is expected to take 40,960 bytes for a window of 4 KiB, and half of max_buffered is for it.
    for (const std::size_t room : {81'000UL, 90'000UL}) {
        CAPTURE(room);
        with_client(
            streams(),
            [room](TestClient& client) {
                const std::string_view coding = room < 81'920 ? "" : "gzip";
                TestStream first = client.open("/lines/9", accepting("gzip"));
                CHECK(first.header("Content-Encoding") == coding);
                TestStream second = client.open("/lines/9", accepting("gzip"));
                CHECK(second.header("Content-Encoding").empty());
                CHECK(second.header("Vary") == "Accept-Encoding");
                static_cast<void>(first.receive_all());
                static_cast<void>(second.receive_all());
                TestStream third = client.open("/lines/9", accepting("gzip"));
                CHECK(third.header("Content-Encoding") == coding);
                static_cast<void>(third.receive_all());
            },
            quiet_config().with_max_buffered(room));
    }
    const sake::LogSink log;
    sake::detail::Budget budget(101, log);
    sake::detail::BudgetShare share(budget);
    CHECK(budget.has_room_to_spare(50));
    CHECK_FALSE(budget.has_room_to_spare(51));
    CHECK(share.resize(20));
    CHECK(budget.has_room_to_spare(29));
    CHECK(budget.has_room_to_spare(30));
    CHECK_FALSE(budget.has_room_to_spare(31));
    CHECK(share.resize(101));
    CHECK_FALSE(budget.has_room_to_spare(0));
}

TEST_CASE("compress: without room, a stream for a client that accepts no other coding is refused") {
    const auto setup = [](Engine& app) {
        add_streams(app);
        app.post("/lines", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/csv");
            co_await out.write("done\n");
        });
        app.get("/gone", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.status(410).stream("text/csv");
            co_await out.write("gone\n");
        });
    };
    for (const std::string_view coding : codings) {
        CAPTURE(coding);
        const Headers alone = accepting(std::string(coding) + ", identity;q=0");
        with_client(
            setup,
            [&](TestClient& client) {
                const TestResponse refused = client.get("/lines/2", alone);
                CHECK(refused.status == 503);
                CHECK(refused.header("Retry-After") == "10");
                CHECK(refused.header("Content-Encoding").empty());
                CHECK(refused.header("Vary") == "Accept-Encoding");
                CHECK(client.head("/lines/2", alone).status == 503);
                // What was done stays done, and an error is one in any coding.
                const TestResponse done = client.request("POST", "/lines", alone, "");
                CHECK(done.status == 200);
                CHECK(done.body == "done\n");
                CHECK(client.get("/gone", alone).body == "gone\n");
            },
            quiet_config().with_max_buffered(60'000));
    }
    with_client(
        setup,
        [&](TestClient& client) {
            const Headers alone = accepting("gzip, identity;q=0");
            TestStream first = client.open("/lines/9", alone);
            CHECK(first.header("Content-Encoding") == "gzip");
            CHECK(client.get("/lines/2", alone).status == 503);
            static_cast<void>(first.receive_all());
            CHECK(client.get("/lines/2", alone).status == 200);
        },
        quiet_config().with_max_buffered(90'000));
}

TEST_CASE("compress: a window is rounded up, and larger ones find more") {
    const auto setup = [](Engine& app) {
        for (const std::size_t window : {1024UL, 5000UL, 32768UL}) {
            auto group = app.group(sake::runtime("/" + std::to_string(window)));
            group.use(compress({.stream_window = window}));
            group.get("/", [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                const std::string text = text_of(6000);
                for (int i = 0; i < 5; ++i) co_await out.write(text);
            });
        }
    };
    with_client(setup, [](TestClient& client) {
        for (const std::string_view coding : codings) {
            CAPTURE(coding);
            const auto size = [&](const char* target) {
                return client.get(target, accepting(coding)).body.size();
            };
            const std::size_t least = size("/1024/");
            CHECK(size("/5000/") < least);  // 8 KiB
            CHECK(size("/32768/") <= size("/5000/"));
        }
    });
}

}  // namespace test_middleware_compress_streams
