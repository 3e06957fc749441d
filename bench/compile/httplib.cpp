// Hello world, to be compiled and measured.
#include <httplib.h>

int main() {
    httplib::Server app;
    app.Get("/", [](const httplib::Request&, httplib::Response& response) {
        response.set_content("Hello, World!", "text/plain");
    });
    return app.listen("0.0.0.0", 8080) ? 0 : 1;
}
