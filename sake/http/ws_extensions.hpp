// How both ends agree on permessage-deflate (RFC 7692 section 7.1), the one extension of WebSocket that Sake
// knows: offers, answers, and what may stand in them. Pure: text in, text out.
// Not here: compression itself (sake/websocket/ws_codec.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/http/ws_extension_reader.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What both ends have agreed on. Bits are the base-2 logarithm of an LZ77 window.
struct WsDeflate {
    bool is_on = false;
    bool server_no_context_takeover = false;
    bool client_no_context_takeover = false;
    int server_max_window_bits = 15;
    int client_max_window_bits = 15;
    bool operator==(const WsDeflate&) const = default;
};

/// shared: neither side keeps a window between messages. dedicated: both do, if the other agrees.
enum class WsWindows : std::uint8_t { shared, dedicated };

inline constexpr int most_ws_window = 15;
/// RFC 7692 allows 8, but zlib makes no raw stream with a window of 2 to the 8 (deflateInit2).
inline constexpr int least_ws_window = 9;

/// The parameters of permessage-deflate in an offer or in an answer. Bits are 0 where there is no such
/// parameter.
struct WsDeflateParameters {
    bool server_no_context_takeover = false;
    bool client_no_context_takeover = false;
    int server_max_window_bits = 0;
    int client_max_window_bits = 0;
    bool operator==(const WsDeflateParameters&) const = default;
};

enum class WsNegotiation : std::uint8_t { offer, answer };

/// 8 to 15, without a leading zero (7.1.2); 0 for anything else.
constexpr int parse_ws_window(std::string_view text) noexcept {
    if (text == "8" || text == "9") return text[0] - '0';
    const bool is_legal = text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5';
    return is_legal ? 10 + text[1] - '0' : 0;
}

/// Adds the reader's last parameter. Returns whether it is known, new and has a legal value; if not, the
/// offer is declined (7.1), or the answer fails the connection.
inline bool add_ws_parameter(const WsExtensionReader& from, WsNegotiation kind, WsDeflateParameters& to) {
    const auto set_flag = [&from](bool& flag) { return !from.has_value && !std::exchange(flag, true); };
    const auto set_bits = [](int& bits, int value) { return std::exchange(bits, value) == 0 && value != 0; };
    if (from.parameter == "server_no_context_takeover") return set_flag(to.server_no_context_takeover);
    if (from.parameter == "client_no_context_takeover") return set_flag(to.client_no_context_takeover);
    if (from.parameter == "server_max_window_bits") {
        return set_bits(to.server_max_window_bits, parse_ws_window(from.value));
    }
    if (from.parameter != "client_max_window_bits") return false;
    // A client may say that it has this parameter, and no more (7.1.2.2).
    const bool is_mere_name = kind == WsNegotiation::offer && !from.has_value;
    return set_bits(to.client_max_window_bits, is_mere_name ? most_ws_window : parse_ws_window(from.value));
}

/// Calls f(name, parameters, is_legal) for each extension. Returns false once the syntax is wrong.
template <class F>
bool for_each_ws_extension(std::string_view list, WsNegotiation kind, F f) {
    using Result = WsExtensionReader::Result;
    WsExtensionReader reader(list);
    Result extension;
    while ((extension = reader.next_extension()) == Result::found) {
        WsDeflateParameters parameters;
        bool is_legal = true;
        Result parameter;
        while ((parameter = reader.next_parameter()) == Result::found) {
            is_legal = is_legal && add_ws_parameter(reader, kind, parameters);
        }
        if (parameter == Result::malformed) return false;
        f(reader.name, parameters, is_legal);
    }
    return extension == Result::end;
}

inline constexpr std::string_view ws_deflate_name = "permessage-deflate";

/// A client's window of 15 is a name without a value, which only an offer has.
inline void append_ws_deflate(const WsDeflateParameters& parameters, std::string& out) {
    out.append(ws_deflate_name);
    if (parameters.server_no_context_takeover) out.append("; server_no_context_takeover");
    if (parameters.client_no_context_takeover) out.append("; client_no_context_takeover");
    if (parameters.server_max_window_bits != 0) {
        out.append("; server_max_window_bits=").append(std::to_string(parameters.server_max_window_bits));
    }
    if (parameters.client_max_window_bits == 0) return;
    out.append("; client_max_window_bits");
    if (parameters.client_max_window_bits == most_ws_window) return;
    out.append("=").append(std::to_string(parameters.client_max_window_bits));
}

// --- The server ---

/// An offer that limits our window to 8 is declined: zlib cannot compress for it. The client then speaks
/// without compression, or by its next offer.
constexpr bool can_accept_ws_offer(const WsDeflateParameters& offer) noexcept {
    return offer.server_max_window_bits == 0 || offer.server_max_window_bits >= least_ws_window;
}

