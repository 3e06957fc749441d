// Compression of answers, by zlib, Brotli or zstd, which a program links if it wants them.
#pragma once

#include <cstddef>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// For compress. A level says how hard a compressor tries; 0 leaves the coding out. A coding whose library is
/// not there is left out as well.
struct CompressOptions {
    int gzip_level = 6;  // up to 9
    int zstd_level = 3;  // up to 12
    int br_level = 4;    // up to 9; of streams never above 3, since more would take 2 MiB for each
    /// Smaller bodies leave as they are: they fit into a packet anyway.
    std::size_t min_body = 1024;
    /// Larger bodies leave as they are, since the loop waits while a body is compressed: 6 ms for a megabyte
    /// of JSON by gzip, 2 ms by zstd. Bodies above 128 KiB are compressed at level 1. A gigabyte at most.
    std::size_t max_body = 1024 * 1024;
    /// Answers in pieces, of any length, are compressed as well.
    bool streams = true;
    /// How far back the compressor of a stream looks for what it has seen, 1 KiB to 32 KiB. As long as the
    /// stream lasts, it takes 8 times as much memory by gzip, 24 times by zstd, and 640 KiB by Brotli. That
    /// counts in Config::max_buffered. If half of that is taken, streams leave as they are.
    std::size_t stream_window = 4 * 1024;
    /// Compresses also what a page of another site asks for with the user's cookies. The length of such an
    /// answer may tell that page a secret in it (BREACH).
    bool cross_site = false;
};

/// Compresses answers by what the request's Accept-Encoding wants most; if that is several as much, by zstd,
/// Brotli or gzip in this order, and streams by gzip, zstd or Brotli. For bodies in memory and answers in
/// pieces of media types that become smaller: texts, JSON, XML, JavaScript, WebAssembly. Each write of an
/// answer in pieces, such as an event, can be read at once. An ETag becomes weak, and Vary names
/// Accept-Encoding.
///
/// What leaves as it is: answers with a Content-Encoding or a digest of theirs, with `Cache-Control:
/// no-transform`, parts of bodies, and files. If the client refuses even that (`identity;q=0`), small bodies
/// and other types are compressed, too, and what cannot be is answered with 406 if the request is GET or
/// HEAD.
///
/// Put it in front of etag. Throws std::logic_error if neither SAKE_WITH_ZLIB, SAKE_WITH_BROTLI nor
/// SAKE_WITH_ZSTD is defined, std::invalid_argument for options that make no sense.
[[nodiscard]] Step compress(CompressOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
