// The body of a message in each framing: the same data and the same end however it is split, chunks as the
// decoder of chunks has them, and a reader that has read another body before reads as a new one.
#pragma once

#include <algorithm>
#include <string>

#include "fuzz.hpp"

namespace fuzz {

struct ReadBody {
    std::string data;
    http1::BodyReader::Step::Kind end = http1::BodyReader::Step::Kind::need_more;
    std::size_t consumed = 0;
    std::uint64_t left = 0;
    int status = 0;
    bool operator==(const ReadBody&) const = default;
};

inline ReadBody read_body(http1::BodyReader& reader, std::string_view input, std::size_t piece) {
    using Kind = http1::BodyReader::Step::Kind;
    ReadBody outcome;
    for (bool is_first = true; is_first || (!input.empty() && outcome.end == Kind::need_more);
         is_first = false) {
        std::string_view part = input.substr(0, piece);
        input.remove_prefix(part.size());
        for (;;) {
            const auto step = reader.read(part);
            require(step.data.empty() == (step.kind != Kind::data), "data is not empty");
            require(step.consumed <= part.size(), "no more is consumed than has come");
            outcome.data.append(step.data);
            outcome.consumed += step.consumed;
            outcome.end = step.kind;
            part.remove_prefix(step.consumed);
            if (step.kind != Kind::data) break;
        }
        require(outcome.end != Kind::need_more || part.empty(), "need_more consumes all input");
    }
    outcome.left = reader.left_in_piece();
    outcome.status = reader.status();
    return outcome;
}

inline void body_reader(std::string_view input) {
    using Body = http1::Framing::Body;
    using Kind = http1::BodyReader::Step::Kind;
    if (input.size() < 2) return;
    const auto choice = static_cast<unsigned char>(input[0]);
    http1::Framing framing;
    framing.body = static_cast<Body>(choice % 4);
    framing.length = std::max<std::uint64_t>(static_cast<unsigned char>(input[1]), 1);
    input.remove_prefix(2);

    http1::BodyReader reader;
    const auto outcome = [&](std::size_t piece) {
        reader.reset(framing);
        return read_body(reader, input, piece);
    };
    const ReadBody at_once = outcome(input.size() + 1);
    require(at_once == outcome(1), "the outcome is that of the bytes one by one, in a reader used before");
    require(at_once == outcome(7), "the outcome is that of pieces");
    require((at_once.end == Kind::refused) == (at_once.status != 0), "a refusal has a status");
    switch (framing.body) {
        case Body::none:
            return require(at_once.end == Kind::done && at_once.consumed == 0, "none takes nothing");
        case Body::length:
            require(at_once.data == input.substr(0, framing.length), "a length takes so many bytes");
            return require(at_once.data.size() + at_once.left == framing.length,
                           "and knows how many it lacks");
        case Body::to_the_end:
            return require(at_once.data == input && at_once.end == Kind::need_more, "all up to the end");
        case Body::chunked:
            break;
    }
    http1::ChunkedDecoder decoder;
    std::string data;
    for (std::string_view rest = input;;) {
        const auto step = decoder.decode(rest);
        data.append(step.data);
        rest.remove_prefix(step.consumed);
        if (step.kind == Kind::data) continue;
        return require(step.kind == at_once.end && data == at_once.data, "chunks are decoded");
    }
}

}  // namespace fuzz
