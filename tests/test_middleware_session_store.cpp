// sessions with a store of the program's: when it is read and written, and that an end is an end.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"

namespace test_middleware_session_store {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Json;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestResponse;
using sake::http::Headers;
using sake::middleware::sessions;

namespace {

/// A database that takes a while for everything, and notes what it is asked.
class Database final : public sake::SessionStore {
  public:
    Task<std::optional<std::string>> load(std::string id) override {
        calls += "load ";
        co_await sake::sleep(delay);
        if (is_down) throw std::runtime_error("the database is down");
        const auto found = texts.find(id);
        if (found == texts.end()) co_return std::nullopt;
        co_return found->second;
    }
    Task<> add(std::string id, std::string text) override {
        calls += "add ";
        co_await sake::sleep(delay);
        if (is_down) throw std::runtime_error("the database is down");
        texts[id] = text;
    }
    Task<bool> replace(std::string id, std::string text) override {
        calls += "replace ";
        co_await sake::sleep(delay);
        const auto found = texts.find(id);
        if (found != texts.end()) found->second = text;
        co_return found != texts.end();
    }
    Task<bool> erase(std::string id) override {
        calls += "erase ";
        co_await sake::sleep(delay);
        co_return texts.erase(id) == 1;
    }

    std::map<std::string, std::string> texts;
    std::string calls;
    std::chrono::milliseconds delay{10};
    bool is_down = false;
};

/// A browser, as far as this cookie goes.
class Visitor {
  public:
    explicit Visitor(TestClient& client) : client_(client) {}

    TestResponse get(std::string_view target) {
        Headers fields;
        if (!id.empty()) fields.add("Cookie", "session=" + id);
        TestResponse response = client_.get(target, fields);
        const std::string_view cookie = response.header("Set-Cookie");
        if (cookie.starts_with("session=")) id = cookie.substr(8, cookie.find(';') - 8);
        return response;
    }

    std::string id;

