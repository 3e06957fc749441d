// A small API gateway: what is asked for beneath /api is asked of another server, with retries, a circuit
// breaker, a cache and time limits, and within the same trace. `./gateway 127.0.0.1:8080
// http://10.0.0.7:9000` names that server; without, the program starts one on a thread of its own, to show
// all this.
//
//   g++ -std=c++20 -O2 -I../single_include gateway.cpp -o gateway -pthread && ./gateway
//
//   curl 127.0.0.1:8080/api/prices/tea       # 200 {"asked":1,"item":"tea"}
//   curl -i 127.0.0.1:8080/api/prices/tea    # 200 {"asked":1,"item":"tea"}
//     # Age: ...
//   curl 127.0.0.1:8080/api/flaky            # 200 at attempt 2
//   curl -d tea 127.0.0.1:8080/api/flaky     # 503 at attempt 3
//   curl -d tea -H 'Idempotency-Key: 7' 127.0.0.1:8080/api/flaky    # 200 at attempt 4
//   curl -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' 127.0.0.1:8080/api/trace
//     # 200 00-0af7651916cd43dd8448eb211c80319c-...-01
//   curl 127.0.0.1:8080/api/nothing          # 404 ...
//   curl '127.0.0.1:8080/%61pi/nothing?next=/api/prices/tea'
//     # 404 ..."detail":"write /api/ without escapes"}
//   curl -i 127.0.0.1:8080/api/private       # 401 ...
//     # WWW-Authenticate: Basic realm="upstream"
//   curl 127.0.0.1:8080/api/slow             # 504 ..."detail":"the upstream takes too long"}
//   curl 127.0.0.1:8080/api/cut              # 502 ..."detail":"the upstream gave no whole answer"}
//   curl -i 127.0.0.1:8080/api/prices/rice   # 503 ..."detail":"the upstream fails all the time"}
//     # Retry-After: ...
//   curl 127.0.0.1:8080/api/prices/tea       # 200 {"asked":1,"item":"tea"}

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake.hpp"

using namespace std::chrono_literals;
namespace http = sake::http;

class Gateway {
  public:
    explicit Gateway(std::string upstream) : upstream_(std::move(upstream)) {}

    sake::Task<> pass_on(sake::Context& ctx) {
        auto request = request_for(ctx);
        auto response = co_await ask(std::move(request));
        for (const auto* const name :
             {"Age", "Cache-Control", "ETag", "Location", "Retry-After", "Vary", "WWW-Authenticate"}) {
            if (const auto value = response.headers.get(name)) ctx.set_header(name, *value);
        }
        const std::string type(response.headers.get("Content-Type").value_or("application/octet-stream"));
        ctx.send(response.status, std::move(response.body), type);
    }

  private:
    // Only fields that are known here pass, so that none that is about one connection reaches the other.
    http::Request request_for(sake::Context& ctx) const {
        constexpr std::string_view prefix = "/api";
        const std::string_view target = ctx.target();  // which is passed on as the client has written it
        if (!target.starts_with("/api/")) throw sake::HttpError(404, "write /api/ without escapes");
        http::Request request(std::string(ctx.method()),
                              upstream_ + std::string(target.substr(prefix.size())));
        for (const auto* const name : {"Accept", "Accept-Language", "Authorization", "Idempotency-Key"}) {
            if (const auto value = ctx.find_header(name)) request.header(name, *value);
        }
        if (!ctx.body().empty()) request.body(std::string(ctx.body()), ctx.header("Content-Type"));
        if (ctx.find_header("Idempotency-Key")) request.idempotent();
        ctx.state<sake::TraceContext>().add_to(request);
        return request;
    }

    sake::Task<http::Response> ask(http::Request request) {
        try {
            co_return co_await client_.send(std::move(request));
        } catch (const http::CircuitOpen& open) {
            const auto seconds = std::chrono::ceil<std::chrono::seconds>(open.retry_after());
            throw sake::HttpError(503, "the upstream fails all the time")
                .header("Retry-After", std::to_string(seconds.count()));
        } catch (const sake::TimedOut&) {
            throw sake::HttpError(504, "the upstream takes too long");
        } catch (const std::system_error&) {
            throw sake::HttpError(502, "the upstream gave no whole answer");
        } catch (const http::BadResponse&) {
            throw sake::HttpError(502, "the upstream does not speak HTTP");
        }
    }

    std::string upstream_;
    http::Client client_{{.connect_timeout = 1s,
                          .response_timeout = 1s,
                          .retry = {.attempts = 3, .first_delay = 20ms, .max_total = 10s},
                          .breaker = {.failures = 5, .open_time = 10s},
                          .cache = {.max_bytes = 64 << 20, .stale_if_error = 60s}}};
};

// The other server, as such servers are.
class Upstream {
  public:
    [[nodiscard]] std::string origin() const { return "http://127.0.0.1:" + std::to_string(app_.port()); }

  private:
    sake::ThreadHandle<void> start() {
        app_.get("/prices/:item", [this](sake::Context& ctx, std::string item) {
            ctx.set_header("Cache-Control", "max-age=60").json({{"item", item}, {"asked", ++asked_}});
        });
        app_.any("/flaky", [this](sake::Context& ctx) {
            ++attempts_;
            ctx.text(attempts_ % 2 == 1 ? 503 : 200, "at attempt " + std::to_string(attempts_));
        });
        app_.get("/trace", [](sake::Context& ctx) { ctx.text(ctx.header("traceparent")); });
        app_.get("/private", [](sake::Context&) {
            throw sake::HttpError(401, "who are you?").header("WWW-Authenticate", "Basic realm=\"upstream\"");
        });
        app_.get("/slow", []() -> sake::Task<> { co_await sake::sleep(1h); });
        app_.get("/cut", [](sake::Context& ctx) -> sake::Task<> {
            sake::BodyWriter out = ctx.stream("text/plain");
            co_await out.write("half of");
            throw sake::HttpError(500, "the other half is missing");
        });
        app_.listen("127.0.0.1:0");
        return sake::thread::spawn([this](std::stop_token stop) {
            const std::stop_callback on_stop(stop, [this] { app_.stop(); });
            app_.run();
        });
    }

    sake::Engine app_{{.handle_signals = false, .announce = false}};
    int asked_ = 0;
    int attempts_ = 0;
    sake::ThreadHandle<void> serving_ = start();  // ends first
};

int main(int argc, char** argv) {
    std::optional<Upstream> demonstration;
    Gateway gateway(argc > 2 ? argv[2] : demonstration.emplace().origin());
    sake::Engine app;
    app.use(sake::middleware::trace_context());
    app.any("/api/*path", [&](sake::Context& ctx) { return gateway.pass_on(ctx); });
    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
