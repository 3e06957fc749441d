// Which compressors there are: those whose library the program has.
#pragma once

#include <cstddef>

#include "sake/base/owning_ptr.hpp"
#include "sake/http/negotiate.hpp"
#include "sake/middleware/compressor_brotli.hpp"
#include "sake/middleware/compressor_gzip.hpp"
#include "sake/middleware/compressor_kind.hpp"
#include "sake/middleware/compressor_zstd.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Whether the library of a coding is there.
constexpr bool has_compressor(ContentCoding coding) noexcept {
    switch (coding) {
        case ContentCoding::gzip:
            return has_gzip_compressor;
        case ContentCoding::zstd:
            return has_zstd_compressor;
        case ContentCoding::br:
            return has_brotli_compressor;
        default:
            return false;
    }
}

/// Of a coding whose library is there. Throws std::bad_alloc.
inline OwningPtr<Compressor> make_compressor(const CompressorKind& kind) {
    switch (kind.coding) {
        case ContentCoding::gzip:
            return make_gzip_compressor(kind);
        case ContentCoding::zstd:
            return make_zstd_compressor(kind);
        default:
            return make_brotli_compressor(kind);
    }
}

/// How much a compressor for streams may come to hold.
constexpr std::size_t expected_memory(const CompressorKind& kind) noexcept {
    const std::size_t window = std::size_t{1} << kind.window_bits;
    if (kind.coding == ContentCoding::gzip) return 8 * window + std::size_t{8} * 1024;
    if (kind.coding == ContentCoding::zstd) return 24 * window + std::size_t{24} * 1024;
    return std::size_t{640} * 1024;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
