// MetricsText: writes the lines of a page of metrics, in either format. Not here: which metrics there are.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "sake/base/duration_counts.hpp"
#include "sake/base/text.hpp"
#include "sake/observe/metrics_format.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The end of a bucket, as a number and as both formats have it.
struct BucketEnd {
    std::int64_t nanoseconds;
    std::string_view text;
    std::string_view open_metrics;
};

/// Those that OpenTelemetry names for requests.
inline constexpr BucketEnd request_ends[] = {
    {5'000'000, "0.005", "0.005"}, {10'000'000, "0.01", "0.01"},   {25'000'000, "0.025", "0.025"},
    {50'000'000, "0.05", "0.05"},  {75'000'000, "0.075", "0.075"}, {100'000'000, "0.1", "0.1"},
    {250'000'000, "0.25", "0.25"}, {500'000'000, "0.5", "0.5"},    {750'000'000, "0.75", "0.75"},
    {1'000'000'000, "1", "1.0"},   {2'500'000'000, "2.5", "2.5"},  {5'000'000'000, "5", "5.0"},
    {7'500'000'000, "7.5", "7.5"}, {10'000'000'000, "10", "10.0"},
};

/// Those of what is short: turns of a loop, waits and runs of workers.
inline constexpr BucketEnd short_ends[] = {
    {100'000, "0.0001", "0.0001"},   {500'000, "0.0005", "0.0005"},  {1'000'000, "0.001", "0.001"},
    {2'500'000, "0.0025", "0.0025"}, {5'000'000, "0.005", "0.005"},  {10'000'000, "0.01", "0.01"},
    {50'000'000, "0.05", "0.05"},    {100'000'000, "0.1", "0.1"},    {500'000'000, "0.5", "0.5"},
    {1'000'000'000, "1", "1.0"},     {10'000'000'000, "10", "10.0"},
};

/// Whether each is the end of a bucket that is counted, and they rise.
template <std::size_t Count>
consteval bool are_counted(const BucketEnd (&ends)[Count]) {
    std::size_t found = 0;
    for (const std::int64_t counted : DurationCounts::ends) {
        if (found < Count && ends[found].nanoseconds == counted) ++found;
    }
    return found == Count;
}
static_assert(are_counted(request_ends) && are_counted(short_ends));

/// A label of a sample; its value is escaped.
struct MetricLabel {
    std::string_view name;
    std::string_view value;
};

class MetricsText {
  public:
    using Labels = std::initializer_list<MetricLabel>;

    MetricsText(std::string& out, MetricsFormat format) noexcept : out_(out), format_(format) {}

    // Each of these begins a family of metrics, whose samples follow. The name of a counter stands without
    // its
    // "_total". A unit is "", "seconds" or "bytes", and the last word of the name.

    void begin_counter(std::string_view name, std::string_view unit, std::string_view help) {
        begin(name, is_open() ? "" : "_total", "counter", unit, help);
        suffix_ = "_total";
    }
    void begin_gauge(std::string_view name, std::string_view unit, std::string_view help) {
        begin(name, "", "gauge", unit, help);
    }
    void begin_histogram(std::string_view name, std::string_view unit, std::string_view help) {
        begin(name, "", "histogram", unit, help);
    }
    /// One sample, whose value is 1. The name stands without its "_info".
    void info(std::string_view name, std::string_view help, Labels labels) {
        begin(name, is_open() ? "" : "_info", is_open() ? "info" : "gauge", "", help);
        suffix_ = "_info";
        value(1, labels);
    }

    template <std::integral Number>
    void value(Number number, Labels labels = {}) {
        set_labels(labels);
        begin_sample(suffix_);
        end_sample(number);
    }
    template <std::integral Number>
    void value(Number number, MetricLabel label) {
        value(number, Labels{label});
    }
    void seconds(std::int64_t nanoseconds) {
        set_labels({});
        begin_sample(suffix_);
        end_with_seconds(nanoseconds);
    }
    template <std::size_t Count>
    void histogram(const DurationCounts& counts, const BucketEnd (&ends)[Count], Labels labels = {}) {
        set_labels(labels);
        bucket_.assign(name_).append("_bucket").append(labels_).append(labels_.empty() ? "{le=\"" : ",le=\"");
        const std::uint64_t total = counts.total();
        std::uint64_t below = 0;
        std::size_t bucket = 0;
        for (const BucketEnd& end : ends) {
            for (; bucket < counts.ends.size() && counts.ends[bucket] <= end.nanoseconds; ++bucket) {
                below += counts.counts()[bucket];
            }
            add_bucket(is_open() ? end.open_metrics : end.text, below);
        }
        add_bucket("+Inf", total);
        begin_sample("_sum");
        end_with_seconds(counts.nanoseconds());
        begin_sample("_count");
        end_sample(total);
    }

    /// After all families.
    void end() {
        if (is_open()) out_ += "# EOF\n";
    }

  private:
    [[nodiscard]] bool is_open() const noexcept { return format_ == MetricsFormat::open_metrics; }

    void begin(std::string_view name, std::string_view ending, std::string_view type, std::string_view unit,
               std::string_view help) {
        name_ = name;
        suffix_ = "";
        const auto line = [&](std::string_view what, std::string_view text) {
            out_.append("# ").append(what).append(" ").append(name).append(ending);
            out_.append(" ").append(text).append("\n");
        };
        line("HELP", help);
        line("TYPE", type);
        if (is_open() && !unit.empty()) line("UNIT", unit);
    }
    // Those of the samples that follow, without the last brace: a histogram has them in every line.
    void set_labels(Labels labels) {
        labels_.clear();
        for (const MetricLabel& label : labels) {
            labels_ += labels_.empty() ? '{' : ',';
            labels_.append(label.name).append("=\"");
            append_escaped(labels_, label.value);
            labels_ += '"';
        }
    }
    void begin_sample(std::string_view suffix) {
        out_.append(name_).append(suffix).append(labels_).append(labels_.empty() ? " " : "} ");
    }
    void add_bucket(std::string_view end, std::uint64_t count) {
        out_.append(bucket_).append(end).append("\"} ");
        end_sample(count);
    }
    template <std::integral Number>
    void end_sample(Number number) {
        append_number(number);
        out_ += '\n';
    }
    void end_with_seconds(std::int64_t nanoseconds) {
        append_seconds(nanoseconds);
        out_ += '\n';
    }
    template <std::integral Number>
    void append_number(Number number) {
        std::array<char, 24> text;
        const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
        out_.append(text.data(), end);
    }
    void append_seconds(std::int64_t nanoseconds) {
        constexpr std::int64_t second = 1'000'000'000;
        append_number(nanoseconds / second);
        std::array<char, 24> text;  // "1" and nine digits
        const auto end =
            std::to_chars(text.data(), text.data() + text.size(), second + nanoseconds % second).ptr;
        std::string_view digits(text.data() + 1, end);
        digits = digits.substr(0, digits.find_last_not_of('0') + 1);
        if (!digits.empty()) {
            out_.append(".").append(digits);
        } else if (is_open()) {
            out_ += ".0";
        }
    }
    static void append_escaped(std::string& out, std::string_view text) {
        for (const char c : text) {
            if (c == '\\' || c == '"') out += '\\';
            if (c == '\n') {
                out += "\\n";
            } else {
                out += c;
            }
        }
    }

    std::string& out_;
    const MetricsFormat format_;
    std::string_view name_;
    std::string_view suffix_;  // of the samples
    std::string labels_;
    std::string bucket_;  // the begin of all lines with buckets of one histogram
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
