// The text of the golden files.
#include "golden.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace golden {
namespace {

constexpr std::size_t shortest_run = 40;  // of one byte, that is written as \{40*x}

std::size_t take_number(std::string_view text, int base) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw std::runtime_error("'" + std::string(text) + "' is not a number");
    }
    return value;
}

std::string take_word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string word(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

void append_escaped(std::string& out, char byte) {
    constexpr char digits[] = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    if (byte == '\r') {
        out += "\\r";
    } else if (byte == '\n') {
        out += "\\n";
    } else if (byte == '\\') {
        out += "\\\\";
    } else if (value >= 0x20 && value < 0x7F) {
        out += byte;
    } else {
        out.append("\\x").append(1, digits[value / 16]).append(1, digits[value % 16]);
    }
}

bool is_status_line(std::string_view bytes) {
    constexpr std::string_view version = "HTTP/1.1 ";
    return bytes.size() > version.size() && bytes.starts_with(version) && bytes[version.size()] >= '1' &&
           bytes[version.size()] <= '5';
}

// No editor may strip what a line ends with.
void protect_last_space(std::string& line) {
    if (line.ends_with(' ')) line.replace(line.size() - 1, 1, "\\x20");
}

/// The bytes of an escape, whose backslash is gone; takes it off `text`.
std::string take_escape(std::string_view& text) {
    if (text.empty()) throw std::runtime_error("a backslash at the end of a line");
    const char kind = text[0];
    text.remove_prefix(1);
    switch (kind) {
        case 'r':
            return "\r";
        case 'n':
            return "\n";
        case '\\':
            return "\\";
        case 'x': {
            if (text.size() < 2) throw std::runtime_error("\\x without two digits");
            const std::size_t value = take_number(text.substr(0, 2), 16);
            text.remove_prefix(2);
            return std::string(1, static_cast<char>(value));
        }
        case '{': {
            const std::size_t star = text.find('*');
            const std::size_t end = text.find('}');
            if (end == std::string_view::npos || star > end) throw std::runtime_error("\\{ without * or }");
            const std::size_t count = take_number(text.substr(0, star), 10);
            const std::string unit = unescape(text.substr(star + 1, end - star - 1));
            text.remove_prefix(end + 1);
            std::string all;
            for (std::size_t i = 0; i < count; ++i) all += unit;
            return all;
        }
        default:
            throw std::runtime_error(std::string("the escape \\") + kind + " is unknown");
    }
}

}  // namespace

std::string unescape(std::string_view text) {
    std::string bytes;
    while (!text.empty()) {
        const std::size_t plain = std::min(text.find('\\'), text.size());
        bytes.append(text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty()) break;
        text.remove_prefix(1);
        bytes += take_escape(text);
    }
    return bytes;
}

std::vector<std::string> escape(std::string_view bytes) {
    std::vector<std::string> lines;
    std::string line;
    const auto end_line = [&] {
        protect_last_space(line);
        lines.push_back(std::exchange(line, {}));
    };
    for (std::size_t i = 0; i < bytes.size();) {
        if (!line.empty() && is_status_line(bytes.substr(i))) end_line();  // another answer
        const std::size_t run = std::min(bytes.find_first_not_of(bytes[i], i), bytes.size()) - i;
        if (run >= shortest_run && bytes[i] != '}') {
            line.append("\\{").append(std::to_string(run)).append("*");
            append_escaped(line, bytes[i]);
            line += '}';
            i += run;
            continue;
        }
        append_escaped(line, bytes[i]);
        if (bytes[i++] == '\n') end_line();
    }
    if (!line.empty()) end_line();
    return lines;
}

void fix_dates(std::string& bytes) {
    constexpr std::string_view name = "\r\nDate: ";
    constexpr std::string_view fixed = "Day, 00 Mon 0000 00:00:00 GMT";
    const auto has_same_shape = [](char a, char b) {
        const auto shape = [](char c) {
            if (c >= '0' && c <= '9') return '0';
            const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            return is_letter ? 'x' : c;
        };
        return shape(a) == shape(b);
    };
    for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) {
        const std::string_view value = std::string_view(bytes).substr(at + name.size(), fixed.size());
        if (!std::equal(value.begin(), value.end(), fixed.begin(), fixed.end(), has_same_shape)) continue;
        bytes.replace(at + name.size(), fixed.size(), fixed);
    }
}