  private:
    TestClient& client_;
};

void add_routes(sake::Engine& app) {
    app.get("/read", [](Context& ctx) { return ctx.session().value("user", "nobody"); });
    app.get("/other", [] { return "other"; });
    app.get("/set/:user", [](Context& ctx, std::string user) { ctx.session()["user"] = user; });
    app.get("/login/:user", [](Context& ctx, std::string user) {
        ctx.renew_session();
        ctx.session()["user"] = user;
    });
    app.get("/logout", [](Context& ctx) { ctx.end_session(); });
    app.get("/clear", [](Context& ctx) { ctx.session().clear(); });
    app.get("/end", [](Context& ctx) {
        ctx.end_session();
        throw std::runtime_error("too late");
    });
    app.get("/half", [](Context& ctx) {
        ctx.session()["user"] = "half";
        throw std::runtime_error("in the middle");
    });
    app.get("/bye", [](Context& ctx) {
        ctx.end_session();
        ctx.session()["user"] = "one who has left";
    });
    app.get("/slow", [](Context& ctx) -> Task<> {
        ctx.session()["user"] = "slow";
        co_await sake::sleep(1s);
    });
    app.get("/slow-login", [](Context& ctx) -> Task<> {
        co_await sake::sleep(1s);
        ctx.renew_session();
        ctx.session()["user"] = "slow";
    });
    app.get("/slow-end", [](Context& ctx) -> Task<> {
        ctx.end_session();
        co_await sake::sleep(1s);
    });
}

}  // namespace

TEST_CASE("stored sessions: what is put into a session is in the store before the answer leaves") {
    Database database;
    sake::Engine app;
    app.use(sessions({}, database));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    struct Row {
        const char* target;
        const char* calls;
        const char* body;
    };
    for (const Row& row :
         {Row{"/read", "", "nobody"}, Row{"/other", "", "other"}, Row{"/set/ann", "add ", ""},
          Row{"/read", "load ", "ann"}, Row{"/other", "load ", "other"}, Row{"/set/ann", "load ", ""},
          Row{"/set/anna", "load replace ", ""}, Row{"/read", "load ", "anna"},
          Row{"/login/ann", "load erase add ", ""}, Row{"/read", "load ", "ann"},
          Row{"/bye", "load erase add ", ""}, Row{"/read", "load ", "one who has left"},
          Row{"/logout", "load erase ", ""}, Row{"/read", "", "nobody"}, Row{"/set/bob", "add ", ""},
          Row{"/clear", "load erase ", ""}, Row{"/read", "", "nobody"}}) {
        CAPTURE(row.target);
        database.calls.clear();
        const std::string before = ann.id;
        const TestResponse response = ann.get(row.target);
        CHECK(response.status == 200);
        CHECK(response.body == row.body);
        CHECK(database.calls == row.calls);
        CHECK(database.texts.size() == (ann.id.empty() ? 0 : 1));
        CHECK(database.texts.count(ann.id) == (ann.id.empty() ? 0 : 1));
        CHECK(response.header("Set-Cookie").empty() == (before == ann.id));
    }
}

TEST_CASE("stored sessions: an id that is not in the store is never taken over") {
    Database database;
    sake::Engine app;
    app.use(sessions({}, database));
    add_routes(app);
    TestClient client(app);
    for (const std::string& id :
         {std::string(22, 'A'), std::string("../../etc"), std::string("' OR 1=1; --")}) {
        Visitor stranger(client);
        stranger.id = id;
        database.calls.clear();
        CHECK(stranger.get("/read").body == "nobody");
        CHECK(database.calls == (id.size() == 22 ? "load " : ""));  // the store sees no other text
        stranger.get("/set/mallory");
        CHECK(stranger.id != id);
    }
}

TEST_CASE("stored sessions: an ended or renewed session is not brought back by a slower request") {
    struct Row {
        const char* slow;
        const char* quick;
        int status;
        const char* user;
    };
    for (const Row& row :
         {Row{"/slow", "/logout", 200, "nobody"}, Row{"/slow", "/login/new", 200, "nobody"},
          Row{"/slow-login", "/logout", 409, "nobody"}, Row{"/slow", "/set/quick", 200, "slow"}}) {
        CAPTURE(row.slow);
        CAPTURE(row.quick);
        Database database;
        sake::Engine app;
        app.use(sessions({}, database));
        add_routes(app);
        TestClient client(app);
        Visitor ann(client);
        ann.get("/set/ann");
        Visitor old(client);
        old.id = ann.id;
        TestConnection slow = client.connect();
        slow.send("GET " + std::string(row.slow) + " HTTP/1.1\r\nHost: a\r\nCookie: session=" + old.id +
                  "\r\n\r\n");
        client.advance(100ms);
        ann.get(row.quick);
        CHECK(slow.response().status == row.status);
        CHECK(old.get("/read").body == row.user);
    }
}

TEST_CASE("stored sessions: an answer 5xx changes nothing, but an end is an end") {
    Log log;
    Database database;
    sake::Engine app(log.config());
    app.use(sessions({}, database));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    ann.get("/set/ann");
    CHECK(ann.get("/half").status == 500);
    CHECK(ann.get("/read").body == "ann");
    CHECK(ann.get("/end").status == 500);
    CHECK(database.texts.empty());
    CHECK(ann.id.empty());
}

TEST_CASE("stored sessions: an end is an end also if the client leaves, or the time is up") {
    Log log;
    Database database;
    sake::Engine app(log.config().with_request_timeout(500ms));
    app.use(sessions({}, database));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    ann.get("/set/ann");
    CHECK(ann.get("/slow").status == 504);
    CHECK(ann.get("/read").body == "ann");
    CHECK(ann.get("/slow-end").status == 504);
    CHECK(database.texts.empty());
    ann.get("/set/ann");
    TestConnection leaves = client.connect();
    database.delay = 200ms;
    leaves.send("GET /slow-end HTTP/1.1\r\nHost: a\r\nCookie: session=" + ann.id + "\r\n\r\n");
    client.advance(300ms);
    leaves.reset();
    client.advance(1s);
    CHECK(database.texts.empty());
}

TEST_CASE("stored sessions: what fails in the store is a 500, and no cookie is set") {
    Log log;
    Database database;
    sake::Engine app(log.config());
    app.use(sessions({}, database));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    ann.get("/set/ann");
    database.is_down = true;
    CHECK(ann.get("/read").status == 500);
    CHECK(log.has("the database is down"));
    const TestResponse failed = Visitor(client).get("/set/bob");
    CHECK(failed.status == 500);
    CHECK(failed.header("Set-Cookie").empty());
    CHECK(Visitor(client).get("/other").status == 200);
    database.is_down = false;
    CHECK(ann.get("/read").body == "ann");
}

TEST_CASE("stored sessions: the session of an answer in pieces is saved with its head") {
    Database database;
    sake::Engine app;
    app.use(sessions({}, database));
    add_routes(app);
    app.get("/stream", [](Context& ctx) -> Task<> {
        ctx.session()["user"] = "streamed";
        auto out = ctx.stream("text/plain");
        co_await out.write("a");
        co_await sake::sleep(1s);
        co_await out.write("b");
    });
    TestClient client(app);
    TestConnection slow = client.connect();
    slow.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string head = slow.receive();
    const std::size_t cookie = head.find("Set-Cookie: session=");
    REQUIRE(cookie != std::string::npos);
    client.advance(100ms);
    Visitor ann(client);
    ann.id = head.substr(cookie + 20, 22);
    CHECK(ann.get("/read").body == "streamed");
    client.advance(1s);
    CHECK(slow.receive_now().find("b") != std::string::npos);
    CHECK(database.calls == "add load ");
}

TEST_CASE("stored sessions: an answer in pieces begins a session when the one before it has ended") {
    Database database;
    sake::Engine app;
    app.use(sessions({}, database));
    add_routes(app);
    app.get("/switch", [](Context& ctx) -> Task<> {
        ctx.end_session();
        ctx.session()["user"] = "ben";
        auto out = ctx.stream("text/plain");
        co_await out.write("a");
        co_await sake::sleep(1s);
    });
    TestClient client(app);
    Visitor ann(client);
    ann.get("/set/ann");
    database.calls.clear();
    TestConnection slow = client.connect();
    slow.send("GET /switch HTTP/1.1\r\nHost: a\r\nCookie: session=" + ann.id + "\r\n\r\n");
    const std::string head = slow.receive();
    const std::size_t cookie = head.rfind("Set-Cookie: session=");
    REQUIRE(cookie != std::string::npos);
    client.advance(5ms);
    CHECK(database.calls == "load erase ");
    client.advance(10ms);
    CHECK(database.calls == "load erase add ");
    client.advance(1s);
    CHECK(ann.get("/read").body == "nobody");
    ann.id = head.substr(cookie + 20, 22);
    CHECK(ann.get("/read").body == "ben");
}

TEST_CASE("stored sessions: options and words") {
    Database database;
    CHECK(thrown_by<std::invalid_argument>([&] {
              static_cast<void>(sessions({.lifetime = 0s}, database));
          }) == "sessions: lifetime must be from 1 s to 400 days, but is 0 s");
    CHECK(thrown_by<std::invalid_argument>(
              [&] { static_cast<void>(sessions({.cookie = "__Host-a"}, database)); }) != "nothing");
    {
        sake::Engine twice;
        twice.use(sessions({}, database));
        twice.get("/twice", [](Context&) {}).use(sessions());
        CHECK(thrown_by<std::invalid_argument>([&] {
                  TestClient client(twice);
              }).find("has sessions twice") != std::string::npos);
    }
    sake::Engine app;
    app.use(sessions({.max_bytes = 20}, database));
    add_routes(app);
    TestClient client(app);
    const TestResponse large = client.get("/set/somebody-with-a-long-name");
    CHECK(large.status == 500);
    CHECK(large.header("Set-Cookie").empty());
    CHECK(database.texts.empty());
}

TEST_CASE("stored sessions: refusals begin no session") {
    Database database;
    for_each_refusal([&](sake::Engine& app) { app.use(sessions({}, database)); },
                     [](const TestResponse& response) { CHECK(response.header("Set-Cookie").empty()); });
    CHECK(database.calls.empty());
}

}  // namespace test_middleware_session_store
