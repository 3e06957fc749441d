// BodyEncoder: what an answer in pieces passes on its way out, such as a compressor. An Answerer has none
// unless middleware gives it one.
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
    /// What comes behind a piece.
    enum class Behind : std::uint8_t {
        more,   // at once, so that some of the piece may be held back
        pause,  // nothing for a while: the client must be able to read all of it
        end     // nothing
    };

    BodyEncoder() = default;
    BodyEncoder(const BodyEncoder&) = delete;
    BodyEncoder& operator=(const BodyEncoder&) = delete;
    virtual ~BodyEncoder() = default;

    /// Appends what a piece becomes. Throws if that fails, and then makes no sense any more.
    virtual void encode(std::string_view piece, Behind behind, ByteBuffer& out) = 0;
    /// What the head says in Content-Encoding.
    [[nodiscard]] virtual std::string_view coding() const noexcept = 0;
    /// How many bytes it holds.
    [[nodiscard]] virtual std::size_t memory() const noexcept = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
