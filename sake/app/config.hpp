// Config: the settings of an Engine. Every limit and timeout is a field with a safe default.
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

/// Converts what a setter was given. A number too large for the field becomes its largest value, which means
/// "no limit". A negative number stays negative, so that `validate` refuses it.
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

/// The settings of an Engine. Write `Config{.max_connections = 100}` or
/// `Config::with_defaults().with_worker_pool(false)`. Sizes are bytes. The largest value of a field's type
/// means "no limit". The constructor of Engine throws std::invalid_argument that names an invalid field.
/// docs/configuration.md has the minimum and the meaning of 0 for each field.
struct Config {
    // Worker routes.
    int worker_pool_size = 0;                               // threads; 0 means one per usable CPU
    bool enable_worker_pool = true;                         // false: worker routes run on the reactor
    int worker_queue_limit = 256;                           // jobs that may wait; one more is a 503
    std::chrono::milliseconds worker_queue_timeout{5'000};  // a longer wait is a 503

    // A handler that holds the reactor's thread for longer is logged.
    std::chrono::milliseconds stall_warning{50};

    // Connections.
    // 0 means the limit of open files less 128, at most 65,536. At the limit, the connection that was idle
    // for longest is closed; if all are busy, new clients wait in the backlog.
    int max_connections = 0;
    int listen_backlog = 4096;    // connections that may wait to be accepted; the system may lower it
    int unix_socket_mode = 0666;  // permissions of a Unix socket's file, whatever the umask
    std::chrono::milliseconds keep_alive_timeout{75'000};  // an idle connection is closed after this time
    std::chrono::milliseconds header_timeout{10'000};      // to receive a whole request head: 408
    std::chrono::milliseconds request_timeout{30'000};     // for a coroutine handler or a worker: 504
    std::chrono::milliseconds read_timeout{30'000};        // the longest pause within a request body: 408
    std::chrono::milliseconds write_timeout{30'000};       // the longest pause within an answer: close
    std::chrono::milliseconds rate_grace{5'000};           // minimum_rate counts after this time
    int minimum_rate = 240;                                // bytes per second: 408 or close, if slower
    // A client that closes its sending side together with its request, or this soon after it, still gets
    // its answer. A later end of input counts as a disconnect.
    std::chrono::milliseconds half_close_window{50};
    std::chrono::milliseconds event_keep_alive{15'000};  // a silent event stream sends a comment after it
    std::chrono::milliseconds shutdown_grace{30'000};    // for requests under way when a stop begins
    bool end_streams_at_stop = true;  // streamed answers end when a stop begins; false: they have the grace

    // A request.
    std::size_t max_request_line = 8 * 1024;       // 414
    std::size_t max_header_block = 16 * 1024;      // 431
    int max_header_count = 100;                    // 431
    std::size_t max_body = 1024 * 1024;            // after decoding chunks: 413
    std::size_t max_chunk_extensions = 16 * 1024;  // of one body: 400
    std::size_t max_trailers = 4 * 1024;           // of one body: 400
    int max_json_depth = 64;                       // 400
    std::size_t max_json_values = 250'000;         // of one document, counting objects and arrays: 400
    std::size_t max_form_parts = 1'000;            // of a multipart body, counting fields and files: 413
    std::size_t max_form_files = 100;              // 413
    std::size_t max_form_field = 64 * 1024;        // bytes of one field of any form: 413
    std::size_t max_form_pairs = 10'000;           // pairs of a urlencoded body: 413
    std::size_t form_memory = 256 * 1024;          // larger files of a streamed form go to a temporary file
    std::string temporary_directory = {};          // where these files are; "" means TMPDIR, else /tmp

    // A response.
    std::size_t output_soft_limit = 64 * 1024;  // answers to pipelined requests are gathered up to this size

    // The process.
    std::size_t max_buffered = 256 * 1024 * 1024;  // of all connections together: 503, or close
    PollerKind poller = PollerKind::automatic;
    // If max_connections is 0, run() raises the soft limit of open files to the hard limit while the engine
    // runs. This concerns the whole process and the programs that it starts.
    bool raise_file_limit = true;
    bool handle_signals = true;   // SIGINT and SIGTERM stop the engine gracefully, a second one at once
    bool announce = true;         // logs one line with each address at the start
    LogSink log = log_to_stderr;  // may be called from several threads at once

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

/// The settings that an engine works with. "No limit" for a time becomes ten years, because larger times
/// overflow the clock. Throws std::invalid_argument that names the first invalid field.
[[nodiscard]] Config settled(Config config);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
