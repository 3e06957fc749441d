// ETags for whole bodies, so that a client that has one need not be sent it again.
#pragma once

#include <cstddef>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// For etag.
struct EtagOptions {
    /// Says that bodies with the same tag mean the same, and not that they are the same bytes.
    bool weak = false;
    /// Larger bodies have no tag: a tag is made of all bytes, at about a gigabyte a second.
    std::size_t max_body = 1024 * 1024;
};

/// Gives answers to GET and HEAD an ETag, and answers the conditions of the request: If-None-Match by 304,
/// If-Match by 412, and their kin of dates if the handler has set Last-Modified. For status 200 and bodies in
/// memory; not for files, which have tags of their own, streams, empty bodies, and `Cache-Control: no-store`.
/// A tag that the handler has set stays. The handler makes its body in any case; only sending it is saved.
/// Put it behind middleware that encodes bodies, such as compress, so that a tag is of the body that the
/// handler made.
[[nodiscard]] Step etag(EtagOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
