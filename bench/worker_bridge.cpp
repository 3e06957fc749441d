// What it costs that a request crosses to a worker as JSON text and its answer comes back so: every step
// alone, on one thread, without a server. One line of JSON goes to standard output: microseconds, medians.
//
//     worker_bridge [CASE]    all cases, or one of them for longer, as for a profiler: worker_bridge "1 KiB
//     text"
//
// Describing and loading are done here with the public types. A server reads the head with its parser once
// more while it loads, and has two threads to wake: bench/workers.py measures that from outside.

#include "heavy.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

// What a browser sends, in length and in number.
const Pairs request_headers = {
    {"Host", "api.example.com"},
    {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
    {"Accept", "application/json, text/plain, */*"},
    {"Accept-Language", "en-GB,en;q=0.7,de;q=0.3"},
    {"Accept-Encoding", "gzip, deflate, br, zstd"},
    {"Content-Type", "application/json"},
    {"Content-Length", "1024"},
    {"Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"},
    {"Cookie", "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark"},
    {"Connection", "keep-alive"},
};
const Pairs response_headers = {{"Cache-Control", "no-store"}, {"X-Request-Id", "8f14e45fceea167a"}};

std::string repeated(std::string_view part, std::size_t size) {
    std::string text;
    while (text.size() < size) text += part;
    text.resize(size);
    return text;
}

/// The bodies differ in what JSON must do with them: nothing, a backslash before every quote, base64.
struct Case {
    std::string name;
    std::string body;
};

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const auto& [size_name, size] : {std::pair("1 KiB", std::size_t{1024}), {"64 KiB", 64 * 1024}}) {
        const std::string name = size_name;
        cases.push_back({name + " text", repeated("The quick brown fox jumps over the lazy dog. ", size)});
        cases.push_back(
            {name + " JSON", repeated(R"({"id":42,"name":"Ada","tags":["a","b"],"ok":true},)", size)});
        cases.push_back({name + " bytes", repeated("\xff\xfe\x01\x80\x7f", size)});
    }
    return cases;
}

template <class Target>
void copy_pairs(const Pairs& from, Target& to) {
    for (const auto& [name, value] : from) to.emplace_back(name, value);
}

/// As the reactor does: everything is copied out of the connection's buffer.
sake::WorkerContext describe(std::string_view body) {
    sake::WorkerContext request;
    request.route = "/orders/:id";
    request.method = "POST";
    request.target = "/orders/42?verbose=1";
    request.path = "/orders/42";
    request.params.emplace_back("id", "42");
    request.query = "verbose=1";
    copy_pairs(request_headers, request.headers);
    request.body = body;
    request.remote_address = "127.0.0.1";
    return request;
}

sake::WorkerResponse answer(std::string_view body) {
    sake::WorkerResponse response;
    response.content_type = "application/json";
    copy_pairs(response_headers, response.headers);
    response.body = body;
    return response;
}

constexpr std::array step_names = {"describe", "to_text", "from_text", "load"};
constexpr std::size_t step_count = step_names.size();

/// Microseconds of each step, of the request first and of the response then, in one crossing.
using Steps = std::array<double, 2 * step_count>;

// Volatile, so that what is loaded counts as used.
volatile std::size_t loaded_bytes = 0;

/// One way across. `steps` gets what each step took; without it the clock, which costs something itself, is
/// left alone.
template <class Document, class Describe>
void cross(Describe describe_document, double* steps) {
    std::array<Clock::time_point, step_count + 1> at;
    const auto note = [&](std::size_t step) {
        if (steps != nullptr) at[step] = Clock::now();
    };
    note(0);
    const Document sent = describe_document();
    note(1);
    const std::string text = sake::to_text(sent);
    note(2);
    Document received = sake::from_text<Document>(text);
    note(3);
    {
        // As the other side does: it takes the body over and copies the fields.
        std::string head;
        for (const auto& [name, value] : received.headers) head.append(name).append(": ").append(value);
        const std::string body = std::move(received.body);
        loaded_bytes = head.size() + body.size();
    }
    note(4);
    for (std::size_t i = 0; steps != nullptr && i < step_count; ++i) {
        steps[i] = std::chrono::duration<double, std::micro>(at[i + 1] - at[i]).count();
    }
}

void cross_and_back(std::string_view body, Steps* steps) {
    double* const there = steps == nullptr ? nullptr : steps->data();
    double* const back = steps == nullptr ? nullptr : steps->data() + step_count;
    cross<sake::WorkerContext>([&] { return describe(body); }, there);
    cross<sake::WorkerResponse>([&] { return answer(body); }, back);
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

void measure(const Case& each, std::chrono::milliseconds duration) {
    std::array<std::vector<double>, 2 * step_count> of_steps;
    std::vector<double> totals;
    const auto end = Clock::now() + duration;
    do {
        const auto begin = Clock::now();
        cross_and_back(each.body, nullptr);
        totals.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
        Steps steps;
        cross_and_back(each.body, &steps);
        for (std::size_t i = 0; i < steps.size(); ++i) of_steps[i].push_back(steps[i]);
    } while (Clock::now() < end);
    std::printf("\"%s\": {\"total\": %.2f", each.name.c_str(), median(totals));
    for (std::size_t i = 0; i < of_steps.size(); ++i) {
        std::printf(", \"%s %s\": %.2f", i < step_count ? "request" : "response", step_names[i % step_count],
                    median(of_steps[i]));
    }
    std::printf("}, ");
}

double handler_us(std::chrono::milliseconds duration) {
    volatile std::uint64_t iterations =
        bench::usual_iterations;  // not a constant that could be computed before
    volatile std::uint64_t result = 0;
    std::vector<double> times;
    const auto end = Clock::now() + duration;
    do {
        const auto begin = Clock::now();
        result = bench::heavy(iterations);
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    } while (Clock::now() < end);
    static_cast<void>(result);
    return median(times);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view wanted = argc > 1 ? argv[1] : "";
    const std::chrono::milliseconds duration(wanted.empty() ? 80 : 3000);
    std::printf("{");
    for (const Case& each : all_cases()) {
        if (wanted.empty() || each.name == wanted) measure(each, duration);
    }
    std::printf("\"handler\": %.2f}\n", handler_us(std::chrono::milliseconds(80)));
}
