// Sec-WebSocket-Extensions, read by a server and by a client: what both agree to is legal, an answer is one
// that a client takes, and an extension more changes neither.
#pragma once

#include <string>

#include "fuzz.hpp"

namespace fuzz {

struct WsAgreed {
    bool is_valid;
    sake::detail::WsDeflate deflate;
    std::string answer;
};

inline WsAgreed ws_accepted(std::string_view list, sake::detail::WsWindows windows, int bits) {
    WsAgreed agreed{};
    agreed.is_valid = sake::detail::ws_accept_offer(list, windows, bits, agreed.deflate, agreed.answer);
    return agreed;
}

inline void require_legal(const sake::detail::WsDeflate& agreed, int least_server, int least_client) {
    require(agreed.server_max_window_bits >= least_server && agreed.server_max_window_bits <= 15 &&
                agreed.client_max_window_bits >= least_client && agreed.client_max_window_bits <= 15,
            "windows are of 8 to 15 bits, and no server compresses for 8");
}

inline void ws_answer(std::string_view list, sake::detail::WsWindows windows, int bits) {
    const WsAgreed agreed = ws_accepted(list, windows, bits);
    require(agreed.deflate.is_on == !agreed.answer.empty(), "what is on is answered");
    require(agreed.is_valid || !agreed.deflate.is_on, "what is malformed is off");
    require(sake::detail::is_valid_field_value(agreed.answer), "an answer is the value of a field");
    require_legal(agreed.deflate, 9, 8);
    if (agreed.deflate.is_on && windows == sake::detail::WsWindows::dedicated) {
        require(agreed.deflate.server_max_window_bits <= bits, "a server's window is not above its limit");
        require(agreed.deflate.client_no_context_takeover || agreed.deflate.client_max_window_bits <= bits,
                "nor is a client's that is kept");
    }
    const auto check = [&](std::string_view name, const auto& parameters, bool is_legal) {
        require(name == "permessage-deflate" && is_legal, "an answer is legal");
        require(sake::detail::agreed_by(parameters) == agreed.deflate, "it says what the server does");
    };
    require(agreed.answer.empty() || sake::detail::for_each_ws_extension(
                                         agreed.answer, sake::detail::WsNegotiation::answer, check),
            "an answer is well-formed");
    const WsAgreed longer = ws_accepted(std::string(list) + " , x;y=\"z\"", windows, bits);
    require(!agreed.is_valid || (longer.is_valid && longer.deflate == agreed.deflate),
            "another extension changes nothing");
}

inline void ws_extensions(std::string_view input) {
    using sake::detail::WsWindows;
    for (const WsWindows windows : {WsWindows::shared, WsWindows::dedicated}) {
        for (const int bits : {9, 12, 15}) {
            ws_answer(input, windows, bits);
            sake::detail::WsDeflate taken;
            const bool is_good = sake::detail::ws_take_answer(input, windows, bits, taken);
            require(is_good == taken.is_on, "a client agrees or fails the connection");
            require_legal(taken, 8, 8);
            require(!is_good || ws_accepted(input, windows, bits).is_valid, "both read one syntax");
        }
    }
}

}  // namespace fuzz
