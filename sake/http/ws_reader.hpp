// WsReader: bytes of a WebSocket in, messages and control frames out (RFC 6455 sections 5 to 8). However the
// bytes are split, the events are the same. Not here: the opening handshake, and what to answer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/owning_ptr.hpp"
#include "sake/base/utf8.hpp"
#include "sake/http/ws_close.hpp"
#include "sake/http/ws_frame.hpp"
#include "sake/http/ws_head.hpp"
#include "sake/http/ws_inflater.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// How much a peer may send: bytes of a message (inflated, if it is compressed), bytes of a frame, and frames
/// of a message, empty ones too.
struct WsLimits {
    std::size_t message = std::size_t{1} << 20;
    std::size_t frame = message;
    int fragments = 1000;
};

/// By which rules one side of a connection reads.
struct WsRules {
    WsRole role = WsRole::server;
    WsLimits limits = {};
};

/// What compression may add to bytes that do not become smaller: browsers and Python's websockets compress
/// those too. Generous: zlib with the least memory adds an eighth (deflateBound).
constexpr std::uint64_t ws_deflate_growth(std::uint64_t bytes) noexcept { return bytes / 8 + 64; }

enum class WsEvent : std::uint8_t { need_more, message, ping, pong, close, failed };

/// What an event has brought. For one event, and not to be copied.
class WsContent {
  public:
    WsContent() = default;
    WsContent(const WsContent&) = delete;
    WsContent& operator=(const WsContent&) = delete;

    /// Of `message`; if it is text, it is valid UTF-8.
    std::string message;
    bool is_text = false;
    /// Of `failed`: the code to close with, and why.
    WsFailure failure;

    /// Of `ping`, `pong` and `close`: the payload.
    [[nodiscard]] std::string_view control() const noexcept { return {control_, control_size_}; }
    /// Of `close`: the code, ws_no_status if there was none, and the reason, which is valid UTF-8.
    [[nodiscard]] int close_code() const noexcept { return WsClose(control()).code; }
    [[nodiscard]] std::string_view close_reason() const noexcept { return WsClose(control()).reason; }

  private:
    friend class WsReader;
    char control_[most_ws_control];
    std::size_t control_size_ = 0;
};

/// Reads one connection. Small while nothing has begun. Throws only std::bad_alloc, and is unusable
/// afterwards. The rules must outlive it.
class WsReader {
  public:
    explicit WsReader(const WsRules& rules) noexcept : rules_(&rules) {}
    explicit WsReader(WsRules&& rules) = delete;

    /// Continues until there is an event or no more bytes. Removes the bytes that it has read from the front
    /// of `bytes`. The inflater must be the same at every call, or null if no compression was agreed. After
    /// `close` and `failed`, all bytes are dropped.
    [[nodiscard]] WsEvent read(std::string_view& bytes, WsContent& content, WsInflater* inflater = nullptr) {
        if (rules_ == nullptr) {
            bytes = {};
            return WsEvent::need_more;
        }
        Progress here;
        Progress& now = held_ ? *held_ : here;
        WsEvent event = WsEvent::need_more;
        while (event == WsEvent::need_more && !bytes.empty()) {
            content.failure =
                now.is_in_frame ? take_payload(now, bytes, inflater) : take_head(now, bytes, inflater);
            if (!content.failure && now.is_in_frame && now.left() == 0) event = end_frame(now, content);
            if (content.failure) event = WsEvent::failed;
        }
        if (event == WsEvent::close || event == WsEvent::failed) rules_ = nullptr;
        keep(now);
        return event;
    }

    /// Drops what has begun, and all that comes.
    void end() noexcept {
        rules_ = nullptr;
        held_.reset();
    }

    /// The memory that is kept besides the reader itself.
    [[nodiscard]] std::size_t held_bytes() const noexcept {
        if (!held_) return 0;
        const bool is_outside = held_->message.capacity() > std::string().capacity();
        return sizeof(Progress) + (is_outside ? held_->message.capacity() + 1 : 0);
    }

