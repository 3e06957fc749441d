// The whole mix: clients of every manner, well-behaved and not, against routes of every kind. A session is
// one client; its seed decides all that it does, so that a failure, which names its seed, can be repeated
// alone. Every answer that is due is checked to the last byte. No assertions here.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "dice.hpp"
#include "raw_client.hpp"
#include "reliability.hpp"
#include "sake.hpp"
#include "temporary_directory.hpp"

namespace harness {

class MixedLoad {
  public:
    /// The routes that the sessions ask for.
    static void add_routes(sake::Engine& app);
    /// `base` with what the sessions rely on: a client that ends its input still waits for its answers,
    /// however late the machine is, there are as many workers as level_caches() wakes, and files of forms are
    /// soon in temporary files.
    static sake::Config config(sake::Config base) {
        return base.with_half_close_window(10s).with_worker_pool_size(workers).with_form_memory(2000);
    }

    explicit MixedLoad(int port) : port_(port) {}

    /// One client. Returns once its connections are closed.
    void run_session(std::uint64_t seed);
    /// So many clients, of the seeds from `first_seed` on, on this many threads. Ends early once the server
    /// has stopped.
    void run(std::uint64_t first_seed, int sessions, int threads);
    /// Brings what the server keeps for the next requests (buffers, queues, loops of workers) to one state,
    /// always the same, so that its live bytes can be compared: one connection is left, idle. Call it while
    /// nothing else asks.
    void level_caches();

    /// From now on the server may refuse and close. It still owes an answer to what was sent before.
    void expect_stop() { is_stopping_ = true; }

    /// Answers that came, and were right.
    [[nodiscard]] int answers() const { return answers_; }
    /// What went wrong, a line for each of the first few sessions concerned; empty if nothing did.
    [[nodiscard]] std::string failures() const {
        const std::lock_guard lock(mutex_);
        return failures_;
    }

    struct Call;

  private:
    struct Stopped {};
    class Session;

    static constexpr int workers = 2;

    void level_streams();
    void fail(std::uint64_t seed, const char* manner, const char* what);

    const int port_;
    std::optional<RawClient> latest_;
    std::atomic<bool> is_stopping_{false};
    std::atomic<bool> has_stopped_{false};
    std::atomic<int> answers_{0};
    std::atomic<int> failed_{0};
    mutable std::mutex mutex_;
    std::string failures_;
};

// ---- the server's side

namespace detail {

/// What is uploaded and downloaded, in parts that begin at its begin.
inline const std::string& content() {
    static const std::string bytes = pattern_bytes(1024 * 1024);
    return bytes;
}
constexpr std::size_t largest_upload = 256 * 1024;

struct Order {
    std::string name;
    std::vector<int> prices;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Order, name, prices)
};

// Event streams: a ring that is soon full of messages of one size, so that its memory is always the same.
constexpr std::size_t rooms = 4;
constexpr int ring_size = 64;
inline std::string message(std::size_t number) {
    char text[64];
    std::snprintf(text, sizeof text, "a message that has a number: %012zu", number);
    return text;
}
inline std::string room_of(std::size_t number) { return "room" + std::to_string(number % rooms); }

/// What is served as files: content.bin is the content, text.txt is compressed beside it.
struct Site {
    static constexpr long modified = 1'000'000'000;
    static constexpr const char* date = "Sun, 09 Sep 2001 01:46:40 GMT";
    static constexpr const char* earlier = "Sun, 09 Sep 2001 01:46:39 GMT";
    static constexpr std::size_t text_size = 3000;
    static constexpr std::string_view compressed = "as if it were compressed";

