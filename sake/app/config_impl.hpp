// The checks of a Config, and what an engine makes of its settings.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "sake/app/config.hpp"
#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A setting as the program wrote it, for a message.
template <class Number>
std::string setting_text(Number value) {
    constexpr auto smallest = std::numeric_limits<std::make_signed_t<Number>>::min();
    const bool is_minus_one = std::is_unsigned_v<Number> && value == static_cast<Number>(smallest);
    return std::to_string(is_minus_one ? -1 : written_number(value));
}

template <class Number>
void check_setting(const char* name, Number value, Number smallest, const std::string& unit = {}) {
    if (std::cmp_greater_equal(written_number(value), smallest)) return;
    throw std::invalid_argument(std::string("Config::") + name + " must be at least " +
                                std::to_string(smallest) + unit + ", not " + setting_text(value) + unit);
}

/// Longer times could overflow the clock.
inline constexpr std::chrono::milliseconds longest_setting = std::chrono::hours(24 * 3650);

inline void check_setting(const char* name, std::chrono::milliseconds value, std::int64_t smallest = 1) {
    check_setting<std::int64_t>(name, value.count(), smallest, " ms");
    if (value > longest_setting && value != std::chrono::milliseconds::max()) {
        throw std::invalid_argument(std::string("Config::") + name + " must be at most 10 years");
    }
}

/// Throws std::invalid_argument that names the first invalid field.
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
    check_setting("event_keep_alive", config.event_keep_alive);
    check_setting("shutdown_grace", config.shutdown_grace, 0);
    check_setting<std::size_t>("max_request_line", config.max_request_line, 16);
    check_setting<std::size_t>("max_header_block", config.max_header_block, 2);
    check_setting("max_header_count", config.max_header_count, 0);
    check_setting<std::size_t>("max_body", config.max_body, 0);
    check_setting<std::size_t>("max_chunk_extensions", config.max_chunk_extensions, 0);
    check_setting<std::size_t>("max_trailers", config.max_trailers, 0);
    check_setting("max_json_depth", config.max_json_depth, 1);
    check_setting<std::size_t>("max_json_values", config.max_json_values, 1);
    check_setting<std::size_t>("max_form_parts", config.max_form_parts, 0);
    check_setting<std::size_t>("max_form_files", config.max_form_files, 0);
    check_setting<std::size_t>("max_form_field", config.max_form_field, 0);
    check_setting<std::size_t>("max_form_pairs", config.max_form_pairs, 0);
    check_setting<std::size_t>("form_memory", config.form_memory, 0);
    if (config.temporary_directory.find('\0') != std::string::npos)
        throw std::invalid_argument("Config::temporary_directory must not have a NUL byte in it");
    check_setting<std::size_t>("output_soft_limit", config.output_soft_limit, 1);
    check_setting<std::size_t>("max_buffered", config.max_buffered, 1);
    if (!config.log) throw std::invalid_argument("Config::log must be callable");
}

SAKE_INLINE Config settled(Config config) {
    validate(config);
    for (std::chrono::milliseconds* const each :
         {&config.worker_queue_timeout, &config.stall_warning, &config.keep_alive_timeout,
          &config.header_timeout, &config.request_timeout, &config.read_timeout, &config.write_timeout,
          &config.rate_grace, &config.half_close_window, &config.event_keep_alive, &config.shutdown_grace}) {
        *each = std::min(*each, longest_setting);
    }
    return config;
}

}  // namespace detail

}  // namespace SAKE_ABI
}  // namespace sake
