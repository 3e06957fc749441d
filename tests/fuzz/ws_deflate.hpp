// A compressed message: the same outcome however it is split, no text above the limit, and text that is
// compressed and inflated is the same. The first byte chooses the limit and the window.
#pragma once

#include <string>

#include "fuzz.hpp"

namespace fuzz {

using InflateResult = sake::detail::WsInflater::Result;

struct Inflated {
    InflateResult result = InflateResult::ok;
    std::string text;
};

inline Inflated inflate_ws(std::string_view payload, std::size_t piece, std::size_t most) {
    sake::detail::WsInflateStream stream(15);
    Inflated outcome;
    do {
        const std::string_view part = payload.substr(0, piece);
        payload.remove_prefix(part.size());
        outcome.result = stream.inflate(part, payload.empty(), outcome.text, most);
        require(outcome.text.size() <= most, "no text is above the limit");
        require(outcome.text.capacity() <= most || outcome.text.capacity() < 64, "nor is its memory");
    } while (outcome.result == InflateResult::ok && !payload.empty());
    return outcome;
}

inline void deflate_ws(std::string_view message, int bits) {
    for (const bool is_kept : {false, true}) {
        sake::detail::WsDeflateStream deflater({is_kept, bits});
        sake::detail::WsInflateStream inflater(bits);
        for (int time = 0; time < 3; ++time) {
            std::string payload;
            if (!deflater.deflate(message, payload)) {
                require(payload.empty(), "a message that stays as it is appends nothing");
                continue;
            }
            require(payload.size() < message.size(), "a compressed message is smaller");
            std::string text;
            require(inflater.inflate(payload, true, text, message.size()) == InflateResult::ok,
                    "what was compressed inflates");
            require(text == message, "to the same");
        }
    }
}

inline void ws_deflate(std::string_view input) {
    if (input.empty()) return;
    const auto choice = static_cast<unsigned char>(input[0]);
    input.remove_prefix(1);
    const std::size_t most = std::size_t{choice} * choice;
    const Inflated whole = inflate_ws(input, input.size() + 1, most);
    for (const std::size_t piece : {1U, 7U}) {
        const Inflated other = inflate_ws(input, piece, most);
        require(other.result == whole.result, "the outcome is that of pieces");
        require(whole.result != InflateResult::ok || other.text == whole.text, "and so is the text");
    }
    deflate_ws(input, 9 + choice % 7);
    if (whole.result == InflateResult::ok) deflate_ws(whole.text, 9 + choice % 7);
}

}  // namespace fuzz
