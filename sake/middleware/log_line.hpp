// The lines of the access log. A client's bytes cannot end a line, or a quoted text in it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/app/answered.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/request_id.hpp"
#include "sake/app/trace_context.hpp"
#include "sake/app/user.hpp"
#include "sake/base/json_writer_impl.hpp"
#include "sake/base/time_text.hpp"
#include "sake/http/date.hpp"
#include "sake/middleware/logger.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Appends the line of an answer that leaves at this moment.
class LogLine {
  public:
    static constexpr std::size_t max_text = 2048;

    LogLine(std::string& out, const Answered& answered, std::chrono::system_clock::time_point now) noexcept
        : out_(out), answered_(answered), now_(now) {}

    void append(middleware::LogFormat format, bool with_query) {
        if (!with_query) {
            target_ = target_.substr(0, target_.find('?'));
            referrer_ = referrer_.substr(0, referrer_.find_first_of("?#"));  // the target of another page
        }
        if (format == middleware::LogFormat::json) {
            append_object();
        } else {
            append_common();
            if (format == middleware::LogFormat::combined)
                append_quoted(referrer_), append_quoted(answered_.ctx.header("User-Agent"));
        }
        out_ += '\n';
    }

  private:
    // --- common and combined: the formats of the Apache server ---

    void append_common() {
        out_.append(answered_.ctx.client_ip()).append(" - ");
        append_user();
        out_ += " [";
        append_local_time();
        out_ += "] \"";
        if (answered_.method.empty()) {
            out_ += '-';
        } else {
            append_plain(answered_.method);
            out_ += ' ';
            append_plain(target_);
            out_ += " HTTP/1.1";  // what the server speaks
        }
        append_json_integer(out_.append("\" "), answered_.status);
        append_json_integer(out_.append(" "), answered_.bytes);
    }
    // In one word, since it has no quotes around it.
    void append_user() {
        if (user().empty()) out_ += '-';
        for (const char c : user().substr(0, max_text)) {
            if (c == ' ') out_ += "\\x20";
            if (c != ' ') append_plain({&c, 1});
        }
    }
    void append_quoted(std::string_view field) {
        out_ += " \"";
        append_plain(field.empty() ? "-" : field);
        out_ += '"';
    }
    void append_local_time() {
        const http::detail::CivilTime time = http::detail::civil_from_seconds(seconds());
        append_padded(out_, time.day, 2);
        out_.append("/").append(http::detail::month_names.substr((time.month - 1) * std::size_t{3}, 3)) +=
            '/';
        append_padded(out_, static_cast<std::uint64_t>(time.year), 4);
        for (const unsigned part : {time.hour, time.minute, time.second}) append_padded(out_ += ':', part, 2);
        out_ += " +0000";
    }
    void append_plain(std::string_view text) {
        constexpr char hex[] = "0123456789abcdef";
        for (const char c : text.substr(0, max_text)) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte < 0x20 || byte >= 0x7f) {
                out_ += {'\\', 'x', hex[byte >> 4U], hex[byte & 15U]};
            } else {
                if (c == '"' || c == '\\') out_ += '\\';
                out_ += c;
            }
        }
    }

    // --- json ---

    void append_object() {
        out_ += "{\"time\":\"";
        append_utc_time();
        out_ += '"';
        append_member("remote", answered_.ctx.client_ip());
        append_member("user", user());
        append_member("method", answered_.method);
        append_member("target", target_);
        append_member("route", answered_.route);
        append_json_integer(out_ += ",\"status\":", answered_.status);
        append_json_integer(out_ += ",\"bytes\":", answered_.bytes);
        append_seconds(out_ += ",\"duration\":");
        append_member("cause", to_string(answered_.cause));
        const RequestId* const id = Call::of(answered_.ctx).state.find<RequestId>();
        append_member("request_id", id != nullptr ? id->text() : std::string_view());
        const TraceContext* const trace = Call::of(answered_.ctx).state.find<TraceContext>();
        append_member("trace_id", trace != nullptr ? trace->trace_id() : std::string_view());
        append_member("user_agent", answered_.ctx.header("User-Agent"));
        append_member("referrer", referrer_);
        out_ += '}';
    }
    void append_member(std::string_view name, std::string_view text) {
        out_.append(",\"").append(name).append("\":");
        text = text.substr(0, max_text);
        if (find_hidden(text) == text.size()) return append_json_text(out_, text);
        std::string json;
        append_json_text(json, text);
        append_escaped_hidden(json);
    }
    // What JSON lets stand though terminals obey it, or readers end a line there: DEL, the control characters
    // U+0080 to U+009F, U+2028 and U+2029.
    static char32_t hidden_at(std::string_view text, std::size_t at) noexcept {
        const auto byte = [&](std::size_t n) {
            return at + n < text.size() ? static_cast<unsigned char>(text[at + n]) : 0U;
        };
        if (byte(0) == 0x7f) return 0x7f;
        if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) <= 0x9f) return byte(1);
        if (byte(0) == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9))
            return 0x2000 + byte(2) - 0x80;
        return 0;
    }
    static std::size_t find_hidden(std::string_view text) noexcept {
        std::size_t at = 0;
        while (at < text.size() && hidden_at(text, at) == 0) ++at;
        return at;
    }
    void append_escaped_hidden(std::string_view json) {
        while (true) {
            const std::size_t size = find_hidden(json);
            out_.append(json.substr(0, size));
            json.remove_prefix(size);
            if (json.empty()) return;
            const char32_t character = hidden_at(json, 0);
            constexpr char hex[] = "0123456789abcdef";
            out_.append(character < 0x100 ? "\\u00" : "\\u20");
            out_ += {hex[character >> 4U & 15U], hex[character & 15U]};
            json.remove_prefix(character == 0x7f ? 1 : character < 0x100 ? 2 : 3);
        }
    }
    void append_utc_time() {
        const auto day = std::chrono::floor<std::chrono::days>(now_);
        const auto of_day = std::chrono::floor<std::chrono::milliseconds>(now_ - day).count();
        append_date(out_, day);
        append_time_of_day(out_, static_cast<std::uint64_t>(of_day / 1000));
        append_padded(out_ += '.', static_cast<std::uint64_t>(of_day % 1000), 3);
        out_ += 'Z';
    }
    void append_seconds(std::string& out) const {
        using std::chrono::microseconds;
        const auto micros = std::chrono::duration_cast<microseconds>(answered_.duration).count();
        append_json_integer(out, micros / 1'000'000);
        append_padded(out += '.', static_cast<std::uint64_t>(micros % 1'000'000), 6);
    }

    /// Whom basic_auth or bearer_auth has let in; "" for nobody.
    [[nodiscard]] std::string_view user() const noexcept {
        const User* const found = Call::of(answered_.ctx).state.find<User>();
        return found != nullptr ? std::string_view(found->name) : std::string_view();
    }
    [[nodiscard]] std::int64_t seconds() const noexcept {
        return std::chrono::floor<std::chrono::seconds>(now_).time_since_epoch().count();
    }

    std::string& out_;
    const Answered& answered_;
    std::chrono::system_clock::time_point now_;
    std::string_view target_ = answered_.target;
    std::string_view referrer_ = answered_.ctx.header("Referer");
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
