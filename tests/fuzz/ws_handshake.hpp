// The opening handshake of WebSocket: what is a key, which protocol is chosen, and the payload of a close
// frame, against obvious ways to say the same. The first byte is the size of the first part.
#pragma once

#include <string>
#include <vector>

#include "fuzz.hpp"

namespace fuzz {

inline void ws_handshake(std::string_view input) {
    using namespace sake::detail;
    if (input.empty()) return;
    const auto size = static_cast<unsigned char>(input[0]);
    const std::string_view part = input.substr(1, size);
    const std::string_view rest = input.substr(1 + part.size());

    const auto bytes = sake::base64_decode(part);
    require(ws_is_key(part) == (bytes && bytes->size() == 16), "a key is 16 bytes in base64");
    require(ws_accept_key(part).size() == 28, "its answer has 28 characters");

    const std::pair<std::string_view, std::string_view> fields[] = {{"sec-websocket-protocol", part},
                                                                    {"Sec-WebSocket-Protocol", rest}};
    const std::vector<std::string> ours = {"chat", "a", "b"};
    const WsProtocol chosen = ws_choose_protocol(fields, ours);
    std::vector<std::string_view> offered;
    bool are_tokens = true;
    for (const std::string_view list : {part, rest}) {
        const std::size_t before = offered.size();
        for_each_list_item(list, [&](std::string_view item) { offered.push_back(item); });
        are_tokens = are_tokens && offered.size() > before;
    }
    for (const std::string_view item : offered) are_tokens = are_tokens && sake::is_token(item);
    require(chosen.is_malformed == !are_tokens, "a malformed list is malformed");
    std::string_view best;
    for (std::size_t i = ours.size(); are_tokens && i-- > 0;) {
        for (const std::string_view item : offered) {
            if (item == ours[i]) best = ours[i];
        }
    }
    require(chosen.name == best, "our first protocol among those that are offered is chosen");

    const WsCloseText close(size % 2 == 0 ? ws_normal : 3000 + size, rest);
    require(!refuse_ws_close(close.view()), "a close frame that is written may be read");
    require(rest.starts_with(WsClose(close.view()).reason), "its reason is the beginning of what was given");
}

}  // namespace fuzz
