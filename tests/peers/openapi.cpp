// The API of tests/support/sample_api.hpp, for the validators of openapi.mjs.
#include "../support/sample_api.hpp"

int main(int argc, char** argv) {
    sake::Engine app;
    sample::add_all(app);
    return app.run(argc > 1 ? argv[1] : "127.0.0.1:0");
}
