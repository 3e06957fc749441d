// zstd (RFC 8878) by libzstd, if SAKE_WITH_ZSTD is defined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/byte_buffer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/platform.hpp"
#include "sake/middleware/compressor_kind.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

#if defined(SAKE_WITH_ZSTD)

inline constexpr bool has_zstd_compressor = true;

class ZstdCompressor final : public Compressor {
  public:
    explicit ZstdCompressor(const CompressorKind& made_as)
        : Compressor(made_as), context_(ZSTD_createCCtx()) {
        if (context_ == nullptr) throw std::bad_alloc();
        set(ZSTD_c_compressionLevel, kind.level);
        if (!kind.is_for_streams()) return;
        set(ZSTD_c_windowLog, kind.window_bits);
        set(ZSTD_c_hashLog, kind.window_bits);
        set(ZSTD_c_chainLog, kind.window_bits);
    }
    ~ZstdCompressor() override { ZSTD_freeCCtx(context_); }

    void begin(std::size_t size) override {
        ZSTD_CCtx_reset(context_, ZSTD_reset_session_only);
        ZSTD_CCtx_setPledgedSrcSize(context_, size);
        room_for_all_ = ZSTD_compressBound(size);
    }

    void encode(std::string_view piece, Behind behind, ByteBuffer& out) override {
        const ZSTD_EndDirective flush = behind == Behind::more    ? ZSTD_e_continue
                                        : behind == Behind::pause ? ZSTD_e_flush
                                                                  : ZSTD_e_end;
        ZSTD_inBuffer in{piece.data(), piece.size(), 0};
        // A whole body with room for all of it is compressed without buffers in between.
        const std::size_t room = std::max(room_for_all_, piece.size() / 4 + 64);
        for (;;) {
            char* const place = out.make_room(room);
            ZSTD_outBuffer made{place, room, 0};
            const std::size_t left = ZSTD_compressStream2(context_, &made, &in, flush);
            if (ZSTD_isError(left)) throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(left));
            out.end_at(place + made.pos);
            const bool is_done = flush == ZSTD_e_continue ? in.pos == in.size : left == 0;
            if (is_done) break;
        }
    }

    [[nodiscard]] std::size_t memory() const noexcept override { return ZSTD_sizeof_CCtx(context_); }

  private:
    void set(ZSTD_cParameter parameter, int value) { ZSTD_CCtx_setParameter(context_, parameter, value); }

    ZSTD_CCtx* const context_;
    std::size_t room_for_all_ = 0;
};

inline OwningPtr<Compressor> make_zstd_compressor(const CompressorKind& kind) {
    return OwningPtr<Compressor>(new ZstdCompressor(kind));
}

#else

inline constexpr bool has_zstd_compressor = false;
inline OwningPtr<Compressor> make_zstd_compressor(const CompressorKind&) { return nullptr; }

#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