    /// Whether a frame or a message has begun that is not whole.
    [[nodiscard]] bool has_begun() const noexcept { return held_ != nullptr; }

  private:
    /// What is needed in the middle of a frame or a message. read() has it on its stack, and the heap has it
    /// from one read to the next, if there is anything to keep.
    struct Progress {
        std::string message;          // what has come of it
        WsFrameHead frame;            // the present one
        std::uint64_t at = 0;         // how much of its payload is taken
        std::uint64_t announced = 0;  // payload of the message by the heads of its frames
        int frames = 0;               // of the message
        bool is_in_frame = false;
        bool is_in_message = false;
        bool is_text = false;
        bool is_compressed = false;
        Utf8Check utf8;
        std::uint8_t head_size = 0;
        std::uint8_t control_size = 0;
        char head[WsHeadText::most];  // the beginning of one that is not whole
        char control[most_ws_control];

        [[nodiscard]] bool has_begun() const noexcept {
            return is_in_frame || is_in_message || head_size > 0;
        }
        [[nodiscard]] std::uint64_t left() const noexcept { return frame.length - at; }
    };

    void keep(Progress& now) {
        if (rules_ == nullptr || !now.has_begun()) {
            held_.reset();
        } else if (!held_) {
            held_.reset(new Progress(std::move(now)));
        }
    }

    // Heads

    WsFailure take_head(Progress& now, std::string_view& bytes, WsInflater* inflater) {
        const std::size_t copied = bytes.copy(now.head + now.head_size, sizeof now.head - now.head_size);
        const std::size_t size = now.head_size + copied;
        const WsHeadResult result =
            read_ws_head({now.head, size}, rules(now, inflater != nullptr), now.frame);
        if (result.failure) return result.failure;
        if (result.size == 0) {
            bytes.remove_prefix(copied);
            now.head_size = static_cast<std::uint8_t>(size);
            return {};
        }
        bytes.remove_prefix(result.size - now.head_size);
        begin_frame(now);
        return take_payload(now, bytes, inflater);
    }

    [[nodiscard]] WsHeadRules rules(const Progress& now, bool may_be_compressed) const noexcept {
        const std::uint64_t deflated = most_payload(now, ws_deflate_growth(rules_->limits.message));
        const bool is_deflated = now.is_in_message && now.is_compressed;
        return {rules_->role,
                may_be_compressed,
                now.is_in_message,
                now.frames >= rules_->limits.fragments,
                is_deflated ? deflated : most_payload(now, 0),
                deflated};
    }
    /// Of the next frame, if the message may have so many bytes more than its limit.
    [[nodiscard]] std::uint64_t most_payload(const Progress& now, std::uint64_t more) const noexcept {
        const auto with_more = [more](std::uint64_t limit) {
            return limit > std::numeric_limits<std::uint64_t>::max() - more ? limit : limit + more;
        };
        return std::min(with_more(rules_->limits.frame), with_more(rules_->limits.message) - now.announced);
    }

    static void begin_frame(Progress& now) noexcept {
        now.head_size = now.control_size = 0;
        now.at = 0;
        now.is_in_frame = true;
        if (is_ws_control(now.frame.opcode)) return;
        if (now.frame.opcode != WsOpcode::continuation) begin_message(now);
        now.announced += now.frame.length;
        ++now.frames;
    }

    static void begin_message(Progress& now) noexcept {
        now.is_in_message = true;
        now.is_text = now.frame.opcode == WsOpcode::text;
        now.is_compressed = now.frame.compressed;
        now.utf8.clear();
    }

    static void end_message(Progress& now) noexcept {
        now.is_in_message = false;
        now.announced = 0;
        now.frames = 0;
    }

    // Payloads

