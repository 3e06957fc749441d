// The chunked body: the same data and the same end however it is split, and never more data than bytes.
#pragma once

#include <string>

#include "fuzz.hpp"

namespace fuzz {

struct Decoded {
    std::string data;
    http1::ChunkedDecoder::Step::Kind end = http1::ChunkedDecoder::Step::Kind::need_more;
    std::size_t consumed = 0;
    bool operator==(const Decoded&) const = default;
};

inline Decoded decode(std::string_view input, std::size_t piece) {
    using Kind = http1::ChunkedDecoder::Step::Kind;
    http1::ChunkedDecoder decoder;
    Decoded outcome;
    for (std::size_t at = 0; at < input.size();) {
        std::string_view part = input.substr(at, piece);
        at += part.size();
        for (;;) {
            const auto step = decoder.decode(part);
            outcome.data.append(step.data);
            outcome.consumed += step.consumed;
            outcome.end = step.kind == Kind::data ? Kind::need_more : step.kind;
            part.remove_prefix(step.consumed);
            if (step.kind == Kind::done || step.kind == Kind::refused) return outcome;
            if (step.kind == Kind::need_more) break;
        }
    }
    return outcome;
}

inline void chunked(std::string_view input) {
    const Decoded at_once = decode(input, input.size() + 1);
    require(at_once.data.size() <= input.size(), "no more data than bytes");
    require(at_once == decode(input, 1), "the outcome is that of the bytes one by one");
    require(at_once == decode(input, 7), "the outcome is that of pieces");
}

}  // namespace fuzz
