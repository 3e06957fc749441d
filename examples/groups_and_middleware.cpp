// Groups and middleware: a log of every answer, a guard for one group, a group inside it, and answers of our
// own for errors and for unknown paths.
//
//   g++ -std=c++20 -O2 -I../single_include groups_and_middleware.cpp -o groups -pthread && ./groups
//
//   curl 127.0.0.1:8080/               # 200 open to everybody
//     # stderr: sake: GET / 200
//   curl -i 127.0.0.1:8080/cave        # 401 {"error":"say the word"}
//     # WWW-Authenticate: Bearer
//     # stderr: sake: GET /cave 401
//   curl -H 'Authorization: Bearer sesame' 127.0.0.1:8080/cave           # 200 welcome, Ali Baba
//   curl -H 'Authorization: Bearer sesame' 127.0.0.1:8080/cave/jars      # 200 40 jars
//   curl -H 'Authorization: Bearer sesame' 127.0.0.1:8080/cave/jars/7    # 200 jar 7
//   curl -H 'Authorization: Bearer sesame' 127.0.0.1:8080/cave/jars/41
//     # 404 {"error":"there are 40 jars"}
//     # stderr: sake: GET /cave/jars/41 404
//   curl 127.0.0.1:8080/broken         # 500 {"error":"our fault"}
//     # stderr: sake: error: GET /broken failed in GET /broken (...): the oil has run out
//     # stderr: sake: GET /broken 500
//   curl 127.0.0.1:8080/nowhere        # 404 /nowhere? Try /
//   curl -i -X POST 127.0.0.1:8080/    # 405 ..."detail":"this resource does not accept this method: ..."}
//     # Allow: GET, HEAD, OPTIONS
//     # stderr: sake: POST / 405

#include <stdexcept>
#include <string>

#include "sake.hpp"

// Called for every answer, also for those that no handler made.
void log_answer(const sake::Answered& answered) {
    std::string line(answered.method);
    line.append(" ").append(answered.target).append(" ").append(std::to_string(answered.status));
    sake::log_to_stderr(sake::LogLevel::info, line);
}

struct Visitor {
    std::string name;
};

// Plain middleware runs before the rest of the chain. The rest then runs by itself, unless it is aborted.
void require_word(sake::Context& ctx) {
    if (ctx.header("Authorization") == "Bearer sesame") {
        ctx.state<Visitor>().name = "Ali Baba";
    } else {
        ctx.abort(401).set_header("WWW-Authenticate", "Bearer").json({{"error", "say the word"}});
    }
}

int main(int argc, char** argv) {
    sake::Engine app;
    app.on_answered(log_answer);

    app.get("/", [] { return "open to everybody"; });
    app.get("/broken", [] { throw std::runtime_error("the oil has run out"); });

    auto cave = app.group("/cave");
    cave.use(require_word);
    cave.get("/", [](sake::Context& ctx) { return "welcome, " + ctx.state<Visitor>().name; });

    auto jars = cave.group("/jars");  // /cave/jars, behind the same guard
    jars.get("/", [] { return "40 jars"; });
    jars.get("/:number", [](int number) {
        if (number < 1 || number > 40) throw sake::HttpError(404, "there are 40 jars");
        return "jar " + std::to_string(number);
    });

    // The status is set already. Only the text of an HttpError is meant for the client.
    app.on_error([](sake::Context& ctx, const std::exception& error) {
        const auto* answer = dynamic_cast<const sake::HttpError*>(&error);
        ctx.json({{"error", answer != nullptr ? answer->detail() : "our fault"}});
    });
    app.not_found([](sake::Context& ctx) { return std::string(ctx.path()) + "? Try /"; });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
