// The HTTP client against another server, which serves a folder with small.txt ("small\n"), large.bin (5 MB
// of a known pattern) and folder/index.html: fetch URL. Prints "ok NAME" or "FAIL NAME: WHY" for each thing
// that it tries.

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "sake.hpp"

namespace http = sake::http;
using namespace std::chrono_literals;

namespace {

void report(const std::string& name, bool is_so, const std::string& seen = {}) {
    const std::string line = is_so ? "ok " + name + "\n" : "FAIL " + name + ": " + seen + "\n";
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
}

std::string expected_large() {
    std::string bytes(5'000'000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i % 23);
    return bytes;
}

sake::Task<int> status_of(http::Client& client, std::string url) {
    const http::Response response = co_await client.get(url);
    co_return response.body == "small\n" ? response.status : -response.status;
}

sake::Task<> try_all(std::string origin) {
    http::Client client({.max_connections_per_origin = 10});
    const http::Response small = co_await client.get(origin + "/small.txt");
    report("a file", small.status == 200 && small.body == "small\n", std::to_string(small.status));
    const http::Response head = co_await client.head(origin + "/small.txt");
    report("its head", head.status == 200 && head.body.empty() && head.headers.get("Content-Length") == "6");
    const http::Response absent = co_await client.get(origin + "/absent");
    report("no file", absent.status == 404 && !absent.body.empty(), std::to_string(absent.status));
    const http::Response folder = co_await client.get(origin + "/folder");
    report("a folder, by way of a redirect", folder.status == 200 && folder.body == "index\n",
           std::to_string(folder.status));

    const std::string expected = expected_large();
    const http::Response large = co_await client.get(origin + "/large.bin");
    report("a large file, gathered", large.body == expected, std::to_string(large.body.size()));
    http::ResponseStream stream = co_await client.open(http::Request("GET", origin + "/large.bin"));
    std::size_t received = 0;
    bool is_same = true;
    for (;;) {
        const std::string piece = co_await stream.read();
        if (piece.empty()) break;
        is_same = is_same && expected.compare(received, piece.size(), piece) == 0;
        received += piece.size();
    }
    report("a large file, streamed", is_same && received == expected.size(), std::to_string(received));

    std::vector<sake::Task<int>> many;
    for (int i = 0; i < 300; ++i) many.push_back(status_of(client, origin + "/small.txt"));
    const std::vector<int> statuses = co_await sake::when_all(std::move(many));
    std::size_t good = 0;
    for (const int status : statuses) good += status == 200 ? 1 : 0;
    report("three hundred at once", good == 300, std::to_string(good));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    try {
        sake::run_until_complete(sake::timeout(try_all(argv[1]), 60s));
    } catch (const std::exception& error) {
        report("to the end", false, error.what());
        return 1;
    }
    return 0;
}
