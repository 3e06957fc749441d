// cpp-httplib's program in the benchmarks (Debian: libcpp-httplib-dev). It serves one connection per thread,
// so it gets a thread for each connection of the largest scenario; with its default of eight, most of them
// would starve.

#include <httplib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

int main(int argc, char** argv) {
    httplib::Server server;
    server.new_task_queue = [] { return new httplib::ThreadPool(1024); };
    server.set_keep_alive_max_count(1'000'000'000);
    server.set_tcp_nodelay(true);

    const auto hello = [](const httplib::Request&, httplib::Response& response) {
        response.set_content("Hello, World!", "text/plain; charset=utf-8");
    };
    server.Get("/", hello);
    server.Get("/json", [](const httplib::Request&, httplib::Response& response) {
        response.set_content(R"({"message":"Hello, World!"})", "application/json");
    });
    server.Get(R"(/user/([^/]+))", [](const httplib::Request& request, httplib::Response& response) {
        response.set_content(request.matches[1], "text/plain; charset=utf-8");
    });
    server.Post("/echo", [](const httplib::Request& request, httplib::Response& response) {
        response.set_content(request.body, "text/plain; charset=utf-8");
    });
    if (const char* file = std::getenv("MEBIBYTE")) {
        server.set_mount_point("/files", std::filesystem::path(file).parent_path().string());
    }
    for (int i = 1; i <= 100; ++i) server.Get("/route/" + std::to_string(i), hello);

    return server.listen("127.0.0.1", argc > 1 ? std::atoi(argv[1]) : 8080) ? 0 : 1;
}
