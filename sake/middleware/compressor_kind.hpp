// What compressors have in common: which kinds there are, and how a body passes one.
#pragma once

#include <cstddef>

#include "sake/app/body_encoder.hpp"
#include "sake/http/negotiate.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct CompressorKind {
    ContentCoding coding = ContentCoding::gzip;
    int level = 1;
    /// For streams: a compressor looks 2 to the power of this many bytes back. 0 is a compressor for whole
    /// bodies, which are compressed one after the other, so that its memory does not matter.
    int window_bits = 0;

    [[nodiscard]] constexpr bool is_for_streams() const noexcept { return window_bits != 0; }
    bool operator==(const CompressorKind&) const = default;
};

/// For one body at a time.
class Compressor : public BodyEncoder {
  public:
    explicit Compressor(const CompressorKind& made_as) noexcept : kind(made_as) {}

    /// Begins a whole body of this size. A stream needs no beginning.
    virtual void begin(std::size_t size) = 0;
    [[nodiscard]] std::string_view coding() const noexcept final { return to_string(kind.coding); }

    const CompressorKind kind;
    Compressor* next = nullptr;  // in a list of them
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