    Site() {
        add("content.bin", content());
        add("text.txt", std::string_view(content()).substr(0, text_size));
        add("text.txt.gz", compressed);
    }
    void add(std::string_view name, std::string_view bytes) const {
        place.write(name, bytes);
        place.set_modified(name, modified);
    }
    static const TemporaryDirectory& directory() {
        const allocations::Exempt of_the_test;
        static const Site site;
        return site.place;
    }
    TemporaryDirectory place;
};

/// Bodies that come in pieces, answers that leave in pieces, forms with files in temporary files, files,
/// events.
inline void add_streaming_routes(sake::Engine& app) {
    app.post("/stream-upload",
             [](sake::Context& ctx) -> sake::Task<> {
                 std::size_t size = 0;
                 bool is_right = true;
                 while (const auto piece = co_await ctx.read()) {
                     const std::string_view due = std::string_view(content()).substr(size, piece->size());
                     is_right = is_right && *piece == due;
                     size += piece->size();
                 }
                 ctx.text(std::to_string(size) + (is_right ? " right" : " wrong"));
             })
        .stream_body();
    app.get("/stream/:size", [](sake::Context& ctx, std::size_t size) -> sake::Task<> {
        sake::BodyWriter out = ctx.stream("application/octet-stream");
        for (std::size_t at = 0; at < size;) {
            const std::string_view piece =
                std::string_view(content()).substr(at, std::min(size - at, 1 + at * 2));
            co_await out.write(piece);
            at += piece.size();
            if (at % 5 == 0) co_await sake::sleep(1ms);
        }
    });
    app.post("/form",
             [](sake::Context& ctx) -> sake::Task<> {
                 sake::Form& form = co_await ctx.read_form();
                 std::string text = "fields " + std::to_string(form.fields().size());
                 for (const sake::Upload& file : form.files()) {
                     const std::string bytes = co_await file.read(0, file.size());
                     text += " " + std::to_string(bytes.size()) +
                             (content().starts_with(bytes) ? " right" : " wrong");
                 }
                 ctx.text(text);
             })
        .stream_body();
    app.static_files("/files", Site::directory().path());
    const auto hub = std::make_shared<sake::Hub>(sake::HubOptions{.messages = ring_size});
    app.get("/events/:room", [hub](sake::Context& ctx) { return hub->serve(ctx, ctx.param("room")); });
    app.post("/events/:room", [hub](sake::Context& ctx) {
        hub->publish(ctx.param("room"), std::string(ctx.body()));
        ctx.text("published");
    });
    app.get("/fill-rooms", [hub](sake::Context& ctx) {
        for (std::size_t room = 0; room < rooms; ++room) {
            for (int i = 0; i < ring_size; ++i) hub->publish(room_of(room), message(0));
        }
        ctx.text("filled");
    });
}

/// See MixedLoad::level_caches.
inline void add_levelling_routes(sake::Engine& app) {
    // The limit is for the sake of the longest reason that a refusal gives.
    const auto level = [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.send(content().substr(0, 20'000), "application/x-" + std::string(100, 'x'));
        for (int i = 0; i < 8; ++i) ctx.add_header("X-Level", std::string(100, 'x'));
    };
    app.post("/level", level).max_body(1'000'000'000'000'000'000);
    app.get("/post", [](sake::Context& ctx) -> sake::Task<> {
        for (int turn = 0; turn < 2; ++turn) {  // one queue is filled while the other one runs
            for (int i = 0; i < 4096; ++i) sake::Reactor::current()->post([] {});
            co_await sake::yield();
        }
        ctx.text("posted");
    });
    // Each waits for the others, so that every thread of the pool has one.
    app.get("/meet",
            [arrived = std::make_shared<std::atomic<int>>(0)](sake::Context& ctx) {
                const int size = ctx.worker_pool_size();
                const int all = ((*arrived)++ / size + 1) * size;
                while (*arrived < all) std::this_thread::yield();
                ctx.text("met");
            })
        .worker();
}

}  // namespace detail

inline void MixedLoad::add_routes(sake::Engine& app) {
    {
        const allocations::Exempt of_the_test;
        detail::content();
    }
    app.get("/hello/:n", [](sake::Context& ctx, int n) { ctx.text("hello " + std::to_string(n)); });
    app.get("/sleep/:ms", [](sake::Context& ctx, int ms) -> sake::Task<> {
        co_await sake::sleep(std::chrono::milliseconds(ms));
        ctx.text("slept " + std::to_string(ms));
    });
    app.post("/order", [](sake::Context& ctx) {
        const auto order = ctx.bind<detail::Order>();
        ctx.text(order.name + " " +
                 std::to_string(std::accumulate(order.prices.begin(), order.prices.end(), 0)));
    });
    app.post("/upload", [](sake::Context& ctx) {
        const bool is_right = detail::content().starts_with(ctx.body());
        ctx.text(std::to_string(ctx.body().size()) + (is_right ? " right" : " wrong"));
    });
    app.get("/download/:size", [](sake::Context& ctx, std::size_t size) {
        ctx.send(detail::content().substr(0, size), "application/octet-stream");
    });
    app.get("/worker/:n",
            [](sake::Context& ctx, int n) {
                int sum = 0;
                for (int i = 1; i <= n; ++i) sum += i;
                ctx.text("sum " + std::to_string(sum));
            })
        .worker();
    app.get("/worker-throws", [](sake::Context&) { throw std::runtime_error("secret"); }).worker();
    app.get("/throws", [](sake::Context&) { throw std::runtime_error("secret"); });
    app.get("/later-throws", [](sake::Context&) -> sake::Task<> {
        co_await sake::yield();
        throw std::runtime_error("secret");
    });
    app.get("/teapot", [](sake::Context&) { throw sake::HttpError(418, "tea"); });
    detail::add_streaming_routes(app);
    detail::add_levelling_routes(app);
}

// ---- requests and their answers

/// A request and the answer that is due. Of an error, the body has to name the status, and no more.
struct MixedLoad::Call {
    std::string request;
    int status = 200;
    std::string body = {};
    bool is_head = false;
    bool is_streamed = false;  // a stop may end it where it is, or before it has begun

    void check(const Response& answer) const {
        const bool is_whole = is_head ? answer.body.empty()
                              : status < 400
                                  ? answer.body == body
                                  : count_of(answer.body, "\"status\":" + std::to_string(status)) == 1 &&
                                        count_of(answer.body, "secret") == 0;
        if (answer.status == status && is_whole) return;
        throw std::runtime_error("wrong answer: " + std::to_string(answer.status) + " with " +
                                 std::to_string(answer.body.size()) + " bytes of body \"" +
                                 answer.body.substr(0, 200) + "\" to " + request.substr(0, 200));
    }
};

namespace detail {

using Call = MixedLoad::Call;

inline Call plain_call(Dice& dice, std::size_t) {
    const std::string n = std::to_string(dice.below(1'000'000));
    if (dice.one_in(8)) return {"HEAD /hello/" + n + " HTTP/1.1\r\nHost: test\r\n\r\n", 200, {}, true};
    return {get_request("/hello/" + n), 200, "hello " + n};
}

inline Call coroutine_call(Dice& dice, std::size_t) {
    const std::string ms = std::to_string(dice.below(4));
    return {get_request("/sleep/" + ms), 200, "slept " + ms};
}

inline Call bind_call(Dice& dice, std::size_t) {
    if (dice.one_in(4)) return {post_request("/order", R"({"name":"tea","prices":[1,"2"]})"), 422};
    const int price = static_cast<int>(dice.below(1000));
    const std::string text = R"({"name":"sake","prices":[1,2,)" + std::to_string(price) + "]}";
    return {post_request("/order", text), 200, "sake " + std::to_string(price + 3)};
}

inline std::string hex(std::size_t number) {
    char text[20];
    std::snprintf(text, sizeof text, "%zx", number);
    return text;
}

/// The body whole, or in chunks of up to a third of `most`.
inline std::string body_request(Dice& dice, std::string_view path, std::string_view body, std::size_t most,
                                const std::string& fields = {}) {
    if (dice.one_in(3)) return post_request(path, body, fields);
    std::string chunks;
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t size = std::min(1 + dice.below(most / 3 + 1), body.size() - at);
        chunks.append(hex(size)).append(dice.one_in(4) ? ";note=x\r\n" : "\r\n");
        chunks.append(body.substr(at, size)).append("\r\n");
        at += size;
    }
    std::string request = chunked_request(path, chunks + "0\r\n\r\n");
    return request.insert(request.find("\r\n") + 2, fields);
}

inline Call upload_call(Dice& dice, std::size_t most) {
    const std::string_view body =
        std::string_view(content()).substr(0, dice.below(std::min(most, largest_upload) + 1));
    return {body_request(dice, "/upload", body, most), 200, std::to_string(body.size()) + " right"};
}

inline Call download_call(Dice& dice, std::size_t most) {
    const std::size_t size = dice.below(std::min(most, content().size()) + 1);
    return {get_request("/download/" + std::to_string(size)), 200, content().substr(0, size)};
}

inline Call stream_upload_call(Dice& dice, std::size_t most) {
    const std::string_view body =
        std::string_view(content()).substr(0, dice.below(std::min(most, largest_upload) + 1));
    return {body_request(dice, "/stream-upload", body, most), 200, std::to_string(body.size()) + " right"};
}

inline Call stream_download_call(Dice& dice, std::size_t most) {
    const std::size_t size = dice.below(std::min(most, content().size()) + 1);
    return {get_request("/stream/" + std::to_string(size)), 200, content().substr(0, size), false, true};
}

/// Fields and files of any size, some of them larger than a form keeps in memory.
inline Call form_call(Dice& dice, std::size_t most) {
    std::string body;
    const std::size_t fields = dice.below(3);
    for (std::size_t i = 0; i < fields; ++i) {
        body += "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nvalue\r\n";
    }
    std::string answer = "fields " + std::to_string(fields);
    for (std::size_t left = dice.below(4); left > 0; --left) {
        const std::size_t size = dice.below(std::min(most, largest_upload) / 4 + 1);
        body.append("--b\r\nContent-Disposition: form-data; name=f; filename=\"x\"\r\n\r\n")
            .append(content(), 0, size)
            .append("\r\n");
        answer += " " + std::to_string(size) + " right";
    }
    const std::string fields_of_head = "Content-Type: multipart/form-data; boundary=b\r\n";
    return {body_request(dice, "/form", body + "--b--\r\n", most, fields_of_head), 200, answer};
}

/// A file whole, in part, or not at all, as ranges, conditions and codings have it.
inline Call file_call(Dice& dice, std::size_t most) {
    const std::string since = std::string(Site::date) + "\r\n";
    const std::size_t first = dice.below(content().size());
    const std::size_t size = 1 + dice.below(std::min(most, content().size() - first));
    const std::string range =
        "Range: bytes=" + std::to_string(first) + "-" + std::to_string(first + size - 1) + "\r\n";
    const std::string part = content().substr(first, size);
    const std::string text = content().substr(0, Site::text_size);
    switch (dice.below(9)) {
        case 0:
            return {get_request("/files/content.bin", range), 206, part};
        case 1:
            return {get_request("/files/content.bin", range + "If-Range: " + since), 206, part};
        case 2:
            return {get_request("/files/content.bin", "If-Modified-Since: " + since), 304, {}, true};
        case 3:
            return {get_request("/files/content.bin", "If-Match: \"of another\"\r\n"), 412};
        case 4:
            return {get_request("/files/content.bin", "Range: bytes=9999999-\r\n"), 416};
        case 5:
            return {get_request("/files/absent.bin", range), 404};
        case 6:
            return {get_request("/files/text.txt", "Accept-Encoding: gzip\r\n"), 200,
                    std::string(Site::compressed)};
        case 7:
            return {
                get_request("/files/text.txt", std::string("If-Range: ") + Site::earlier + "\r\n" + range),
                200, text};
        default:
            return {get_request("/files/text.txt"), 200, text};
    }
}

inline Call publish_call(Dice& dice, std::size_t) {
    return {post_request("/events/" + room_of(dice.next()), message(dice.below(1'000'000))), 200,
            "published"};
}

inline Call worker_call(Dice& dice, std::size_t) {
    const int n = static_cast<int>(dice.below(1000));
    return {get_request("/worker/" + std::to_string(n)), 200, "sum " + std::to_string(n * (n + 1) / 2)};
}

inline Call failing_call(Dice& dice, std::size_t) {
    const std::array<Call, 7> calls{{{get_request("/worker-throws"), 500},
                                     {get_request("/throws"), 500},
                                     {get_request("/later-throws"), 500},
                                     {get_request("/teapot"), 418},
                                     {get_request("/nowhere"), 404},
                                     {get_request("/hello/x"), 400},
                                     {"DELETE /hello/1 HTTP/1.1\r\nHost: test\r\n\r\n", 405}}};
    return dice.one_of(calls);
}

using MakeCall = Call (*)(Dice&, std::size_t);
constexpr MakeCall call_makers[] = {plain_call,         coroutine_call,       bind_call,    upload_call,
                                    download_call,      worker_call,          failing_call, publish_call,
                                    stream_upload_call, stream_download_call, form_call,    file_call};

/// Any call; neither its request nor its answer is much larger than `most`.
inline Call any_call(Dice& dice, std::size_t most) { return dice.one_of(call_makers)(dice, most); }

/// A request that is refused, and after which the connection ends.
inline Call refused_call(Dice& dice) {
    const std::array<Call, 9> calls{
        {{"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
         {"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400},
         {"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400},
         {chunked_request("/upload", "-2\r\nabc\r\n0\r\n\r\n"), 400},
         {"GET /hello/1 HTTP/1.1\r\n\r\n", 400},
         {get_request("/hello/1", "Bad Name: x\r\n"), 400},
         {post_request("/upload", {}, {}).replace(0, 4, "G\x01T"), 400},
         {"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\nabc", 413},
         {get_request("/" + std::string(9000, 'a')), 414}}};
    return dice.one_of(calls);
}

}  // namespace detail

// ---- the clients

class MixedLoad::Session {
  public:
    Session(MixedLoad& load, std::uint64_t seed) : load_(load), dice_(seed) {}

    void run() {
        struct Manner {
            const char* name;
            void (Session::*act)();
        };
        constexpr Manner manners[] = {{"one by one", &Session::one_by_one},
                                      {"in pieces", &Session::in_pieces},
                                      {"pipelined", &Session::pipelined},
                                      {"slow reader", &Session::slow_reader},
                                      {"half-closed", &Session::half_closed},
                                      {"idle", &Session::idle},
                                      {"refused", &Session::refused},
                                      {"half-sent", &Session::half_sent},
                                      {"reset", &Session::reset},
                                      {"cut", &Session::cut},
                                      {"events", &Session::events}};
        const Manner& manner = dice_.one_of(manners);
        manner_ = manner.name;
        (this->*manner.act)();
    }
    [[nodiscard]] const char* manner() const { return manner_; }

  private:
    static constexpr std::size_t large = 1024 * 1024;
    // In a batch: what waits in both directions fits the kernel's buffers, since nobody reads while sending.
    static constexpr std::size_t small = 4 * 1024;

    void one_by_one() {
        RawClient client = connect();
        for (std::size_t left = 1 + dice_.below(5); left > 0; --left) {
            const detail::Call call = detail::any_call(dice_, large);
            expect(client, call, send(client, call.request));
        }
    }

    void in_pieces() {
        RawClient client = connect();
        for (std::size_t left = 1 + dice_.below(3); left > 0; --left) {
            const detail::Call call = detail::any_call(dice_, small);
            std::vector<std::size_t> cuts(1 + dice_.below(5));
            for (std::size_t& cut : cuts) cut = dice_.below(call.request.size());
            std::sort(cuts.begin(), cuts.end());
            const bool is_owed = attempt([&] { client.send_cut_at(call.request, cuts); });
            expect(client, call, is_owed);
        }
    }

    void pipelined() {
        RawClient client = connect();
        send_batch_and_expect(client);
    }

    void slow_reader() {
        RawClient client = connect(64 * 1024);
        constexpr detail::MakeCall downloads[] = {detail::download_call, detail::stream_download_call,
                                                  detail::file_call};
        const detail::Call call = dice_.one_of(downloads)(dice_, large);
        expect(client, call, send(client, call.request));
    }

    void half_closed() {
        RawClient client = connect();
        const std::vector<detail::Call> calls = batch();
        const bool is_owed = attempt([&] { client.send(join(calls)).shutdown_write(); });
        expect_all(client, calls, is_owed);
        expect_end(client);
    }

    void idle() {
        std::vector<RawClient> idle;
        for (std::size_t left = 1 + dice_.below(4); left > 0; --left) {
            idle.push_back(connect());
            const detail::Call call = detail::plain_call(dice_, small);
            if (dice_.one_in(2)) expect(idle.back(), call, send(idle.back(), call.request));
        }
        one_by_one();
        for (RawClient& client : idle) {
            const detail::Call call = detail::any_call(dice_, small);
            if (dice_.one_in(2)) expect(client, call, send(client, call.request));
        }
    }

    void refused() {
        RawClient client = connect();
        const detail::Call good = detail::plain_call(dice_, small);
        const detail::Call bad = detail::refused_call(dice_);
        const bool is_owed = send(client, good.request + bad.request);
        expect(client, good, is_owed);
        expect(client, bad, false);
        expect_end(client);
    }

    // The client goes before its head is complete: nothing is answered.
    void half_sent() {
        RawClient client = connect();
        const std::string request = detail::any_call(dice_, small).request;
        const std::string_view part =
            std::string_view(request).substr(0, dice_.below(request.find("\r\n\r\n")));
        attempt([&] { client.send(part); });
        if (dice_.one_in(2)) return;
        attempt([&] { client.shutdown_write(); });
        expect_end(client);
    }

    void reset() {
        RawClient client = connect();
        const std::string requests = join(batch());
        attempt([&] { client.send(std::string_view(requests).substr(0, dice_.below(requests.size() + 1))); });
        if (dice_.one_in(3)) std::this_thread::yield();
        if (dice_.one_in(3))
            static_cast<void>(client.expect_silence(std::chrono::milliseconds(dice_.below(3))));
        client.reset();
    }

    // In the middle of an upload, or of a download.
    void cut() {
        RawClient client = connect();
        constexpr detail::MakeCall calls[] = {detail::form_call, detail::form_call,
                                              detail::stream_upload_call, detail::stream_download_call,
                                              detail::file_call};
        const std::string request = dice_.one_of(calls)(dice_, large).request;
        const bool is_whole = dice_.one_in(3);
        attempt([&] {
            client.send(
                std::string_view(request).substr(0, is_whole ? request.size() : dice_.below(request.size())));
        });
        if (is_whole) attempt([&] { static_cast<void>(client.read_some(1 + dice_.below(10'000))); });
        leave(client);
    }

    // A stream in which the client waits for what it publishes itself, and then leaves. Others publish as
    // well, and may fill the ring.
    void events() {
        RawClient client = connect();
        const std::string room = "/events/" + detail::room_of(dice_.next());
        send(client, get_request(room, dice_.one_in(3) ? "Last-Event-ID: 1\r\n" : ""));
        std::string seen;
        await_text(client, seen, "\r\n\r\n");  // from the head on, it is told of all
        RawClient publisher = connect();
        for (std::size_t left = dice_.below(4); left > 0; --left) {
            const std::string text = detail::message(1'000'000 + dice_.below(1'000'000'000));
            const detail::Call call{post_request(room, text), 200, "published"};
            expect(publisher, call, send(publisher, call.request));
            await_text(client, seen, "data: " + text + "\n");
        }
        leave(client);
        // Who ends in order is known to have gone when the next event is refused.
        const detail::Call last{post_request(room, detail::message(0)), 200, "published"};
        for (int i = 0; i < 2; ++i) expect(publisher, last, send(publisher, last.request));
    }

    void await_text(RawClient& client, std::string& seen, std::string_view text) {
        while (seen.find(text) == seen.npos && seen.find("event: stale") == seen.npos) {
            std::string more;
            attempt([&] { more = client.read_some(10'000); });
            if (more.empty() && load_.is_stopping_) throw Stopped();
            if (more.empty()) throw std::runtime_error("the stream ended after " + seen.substr(0, 300));
            seen += more;
        }
    }

    void leave(RawClient& client) {
        if (dice_.one_in(2)) {
            client.reset();
        } else {
            client.close();
        }
    }

    std::vector<detail::Call> batch() {
        std::vector<detail::Call> calls(2 + dice_.below(15));
        for (detail::Call& call : calls) call = detail::any_call(dice_, small);
        return calls;
    }

    static std::string join(const std::vector<detail::Call>& calls) {
        std::string requests;
        for (const detail::Call& call : calls) requests += call.request;
        return requests;
    }

    void send_batch_and_expect(RawClient& client) {
        const std::vector<detail::Call> calls = batch();
        expect_all(client, calls, send(client, join(calls)));
    }

    void expect_all(RawClient& client, const std::vector<detail::Call>& calls, bool is_first_owed) {
        for (const detail::Call& call : calls) {
            expect(client, call, is_first_owed);
            is_first_owed = false;
        }
    }

    // What fails after the stop has come ends the session, and is no failure. Returns whether it was done
    // before the stop, so that an answer is owed.
    template <class Action>
    bool attempt(Action action) {
        try {
            action();
        } catch (const std::exception&) {
            if (load_.is_stopping_) throw Stopped();
            throw;
        }
        return !load_.is_stopping_;
    }

    RawClient connect(int receive_buffer = 0) {
        std::vector<RawClient> made;
        try {
            attempt([&] {
                made.push_back(receive_buffer > 0
                                   ? RawClient::with_receive_buffer(load_.port_, receive_buffer)
                                   : RawClient(load_.port_));
            });
        } catch (const Stopped&) {
            load_.has_stopped_ = true;
            throw;
        }
        made.back().set_deadline(30s);
        return std::move(made.back());
    }

    bool send(RawClient& client, std::string_view bytes) {
        return attempt([&] { client.send(bytes); });
    }

    // An answer that has begun is whole and right, always. One that is not owed may fail to come after a
    // stop.
    void expect(RawClient& client, const detail::Call& call, bool is_owed) {
        const bool has_ended = client.expect_closed();
        const bool may_be_lost = load_.is_stopping_ && !is_owed;
        if (has_ended) {
            if (may_be_lost) throw Stopped();
            throw std::runtime_error("closed without an answer to " + call.request.substr(0, 200));
        }
        const auto may_be_cut = [&] { return call.is_streamed && load_.is_stopping_; };
        Response answer;
        try {
            answer = client.read_response(call.is_head);
        } catch (const std::exception&) {
            if (may_be_cut()) throw Stopped();
            throw;
        }
        if ((may_be_lost || may_be_cut()) && answer.status == 503) throw Stopped();
        if (may_be_cut() && answer.status == call.status && call.body.starts_with(answer.body))
            throw Stopped();
        call.check(answer);
        ++load_.answers_;
    }

    void expect_end(RawClient& client) {
        if (client.expect_closed()) return;
        if (load_.is_stopping_) throw Stopped();
        throw std::runtime_error("no end where one was due, but \"" + client.read_some(200) + "\"");
    }

    MixedLoad& load_;
    Dice dice_;
    const char* manner_ = "";
};

inline void MixedLoad::run_session(std::uint64_t seed) {
    const allocations::Exempt of_the_test;
    Session session(*this, seed);
    try {
        session.run();
    } catch (const Stopped&) {
    } catch (const std::exception& error) {
        fail(seed, session.manner(), error.what());
    }
}

inline void MixedLoad::run(std::uint64_t first_seed, int sessions, int threads) {
    const allocations::Exempt of_the_test;
    std::atomic<int> taken{0};
    std::vector<std::thread> clients;
    for (int t = 0; t < threads; ++t) {
        clients.emplace_back([&] {
            for (int i = taken++; i < sessions && !has_stopped_; i = taken++) {
                run_session(first_seed + static_cast<std::uint64_t>(i));
            }
        });
    }
    for (std::thread& client : clients) client.join();
}

// Strings and vectors keep the capacity that they once had, and those of a recycled request drop it after a
// large one: so every one of them is made large here, or dropped. "100 Continue" tells that the server holds
// the request, so that all are held at once; there are as many as the server keeps.
inline void MixedLoad::level_caches() {
    const allocations::Exempt of_the_test;
    level_streams();
    std::string head = " HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n";
    for (int i = 0; i < 20; ++i) head += "X-Level: " + std::string(100, 'x') + "\r\n";
    struct Round {
        std::string fields;
        std::string body;
        int status;
    };
    const Round rounds[] = {
        {"Transfer-Encoding: chunked\r\n\r\n", "FFFFFFFFFFFFFFF\r\n", 413},
        {"Content-Length: 100000\r\n\r\n", detail::content().substr(0, 100'000), 200},
    };
    constexpr int kept = 64;
    // More timers than there will ever be otherwise, counting connections whose end the server is yet to see.
    std::vector<RawClient> idle;
    for (int i = 0; i < 8 * kept; ++i) {
        idle.emplace_back(port_);
        idle.back().set_deadline(30s).send(get_request("/download/1")).read_response();
    }
    for (int i = 0; i < kept; ++i) idle[static_cast<std::size_t>(i)].send(get_request("/sleep/100"));
    for (int i = 0; i < kept; ++i) idle[static_cast<std::size_t>(i)].read_response();
    for (const Round& round : rounds) {
        std::vector<RawClient> clients;
        const auto expect = [](RawClient& client, int status) {
            const int got = client.read_any_response().status;
            if (got != status) throw std::runtime_error("levelling was answered with " + std::to_string(got));
        };
        for (int i = 0; i < kept; ++i) {
            clients.emplace_back(port_);
            clients.back().set_deadline(30s).send("POST /level" + head + round.fields);
        }
        for (RawClient& client : clients) expect(client, 100);
        for (RawClient& client : clients) client.send(round.body);
        for (RawClient& client : clients) expect(client, round.status);
    }
    std::vector<RawClient> met;
    for (int i = 0; i < workers; ++i) {
        met.emplace_back(port_);
        met.back().set_deadline(30s).send(get_request("/meet"));
    }
    for (RawClient& client : met) client.read_response();
    met.front().send(get_request("/post")).read_response();
    // Small answers gather before they leave.
    std::string batch;
    for (int i = 0; i < 8; ++i) batch += get_request("/download/16000");
    met.front().send(batch);
    for (int i = 0; i < 8; ++i) met.front().read_response();
    idle.clear();
    met.clear();
    // Once this one is answered, the others have closed at the server's end too.
    latest_.reset();
    latest_.emplace(port_).set_deadline(30s).send(get_request("/download/1")).read_response();
}

// The threads for files of forms are there, and so is what each room has for streams.
inline void MixedLoad::level_streams() {
    std::vector<RawClient> streams;
    for (std::size_t i = 0; i < 2 * detail::rooms; ++i) {
        streams.emplace_back(port_);
        streams.back().set_deadline(30s).send(get_request("/events/" + detail::room_of(i)));
        static_cast<void>(streams.back().read_exactly(12));
    }
    const std::string file(10'000, 'x');
    const std::string form =
        "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n" + file + "\r\n--b--\r\n";
    RawClient client(port_);
    client.set_deadline(30s);
    for (int i = 0; i < 4; ++i) {
        client.send(post_request("/form", form, "Content-Type: multipart/form-data; boundary=b\r\n"))
            .read_response();
    }
    client.send(get_request("/fill-rooms")).read_response();
    for (RawClient& stream : streams) stream.reset();
}

inline void MixedLoad::fail(std::uint64_t seed, const char* manner, const char* what) {
    if (++failed_ > 5) return;
    const std::lock_guard lock(mutex_);
    failures_ += "seed " + std::to_string(seed) + ", " + manner + ": " + what + "\n";
}

}  // namespace harness
