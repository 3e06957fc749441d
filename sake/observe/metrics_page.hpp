// Engine::metrics: the page of an engine's figures, for Prometheus. docs/observability.md describes each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/observers.hpp"
#include "sake/app/route_table.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/sync.hpp"
#include "sake/async/task.hpp"
#include "sake/base/version.hpp"
#include "sake/observe/metrics_format.hpp"
#include "sake/observe/metrics_text.hpp"
#include "sake/observe/observatory.hpp"
#include "sake/observe/process_facts.hpp"
#include "sake/observe/snapshot.hpp"
#include "sake/server/engine.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The handler. It makes the page in pieces, between which the loop serves others; and one page at a time,
/// for all who wait for it, so that many scrapes at once take no more time than two, and no memory while they
/// wait.
template <class Unused = void>
class MetricsPage {
  public:
    explicit MetricsPage(Engine& engine)
        : engine_(engine), figures_(EngineInside::observatory(engine)), started_at_(process_start()) {}

    static Task<> serve(void* self, Call& call) { return static_cast<MetricsPage*>(self)->serve(call); }
    static void destroy(void* self) noexcept { delete static_cast<MetricsPage*>(self); }

  private:
    /// The last page in a format.
    struct Page {
        std::string text;
        std::uint64_t number = 0;   // of the pages that were begun; 0 if it is not there
        std::size_t last_size = 0;  // which is seldom much larger the next time
    };

    /// A request for a page. With the last, the texts go.
    class Scrape {
      public:
        explicit Scrape(MetricsPage& page) noexcept : page_(page) { ++page_.scrapes_; }
        Scrape(const Scrape&) = delete;
        Scrape& operator=(const Scrape&) = delete;
        ~Scrape() {
            if (--page_.scrapes_ == 0) page_.forget();
        }

      private:
        MetricsPage& page_;
    };

    void forget() noexcept {
        for (Page& page : pages_) {
            std::string().swap(page.text);
            page.number = 0;
        }
    }

    Task<> serve(Call& call) {
        if (call.request.has_given_params) {
            throw std::logic_error("metrics are sent by the reactor: their route cannot have worker()");
        }
        const MetricsFormat format = metrics_format(call.context.header("Accept"));
        const Scrape scrape(*this);
        const std::uint64_t begun_before = begun_;
        const Mutex::Guard turn = co_await making_.lock();
        // One that was begun before this request came may lack what has been counted since.
        Page& page = pages_[static_cast<std::size_t>(format)];
        if (page.number <= begun_before) {
            Task<> making = make(page, format);
            co_await std::move(making);
        }
        http::Headers& headers = call.response.headers;
        headers.set("Cache-Control", "no-store");
        headers.add("Vary", "Accept");
        call.context.send(page.text, content_type(format));
    }

    Task<> make(Page& page, MetricsFormat format) {
        page.number = 0;  // none, until it is whole
        const std::uint64_t own_number = ++begun_;
        const ConnectionFigures connections = co_await count_connections<>(engine_);
        OpenFiles files;
        while (files.go_on(500)) co_await yield();
        page.text.clear();
        page.text.reserve(page.last_size + page.last_size / 16);
        MetricsText text(page.text, format);
        text.begin_histogram("http_server_request_duration_seconds", "seconds",
                             "Duration of requests, from the first byte to the answer.");
        std::size_t piece = 0;  // ends at this size
        for (std::size_t number = 0; number < figures_.row_count(); ++number) {
            write_row(text, figures_.row(number));
            if (page.text.size() < piece) continue;
            piece = page.text.size() + 32 * 1024;
            co_await yield();
        }
        write_answers(text);
        write_connections(text, connections);
        write_websockets(text);
        write_loop(text);
        write_workers(text);
        write_memory(text);
        write_process(text, files);
        text.end();
        page.last_size = page.text.size();
        page.number = own_number;
    }

    static void write_row(MetricsText& text, const AnswerRow& row) {
        constexpr std::string_view classes[] = {"0xx", "1xx", "2xx", "3xx", "4xx",
                                                "5xx", "6xx", "7xx", "8xx", "9xx"};
        for (const AnswerSeries* each = row.series.first(); each != nullptr; each = each->next) {
            text.histogram(each->durations, request_ends,
                           {{"http_request_method", method_label(each->method)},
                            {"http_route", route_label(row.route)},
                            {"http_response_status_code", classes[each->first_status / 100]}});
        }
    }

    void write_answers(MetricsText& text) const {
        text.begin_counter("sake_answers", "", "Answers by cause.");
        for (std::size_t i = 0; i < cause_count; ++i) {
            text.value(figures_.causes()[i], {"cause", to_string(static_cast<AnswerCause>(i))});
        }
        text.begin_counter("sake_request_body_bytes", "bytes",
                           "Bytes of request bodies that handlers received.");
        text.value(figures_.received());
        text.begin_counter("sake_response_body_bytes", "bytes", "Bytes of response bodies.");
        text.value(figures_.sent());
    }

    static void write_connections(MetricsText& text, const ConnectionFigures& connections) {
        text.begin_gauge("sake_connections", "", "Open connections by state.");
        text.value(connections.idle, {"state", "idle"});
        text.value(connections.reading, {"state", "reading"});
        text.value(connections.handling, {"state", "handling"});
        text.value(connections.writing, {"state", "writing"});
        text.value(connections.streaming, {"state", "streaming"});
        text.value(connections.websocket, {"state", "websocket"});
        text.value(connections.closing, {"state", "closing"});
        text.begin_gauge("sake_connections_limit", "", "Maximum number of open connections.");
        text.value(connections.limit);
        text.begin_counter("sake_connections_accepted", "", "Accepted connections.");
        text.value(connections.accepted);
    }

