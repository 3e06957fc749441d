// The reader of WebSocket frames: the same events whole, byte by byte and in pieces, and those of a slow
// second reader. The first two bytes choose the setting. The rest is what comes: as it is, or as
// instructions for frames, most of which are valid.
#pragma once

#include <string>

#include "ws_oracle.hpp"

namespace fuzz {

inline std::uint32_t mask_of(std::string_view input) {
    std::uint32_t mask = 0;
    for (const char c : input.substr(0, 4)) mask = mask * 16777619U + static_cast<unsigned char>(c) + 1;
    return mask;
}

/// Frames by instructions: a byte for opcode and flags, one for the length, and the payload.
inline std::string ws_frames_from(std::string_view input, WsRole reader) {
    using sake::detail::WsFrameHead;
    using sake::detail::WsHeadText;
    using sake::detail::WsOpcode;
    constexpr WsOpcode opcodes[] = {WsOpcode::continuation, WsOpcode::text,         WsOpcode::binary,
                                    WsOpcode::ping,         WsOpcode::continuation, WsOpcode::text,
                                    WsOpcode::pong,         WsOpcode::close};
    std::string bytes;
    while (input.size() >= 2) {
        const unsigned flags = static_cast<unsigned char>(input[0]);
        const unsigned size = static_cast<unsigned char>(input[1]);
        std::string payload(input.substr(2, size));
        input.remove_prefix(2 + payload.size());
        WsFrameHead head;
        head.opcode = opcodes[flags % 8];
        head.fin = is_ws_control(head.opcode) || (flags & 0x10) != 0;
        head.compressed = (flags & 0xe0) == 0xe0;
        head.masked = reader == WsRole::server;
        if (head.masked) head.mask = mask_of(payload);
        head.length = payload.size();
        if ((flags & 0xe8) == 0x08)
            head.length += size << (flags & 0x10);  // of which the rest is what follows
        sake::detail::ws_mask(payload.data(), payload.size(), head.mask, 0);
        bytes.append(WsHeadText(head).view()).append(payload);
    }
    return bytes;
}

inline void ws_reader(std::string_view input) {
    if (input.size() < 2) return;
    const unsigned choice = static_cast<unsigned char>(input[0]);
    const unsigned split = static_cast<unsigned char>(input[1]);
    input.remove_prefix(2);
    WsSetting setting;
    setting.role = (choice & 1) != 0 ? WsRole::client : WsRole::server;
    setting.inflates = (choice & 2) != 0;
    setting.limits = {.message = (choice & 4) != 0 ? std::size_t{100} : std::size_t{70'000},
                      .frame = (choice & 8) != 0 ? std::size_t{60} : std::size_t{70'000},
                      .fragments = (choice & 16) != 0 ? 3 : 20};
    std::string made;
    if ((choice & 32) != 0) input = made = ws_frames_from(input, setting.role);

    std::string reason, same_reason;
    const WsTexts whole = read_ws(input, setting, [](std::size_t left) { return left; }, &reason);
    const auto agree = [&](const char* promise, const auto& next_size) {
        require(whole == read_ws(input, setting, next_size, &same_reason), promise);
        require(reason == same_reason, "so is the reason of a failure");
    };
    agree("the events are those of the bytes one by one", [](std::size_t) { return std::size_t{1}; });
    const std::size_t first = 1 + split % (input.size() + 1);
    agree("the events are those of two pieces",
          [&](std::size_t left) { return left == input.size() ? first : left; });
    std::uint32_t dice = split;
    agree("the events are those of pieces", [&](std::size_t) {
        dice = dice * 1664525U + 1013904223U;
        return std::size_t{dice >> 24} % 12;
    });
    require(whole == SlowWsReader(input, setting).texts, "the events are those of the slow reader");
}

}  // namespace fuzz
