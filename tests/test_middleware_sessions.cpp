// sessions: what is kept of a visitor, when a cookie is set, when a session ends, and what strangers can do.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"

namespace test_middleware_sessions {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Json;
using sake::TestClient;
using sake::TestResponse;
using sake::detail::SessionTable;
using sake::http::Headers;
using sake::middleware::SessionOptions;
using sake::middleware::sessions;

namespace {

/// A browser, as far as this cookie goes.
class Visitor {
  public:
    explicit Visitor(TestClient& client, std::string name = "session")
        : client_(client), name_(std::move(name)) {}

    TestResponse request(std::string_view method, std::string_view target, Headers fields = {}) {
        if (!id.empty()) fields.add("Cookie", name_ + "=" + id);
        TestResponse response = client_.request(method, target, fields);
        take(response.header("Set-Cookie"));
        return response;
    }
    std::string get(std::string_view target) { return request("GET", target).body; }

    std::string id;

  private:
    void take(std::string_view cookie) {
        if (!cookie.starts_with(name_ + "=")) return;
        cookie.remove_prefix(name_.size() + 1);
        id = cookie.substr(0, cookie.find(';'));
    }

    TestClient& client_;
    const std::string name_;
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
}

bool is_id(std::string_view text) {
    return text.size() == 22 &&
           text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
               std::string_view::npos;
}

}  // namespace

TEST_CASE("sessions: what is put into a session is there at the next request") {
    sake::Engine app;
    app.use(sessions());
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    Visitor bob(client);
    ann.get("/set/ann");
    bob.get("/set/bob");
    CHECK(is_id(ann.id));
    CHECK(is_id(bob.id));
    CHECK(ann.id != bob.id);
    CHECK(ann.get("/read") == "ann");
    CHECK(bob.get("/read") == "bob");
    CHECK(Visitor(client).get("/read") == "nobody");
}

TEST_CASE("sessions: a cookie is set when a session begins, and not again") {
    sake::Engine app;
    app.use(sessions());
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    CHECK(ann.request("GET", "/read").header("Set-Cookie").empty());
    CHECK(ann.request("GET", "/other").header("Set-Cookie").empty());
    const TestResponse first = ann.request("GET", "/set/ann");
    CHECK(first.header("Set-Cookie") ==
          "session=" + ann.id + "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax");
    CHECK(first.header("Cache-Control") == "no-store");
    const std::string id = ann.id;
    for (const char* target : {"/read", "/other", "/set/ann", "/set/anna", "/nowhere"}) {
        CAPTURE(target);
        CHECK(ann.request("GET", target).header("Set-Cookie").empty());
    }
    CHECK(ann.get("/read") == "anna");
    CHECK(ann.id == id);
}

TEST_CASE("sessions: over https the cookie is Secure, and no other host can set it") {
    sake::Engine app;
    app.use(sake::middleware::trusted_proxies({"127.0.0.1"}));
    app.use(sessions({.cookie = "sid", .lifetime = 1h, .same_site = sake::http::SameSite::none}));
    add_routes(app);
    TestClient client(app);
    const std::pair<std::string_view, std::string_view> https{"X-Forwarded-Proto", "https"};
    Visitor ann(client, "__Host-sid");
    const std::string secure = ann.request("GET", "/set/ann", {https}).header("Set-Cookie");
    CHECK(secure == "__Host-sid=" + ann.id + "; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=None");
    CHECK(ann.request("GET", "/read", {https}).body == "ann");
    CHECK(client.get("/read", {https, {"Cookie", "sid=" + ann.id}}).body == "nobody");
    CHECK(ann.request("GET", "/read").body == "nobody");  // a page over http does not see it
    CHECK(ann.request("GET", "/logout", {https}).header("Set-Cookie") ==
          "__Host-sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=None");
    Visitor bob(client, "sid");
    const std::string plain = bob.request("GET", "/set/bob").header("Set-Cookie");
    CHECK(plain == "sid=" + bob.id + "; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
}

TEST_CASE("sessions: at login the id is another, and the old one is worth nothing") {
    sake::Engine app;
    app.use(sessions());
    add_routes(app);
    app.get("/cart", [](Context& ctx) { ctx.session()["cart"] = 3; });
    app.get("/all", [](Context& ctx) { ctx.json(ctx.session()); });
    TestClient client(app);
    Visitor attacker(client);
    attacker.get("/cart");
    Visitor victim(client);
    victim.id = attacker.id;  // which the attacker has planted
    victim.get("/login/ann");
    CHECK(is_id(victim.id));
    CHECK(victim.id != attacker.id);
    CHECK(victim.get("/all") == R"({"cart":3,"user":"ann"})");
    CHECK(attacker.get("/all") == "{}");
    attacker.get("/set/mallory");
    CHECK(victim.get("/read") == "ann");
    // Without a session from before, and twice in a row.
    Visitor bob(client);
    bob.get("/login/bob");
    const std::string first = bob.id;
    bob.get("/login/bob");
    CHECK(bob.id != first);
    CHECK(bob.get("/read") == "bob");
}

TEST_CASE("sessions: a renewal of an empty session keeps nothing") {
    sake::Engine app;
    app.use(sessions());
    app.get("/", [](Context& ctx) { ctx.renew_session(); });
    CHECK(TestClient(app).get("/").header("Set-Cookie").empty());
}

TEST_CASE("sessions: a session that has ended is gone, and so is its cookie") {
    for (const char* end : {"/logout", "/clear"}) {
        CAPTURE(end);
        sake::Engine app;
        app.use(sessions());
        add_routes(app);
        TestClient client(app);
        Visitor ann(client);
        ann.get("/login/ann");
        const std::string id = ann.id;
        const TestResponse ended = ann.request("GET", end);
        CHECK(ended.header("Set-Cookie") == "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        CHECK(ended.header("Cache-Control") == "no-store");
        CHECK(ann.id.empty());
        ann.id = id;
        CHECK(ann.get("/read") == "nobody");
    }
}

TEST_CASE("sessions: what is put into a session after its end is a new one") {
    sake::Engine app;
    app.use(sessions());
    add_routes(app);
    app.get("/bye", [](Context& ctx) {
        Json& session = ctx.session();
        ctx.end_session();
        CHECK(session == Json::object());
        session["user"] = "one who has left";
    });
    TestClient client(app);
    Visitor ann(client);
    ann.get("/login/ann");
    const std::string id = ann.id;
    ann.get("/bye");
    CHECK(is_id(ann.id));
    CHECK(ann.id != id);
    CHECK(ann.get("/read") == "one who has left");
    ann.id = id;
    CHECK(ann.get("/read") == "nobody");
}

TEST_CASE("sessions: an id that the server did not make is never taken over") {
    sake::Engine app;
    app.use(sessions());
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    ann.get("/set/ann");
    std::string other = ann.id;
    other.back() = other.back() == 'A' ? 'Q' : 'A';
    std::string lower = ann.id;
    for (char& c : lower) c = sake::to_lower(c);
    for (const std::string& id :
         {std::string(22, 'A'), other, lower + "x", ann.id + "=", ann.id.substr(0, 21), ann.id + ann.id,
          std::string(), std::string("../../../../etc/passwd"), std::string(5000, 'A'), "\"" + ann.id}) {
        CAPTURE(id);
        Visitor stranger(client);
        stranger.id = id;
        CHECK(stranger.get("/read") == "nobody");
        stranger.get("/set/mallory");
        CHECK(is_id(stranger.id));
        CHECK(stranger.id != id);
    }
    CHECK(ann.get("/read") == "ann");
}

TEST_CASE("sessions: ids differ") {
    std::set<std::string> ids;
    for (int i = 0; i < 1000; ++i) ids.insert(sake::detail::SessionId::make());
    CHECK(ids.size() == 1000);
    CHECK(is_id(*ids.begin()));
}

TEST_CASE("sessions: a session ends when its visitor is away for too long") {
    sake::Engine app;
    app.use(sessions({.idle_time = 10min, .lifetime = 1h}));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    Visitor bob(client);
    ann.get("/set/ann");
    bob.get("/set/bob");
    client.advance(10min - 1s);
    CHECK(ann.get("/other") == "other");  // each request counts, also one that does not ask for the session
    client.advance(1s);
    CHECK(bob.get("/read") == "nobody");
    client.advance(10min - 2s);
    CHECK(ann.get("/read") == "ann");
}

TEST_CASE("sessions: a session ends after its lifetime, however busy it is, and a renewal begins another") {
    sake::Engine app;
    app.use(sessions({.idle_time = 10min, .lifetime = 1h}));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    Visitor bob(client);
    ann.get("/set/ann");
    bob.get("/set/bob");
    for (int i = 0; i < 11; ++i) {
        client.advance(5min);
        CHECK(ann.get("/read") == "ann");
        CHECK(bob.get("/read") == "bob");
    }
    bob.get("/login/bob");
    client.advance(5min - 1s);
    CHECK(ann.get("/read") == "ann");
    client.advance(1s);
    CHECK(ann.get("/read") == "nobody");
    CHECK(bob.get("/read") == "bob");
}

TEST_CASE("sessions: a session up to a size") {
    Log log;
    sake::Engine app(log.config());
    app.use(sessions({.max_bytes = 100}));
    app.get("/:size", [](Context& ctx, std::size_t size) {
        ctx.session()["t"] = std::string(size - std::string_view(R"({"t":""})").size(), 't');
    });
    app.get("/read", [](Context& ctx) { return std::to_string(ctx.session().dump().size()); });
    TestClient client(app);
    Visitor ann(client);
    for (const char* size : {"/99", "/100"}) {
        CHECK(ann.request("GET", size).status == 200);
        CHECK(ann.get("/read") == std::string(size).substr(1));
    }
    const TestResponse refused = ann.request("GET", "/101");
    CHECK(refused.status == 500);
    CHECK(refused.header("Set-Cookie").empty());
    CHECK(log.has("ctx.session: the session has 101 bytes as JSON, and its max_bytes is 100"));
    CHECK(ann.get("/read") == "100");
}

TEST_CASE("sessions: a value that nests too deep to be read again is refused") {
    Log log;
    sake::Engine app(log.config());
    app.use(sessions());
    app.get("/:depth", [](Context& ctx, int depth) {
        Json value = 1;
        for (int i = 1; i < depth; ++i) value = Json::array({std::move(value)});
        ctx.session()["v"] = std::move(value);
    });
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    CHECK(ann.request("GET", "/64").status == 200);
    CHECK(ann.request("GET", "/read").status == 200);
    CHECK(ann.request("GET", "/65").status == 500);
    CHECK(ann.request("GET", "/read").status == 200);
}

TEST_CASE("sessions: what is no JSON text is kept as far as it goes") {
    sake::Engine app;
    app.use(sessions());
    app.get("/set", [](Context& ctx) {
        ctx.session() = {{"text", "a\xff"}, {"list", {1, 2.5, nullptr, true}}, {"", "no name"}};
    });
    app.get("/all", [](Context& ctx) { ctx.json(ctx.session()); });
    TestClient client(app);
    Visitor ann(client);
    ann.get("/set");
    CHECK(ann.get("/all") == "{\"\":\"no name\",\"list\":[1,2.5,null,true],\"text\":\"a\xef\xbf\xbd\"}");
}

TEST_CASE("sessions: if there are as many as may be, the guest who was idle the longest has to go") {
    sake::Engine app;
    app.use(sessions({.max_sessions = 3}));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    Visitor bob(client);
    Visitor eve(client);
    Visitor dan(client);
    ann.get("/login/ann");
    bob.get("/set/bob");
    eve.get("/set/eve");
    bob.get("/other");
    dan.get("/set/dan");
    CHECK(ann.get("/read") == "ann");
    CHECK(bob.get("/read") == "bob");
    CHECK(eve.get("/read") == "nobody");
    CHECK(dan.get("/read") == "dan");
    for (int i = 0; i < 100; ++i) Visitor(client).get("/set/flood");
    CHECK(ann.get("/read") == "ann");
}

TEST_CASE("sessions: those who have logged in keep their place, and nobody else gets in") {
    sake::Engine app;
    app.use(sessions({.idle_time = 1h, .max_sessions = 2}));
    add_routes(app);
    TestClient client(app);
    Visitor ann(client);
    Visitor bob(client);
    Visitor eve(client);
    ann.get("/login/ann");
    bob.get("/login/bob");
    for (const char* target : {"/set/eve", "/login/eve"}) {
        const TestResponse refused = eve.request("GET", target);
        CHECK(refused.status == 503);
        CHECK(refused.header("Retry-After") == "60");
        CHECK(refused.header("Set-Cookie").empty());
    }
    CHECK(eve.get("/read") == "nobody");
    ann.get("/login/anna");  // takes no other place
    CHECK(ann.get("/read") == "anna");
    bob.get("/logout");
    CHECK(eve.request("GET", "/login/eve").status == 200);
    client.advance(15min - 1s);
    CHECK(ann.get("/read") == "anna");
    CHECK(bob.request("GET", "/login/bob").status == 503);  // eve was away for less than 15 minutes
    client.advance(1s);
    CHECK(bob.request("GET", "/login/bob").status == 200);  // and now for so long
    CHECK(eve.get("/read") == "nobody");
    CHECK(ann.get("/read") == "anna");
    client.advance(1h);  // nobody is there any more
    CHECK(bob.request("GET", "/login/bob").status == 200);
    CHECK(bob.get("/read") == "bob");
}

TEST_CASE("sessions: an answer 5xx changes nothing, but an end is an end") {
    Log log;
    sake::Engine app(log.config().with_request_timeout(1s));
    app.use(sessions());
    add_routes(app);
    app.get("/half", [](Context& ctx) {
        ctx.session()["user"] = "half";
        ctx.renew_session();
        throw std::runtime_error("in the middle");
    });
    app.get("/busy", [](Context& ctx) {
        ctx.session()["user"] = "busy";
        ctx.text(503, "busy");
    });
    app.get("/slow", [](Context& ctx) -> sake::Task<> {
        ctx.session()["user"] = "slow";
        co_await sake::sleep(1h);
    });
    app.get("/wrong", [](Context& ctx) {
        ctx.session()["tries"] = ctx.session().value("tries", 0) + 1;
        throw sake::HttpError(401, "wrong password");
    });
    app.get("/tries", [](Context& ctx) { return std::to_string(ctx.session().value("tries", 0)); });
    app.get("/end", [](Context& ctx) {
        ctx.end_session();
        throw std::runtime_error("too late");
    });
    TestClient client(app);
    Visitor ann(client);
    CHECK(ann.request("GET", "/half").header("Set-Cookie").empty());
    ann.get("/set/ann");
    for (const char* target : {"/half", "/busy", "/slow"}) {
        CAPTURE(target);
        const TestResponse failed = ann.request("GET", target);
        CHECK(failed.status >= 500);
        CHECK(failed.header("Set-Cookie").empty());
        CHECK(ann.get("/read") == "ann");
    }
    CHECK(ann.request("GET", "/wrong").status == 401);
    CHECK(ann.get("/tries") == "1");
    const std::string id = ann.id;
    CHECK(ann.request("GET", "/end").status == 500);
    CHECK(ann.id.empty());
    ann.id = id;
    CHECK(ann.get("/read") == "nobody");
}

TEST_CASE("sessions: an ended or renewed session is not brought back by a slower request") {
    struct Row {
        const char* slow;
        const char* quick;
        int status;
        const char* user;
    };
    for (const Row& row :
         {Row{"/slow", "/logout", 200, "nobody"}, Row{"/slow", "/login/new", 200, "nobody"},
          Row{"/slow-login", "/logout", 409, "nobody"}, Row{"/slow-logout", "/login/new", 200, "nobody"},
          Row{"/slow", "/set/quick", 200, "slow"}, Row{"/slow-read", "/set/quick", 200, "quick"}}) {
        CAPTURE(row.slow);
        CAPTURE(row.quick);
        sake::Engine app;
        app.use(sessions());
        add_routes(app);
        app.get("/slow", [](Context& ctx) -> sake::Task<> {
            ctx.session()["user"] = "slow";
            co_await sake::sleep(1s);
        });
        app.get("/slow-read", [](Context& ctx) -> sake::Task<> {
            CHECK(ctx.session()["user"] == "ann");
            co_await sake::sleep(1s);
        });
        app.get("/slow-login", [](Context& ctx) -> sake::Task<> {
            co_await sake::sleep(1s);
            ctx.session()["user"] = "slow";
            ctx.renew_session();
        });
        app.get("/slow-logout", [](Context& ctx) -> sake::Task<> {
            co_await sake::sleep(1s);
            ctx.end_session();
        });
        TestClient client(app);
        Visitor ann(client);
        ann.get("/set/ann");
        const std::string id = ann.id;
        auto slow = client.connect();
        slow.send("GET " + std::string(row.slow) + " HTTP/1.1\r\nHost: a\r\nCookie: session=" + id +
                  "\r\n\r\n");
        CHECK(slow.receive_now().empty());
        ann.get(row.quick);
        const TestResponse late = slow.response();
        CHECK(late.status == row.status);
        Visitor old(client);
        old.id = id;
        CHECK(old.get("/read") == row.user);
        if (std::string_view(row.quick) == "/login/new") CHECK(ann.get("/read") == "new");
    }
}

TEST_CASE("sessions: an answer that depends on a session is for its visitor alone") {
    sake::Engine app;
    app.use(sessions());
    add_routes(app);
    app.get("/own", [](Context& ctx) {
        ctx.set_header("Cache-Control", "public, max-age=60").set_header("Vary", "accept, cookie");
        ctx.text(ctx.session().value("user", "nobody"));
    });
    app.get("/own/:user", [](Context& ctx, std::string user) {
        ctx.session()["user"] = user;
        ctx.set_header("Cache-Control", "public, max-age=60");
    });
    TestClient client(app);
    Visitor ann(client);
    const TestResponse read = ann.request("GET", "/read");
    CHECK(read.header("Cache-Control") == "private, no-cache");
    CHECK(read.header("Vary") == "Cookie");
    const TestResponse other = ann.request("GET", "/other");
    CHECK(other.header("Cache-Control").empty());
    CHECK(other.header("Vary").empty());
    const TestResponse own = ann.request("GET", "/own");
    CHECK(own.header("Cache-Control") == "public, max-age=60");
    CHECK(own.header("Vary") == "accept, cookie");
    CHECK(ann.request("GET", "/own/ann").header("Cache-Control") == "no-store");
}

TEST_CASE("sessions: middleware in front and behind may use the session, until it is saved") {
    Log log;
    sake::Engine app(log.config());
    app.use([](Context& ctx) {
        ctx.after([](Context& answered) {
            if (answered.path() == "/late") answered.session()["user"] = "late";
        });
    });
    app.use(sessions());
    app.use([](Context& ctx) {
        if (ctx.path() == "/before") ctx.session()["user"] = "before";
        ctx.after([](Context& answered) {
            if (answered.path() == "/after") answered.session()["user"] = "after";
        });
    });
    add_routes(app);
    for (const char* target : {"/before", "/after", "/late"}) app.get(sake::runtime(target), [](Context&) {});
    TestClient client(app);
    for (const char* target : {"/before", "/after"}) {
        Visitor visitor(client);
        visitor.get(target);
        CHECK(visitor.get("/read") == target + 1);
    }
    CHECK(client.get("/late").status == 500);
    CHECK(log.has(
        "ctx.session: the session has been saved, with the head of the answer; ask for it before that"));
}

TEST_CASE("sessions: the session of an answer in pieces is saved with its head") {
    Log log;
    sake::Engine app(log.config());
    app.use(sessions());
    add_routes(app);
    app.get("/stream", [](Context& ctx) -> sake::Task<> {
        ctx.session()["user"] = "streamed";
        auto out = ctx.stream("text/plain");
        co_await out.write("piece");
        CHECK_THROWS_AS(static_cast<void>(ctx.session()), std::logic_error);
        CHECK_THROWS_AS(ctx.end_session(), std::logic_error);
    });
    TestClient client(app);
    Visitor ann(client);
    CHECK(ann.get("/stream") == "piece");
    CHECK(is_id(ann.id));
    CHECK(ann.get("/read") == "streamed");
}

TEST_CASE("sessions: what is wrong is said in words") {
    Log log;
    sake::Engine app(log.config());
    add_routes(app);
    auto group = app.group("/in");
    group.use(sessions());
    group.get("/worker", [](Context& ctx) { ctx.session()["a"] = 1; }).worker();
    TestClient client(app);
    for (const auto& [name, words] :
         {std::pair("/read",
                    "ctx.session: this route has no sessions; add app.use(sake::middleware::sessions())"),
          std::pair("/login/a", "ctx.renew_session: this route has no sessions"),
          std::pair("/logout", "ctx.end_session: this route has no sessions"),
          std::pair(
              "/in/worker",
              "ctx.session: a worker has no session; let middleware hand over what it needs by ctx.set")}) {
        const std::string target = name;
        CAPTURE(target);
        CHECK(client.get(target).status == 500);
        CHECK(log.has(words));
    }
}

TEST_CASE("sessions: middleware hands a session over to a worker and back") {
    sake::Engine app;
    app.use(sessions());
    add_routes(app);
    app.get("/work", [](Context& ctx) { ctx.set("user", ctx.get<std::string>("user") + "!"); })
        .worker()
        .use([](Context& ctx) {
            ctx.set("user", ctx.session().value("user", "nobody"));
            ctx.after([](Context& answered) { answered.session()["user"] = answered.get("user"); });
        });
    TestClient client(app);
    Visitor ann(client);
    ann.get("/set/ann");
    ann.get("/work");
    CHECK(ann.get("/read") == "ann!");
}

TEST_CASE("sessions: options that make no sense are refused in words") {
    const auto complaint = [](SessionOptions options) {
        const std::string words =
            thrown_by<std::invalid_argument>([&] { static_cast<void>(sessions(std::move(options))); });
        return words == "nothing" ? std::string() : words;
    };
    CHECK(complaint({}).empty());
    CHECK(complaint({.cookie = ""}) == "cookie name: is empty");
    CHECK_FALSE(complaint({.cookie = "a b"}).empty());
    CHECK_FALSE(complaint({.cookie = "a; Domain=evil.example"}).empty());
    CHECK_FALSE(complaint({.cookie = "a\r\nX: y"}).empty());
    CHECK(complaint({.cookie = "__Host-a"}).starts_with("sessions: the name of the cookie begins with '__'"));
    CHECK(complaint({.idle_time = 0s}) == "sessions: idle_time must be from 1 s to 400 days, but is 0 s");
    CHECK_FALSE(complaint({.idle_time = -1s}).empty());
    CHECK(complaint({.idle_time = 1s}).empty());
    CHECK(complaint({.lifetime = 400 * 24h}).empty());
    CHECK_FALSE(complaint({.lifetime = 400 * 24h + 1s}).empty());
    CHECK_FALSE(complaint({.max_sessions = 0}).empty());
    CHECK_FALSE(complaint({.max_bytes = 1}).empty());
}

TEST_CASE("sessions: refusals begin no session and leave those that are there") {
    for_each_refusal([](sake::Engine& app) { app.use(sessions()); },
                     [](const TestResponse& response) { CHECK(response.header("Set-Cookie").empty()); });
    for_each_refusal(
        [](sake::Engine& app) {
            app.use(sessions());
            app.use([](Context& ctx) { ctx.session()["seen"] = true; });
        },
        [](const TestResponse& response) {
            CHECK(response.header("Set-Cookie").empty() == (response.status >= 500));
        });
}

TEST_CASE("sessions: the table keeps its bounds and its order") {
    using Standing = SessionTable::Standing;
    using Outcome = SessionTable::Outcome;
    const SessionTable::Time start{};
    SessionTable table(100s, 1000s, 1000);
    for (int i = 0; i < 1000; ++i)
        CHECK(table.add(std::to_string(i), "t" + std::to_string(i), Standing::guest, start) == Outcome::kept);
    for (int i = 0; i < 1000; ++i) CHECK(table.use(std::to_string(i), start + 1s) == "t" + std::to_string(i));
    for (int i = 1000; i < 1500; ++i)
        CHECK(table.add(std::to_string(i), "", Standing::member, start + 1s) == Outcome::kept);
    for (int i = 0; i < 1500; ++i) CHECK(table.use(std::to_string(i), start + 2s).has_value() == (i >= 500));
    for (int i = 500; i < 1500; i += 2) table.erase(std::to_string(i));
    for (int i = 500; i < 1500; ++i) {
        CHECK(table.use(std::to_string(i), start + 2s).has_value() == (i % 2 == 1));
        CHECK(table.replace(std::to_string(i), "new") == (i % 2 == 1 ? Outcome::kept : Outcome::gone));
    }
    CHECK(table.renew("501", "other", "text", start + 3s) == Outcome::kept);
    CHECK(table.renew("501", "another", "text", start + 3s) == Outcome::gone);
    CHECK_FALSE(table.use("501", start + 3s));
    CHECK(table.use("other", start + 3s) == "text");
    CHECK(table.use("503", start + 101s) == "new");
    CHECK_FALSE(table.use("505", start + 102s));
}

TEST_CASE("sessions: the place of a member is safe for 15 minutes, and goes to one who comes later then") {
    using Standing = SessionTable::Standing;
    using Outcome = SessionTable::Outcome;
    const SessionTable::Time start{};
    for (const Standing standing : {Standing::guest, Standing::member}) {
        SessionTable table(24h, 24h, 3);
        for (const char* id : {"a", "b", "c"})
            CHECK(table.add(id, id, Standing::member, start) == Outcome::kept);
        CHECK(table.use("a", start + 1s));
        CHECK(table.add("d", "d", standing, start + 15min - 1s) == Outcome::no_room);
        CHECK(table.add("d", "d", standing, start + 15min) == Outcome::kept);
        CHECK_FALSE(table.use("b", start + 15min));
        CHECK(table.use("c", start + 15min));
        CHECK(table.add("e", "e", standing, start + 15min) ==
              (standing == Standing::guest ? Outcome::kept : Outcome::no_room));
        CHECK(table.add("f", "f", standing, start + 15min + 1s) == Outcome::kept);
        CHECK(table.use("a", start + 15min + 1s).has_value() == (standing == Standing::guest));
        CHECK(table.use("c", start + 15min + 1s));
    }
}

TEST_CASE("sessions: the table is for any thread") {
    using Standing = SessionTable::Standing;
    const SessionTable::Time start{};
    SessionTable table(100s, 1000s, 50);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&, number] {
            for (int i = 0; i < 2000; ++i) {
                const std::string id = std::to_string(number) + "/" + std::to_string(i);
                static_cast<void>(
                    table.add(id, id, i % 100 == 0 ? Standing::member : Standing::guest, start));
                const auto text = table.use(id, start);
                if (text && *text != id) ++wrong;
                static_cast<void>(table.renew(id, id + "b", id, start));
                static_cast<void>(table.replace(id + "b", id + "c"));
                if (i % 3 != 0) table.erase(id + "b");
            }
        });
    }
    for (std::thread& each : threads) each.join();
    CHECK(wrong == 0);
}

}  // namespace test_middleware_sessions