    void write_websockets(MetricsText& text) const {
        const WsCounts& counts = EngineInside::run(engine_).shard().websockets;
        if (counts.opened == 0) return;
        text.begin_counter("sake_websockets_opened", "", "WebSockets opened.");
        text.value(counts.opened);
        text.begin_counter("sake_websocket_messages", "", "Messages of WebSockets by direction.");
        text.value(counts.received, {"direction", "received"});
        text.value(counts.sent, {"direction", "sent"});
        text.begin_counter("sake_websocket_message_bytes", "bytes",
                           "Bytes in messages of WebSockets by direction, before they are compressed.");
        text.value(counts.received_bytes, {"direction", "received"});
        text.value(counts.sent_bytes, {"direction", "sent"});
    }

    void write_loop(MetricsText& text) const {
        text.begin_histogram("sake_loop_turn_duration_seconds", "seconds",
                             "Time the event loop was busy between two polls of its sockets.");
        text.histogram(figures_.turns(), short_ends);
        text.begin_counter("sake_loop_stalls", "",
                           "Handlers that held the event loop for Config::stall_warning or longer.");
        text.value(EngineInside::run(engine_).stalls());
    }

    void write_workers(MetricsText& text) const {
        if (!EngineInside::run(engine_).has_carrier()) return;
        const WorkerFigures workers = worker_figures(engine_, figures_);
        text.begin_gauge("sake_worker_threads", "", "Threads of the worker pool.");
        text.value(workers.threads);
        text.begin_gauge("sake_worker_threads_busy", "", "Threads that run a handler.");
        text.value(workers.busy);
        text.begin_gauge("sake_worker_threads_stuck", "",
                         "Threads whose handler runs on after its request has ended.");
        text.value(workers.stuck);
        text.begin_gauge("sake_worker_queue_jobs", "", "Requests that wait for a worker thread.");
        text.value(workers.queued);
        text.begin_gauge("sake_worker_queue_limit", "", "Maximum number of waiting requests.");
        text.value(workers.queue_limit);
        text.begin_counter("sake_worker_jobs", "", "Requests that worker threads have finished.");
        text.value(workers.done);
        text.begin_counter("sake_worker_rejected", "", "Requests rejected because the queue was full.");
        text.value(workers.rejected);
        text.begin_histogram("sake_worker_wait_seconds", "seconds",
                             "Time that requests waited in the queue.");
        text.histogram(workers.waits, short_ends);
        text.begin_histogram("sake_worker_run_seconds", "seconds",
                             "Time that requests ran on a worker thread.");
        text.histogram(workers.runs, short_ends);
    }

    void write_memory(MetricsText& text) const {
        const MemoryFigures memory = memory_figures(engine_);
        text.begin_gauge("sake_buffered_bytes", "bytes", "Memory buffered for all connections.");
        text.value(memory.held);
        text.begin_gauge("sake_buffered_limit_bytes", "bytes",
                         "Maximum of sake_buffered_bytes: Config::max_buffered.");
        text.value(memory.limit);
        text.begin_counter("sake_log_lines_dropped", "", "Lines of the access log that were dropped.");
        text.value(EngineInside::observers(engine_).dropped());
    }

    void write_process(MetricsText& text, const OpenFiles& files) const {
        const ProcessFacts facts = process_facts();
        text.begin_counter("process_cpu_seconds", "seconds", "User and system CPU time of the process.");
        text.seconds(facts.cpu_time);
        if (started_at_ != 0) {
            text.begin_gauge("process_start_time_seconds", "seconds",
                             "Start time of the process, in seconds since 1970.");
            text.seconds(started_at_);
        }
        if (facts.resident_bytes != 0) {
            text.begin_gauge("process_resident_memory_bytes", "bytes", "Resident memory.");
            text.value(facts.resident_bytes);
            text.begin_gauge("process_virtual_memory_bytes", "bytes", "Virtual memory.");
            text.value(facts.virtual_bytes);
        }
        if (const auto open = files.count()) {
            text.begin_gauge("process_open_fds", "", "Open file descriptors.");
            text.value(*open);
        }
        text.begin_gauge("process_max_fds", "", "Maximum number of open file descriptors.");
        text.value(facts.most_files);
        text.info("sake_build", "Version of Sake, and the poller of its event loop.",
                  {{"version", version}, {"poller", EngineInside::run(engine_).reactor().poller_name()}});
    }

    Engine& engine_;
    Observatory& figures_;
    Mutex making_;
    int scrapes_ = 0;
    std::uint64_t begun_ = 0;        // how many pages
    std::array<Page, 2> pages_;      // by format
    const std::int64_t started_at_;  // kept, since it is a little different each time it is computed
};

template <class Unused>
Route& add_metrics(Engine& engine, const PatternInfo& pattern) {
    RouteTable& table = EngineInside::table(engine);
    table.require_unfrozen();
    using Page = MetricsPage<Unused>;
    Handler handler(ServerHandler{new Page(engine), nullptr, &Page::serve, &Page::destroy});
    RouteEntry& entry = table.add(table.root(), "GET", pattern, std::move(handler));
    entry.handler_reads_body = false;
    entry.is_hidden = true;
    return entry.route;
}

#if defined(SAKE_IMPLEMENTATION)
template Route& add_metrics<void>(Engine& engine, const PatternInfo& pattern);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
