// In which of two formats a page of metrics is sent: the text of Prometheus, 0.0.4, or OpenMetrics 1.0 if the
// client prefers it by its Accept field.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/negotiate.hpp"
#include "sake/http/parameters.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

enum class MetricsFormat : std::uint8_t { prometheus, open_metrics };

[[nodiscard]] constexpr std::string_view content_type(MetricsFormat format) noexcept {
    return format == MetricsFormat::prometheus ? "text/plain; version=0.0.4; charset=utf-8"
                                               : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

/// Whether a media range asks for this version, or for any.
[[nodiscard]] inline bool asks_for_version(std::string_view range, std::string_view version) {
    Parameters parameters(range);
    while (parameters.next() == Parameters::Result::parameter) {
        if (iequals(parameters.name, "version")) return parameters.text == version;
    }
    return true;
}

/// OpenMetrics only for who names it, and wants it at least as much as the text. A client that accepts
/// neither gets the text.
[[nodiscard]] inline MetricsFormat metrics_format(std::string_view accept) {
    int open_metrics = 0;
    int text = -1;
    int others = 0;  // what ranges with a star give to the text
    for_each_list_item(accept, [&](std::string_view range) {
        const auto item = parse_quality_item(range);
        if (!item) return;
        if (iequals(item->name, "application/openmetrics-text") && asks_for_version(range, "1.0.0")) {
            open_metrics = std::max(open_metrics, item->quality);
        } else if (iequals(item->name, "text/plain") && asks_for_version(range, "0.0.4")) {
            text = std::max(text, item->quality);
        } else if (iequals(item->name, "text/*") || item->name == "*/*") {
            others = std::max(others, item->quality);
        }
    });
    if (text < 0) text = others;
    return open_metrics > 0 && open_metrics >= text ? MetricsFormat::open_metrics : MetricsFormat::prometheus;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
