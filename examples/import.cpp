// Import: hello world with the module `sake` in place of the include, for clang 19. The first two compile the
// header, once; a change of this file then costs its own lines only.
//
//   flags="-std=c++20 -O2 -pthread -DSAKE_SEPARATE -I../single_include"
//   clang++-19 $flags --precompile ../single_include/sake.cppm -o sake.pcm
//   echo '#include "sake.hpp"' | clang++-19 $flags -DSAKE_IMPLEMENTATION -x c++ -c - -o sake.o
//   clang++-19 $flags -fmodule-file=sake=sake.pcm import.cpp sake.pcm sake.o -o import && ./import
//
//   curl 127.0.0.1:8080/            # 200 Hello, World!
//   curl 127.0.0.1:8080/users/7     # 200 {"id":7}

#include <nlohmann/json.hpp>

import sake;

int main(int argc, char** argv) {
    sake::Engine app;

    app.get("/", [] { return "Hello, World!"; });

    app.get("/users/:id", [](int id) { return sake::Json{{"id", id}}; });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
