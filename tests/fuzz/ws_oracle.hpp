// A second reader of WebSocket frames, slow and simple, for the fuzz target and the tests: it has the whole
// input before it, and computes each message anew with every frame. And what both readers share: a
// compression that is not deflate, and events as text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace fuzz {

using sake::detail::WsContent;
using sake::detail::WsEvent;
using sake::detail::WsInflater;
using sake::detail::WsLimits;
using sake::detail::WsReader;
using sake::detail::WsRole;
using sake::detail::WsRules;

/// Pairs of a count and a byte, which is repeated so often. Counts from 0xf0 on are malformed.
class PairInflater : public WsInflater {
  public:
    Result inflate(std::string_view bytes, bool is_end, std::string& out, std::size_t most) override {
        for (const char c : bytes) {
            if (!has_count_) {
                count_ = static_cast<unsigned char>(c);
                if (count_ >= 0xf0) return Result::malformed;
                has_count_ = true;
                continue;
            }
            has_count_ = false;
            const std::size_t room = most - out.size();
            out.append(std::min(room, count_), c);
            if (count_ > room) return Result::too_big;
        }
        if (!is_end) return Result::ok;
        return has_count_ ? Result::malformed : Result::ok;
    }

  private:
    std::size_t count_ = 0;
    bool has_count_ = false;
};

/// How a connection is read: by whom, with which limits, and whether messages may be compressed.
struct WsSetting {
    WsRole role = WsRole::server;
    WsLimits limits = {};
    bool inflates = false;
};

using WsTexts = std::vector<std::string>;

