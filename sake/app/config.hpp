// The settings of an Engine: every limit and timeout that a program may want to change has a name and a safe
// default here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "sake/async/poller.hpp"
#include "sake/base/log.hpp"

namespace sake {
inline namespace v0 {

/// How an Engine behaves. An aggregate: `Config{.max_connections = 100}`, or
/// `Config::with_defaults().with_worker_pool(false)`. Sizes are bytes.
struct Config {
    // Worker routes.
    int worker_pool_size = 0;  // threads; 0 is one per CPU
    bool enable_worker_pool = true;
    int worker_queue_limit = 256;                           // jobs that wait; one more is a 503
    std::chrono::milliseconds worker_queue_timeout{5'000};  // a longer wait in the queue is a 503

    std::chrono::milliseconds stall_warning{
        50};  // a handler that holds the reactor's thread for longer is logged

    // Connections.
    // 0 is the limit of open files less 128, at most 65,536, and run() raises the soft limit of open files to
    // the hard one; more wait in the backlog.
    int max_connections = 0;
    int listen_backlog = 4096;
    int unix_socket_mode = 0666;  // permissions of the file of a Unix socket, whatever the umask
    std::chrono::milliseconds keep_alive_timeout{75'000};  // an idle connection is closed after it
    std::chrono::milliseconds header_timeout{10'000};      // for a whole request head: 408
    std::chrono::milliseconds request_timeout{30'000};     // for a coroutine handler or a worker: 504
    std::chrono::milliseconds read_timeout{30'000};        // a pause within a request body: 408
    std::chrono::milliseconds write_timeout{30'000};       // a pause within an answer: close
    std::chrono::milliseconds rate_grace{5'000};           // after it, bodies must keep to minimum_rate
    int minimum_rate = 240;                                // bytes per second: 408, or close
    std::chrono::milliseconds half_close_window{
        50};  // an end of input before its request, or this soon after, still gets the answer; later it
              // means that the client has gone
    std::chrono::milliseconds shutdown_grace{30'000};  // what is in flight at stop() has this long to end

    // A request.
    std::size_t max_request_line = 8 * 1024;       // 414
    std::size_t max_header_block = 16 * 1024;      // 431
    int max_header_count = 100;                    // 431
    std::size_t max_body = 1024 * 1024;            // decoded: 413
    std::size_t max_chunk_extensions = 16 * 1024;  // of one body: 400
    std::size_t max_trailers = 4 * 1024;           // of one body: 400
    int max_json_depth = 64;                       // 400

    // A response.
    std::size_t output_soft_limit = 64 * 1024;  // answers to pipelined requests are gathered up to it

    // The process.
    std::size_t max_buffered = 256 * 1024 * 1024;  // of all connections together: 503, or close
    PollerKind poller = PollerKind::automatic;
    bool handle_signals = true;  // SIGINT and SIGTERM stop the engine gracefully, a second one at once
    bool announce = true;        // log one line with the address at start
    LogSink log = log_to_stderr;

    [[nodiscard]] static Config with_defaults() { return {}; }

    Config& with_worker_pool(bool on) { return enable_worker_pool = on, *this; }
    Config& with_worker_pool_size(int threads) { return worker_pool_size = threads, *this; }
    Config& with_worker_queue_limit(int jobs) { return worker_queue_limit = jobs, *this; }
    Config& with_worker_queue_timeout(std::chrono::milliseconds t) { return worker_queue_timeout = t, *this; }
    Config& with_stall_warning(std::chrono::milliseconds t) { return stall_warning = t, *this; }
    Config& with_max_connections(int count) { return max_connections = count, *this; }
    Config& with_listen_backlog(int count) { return listen_backlog = count, *this; }
    Config& with_unix_socket_mode(int mode) { return unix_socket_mode = mode, *this; }
    Config& with_keep_alive_timeout(std::chrono::milliseconds t) { return keep_alive_timeout = t, *this; }
    Config& with_header_timeout(std::chrono::milliseconds t) { return header_timeout = t, *this; }
    Config& with_request_timeout(std::chrono::milliseconds t) { return request_timeout = t, *this; }
    Config& with_read_timeout(std::chrono::milliseconds t) { return read_timeout = t, *this; }
    Config& with_write_timeout(std::chrono::milliseconds t) { return write_timeout = t, *this; }
    Config& with_rate_grace(std::chrono::milliseconds t) { return rate_grace = t, *this; }
    Config& with_minimum_rate(int bytes_per_second) { return minimum_rate = bytes_per_second, *this; }
    Config& with_half_close_window(std::chrono::milliseconds t) { return half_close_window = t, *this; }
    Config& with_shutdown_grace(std::chrono::milliseconds t) { return shutdown_grace = t, *this; }
    Config& with_max_request_line(std::size_t bytes) { return max_request_line = bytes, *this; }
    Config& with_max_header_block(std::size_t bytes) { return max_header_block = bytes, *this; }
    Config& with_max_header_count(int count) { return max_header_count = count, *this; }
    Config& with_max_body(std::size_t bytes) { return max_body = bytes, *this; }
    Config& with_max_chunk_extensions(std::size_t bytes) { return max_chunk_extensions = bytes, *this; }
    Config& with_max_trailers(std::size_t bytes) { return max_trailers = bytes, *this; }
    Config& with_max_json_depth(int depth) { return max_json_depth = depth, *this; }
    Config& with_output_soft_limit(std::size_t bytes) { return output_soft_limit = bytes, *this; }
    Config& with_poller(PollerKind kind) { return poller = kind, *this; }
    Config& with_max_buffered(std::size_t bytes) { return max_buffered = bytes, *this; }
    Config& with_signals(bool on) { return handle_signals = on, *this; }
    Config& with_announce(bool on) { return announce = on, *this; }
    Config& with_log(LogSink sink) { return log = std::move(sink), *this; }
};

namespace detail {

/// A size above this was a negative number before it was converted.
inline constexpr auto largest_size = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

template <class Number>
void check_setting(const char* name, Number value, Number smallest, const std::string& unit = {}) {
    if (value >= smallest && static_cast<std::uint64_t>(value) <= largest_size) return;
    throw std::invalid_argument(std::string("Config::") + name + " must be at least " +
                                std::to_string(smallest) + unit + ", not " +
                                std::to_string(static_cast<std::int64_t>(value)) + unit);
}

inline void check_setting(const char* name, std::chrono::milliseconds value, std::int64_t smallest = 1) {
    check_setting<std::int64_t>(name, value.count(), smallest, " ms");
    // Beyond it, a deadline would overflow the clock.
    constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 3650);
    if (value > longest)
        throw std::invalid_argument(std::string("Config::") + name + " must be at most 10 years");
}

/// Throws std::invalid_argument naming the first field that makes no sense.
inline void validate(const Config& config) {
    check_setting("worker_pool_size", config.worker_pool_size, 0);
    check_setting("worker_queue_limit", config.worker_queue_limit, 0);
    check_setting("worker_queue_timeout", config.worker_queue_timeout);
    check_setting("stall_warning", config.stall_warning);
    check_setting("max_connections", config.max_connections, 0);
    check_setting("listen_backlog", config.listen_backlog, 1);
    if (config.unix_socket_mode < 0 || config.unix_socket_mode > 0777)
        throw std::invalid_argument(
            "Config::unix_socket_mode must be 0 to 0777, an octal number such as 0660");
    check_setting("keep_alive_timeout", config.keep_alive_timeout);
    check_setting("header_timeout", config.header_timeout);
    check_setting("request_timeout", config.request_timeout);
    check_setting("read_timeout", config.read_timeout);
    check_setting("write_timeout", config.write_timeout);
    check_setting("rate_grace", config.rate_grace);
    check_setting("minimum_rate", config.minimum_rate, 1);
    check_setting("half_close_window", config.half_close_window, 0);
    check_setting("shutdown_grace", config.shutdown_grace, 0);
    check_setting<std::size_t>("max_request_line", config.max_request_line, 16);
    check_setting<std::size_t>("max_header_block", config.max_header_block, 2);
    check_setting("max_header_count", config.max_header_count, 0);
    check_setting<std::size_t>("max_body", config.max_body, 0);
    check_setting<std::size_t>("max_chunk_extensions", config.max_chunk_extensions, 0);
    check_setting<std::size_t>("max_trailers", config.max_trailers, 0);
    check_setting("max_json_depth", config.max_json_depth, 1);
    check_setting<std::size_t>("output_soft_limit", config.output_soft_limit, 1);
    check_setting<std::size_t>("max_buffered", config.max_buffered, 1);
    if (!config.log) throw std::invalid_argument("Config::log must be callable");
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
