// How a WebSocket ends (RFC 6455 sections 5.5.1, 7.1 and 7.4): the codes, the payload of a close frame, and
// why a reader refuses what it reads.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// Section 7.4.1 and IANA's registry. ws_no_status and ws_abnormal never stand in a frame: they say that a
// close frame had no code, and that none came.
inline constexpr int ws_normal = 1000;
inline constexpr int ws_going_away = 1001;
inline constexpr int ws_protocol_error = 1002;
inline constexpr int ws_unsupported = 1003;
inline constexpr int ws_no_status = 1005;
inline constexpr int ws_abnormal = 1006;
inline constexpr int ws_bad_data = 1007;
inline constexpr int ws_policy = 1008;
inline constexpr int ws_too_big = 1009;
inline constexpr int ws_internal = 1011;
inline constexpr int ws_try_again = 1013;

/// Whether a close frame may carry the code (section 7.4): the registered ones, those of libraries, and those
/// of applications.
constexpr bool may_be_sent(int code) noexcept {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/// Why a connection fails: the code to close it with, and a short sentence. The code is 0 if it does not.
struct WsFailure {
    int code = 0;
    const char* reason = "";

    constexpr explicit operator bool() const noexcept { return code != 0; }
};

constexpr WsFailure ws_violation(const char* reason) noexcept { return {ws_protocol_error, reason}; }

/// The largest payload of a control frame (section 5.5).
inline constexpr std::size_t most_ws_control = 125;

/// The payload of a close frame, on the stack. Of the reason it has what is UTF-8 and fits, up to the end of
/// a character. It is empty for a code that may not be sent.
class WsCloseText {
  public:
    explicit WsCloseText(int code, std::string_view reason = {}) noexcept {
        if (!may_be_sent(code)) return;
        text_[0] = static_cast<char>(code >> 8);
        text_[1] = static_cast<char>(code & 0xff);
        size_ = 2 + reason.copy(text_ + 2, whole_characters(reason, most_ws_control - 2));
    }
    [[nodiscard]] std::string_view view() const noexcept { return {text_, size_}; }

  private:
    static std::size_t whole_characters(std::string_view text, std::size_t most) noexcept {
        std::size_t at = 0;
        while (at < text.size()) {
            const std::size_t length = utf8_sequence(text.data() + at, text.size() - at);
            if (length == 0 || at + length > most) break;
            at += length;
        }
        return at;
    }

    char text_[most_ws_control];
    std::size_t size_ = 0;
};

/// What the payload of a close frame says.
struct WsClose {
    int code = ws_no_status;
    std::string_view reason;  // a view of the payload

    explicit WsClose(std::string_view payload) noexcept {
        if (payload.size() < 2) return;
        code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
        reason = payload.substr(2);
    }
};

/// Why the payload of a close frame is not allowed, if so (sections 5.5.1 and 7.4).
inline WsFailure refuse_ws_close(std::string_view payload) noexcept {
    if (payload.empty()) return {};
    if (payload.size() == 1) return ws_violation("close frame with half a code");
    const WsClose close(payload);
    if (!may_be_sent(close.code)) return ws_violation("close code that may not be sent");
    if (!is_valid_utf8(close.reason)) return {ws_bad_data, "close reason that is not UTF-8"};
    return {};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
