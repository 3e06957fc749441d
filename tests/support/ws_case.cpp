// The rows of the WebSocket tables: how frames become bytes.
#include "ws_case.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace harness::ws {
namespace {

char to_char(std::uint64_t value) { return static_cast<char>(value & 0xFFU); }

void append_number(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += to_char(value >> shift);
}

std::uint32_t next_random(std::uint32_t& state) {
    state = state * 1664525U + 1013904223U;
    return state >> 16U;
}

// Differs from frame to frame, and is the same in every run.
std::uint32_t key_for(int opcode, std::string_view payload) {
    std::uint32_t state = static_cast<std::uint32_t>(opcode) + 77U;
    for (const char c : payload.substr(0, 64)) state = (state ^ static_cast<unsigned char>(c)) * 16777619U;
    return (state ^ static_cast<std::uint32_t>(payload.size())) * 2654435761U;
}

// "never" behind a mistake: a text and a ping.
std::string sentinel() { return frame(op_text, "never").bytes() + frame(op_ping, "never").bytes(); }

}  // namespace

// ---- frames

Frame::Frame(int opcode, std::string_view payload)
    : opcode_(opcode), payload_(payload), length_(payload.size()), key_(key_for(opcode, payload)) {}

Frame& Frame::fin(bool is_last) {
    is_last_ = is_last;
    return *this;
}

Frame& Frame::rsv(int bits) {
    rsv_ = bits;
    return *this;
}

Frame& Frame::mask(std::uint32_t key) {
    key_ = key;
    return *this;
}

Frame& Frame::unmasked() {
    is_masked_ = false;
    return *this;
}

Frame& Frame::len16() {
    form_ = 2;
    is_short_ = false;
    return *this;
}

Frame& Frame::len64() {
    form_ = 8;
    is_short_ = false;
    return *this;
}

Frame& Frame::announce(std::uint64_t length) {
    length_ = length;
    return *this;
}

int Frame::shortest_form() const { return length_ < 126 ? 0 : length_ < 65536 ? 2 : 8; }

std::string Frame::head() const {
    const int form = is_short_ ? shortest_form() : form_;
    const std::uint64_t first = form == 0 ? length_ : form == 2 ? 126 : 127;
    std::string out;
    out +=
        to_char((is_last_ ? 0x80U : 0U) | static_cast<unsigned>(rsv_) << 4U | static_cast<unsigned>(opcode_));
    out += to_char((is_masked_ ? 0x80U : 0U) | first);
    append_number(out, length_, form);
    if (is_masked_) append_number(out, key_, 4);
    return out;
}

std::string Frame::bytes() const {
    std::string out = head();
    const std::size_t begin = out.size();
    out += payload_;
    for (std::size_t i = 0; is_masked_ && i < payload_.size(); ++i) {
        out[begin + i] = static_cast<char>(out[begin + i] ^ to_char(key_ >> (24 - i % 4 * 8)));
    }
    return out;
}

std::string close_payload(int code, std::string_view reason) {
    std::string payload;
    append_number(payload, static_cast<std::uint64_t>(code), 2);
    return payload.append(reason);
}

Frame close_frame(int code, std::string_view reason) { return Frame(op_close, close_payload(code, reason)); }

std::vector<Frame> fragments(int opcode, std::string_view payload, std::size_t size, bool is_compressed) {
    std::vector<Frame> frames;
    do {
        const std::string_view piece = payload.substr(0, size);
        payload.remove_prefix(piece.size());
        frames.push_back(
            Frame(frames.empty() ? opcode : static_cast<int>(op_more), piece).fin(payload.empty()));
    } while (!payload.empty());
    if (is_compressed) frames.front().rsv(4);
    return frames;
}

// ---- payloads

std::string letters(std::size_t size, unsigned seed) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>('a' + next_random(seed) % 26U);
    return text;
}

std::string noise(std::size_t size, unsigned seed) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = to_char(next_random(seed));
    return bytes;
}

std::string records(std::size_t size) {
    std::string text;
    text.reserve(size + 80);
    for (int i = 0; text.size() < size; ++i) {
        text += "{\"id\":" + std::to_string(i) + ",\"name\":\"row " + std::to_string(i * 7919 % 1000) +
                "\",\"is_open\":" + (i % 3 == 0 ? "true" : "false") + "},";
    }
    text.resize(size);
    return text;
}

std::string utf8(std::uint32_t code_point) {
    if (code_point < 0x80) return {to_char(code_point)};
    const auto tail = [&](unsigned shift) { return to_char(0x80U | (code_point >> shift & 0x3FU)); };
    if (code_point < 0x800) return {to_char(0xC0U | code_point >> 6U), tail(0)};
    if (code_point < 0x10000) return {to_char(0xE0U | code_point >> 12U), tail(6), tail(0)};
    return {to_char(0xF0U | code_point >> 18U), tail(12), tail(6), tail(0)};
}

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        char digits[4];
        std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        text.append(text.empty() ? "" : " ").append(digits);
    }
    return text;
}

// ---- rows

Case& Case::send(std::string_view bytes) {
    sent += bytes;
    return *this;
}

Case& Case::send(const Frame& one) { return send(one.bytes()); }

Case& Case::send(const std::vector<Frame>& several) {
    for (const Frame& one : several) sent += one.bytes();
    return *this;
}

Case& Case::reply(int opcode, std::string_view data) {
    replies.push_back({opcode, std::string(data)});
    return *this;
}

Case& Case::text(std::string_view payload) { return send(frame(op_text, payload)).reply(op_text, payload); }

Case& Case::binary(std::string_view payload) {
    return send(frame(op_binary, payload)).reply(op_binary, payload);
}

Case& Case::ping(std::string_view payload) { return send(frame(op_ping, payload)).reply(op_pong, payload); }

Case& Case::close(const Frame& last, std::vector<int> allowed) {
    farewell = last.bytes();
    codes = std::move(allowed);
    return *this;
}

Case& Case::fail(std::vector<int> allowed) {
    sent += sentinel();
    codes = std::move(allowed);
    is_failure = true;
    return *this;
}

Case& Case::fail_early(std::vector<int> allowed) {
    codes = std::move(allowed);
    is_failure = is_early = true;
    return *this;
}

Case& Case::with(Server kind, Agreed expected, std::string_view extensions) {
    server = kind;
    agreed = expected;
    offer = extensions;
    return *this;
}

void Rows::group(std::string_view id, std::string_view section) {
    group_ = id;
    section_ = section;
    next_ = 1;
}

Case& Rows::add(std::string_view sentence) {
    cases_.emplace_back();
    Case& made = cases_.back();
    made.id = group_ + "." + std::to_string(next_++);
    made.section = section_;
    made.sentence = sentence;
    return made;
}

std::vector<Case> Rows::take() {
    for (Case& each : cases_) {
        if (each.codes.empty()) each.close(close_frame(1000), {1000});
    }
    return std::move(cases_);
}

}  // namespace harness::ws
