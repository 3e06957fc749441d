// Hello: a whole server in ten lines, with text, JSON, and a path parameter that has to be a number.
//
//   g++ -std=c++20 -O2 -I../single_include hello.cpp -o hello -pthread && ./hello
//
//   curl 127.0.0.1:8080/            # 200 Hello, World!
//   curl 127.0.0.1:8080/users/7     # 200 {"id":7}
//   curl 127.0.0.1:8080/users/me    # 400 ..."detail":"path parameter 'id' is not an integer in range"}
//   curl 127.0.0.1:8080/nowhere     # 404 ..."detail":"there is nothing at this path"}
//   curl -I 127.0.0.1:8080/         # 200
//     # Content-Type: text/plain; charset=utf-8
//     # Content-Length: 13

#include "sake.hpp"

int main(int argc, char** argv) {
    sake::Engine app;

    app.get("/", [] { return "Hello, World!"; });

    app.get("/users/:id", [](int id) { return sake::Json{{"id", id}}; });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
