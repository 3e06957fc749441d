// Serves a directory for the clients of files.py: the address is logged, SIGTERM ends it.
//
//   files DIRECTORY
#include "sake.hpp"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    sake::Engine app;
    app.static_files("/", argv[1]);
    return app.run("127.0.0.1:0");
}
