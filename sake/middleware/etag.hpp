// etag: adds ETags, so that a client does not download again what it has.
#pragma once

#include <cstddef>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The options of etag.
struct EtagOptions {
    /// Makes weak tags: bodies with the same tag are equivalent, but perhaps not equal byte by byte.
    bool weak = false;
    /// Larger bodies, in bytes, get no tag. A tag is a hash of all bytes, at about a gigabyte per second.
    std::size_t max_body = 1024 * 1024;
};

/// Adds an ETag to answers to GET and HEAD, and evaluates the conditions of the request: If-None-Match (304),
/// If-Match (412), and the conditions on dates if the handler has set Last-Modified. It concerns answers with
/// status 200 and a body in memory. Files have tags of their own; streams, empty bodies and `Cache-Control:
/// no-store` get none. A tag that the handler set stays. The handler always makes its body; only the transfer
/// is saved. Put it behind middleware that encodes bodies, such as compress, so that the tag is of the
/// handler's body.
[[nodiscard]] Step etag(EtagOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