std::string difference(std::string_view recorded, std::string_view now) {
    if (recorded == now) return {};
    const std::vector<std::string> before = escape(recorded);
    const std::vector<std::string> after = escape(now);
    const auto [a, b] = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
    const auto same = a - before.begin();
    const auto most = std::min(before.end() - a, after.end() - b);
    const auto last = std::mismatch(before.rbegin(), before.rbegin() + most, after.rbegin()).first;
    const auto same_at_end = last - before.rbegin();
    std::string out;
    const auto show = [&](const char* sign, const auto& lines, auto begin, auto end) {
        for (auto i = begin; i < end; ++i) {
            out.append("  ").append(sign).append(" ").append(lines[static_cast<std::size_t>(i)]).append("\n");
        }
    };
    show(" ", before, std::ptrdiff_t{0}, same);
    show("-", before, same, std::ssize(before) - same_at_end);
    show("+", after, same, std::ssize(after) - same_at_end);
    show(" ", before, std::ssize(before) - same_at_end, std::ssize(before));
    return out;
}

// ---- files

File::File(std::filesystem::path path) : path_(std::move(path)) {
    std::ifstream file(path_, std::ios::binary);
    if (!file) throw std::runtime_error(path_.string() + ": cannot be read");
    for (std::string line; std::getline(file, line);) lines_.push_back(line);
    parse();
}

void File::fail(std::size_t line, const std::string& what) const {
    throw std::runtime_error(path_.filename().string() + ":" + std::to_string(line + 1) + ": " + what);
}

std::string File::place(const Exchange& exchange) const {
    return path_.filename().string() + ":" + std::to_string(exchange.line + 1);
}

void File::parse() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        try {
            parse_line(i);
        } catch (const std::runtime_error& error) {
            fail(i, error.what());
        }
    }
    for (const Exchange& each : exchanges_) {
        if (each.end.empty()) fail(each.line, "the exchange says neither open nor closed at its end");
    }
}

void File::parse_line(std::size_t number) {
    std::string_view rest = lines_[number];
    if (rest.empty() || rest[0] == '#') return;
    const std::string word = take_word(rest);
    if (word == "exchange") {
        exchanges_.emplace_back();
        exchanges_.back().name = rest;
        exchanges_.back().line = number;
        return;
    }
    if (exchanges_.empty() || !exchanges_.back().end.empty()) {
        throw std::runtime_error("an exchange begins with 'exchange' and its name");
    }
    if (word == ">") return add_bytes(Step::Kind::send, rest, number);
    if (word == "<") return add_bytes(Step::Kind::receive, rest, number);
    set_option(word, rest, number);
}

// Lines that follow one another are one step.
void File::add_bytes(Step::Kind kind, std::string_view text, std::size_t line) {
    std::vector<Step>& steps = exchanges_.back().steps;
    const bool goes_on = !steps.empty() && steps.back().kind == kind &&
                         steps.back().first_line + steps.back().line_count == line;
    if (!goes_on) steps.push_back({kind, {}, line, 0});
    steps.back().bytes += unescape(text);
    ++steps.back().line_count;
}

void File::set_option(std::string_view word, std::string_view rest, std::size_t line) {
    Exchange& exchange = exchanges_.back();
    if (word == "app") {
        exchange.app = rest;
    } else if (word == "config") {
        std::string name = take_word(rest);
        exchange.settings.emplace_back(std::move(name), rest);
    } else if (word == "cut") {
        // Only ends the lines before it: what follows is a send of its own.
    } else if (word == "end") {
        exchange.steps.push_back({Step::Kind::half_close, {}, line, 1});
    } else if (word == "do") {
        exchange.steps.push_back({Step::Kind::act, std::string(rest), line, 1});
    } else if (word == "open" || word == "closed") {
        exchange.end = word;
        exchange.end_line = line;
    } else {
        throw std::runtime_error("'" + std::string(word) + "' is unknown");
    }
}

void File::record(std::size_t exchange, const std::vector<std::string>& answers, std::string_view end) {
    const Exchange& recorded = exchanges_[exchange];
    auto answer = answers.begin();
    for (const Step& step : recorded.steps) {
        if (step.kind != Step::Kind::receive) continue;
        std::vector<std::string> lines = escape(*answer++);
        for (std::string& line : lines) line.insert(0, "< ");
        if (lines.empty()) lines.emplace_back("<");  // keeps the place
        replacements_.push_back({step.first_line, step.line_count, std::move(lines)});
    }
    replacements_.push_back({recorded.end_line, 1, {std::string(end)}});
}

void File::save() {
    std::string text;
    std::size_t next = 0;
    const auto keep_until = [&](std::size_t end) {
        for (; next < end; ++next) text.append(lines_[next]).append("\n");
    };
    for (const Replacement& each : replacements_) {
        keep_until(each.first_line);
        for (const std::string& line : each.lines) text.append(line).append("\n");
        next += each.line_count;
    }
    keep_until(lines_.size());
    std::ofstream file(path_, std::ios::binary | std::ios::trunc);
    if (!(file << text).flush()) throw std::runtime_error(path_.string() + ": cannot be written");
}

}  // namespace golden
