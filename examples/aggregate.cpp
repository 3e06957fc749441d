// Several services asked at once: what answers in time is in the page, what does not is left out.
//
//   g++ -std=c++20 -O2 -I../single_include aggregate.cpp -o aggregate -pthread && ./aggregate
//
//   curl 127.0.0.1:8080/trip/kyoto
//     # 200 {"flights":null,"hotels":["Inn","Palace"],"weather":{"sky":"clear"}}
//     # stderr: sake: warning: http://127.0.0.1:.../flights/kyoto: the operation timed out
//   curl 127.0.0.1:8080/fastest        # 200 {"answer":{"sky":"clear"}}

#include <chrono>
#include <exception>
#include <string>

#include "sake.hpp"

using namespace std::chrono_literals;
using sake::Json;
using sake::Task;

// What a service says within the limit; null if it does not, or says no JSON. The others go on meanwhile.
Task<Json> ask(std::string url, std::chrono::milliseconds limit) {
    std::string failure;
    try {
        const auto response = co_await sake::timeout(sake::http::get(url), limit);
        if (response.is_ok()) co_return response.json();
        failure = "status " + std::to_string(response.status);
    } catch (const std::exception& error) {
        failure = error.what();
    }
    sake::log_to_stderr(sake::LogLevel::warning, url + ": " + failure);
    co_return Json(nullptr);
}

int main(int argc, char** argv) {
    sake::Engine app;
    app.listen(argc > 1 ? argv[1] : "127.0.0.1:8080");
    const std::string services = "http://127.0.0.1:" + std::to_string(app.port());

    // The whole takes as long as the slowest that is waited for.
    app.get("/trip/:city", [&](std::string name) -> Task<Json> {
        const std::string city = sake::http::percent_encode(name);  // it was decoded: "a/b?c" is one name
        auto all = co_await sake::when_all(ask(services + "/weather/" + city, 400ms),
                                           ask(services + "/hotels/" + city, 400ms),
                                           ask(services + "/flights/" + city, 400ms));
        auto& [weather, hotels, flights] = all;
        co_return Json{{"weather", weather}, {"hotels", hotels}, {"flights", flights}};
    });

    // The first answer wins; the others are cancelled, and their connections closed.
    app.get("/fastest", [&]() -> Task<Json> {
        auto first = co_await sake::when_any(ask(services + "/flights/oslo", 10s),
                                             ask(services + "/weather/oslo", 10s));
        const Json answer = first.index() == 0 ? std::get<0>(first) : std::get<1>(first);
        co_return Json{{"answer", answer}};
    });

    // The services, which would be other programs.
    app.get("/weather/:city", [] { return Json{{"sky", "clear"}}; });
    app.get("/hotels/:city", []() -> Task<Json> {
        co_await sake::sleep(20ms);
        co_return Json::array({"Inn", "Palace"});
    });
    app.get("/flights/:city", []() -> Task<Json> {
        co_await sake::sleep(1h);
        co_return Json::array();
    });

    return app.run();
}