    WsFailure take_payload(Progress& now, std::string_view& bytes, WsInflater* inflater) {
        const std::string_view piece =
            bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(now.left(), bytes.size())));
        bytes.remove_prefix(piece.size());
        if (!is_ws_control(now.frame.opcode))
            return now.is_compressed ? inflate(now, piece, *inflater) : take_data(now, piece);
        take_control(now, piece);
        return {};
    }

    static void unmask(Progress& now, char* data, std::size_t size) noexcept {
        if (now.frame.masked) ws_mask(data, size, now.frame.mask, now.at & 3U);
        now.at += size;
    }

    static void take_control(Progress& now, std::string_view piece) noexcept {
        char* const to = now.control + now.control_size;
        piece.copy(to, piece.size());
        unmask(now, to, piece.size());
        now.control_size = static_cast<std::uint8_t>(now.control_size + piece.size());
    }

    WsFailure take_data(Progress& now, std::string_view piece) {
        const std::size_t before = now.message.size();
        make_room(now, piece.size());
        now.message.append(piece);
        unmask(now, now.message.data() + before, piece.size());
        return check_text(now, before);
    }

    /// Room for so many bytes more, and then for as many again as have come: memory is not made for what is
    /// only announced. No more than the message may have, which its last frame announces.
    void make_room(Progress& now, std::size_t more) {
        const std::size_t needed = now.message.size() + more;
        if (needed <= now.message.capacity()) return;
        const std::uint64_t most = now.frame.fin ? now.message.size() + now.left() : rules_->limits.message;
        const std::size_t wanted = std::max(needed, 2 * now.message.capacity());
        const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, most));
        std::string larger;
        larger.reserve(room);
        larger.append(now.message);
        now.message = std::move(larger);
    }

    WsFailure inflate(Progress& now, std::string_view piece, WsInflater& inflater) {
        char plain[2048];
        do {
            const std::size_t size = piece.copy(plain, sizeof plain);
            piece.remove_prefix(size);
            unmask(now, plain, size);
            const std::size_t before = now.message.size();
            const bool is_end = now.frame.fin && now.left() == 0;
            const auto result = inflater.inflate({plain, size}, is_end, now.message, rules_->limits.message);
            // First what has come out, so that it does not depend on how the bytes were split.
            if (const auto failure = check_text(now, before)) return failure;
            if (result == WsInflater::Result::malformed)
                return {ws_bad_data, "compressed data that is malformed"};
            if (result == WsInflater::Result::too_big) return {ws_too_big, "message too big"};
        } while (!piece.empty());
        return {};
    }

    /// Section 8.1: text that is not UTF-8 fails at its first such byte.
    WsFailure check_text(Progress& now, std::size_t before) const noexcept {
        if (!now.is_text || now.utf8.feed(std::string_view(now.message).substr(before))) return {};
        return {ws_bad_data, "text that is not UTF-8"};
    }

    WsEvent end_frame(Progress& now, WsContent& content) noexcept {
        now.is_in_frame = false;
        if (is_ws_control(now.frame.opcode)) return end_control(now, content);
        if (!now.frame.fin) return WsEvent::need_more;
        if (now.is_text && !now.utf8.is_complete()) {
            content.failure = {ws_bad_data, "text that ends within a character"};
            return WsEvent::failed;
        }
        content.message = std::move(now.message);
        content.is_text = now.is_text;
        now.message.clear();
        end_message(now);
        return WsEvent::message;
    }

    static WsEvent end_control(const Progress& now, WsContent& content) noexcept {
        content.control_size_ =
            std::string_view(now.control, now.control_size).copy(content.control_, most_ws_control);
        if (now.frame.opcode == WsOpcode::ping) return WsEvent::ping;
        if (now.frame.opcode == WsOpcode::pong) return WsEvent::pong;
        content.failure = refuse_ws_close(content.control());
        return WsEvent::close;
    }

    OwningPtr<Progress> held_;
    const WsRules* rules_;  // null after the last event
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
