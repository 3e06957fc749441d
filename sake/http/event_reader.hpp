// Reads a stream of server-sent events: bytes in, events out (WHATWG HTML, "Parsing an event stream"). The
// events do not depend on how the bytes are split.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/stream_event.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class EventReader {
  public:
    /// Takes the next bytes of the stream. An event that is not complete at its end is dropped.
    void take(std::string_view bytes) {
        for (const char c : bytes) {
            const bool is_rest_of_crlf = std::exchange(after_cr_, c == '\r') && c == '\n';
            if (is_rest_of_crlf) continue;
            if (c == '\r' || c == '\n') {
                end_line();
            } else {
                line_ += c;
            }
        }
    }

    /// The next event that is complete.
    [[nodiscard]] std::optional<http::StreamEvent> next() {
        if (!has_next()) return std::nullopt;
        std::optional<http::StreamEvent> event(std::move(events_[taken_++]));
        // Each of the others is moved at most once for each that was taken.
        if (taken_ > events_.size() / 2) {
            events_.erase(events_.begin(), events_.begin() + taken_);
            taken_ = 0;
        }
        return event;
    }

    [[nodiscard]] bool has_next() const noexcept { return taken_ != events_.size(); }

    /// How many events are kept, some of which may have been handed out.
    [[nodiscard]] std::size_t kept() const noexcept { return events_.size(); }

    /// The id that a reconnecting client sends as Last-Event-ID.
    [[nodiscard]] const std::string& last_event_id() const noexcept { return last_id_; }
    /// The retry time, if the stream has set one.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }
    /// How many comment lines were received.
    [[nodiscard]] std::uint64_t comments() const noexcept { return comments_; }

  private:
    void end_line() {
        std::string_view line = line_;
        if (std::exchange(is_first_line_, false) && line.substr(0, 3) == "\xef\xbb\xbf")
            line.remove_prefix(3);
        if (line.empty()) {
            end_event();
        } else if (line.front() == ':') {
            ++comments_;
        } else {
            const std::size_t colon = line.find(':');
            std::string_view value = colon == line.npos ? std::string_view{} : line.substr(colon + 1);
            if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
            take_field(line.substr(0, colon), value);
        }
        line_.clear();
    }

    // Names are compared as they are; others are ignored.
    void take_field(std::string_view name, std::string_view value) {
        if (name == "data") {
            event_.data.append(value).append(1, '\n');
        } else if (name == "event") {
            event_.name = value;
        } else if (name == "id") {
            if (value.find('\0') == value.npos) event_id_ = value;
        } else if (name == "retry") {
            const auto count = parse_decimal<std::uint64_t>(value);
            if (!count || *count > longest_retry) return;
            event_.retry = retry_ = std::chrono::milliseconds(static_cast<std::int64_t>(*count));
        }
    }

    void end_event() {
        last_id_ = event_id_;
        if (!event_.data.empty()) {
            event_.data.pop_back();
            event_.id = last_id_;
            events_.push_back(std::move(event_));
        }
        event_ = {};
    }

    static constexpr std::uint64_t longest_retry = std::uint64_t{1} << 53;  // what a browser can count

    std::string line_;
    bool is_first_line_ = true;
    bool after_cr_ = false;
    http::StreamEvent event_;  // the lines since the last empty one
    std::string event_id_;
    std::string last_id_;
    std::optional<std::chrono::milliseconds> retry_;
    std::uint64_t comments_ = 0;
    Array<http::StreamEvent> events_;  // the first `taken_` of them were handed out
    std::size_t taken_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