/// The events of a reader that is given the input in pieces, each in memory of its own. next_size(left) is
/// the size of the next one.
inline WsTexts read_ws(std::string_view input, const WsSetting& setting,
                       const std::function<std::size_t(std::size_t left)>& next_size,
                       std::string* reason = nullptr) {
    const WsRules rules{setting.role, setting.limits};
    WsReader reader(rules);
    PairInflater inflater;
    WsTexts texts;
    while (!input.empty()) {
        const std::size_t size = std::min(next_size(input.size()), input.size());
        const std::vector<char> piece(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
        input.remove_prefix(size);
        std::string_view bytes(piece.data(), piece.size());
        for (;;) {
            WsContent content;
            const WsEvent event = reader.read(bytes, content, setting.inflates ? &inflater : nullptr);
            if (event == WsEvent::need_more) break;
            if (event == WsEvent::message) {
                texts.push_back((content.is_text ? "text " : "binary ") + content.message);
                require(!reader.has_begun() && reader.held_bytes() == 0, "nothing is kept behind a message");
            } else if (event == WsEvent::close) {
                texts.push_back("close " + std::to_string(content.close_code()) + " ");
                texts.back().append(content.close_reason());
            } else if (event == WsEvent::failed) {
                texts.push_back("failed " + std::to_string(content.failure.code));
                if (reason != nullptr) *reason = content.failure.reason;
                require(reader.held_bytes() == 0, "nothing is kept behind a failure");
            } else {
                texts.push_back(event == WsEvent::ping ? "ping " : "pong ");
                texts.back().append(content.control());
            }
        }
        require(bytes.empty(), "all is read");
    }
    return texts;
}

/// Whether it is UTF-8, by the arithmetic of code points.
inline bool is_utf8_slowly(std::string_view text) {
    while (!text.empty()) {
        const unsigned lead = static_cast<unsigned char>(text[0]);
        const std::size_t length = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (length == 0 || lead >= 0xf8 || length > text.size()) return false;
        std::uint32_t point = length == 1 ? lead : lead & (0xffU >> (length + 1));
        for (std::size_t i = 1; i < length; ++i) {
            const unsigned next = static_cast<unsigned char>(text[i]);
            if (next / 64 != 2) return false;
            point = point * 64 + next % 64;
        }
        constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
        text.remove_prefix(length);
    }
    return true;
}

/// Whether up to three bytes more make a character of these.
inline bool begins_character(const std::string& bytes, int more = 3) {
    if (is_utf8_slowly(bytes)) return true;
    if (more == 0) return false;
    for (const char c : {'\x80', '\x8f', '\x90', '\x9f', '\xa0', '\xbf'}) {
        if (begins_character(bytes + c, more - 1)) return true;
    }
    return false;
}

/// Whether the text is the beginning of UTF-8: all of it is, but for up to three bytes that begin a
/// character.
inline bool begins_utf8_slowly(std::string_view text) {
    for (std::size_t left = 0; left <= 3 && left <= text.size(); ++left) {
        const std::string_view whole = text.substr(0, text.size() - left);
        if (is_utf8_slowly(whole)) return begins_character(std::string(text.substr(whole.size())));
    }
    return false;
}

class SlowWsReader {
  public:
    SlowWsReader(std::string_view input, const WsSetting& setting) : rest_(input), setting_(setting) {
        while (!is_over_ && read_frame()) {
        }
    }
    WsTexts texts;

  private:
    /// False if the frame is not all there.
    bool read_frame() {
        if (rest_.empty()) return false;
        const unsigned first = at(0);
        const unsigned opcode = first % 16;
        const bool is_fin = first >= 128;
        const bool is_control = opcode >= 8;
        const std::string_view known("\0\1\2\x08\x09\x0a", 6);
        if (first / 16 % 4 != 0) return fail(1002);
        if (known.find(static_cast<char>(opcode)) == known.npos) return fail(1002);
        if (first / 64 % 2 == 1 && (!setting_.inflates || is_control || opcode == 0)) return fail(1002);
        if (is_control && !is_fin) return fail(1002);
        if (!is_control && is_in_message_ != (opcode == 0)) return fail(1002);
        if (!is_control && frames_ + 1 > setting_.limits.fragments) return fail(1008);
        if (rest_.size() < 2) return false;

        const bool is_masked = at(1) >= 128;
        const unsigned short_length = at(1) % 128;
        if (is_masked != (setting_.role == WsRole::server)) return fail(1002);
        if (is_control && short_length > 125) return fail(1002);
        if (opcode == 8 && short_length == 1) return fail(1002);
        const std::size_t more = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
        if (rest_.size() < 2 + more) return false;
        std::uint64_t length = short_length;
        if (more > 0) length = 0;
        for (std::size_t i = 0; i < more; ++i) length = length * 256 + at(2 + i);
        if (length > 0x7fffffffffffffffU) return fail(1002);
        if (more == 2 && length <= 125) return fail(1002);
        if (more == 8 && length <= 65535) return fail(1002);
        const bool is_deflated = opcode == 0 ? is_compressed_ : first / 64 % 2 == 1;
        const std::uint64_t growth = is_deflated ? setting_.limits.message / 8 + 64 : 0;
        if (!is_control && length > setting_.limits.frame + growth) return fail(1009);
        if (!is_control && length + sum_ > setting_.limits.message + growth) return fail(1009);

        const std::size_t head = 2 + more + (is_masked ? 4 : 0);
        if (rest_.size() < head) return false;
        std::string payload(rest_.substr(head, static_cast<std::size_t>(length)));
        for (std::size_t i = 0; i < payload.size(); ++i) {
            if (is_masked) payload[i] = static_cast<char>(payload[i] ^ rest_[head - 4 + i % 4]);
        }
        const bool is_whole = payload.size() == length;
        rest_.remove_prefix(head + payload.size());
        if (is_control) return is_whole && take_control(opcode, payload);
        if (opcode != 0) {
            is_in_message_ = true;
            is_text_ = opcode == 1;
            is_compressed_ = first / 64 % 2 == 1;
        }
        ++frames_;
        sum_ += length;
        wire_ += payload;
        return take_data(is_whole && is_fin) && is_whole;
    }

    bool take_control(unsigned opcode, const std::string& payload) {
        if (opcode == 9) texts.push_back("ping " + payload);
        if (opcode == 10) texts.push_back("pong " + payload);
        if (opcode != 8) return true;
        is_over_ = true;
        int code = 1005;
        if (!payload.empty()) {
            code = static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
            const bool is_ours = code >= 3000 && code < 5000;
            if (code < 1000 || (code > 1014 && !is_ours) || (code >= 1004 && code <= 1006)) return fail(1002);
            if (!is_utf8_slowly(std::string_view(payload).substr(2))) return fail(1007);
        }
        texts.push_back("close " + std::to_string(code) + " ");
        if (payload.size() > 2) texts.back().append(payload, 2);
        return false;
    }

    bool take_data(bool is_end) {
        std::string message = wire_;
        auto result = WsInflater::Result::ok;
        if (is_compressed_) {
            message.clear();
            result = PairInflater().inflate(wire_, is_end, message, setting_.limits.message);
        }
        if (is_text_ && !begins_utf8_slowly(message)) return fail(1007);
        if (result == WsInflater::Result::malformed) return fail(1007);
        if (result == WsInflater::Result::too_big) return fail(1009);
        if (!is_end) return true;
        if (is_text_ && !is_utf8_slowly(message)) return fail(1007);
        texts.push_back((is_text_ ? "text " : "binary ") + message);
        is_in_message_ = false;
        frames_ = 0;
        sum_ = 0;
        wire_.clear();
        return true;
    }

    bool fail(int code) {
        texts.push_back("failed " + std::to_string(code));
        is_over_ = true;
        return false;
    }

    [[nodiscard]] unsigned at(std::size_t i) const { return static_cast<unsigned char>(rest_[i]); }

    std::string_view rest_;
    const WsSetting& setting_;
    bool is_over_ = false;
    bool is_in_message_ = false;
    bool is_text_ = false;
    bool is_compressed_ = false;
    int frames_ = 0;
    std::uint64_t sum_ = 0;
    std::string wire_;  // of the message
};

}  // namespace fuzz
