// The compressors that a loop keeps for whole bodies: one of each kind, which takes one body after the other.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/async/reactor.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/middleware/compressor.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Compressors {
  public:
    explicit Compressors(Reactor&) noexcept {}

    /// Makes a body what it becomes. If that is not smaller, the body stays, unless `at_any_size`. Returns
    /// whether it is compressed.
    [[nodiscard]] bool compress(const CompressorKind& kind, std::string& body, bool at_any_size) {
        constexpr std::size_t most_kept = 64 * 1024;
        Compressor& compressor = of(kind);
        if (!room_) room_ = OwningPtr<ByteBuffer>(new ByteBuffer);
        room_->clear();
        compressor.begin(body.size());
        compressor.encode(body, BodyEncoder::Behind::end, *room_);
        const std::string_view compressed = room_->view();
        const bool is_taken = at_any_size || compressed.size() < body.size();
        const bool was_large = body.size() > most_kept;
        if (is_taken) body.assign(compressed);
        if (was_large) room_.reset();
        return is_taken;
    }

  private:
    Compressor& of(const CompressorKind& kind) {
        Compressor* each = compressors_.first();
        while (each != nullptr && each->kind != kind) each = each->next;
        if (each != nullptr) return *each;
        return compressors_.push_front(make_compressor(kind).release());
    }

    OwningList<Compressor> compressors_;
    OwningPtr<ByteBuffer> room_;  // for what a body becomes
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
