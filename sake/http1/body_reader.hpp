// BodyReader: the body of a message by its framing: a length, chunks, or everything up to the end of the
// connection. Client and server use it. Bytes in, views into them out. Not here: limits on the size, which
// are the caller's, and what the head says about the body (framing.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/http1/chunked.hpp"
#include "sake/http1/framing.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace http1 {

/// Reads one body after another; `reset` begins the next.
class BodyReader {
  public:
    using Step = ChunkedDecoder::Step;

    explicit BodyReader(ChunkedLimits limits = {}) noexcept : chunks_(limits) {}

    /// Begins the body of a message with this framing. One of Body::none is done at once.
    void reset(const Framing& framing) noexcept {
        kind_ = framing.body;
        left_ = framing.body == Framing::Body::length ? framing.length : 0;
        chunks_.reset();
    }

    /// The next piece of the body. Call it with the rest behind `consumed` until it returns need_more (all
    /// input is consumed), done (the rest belongs to the next message) or refused.
    [[nodiscard]] Step read(std::string_view in) noexcept {
        if (kind_ == Framing::Body::chunked) return chunks_.decode(in);
        if (left_ == 0 && kind_ != Framing::Body::to_the_end) return {Step::Kind::done, 0, {}};
        if (in.empty()) return {Step::Kind::need_more, 0, {}};
        if (kind_ == Framing::Body::to_the_end) return {Step::Kind::data, in.size(), in};
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
        left_ -= size;
        return {Step::Kind::data, size, in.substr(0, size)};
    }

    /// This much of a body with a length went by without `read`, no more than `left_in_piece`.
    void took(std::size_t size) noexcept { left_ -= size; }

    /// After refused: the status to answer with, and why.
    [[nodiscard]] int status() const noexcept { return chunks_.status(); }
    [[nodiscard]] std::string_view reason() const noexcept { return chunks_.reason(); }

    /// How much is announced and still to come: of the body if it has a length, of the present chunk if its
    /// size line is complete, else 0. So a body that will be too large is refused before it has come.
    [[nodiscard]] std::uint64_t left_in_piece() const noexcept {
        return kind_ == Framing::Body::chunked ? chunks_.left_in_chunk() : left_;
    }

    /// How the present body ends. To one that ends with its connection, the end is what completes it.
    [[nodiscard]] Framing::Body kind() const noexcept { return kind_; }

  private:
    ChunkedDecoder chunks_;
    std::uint64_t left_ = 0;  // of a length
    Framing::Body kind_ = Framing::Body::none;
};

}  // namespace http1
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
