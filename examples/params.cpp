// Parameters: what a request says outside its body, and handlers that return their answer.
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
//   curl 127.0.0.1:8080/files/img/cup.png         # 200 the file img/cup.png
//   curl 127.0.0.1:8080/files/readme              # 200 a route of its own
//   curl -A spoon 127.0.0.1:8080/headers
//     # 200 {"agent":"spoon","received":["Host","User-Agent","Accept"],"signed_in":false}
//   curl -i 127.0.0.1:8080/visits                 # 200 visit 1
//     # Set-Cookie: visits=1; Path=/; HttpOnly; SameSite=Lax
//   curl -b visits=4 127.0.0.1:8080/visits        # 200 visit 5

#include <string>

#include "sake.hpp"

int main(int argc, char** argv) {
    sake::Engine app;

    // A string that is returned is a text/plain 200, a sake::Json a JSON 200. Parameters arrive decoded.
    app.get("/hello/:name",
            [](sake::Context& ctx) { return "Hello, " + ctx.param<std::string>("name") + "!"; });

    // Parameters as arguments, in the order of the pattern. A segment that is no int is answered with 400.
    app.get("/add/:a/:b", [](sake::Context&, int a, int b) { return sake::Json{{"sum", a + b}}; });

    // The query: text that may be missing, a number or its fallback, text or its fallback.
    app.get("/search", [](sake::Context& ctx) {
        const auto q = ctx.query("q");
        if (!q) throw sake::HttpError(400, "what for? Add ?q=words");
        ctx.json({{"q", *q}, {"page", ctx.query<int>("page", 1)}, {"sort", ctx.query("sort", "newest")}});
    });

    // "*path" takes all that is left of the path. A fixed segment wins, whatever the order of registration.
    app.get("/files/*path", [](sake::Context&, std::string path) { return "the file " + path; });
    app.get("/files/readme", [](sake::Context&) { return "a route of its own"; });

    app.get("/headers", [](sake::Context& ctx) {
        sake::Json received = sake::Json::array();
        for (const auto& [name, value] : ctx.headers()) received.push_back(name);
        ctx.json({{"agent", ctx.header("User-Agent")},
                  {"signed_in", ctx.find_header("Authorization").has_value()},
                  {"received", received}});
    });

    // A cookie comes from anybody, so it is read with the same care as a parameter.
    app.get("/visits", [](sake::Context& ctx) {
        const int visits = sake::parse_number<int>(ctx.cookie("visits")).value_or(0) % 1000 + 1;
        const sake::http::SetCookie cookie{.name = "visits", .value = std::to_string(visits)};
        ctx.set_cookie(cookie).text("visit " + cookie.value);
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
