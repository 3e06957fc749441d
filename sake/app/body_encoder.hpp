// BodyEncoder: transforms a streamed answer on its way out, as a compressor does. An Answerer has one only if
// middleware sets it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/base/byte_buffer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class BodyEncoder {
  public:
    /// What follows a piece.
    enum class Behind : std::uint8_t {
        more,   // another piece, at once: a part of this one may be held back
        pause,  // nothing for a while: the client must be able to read all of it
        end     // nothing: this is the last piece
    };

    BodyEncoder() = default;
    BodyEncoder(const BodyEncoder&) = delete;
    BodyEncoder& operator=(const BodyEncoder&) = delete;
    virtual ~BodyEncoder() = default;

    /// Appends the encoded piece. After an exception the encoder is unusable.
    virtual void encode(std::string_view piece, Behind behind, ByteBuffer& out) = 0;
    /// The value of Content-Encoding.
    [[nodiscard]] virtual std::string_view coding() const noexcept = 0;
    /// The memory that it uses, in bytes.
    [[nodiscard]] virtual std::size_t memory() const noexcept = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