/// What a server that keeps windows of at most `most` bits answers.
constexpr WsDeflateParameters answer_ws_offer(const WsDeflateParameters& offer, WsWindows windows,
                                              int most) noexcept {
    const auto limit = [](int bits, int by) { return by == 0 ? bits : std::min(bits, by); };
    const bool is_kept = windows == WsWindows::dedicated;
    if (!is_kept) most = most_ws_window;
    WsDeflateParameters answer;
    // 7.1.1.1: what the offer says has to be in the answer, and may be there unasked.
    answer.server_no_context_takeover = !is_kept || offer.server_no_context_takeover;
    const bool is_named = offer.server_max_window_bits != 0 || most < most_ws_window;
    if (is_named) answer.server_max_window_bits = limit(most, offer.server_max_window_bits);
    // A client's window can be limited only if the offer names the parameter (7.1.2.2). If it does not, no
    // window is kept for that client.
    const bool is_too_large = most < most_ws_window && offer.client_max_window_bits == 0;
    answer.client_no_context_takeover = !is_kept || offer.client_no_context_takeover || is_too_large;
    // What the offer says of it is a hint, and RFC 7692 allows a larger answer, but npm's ws and Python's
    // websockets refuse one. zlib inflates a window of 8 too.
    const int window = limit(most, offer.client_max_window_bits);
    const bool has_hint = offer.client_max_window_bits != 0;
    if (has_hint && !answer.client_no_context_takeover && window < most_ws_window) {
        answer.client_max_window_bits = window;
    }
    return answer;
}

/// What holds after this answer.
constexpr WsDeflate agreed_by(const WsDeflateParameters& answer) noexcept {
    const auto bits = [](int said) { return said == 0 ? most_ws_window : said; };
    return {true, answer.server_no_context_takeover, answer.client_no_context_takeover,
            bits(answer.server_max_window_bits), bits(answer.client_max_window_bits)};
}

/// For a server: accepts the first offer of `list`, the values of all fields joined by commas, that can be
/// accepted, and appends the value of the field of the answer. If there is none, `agreed` is not on and the
/// answer stays empty. Windows that are kept are of at most `window_bits`, 9 to 15.
/// Returns false if the syntax is wrong: the handshake is refused with 400.
[[nodiscard]] inline bool ws_accept_offer(std::string_view list, WsWindows windows, int window_bits,
                                          WsDeflate& agreed, std::string& answer) {
    agreed = {};
    WsDeflateParameters chosen;
    const auto look_at = [&](std::string_view name, const WsDeflateParameters& offer, bool is_legal) {
        if (agreed.is_on || name != ws_deflate_name || !is_legal || !can_accept_ws_offer(offer)) return;
        chosen = answer_ws_offer(offer, windows, window_bits);
        agreed = agreed_by(chosen);
    };
    if (!for_each_ws_extension(list, WsNegotiation::offer, look_at)) {
        agreed = {};
        return false;
    }
    if (agreed.is_on) append_ws_deflate(chosen, answer);
    return true;
}

// --- The client ---

/// What a client offers. It always allows a limit of its own window: some servers demand one.
constexpr WsDeflateParameters ws_offer(WsWindows windows, int window_bits) noexcept {
    if (windows == WsWindows::shared) return {true, true, 0, most_ws_window};
    return {false, false, window_bits == most_ws_window ? 0 : window_bits, window_bits};
}
inline void append_ws_offer(WsWindows windows, int window_bits, std::string& offer) {
    append_ws_deflate(ws_offer(windows, window_bits), offer);
}

/// Whether an answer accepts the offer: it grants what the offer demands (7.1.1.1, 7.1.2.1), and limits the
/// client's window only if the offer allows that (7.1.2.2).
constexpr bool accepts_ws_offer(const WsDeflateParameters& answer,
                                const WsDeflateParameters& offer) noexcept {
    if (offer.server_no_context_takeover && !answer.server_no_context_takeover) return false;
    if (offer.client_max_window_bits == 0 && answer.client_max_window_bits != 0) return false;
    if (offer.server_max_window_bits == 0) return true;
    return answer.server_max_window_bits != 0 &&
           answer.server_max_window_bits <= offer.server_max_window_bits;
}

/// For a client: what the answer to the offer of append_ws_offer agrees to. `list` is as with a server; to be
/// called if the answer has the field. Returns false if the connection has to be failed: the syntax is wrong,
/// there is an extension that was not offered, or permessage-deflate twice, or with parameters that are not
/// legal or do not accept the offer.
[[nodiscard]] inline bool ws_take_answer(std::string_view list, WsWindows windows, int window_bits,
                                         WsDeflate& agreed) {
    const WsDeflateParameters offer = ws_offer(windows, window_bits);
    agreed = {};
    bool is_good = true;
    const auto look_at = [&](std::string_view name, const WsDeflateParameters& answer, bool is_legal) {
        is_good = is_good && !agreed.is_on && name == ws_deflate_name && is_legal &&
                  accepts_ws_offer(answer, offer);
        agreed = agreed_by(answer);
    };
    is_good = for_each_ws_extension(list, WsNegotiation::answer, look_at) && is_good;
    if (!is_good) {
        agreed = {};
        return false;
    }
    // What a client says of itself holds without an answer to it.
    agreed.client_no_context_takeover |= offer.client_no_context_takeover;
    if (offer.client_max_window_bits != 0) {
        agreed.client_max_window_bits = std::min(agreed.client_max_window_bits, offer.client_max_window_bits);
    }
    return true;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
