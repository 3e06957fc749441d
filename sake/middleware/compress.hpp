// compress: compresses answers by zlib, Brotli or zstd, if the program links them.
#pragma once

#include <cstddef>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The options of compress. A higher level compresses more and costs more time; 0 turns a coding off. A
/// coding whose library is not linked is off.
struct CompressOptions {
    int gzip_level = 6;  // 0 to 9
    int zstd_level = 3;  // 0 to 12
    int br_level = 4;    // 0 to 9; streams use at most 3, since higher levels need 2 MiB per stream
    /// Smaller bodies, in bytes, are not compressed: they fit into one packet.
    std::size_t min_body = 1024;
    /// Larger bodies, in bytes, are not compressed, because compression blocks the loop: about 6 ms per
    /// megabyte of JSON by gzip, 2 ms by zstd. Bodies above 128 KiB are compressed at level 1. At most 1 GiB.
    std::size_t max_body = 1024 * 1024;
    /// Whether streamed answers are compressed. Their length does not matter.
    bool streams = true;
    /// The window of a stream's compressor, 1 KiB to 32 KiB. While the stream lasts, its compressor uses 8
    /// times this memory for gzip, 24 times for zstd, and 640 KiB for Brotli. This memory counts for
    /// Config::max_buffered. While half of that is in use, new streams are not compressed.
    std::size_t stream_window = 4 * 1024;
    /// Whether answers to requests that another site's page caused, with the user's cookies, are compressed
    /// as well. The length of such an answer may reveal a secret in it (BREACH).
    bool cross_site = false;
};

/// Compresses answers by the coding that Accept-Encoding prefers. Among equals it prefers zstd, Brotli, gzip
/// in this order, and for streams gzip, zstd, Brotli. It compresses bodies in memory and streamed answers of
/// media types that shrink: text, JSON, XML, JavaScript, WebAssembly. The client can decode each write of a
/// stream, such as an event, at once. An ETag becomes weak, and Vary names Accept-Encoding.
///
/// Not compressed: answers with Content-Encoding or a digest, with `Cache-Control: no-transform`, parts of
/// bodies, and files. If the client refuses uncompressed answers (`identity;q=0`), small bodies and other
/// types are compressed as well. If that is impossible, a GET or HEAD is answered with 406.
///
/// Put it in front of etag. Throws std::logic_error if none of SAKE_WITH_ZLIB, SAKE_WITH_BROTLI and
/// SAKE_WITH_ZSTD is defined, std::invalid_argument for invalid options.
[[nodiscard]] Step compress(CompressOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
