// The chunked body: the same data and the same end however it is split, and never more data than bytes.
#include <string>

#include "fuzz.hpp"

namespace http = sake::http;

namespace {

struct Outcome {
    std::string data;
    http::ChunkedDecoder::Step::Kind end = http::ChunkedDecoder::Step::Kind::need_more;
    std::size_t consumed = 0;
    bool operator==(const Outcome&) const = default;
};

Outcome decode(std::string_view input, std::size_t piece) {
    using Kind = http::ChunkedDecoder::Step::Kind;
    http::ChunkedDecoder decoder;
    Outcome outcome;
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = fuzz::text(data, size);
    const Outcome at_once = decode(input, size + 1);
    fuzz::require(at_once.data.size() <= size, "no more data than bytes");
    fuzz::require(at_once == decode(input, 1), "the outcome is that of the bytes one by one");
    fuzz::require(at_once == decode(input, 7), "the outcome is that of pieces");
    return 0;
}
