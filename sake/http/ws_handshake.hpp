// The opening handshake of WebSocket (RFC 6455 section 4), for both sides: what a request asks for, which
// subprotocol to use, and whether an answer is right. Fields are any range of names and values. Extensions
// and Origin are handled elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sake/base/sha1.hpp"
#include "sake/base/text.hpp"
#include "sake/base/text_impl.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Whether it is a Sec-WebSocket-Key: 16 bytes in base64 (section 4.1), strictly.
constexpr bool ws_is_key(std::string_view text) noexcept {
    constexpr std::size_t letters = 22;  // the last of which has two bits of a byte, and four of zero
    if (text.size() != letters + 2 || text.substr(letters) != "==") return false;
    for (const char c : text.substr(0, letters)) {
        if (base64_value(c) == 64) return false;
    }
    return base64_value(text[letters - 1]) % 16 == 0;
}

/// What Sec-WebSocket-Accept says for a key (section 4.2.2).
inline std::string ws_accept_key(std::string_view key) {
    return base64_encode(Sha1::digest(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

/// All fields of a name.
struct WsField {
    std::string_view value;  // of the first
    std::size_t count = 0;
};

template <class Fields>
WsField ws_field(const Fields& fields, std::string_view name) {
    WsField found;
    for (const auto& [its_name, value] : fields) {
        if (!iequals(its_name, name)) continue;
        if (found.count++ == 0) found.value = value;
    }
    return found;
}

/// The lists in all fields of this name, as one.
template <class Fields>
std::string ws_list(const Fields& fields, std::string_view name) {
    std::string list;
    for (const auto& [its_name, value] : fields) {
        if (!iequals(its_name, name)) continue;
        if (!list.empty()) list += ',';
        list += value;
    }
    return list;
}

/// Whether the lists in all fields of this name hold the token, without regard to case.
template <class Fields>
bool ws_lists_contain(const Fields& fields, std::string_view name, std::string_view token) {
    for (const auto& [its_name, value] : fields) {
        if (iequals(its_name, name) && list_contains(value, token)) return true;
    }
    return false;
}

/// Whether the fields announce a body that is not empty.
template <class Fields>
bool ws_has_body(const Fields& fields) {
    const WsField length = ws_field(fields, "Content-Length");
    return length.value.find_first_not_of('0') != std::string_view::npos ||
           ws_field(fields, "Transfer-Encoding").count > 0;
}

/// What a request asks for.
enum class WsAsk : std::uint8_t {
    not_asked,    // no Upgrade to websocket, or HTTP/1.0, where Upgrade is ignored (RFC 9110 section 7.8)
    bad_version,  // another version: answer 426 with Sec-WebSocket-Version: 13 (section 4.4)
    bad_request,  // a handshake that is not valid: answer 400
    good,
};

struct WsAsked {
    WsAsk ask = WsAsk::not_asked;
    std::string_view key = {};  // if it is good: a view of the field
};

/// Reads the handshake in the head of a request (section 4.2.1).
template <class Fields>
WsAsked ws_check_request(Method method, bool is_http_1_0, const Fields& fields) {
    if (is_http_1_0 || !ws_lists_contain(fields, "Upgrade", "websocket") ||
        !ws_lists_contain(fields, "Connection", "upgrade"))
        return {WsAsk::not_asked};
    const WsField version = ws_field(fields, "Sec-WebSocket-Version");
    if (version.count > 1) return {WsAsk::bad_request};  // section 11.3.5
    if (version.value != "13") return {WsAsk::bad_version};
    const WsField key = ws_field(fields, "Sec-WebSocket-Key");
    if (method != Method::get || key.count != 1 || !ws_is_key(key.value) || ws_has_body(fields))
        return {WsAsk::bad_request};
    return {WsAsk::good, key.value};
}

/// The protocol that a server chooses.
struct WsProtocol {
    bool is_malformed = false;   // what the client offers is not a list of tokens
    std::string_view name = {};  // a view of ours; empty if none of them was offered
};

/// Of what the fields Sec-WebSocket-Protocol offer, what stands first in our list (section 4.2.2). Names are
/// compared as they are. A field without any name is malformed.
template <class Fields>
WsProtocol ws_choose_protocol(const Fields& fields, const std::vector<std::string>& ours) {
    bool is_malformed = false;
    std::size_t best = ours.size();
    for (const auto& [name, value] : fields) {
        if (!iequals(name, "Sec-WebSocket-Protocol")) continue;
        std::size_t count = 0;
        for_each_list_item(value, [&](std::string_view offered) {
            ++count;
            is_malformed = is_malformed || !is_token(offered);
            for (std::size_t i = 0; i < best; ++i) {
                if (ours[i] == offered) best = i;
            }
        });
        is_malformed = is_malformed || count == 0;
    }
    if (is_malformed) return {true};
    if (best == ours.size()) return {};
    return {false, ours[best]};
}

/// What a client finds in the answer to its handshake.
struct WsAnswer {
    const char* fault = nullptr;     // why it is not what was asked for; nothing if it is
    std::string_view protocol = {};  // of those that were offered; empty if the server chose none
};

/// What the client reads in the head of the answer (section 4.1). `key` is the one that it has sent.
template <class Fields>
WsAnswer ws_check_answer(int status, const Fields& fields, std::string_view key,
                         const std::vector<std::string>& offered) {
    if (status != 101) return {"the answer is not 101 Switching Protocols"};
    const WsField upgrade = ws_field(fields, "Upgrade");
    if (upgrade.count != 1 || !iequals(upgrade.value, "websocket"))
        return {"the answer does not upgrade to websocket"};
    if (!ws_lists_contain(fields, "Connection", "upgrade")) return {"the answer has no Connection: Upgrade"};
    const WsField accept = ws_field(fields, "Sec-WebSocket-Accept");
    if (accept.count != 1 || accept.value != ws_accept_key(key))
        return {"Sec-WebSocket-Accept of the answer is not that of the key"};
    const WsField protocol = ws_field(fields, "Sec-WebSocket-Protocol");
    if (protocol.count == 0) return {};
    for (const std::string& name : offered) {
        if (protocol.count == 1 && name == protocol.value) return {nullptr, name};
    }
    return {"the answer chooses a protocol that was not offered"};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
