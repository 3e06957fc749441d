// The settings of an Engine: every limit and timeout that a program may want to change has a name and a safe
// default here.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "sake/async/poller.hpp"
#include "sake/base/error.hpp"
#include "sake/base/log.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

/// What a setter was given, for a field that has another type: a number that the field cannot hold is its
/// largest value, which means "no limit". A negative one stays negative, for `validate` to refuse.
template <std::integral Field, std::integral Number>
constexpr Field as_setting(Number value) noexcept {
    const std::int64_t number = written_number(value);
    constexpr Field largest = std::numeric_limits<Field>::max();
    if (std::cmp_greater(number, largest) || number == std::numeric_limits<std::int64_t>::max())
        return largest;
    using Signed = std::make_signed_t<Field>;
    constexpr Signed smallest = std::numeric_limits<Signed>::min();
    if (std::cmp_less(number, smallest)) return static_cast<Field>(smallest);
    // As an unsigned field, -1 would be the largest. So the smallest stands for it, as `setting_text` knows.
    return static_cast<Field>(std::is_unsigned_v<Field> && number == -1 ? smallest : number);
}

}  // namespace detail

/// How an Engine behaves. An aggregate: `Config{.max_connections = 100}`, or
/// `Config::with_defaults().with_worker_pool(false)`. Sizes are bytes. The largest value of a type means "no
/// limit".
struct Config {
    // Worker routes.
    int worker_pool_size = 0;  // threads; 0 is one per CPU
    bool enable_worker_pool = true;
    int worker_queue_limit = 256;                           // jobs that wait; one more is a 503
    std::chrono::milliseconds worker_queue_timeout{5'000};  // a longer wait in the queue is a 503

    std::chrono::milliseconds stall_warning{
        50};  // a handler that holds the reactor's thread for longer is logged

    // Connections.
    int max_connections =
        0;  // 0 is the limit of open files less 128, at most 65,536; more wait in the backlog
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
    std::chrono::milliseconds event_keep_alive{15'000};  // a comment after so much silence of an event stream
    std::chrono::milliseconds shutdown_grace{30'000};    // what is in flight at stop() has this long to end
    bool end_streams_at_stop = true;  // answers in pieces end when a stop begins; false: they have the grace

    // A request.
    std::size_t max_request_line = 8 * 1024;       // 414
    std::size_t max_header_block = 16 * 1024;      // 431
    int max_header_count = 100;                    // 431
    std::size_t max_body = 1024 * 1024;            // decoded: 413
    std::size_t max_chunk_extensions = 16 * 1024;  // of one body: 400
    std::size_t max_trailers = 4 * 1024;           // of one body: 400
    int max_json_depth = 64;                       // 400
    std::size_t max_json_values = 250'000;         // of one document, objects and arrays included: 400
    std::size_t max_form_parts = 1'000;            // of a multipart body, fields and files: 413
    std::size_t max_form_files = 100;              // 413
    std::size_t max_form_field = 64 * 1024;        // one field, of any form: 413
    std::size_t max_form_pairs = 10'000;           // of a urlencoded body: 413
    std::size_t form_memory = 256 * 1024;  // a larger file of a streamed form goes to a temporary file
    std::string temporary_directory = {};  // of such files; "" is TMPDIR, else /tmp

    // A response.
    std::size_t output_soft_limit = 64 * 1024;  // answers to pipelined requests are gathered up to it

    // The process.
    std::size_t max_buffered = 256 * 1024 * 1024;  // of all connections together: 503, or close
    PollerKind poller = PollerKind::automatic;
    // If max_connections is 0, the soft limit of open files is the hard one while it runs, for the whole
    // process and for the programs that it starts.
    bool raise_file_limit = true;
    bool handle_signals = true;  // SIGINT and SIGTERM stop the engine gracefully, a second one at once
    bool announce = true;        // log one line with the address at start
    LogSink log = log_to_stderr;

    [[nodiscard]] static Config with_defaults() { return {}; }

    Config& with_worker_pool(bool on) { return enable_worker_pool = on, *this; }
    Config& with_worker_pool_size(int threads) { return worker_pool_size = threads, *this; }
    template <std::integral Number>
    Config& with_worker_queue_limit(Number jobs) {
        return worker_queue_limit = detail::as_setting<int>(jobs), *this;
    }
    Config& with_worker_queue_timeout(std::chrono::milliseconds t) { return worker_queue_timeout = t, *this; }
    Config& with_stall_warning(std::chrono::milliseconds t) { return stall_warning = t, *this; }
    template <std::integral Number>
    Config& with_max_connections(Number count) {
        return max_connections = detail::as_setting<int>(count), *this;
    }
    template <std::integral Number>
    Config& with_listen_backlog(Number count) {
        return listen_backlog = detail::as_setting<int>(count), *this;
    }
    Config& with_unix_socket_mode(int mode) { return unix_socket_mode = mode, *this; }
    Config& with_keep_alive_timeout(std::chrono::milliseconds t) { return keep_alive_timeout = t, *this; }
    Config& with_header_timeout(std::chrono::milliseconds t) { return header_timeout = t, *this; }
    Config& with_request_timeout(std::chrono::milliseconds t) { return request_timeout = t, *this; }
    Config& with_read_timeout(std::chrono::milliseconds t) { return read_timeout = t, *this; }
    Config& with_write_timeout(std::chrono::milliseconds t) { return write_timeout = t, *this; }
    Config& with_rate_grace(std::chrono::milliseconds t) { return rate_grace = t, *this; }
    Config& with_minimum_rate(int bytes_per_second) { return minimum_rate = bytes_per_second, *this; }
    Config& with_half_close_window(std::chrono::milliseconds t) { return half_close_window = t, *this; }
    Config& with_event_keep_alive(std::chrono::milliseconds t) { return event_keep_alive = t, *this; }
    Config& with_shutdown_grace(std::chrono::milliseconds t) { return shutdown_grace = t, *this; }
    Config& with_end_streams_at_stop(bool on) { return end_streams_at_stop = on, *this; }
    template <std::integral Number>
    Config& with_max_request_line(Number bytes) {
        return max_request_line = detail::as_setting<std::size_t>(bytes), *this;
    }
    template <std::integral Number>
    Config& with_max_header_block(Number bytes) {
        return max_header_block = detail::as_setting<std::size_t>(bytes), *this;
    }
    template <std::integral Number>
    Config& with_max_header_count(Number count) {
        return max_header_count = detail::as_setting<int>(count), *this;
    }
    template <std::integral Number>
    Config& with_max_body(Number bytes) {
        return max_body = detail::as_setting<std::size_t>(bytes), *this;
    }
    template <std::integral Number>
    Config& with_max_chunk_extensions(Number bytes) {
        return max_chunk_extensions = detail::as_setting<std::size_t>(bytes), *this;
    }
    template <std::integral Number>
    Config& with_max_trailers(Number bytes) {
        return max_trailers = detail::as_setting<std::size_t>(bytes), *this;
    }
    template <std::integral Number>
    Config& with_max_json_depth(Number depth) {
        return max_json_depth = detail::as_setting<int>(depth), *this;
    }
    template <std::integral Number>
    Config& with_max_json_values(Number count) {
        return max_json_values = detail::as_setting<std::size_t>(count), *this;
    }
    template <std::integral Number>
    Config& with_max_form_parts(Number count) {
        return max_form_parts = detail::as_setting<std::size_t>(count), *this;
    }
    template <std::integral Number>
    Config& with_max_form_files(Number count) {
        return max_form_files = detail::as_setting<std::size_t>(count), *this;
    }
    template <std::integral Number>
    Config& with_max_form_field(Number bytes) {
        return max_form_field = detail::as_setting<std::size_t>(bytes), *this;
    }
    template <std::integral Number>
    Config& with_max_form_pairs(Number count) {
        return max_form_pairs = detail::as_setting<std::size_t>(count), *this;
    }
    template <std::integral Number>
    Config& with_form_memory(Number bytes) {
        return form_memory = detail::as_setting<std::size_t>(bytes), *this;
    }
    Config& with_temporary_directory(std::string path) {
        return temporary_directory = std::move(path), *this;
    }
    template <std::integral Number>
    Config& with_output_soft_limit(Number bytes) {
        return output_soft_limit = detail::as_setting<std::size_t>(bytes), *this;
    }
    Config& with_poller(PollerKind kind) { return poller = kind, *this; }
    template <std::integral Number>
    Config& with_max_buffered(Number bytes) {
        return max_buffered = detail::as_setting<std::size_t>(bytes), *this;
    }
    Config& with_raise_file_limit(bool on) { return raise_file_limit = on, *this; }
    Config& with_signals(bool on) { return handle_signals = on, *this; }
    Config& with_announce(bool on) { return announce = on, *this; }
    Config& with_log(LogSink sink) { return log = std::move(sink), *this; }
};

namespace detail {

/// The settings with which an engine works: ten years in place of "no limit", which the clock cannot add to a
/// moment. Throws std::invalid_argument naming the first field that makes no sense.
[[nodiscard]] Config settled(Config config);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
