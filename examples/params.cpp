// Parameters of the path and the query, headers, cookies, and handlers that return their answer.
//
//   g++ -std=c++20 -O2 -I../single_include params.cpp -o params -pthread && ./params
//
//   curl 127.0.0.1:8080/hello/Ada%20Lovelace      # 200 Hello, Ada Lovelace!
//   curl 127.0.0.1:8080/add/19/23                 # 200 {"sum":42}
//   curl 127.0.0.1:8080/add/19/many               # 400 ...parameter 'b' is not an integer in range"}
//   curl '127.0.0.1:8080/search?q=green+tea'      # 200 {"page":1,"q":"green tea","sort":"newest"}
//   curl '127.0.0.1:8080/search?q=tea&page=2'     # 200 {"page":2,"q":"tea","sort":"newest"}
//   curl '127.0.0.1:8080/search?q=tea&page=two'
//     # 400 ..."detail":"query parameter 'page' is not an integer in range"}
//   curl 127.0.0.1:8080/search                    # 400 ..."detail":"what for? Add ?q=words"}
//   curl '127.0.0.1:8080/tea?tag=hot&tag=sweet'   # 200 ["hot","sweet"]
//   curl 127.0.0.1:8080/files/img/cup.png         # 200 the file img/cup.png
//   curl 127.0.0.1:8080/files/readme              # 200 a route of its own
//   curl -A spoon 127.0.0.1:8080/headers
//     # 200 {"agent":"spoon","received":["Host","User-Agent","Accept"],"signed_in":false}
//   curl -i 127.0.0.1:8080/visits                 # 200 visit 1
//     # Set-Cookie: visits=1; Path=/; HttpOnly; SameSite=Lax
//   curl -b visits=4 127.0.0.1:8080/visits        # 200 visit 5
//   curl -b visits=many 127.0.0.1:8080/visits
//     # 400 ..."detail":"cookie 'visits' is not a non-negative integer in range"}

#include <string>

#include "sake.hpp"

int main(int argc, char** argv) {
    sake::Engine app;

    // Path parameters are arguments, in the order of the pattern, and arrive decoded. A returned string is a
    // text/plain 200.
    app.get("/hello/:name", [](std::string name) { return "Hello, " + name + "!"; });

    // A returned sake::Json is a JSON 200. A segment that is not an int is answered with 400.
    app.get("/add/:a/:b", [](int a, int b) { return sake::Json{{"sum", a + b}}; });

    // The query: an optional text, a number or its fallback, a text or its fallback.
    app.get("/search", [](sake::Context& ctx) {
        const auto q = ctx.find_query("q");
        if (!q) throw sake::HttpError(400, "what for? Add ?q=words");
        ctx.json({{"q", *q}, {"page", ctx.query<int>("page", 1)}, {"sort", ctx.query("sort", "newest")}});
    });

    // A query parameter that may repeat.
    app.get("/tea", [](sake::Context& ctx) { return ctx.queries("tag"); });

    // "*path" matches the rest of the path. A fixed segment wins, whatever the order of registration.
    app.get("/files/*path", [](std::string path) { return "the file " + path; });
    app.get("/files/readme", [] { return "a route of its own"; });

    app.get("/headers", [](sake::Context& ctx) {
        sake::Json received = sake::Json::array();
        for (const auto& [name, value] : ctx.headers()) received.push_back(name);
        ctx.json({{"agent", ctx.header("User-Agent")},
                  {"signed_in", ctx.find_header("Authorization").has_value()},
                  {"received", received}});
    });

    // Cookies and headers convert as parameters do.
    app.get("/visits", [](sake::Context& ctx) {
        const unsigned visits = ctx.cookie<unsigned>("visits", 0) % 1000 + 1;
        const sake::http::SetCookie cookie{.name = "visits", .value = std::to_string(visits)};
        ctx.set_cookie(cookie).text("visit " + cookie.value);
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
