// gzip (RFC 1952) by zlib, if SAKE_WITH_ZLIB is defined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <new>
#include <string_view>

#include "sake/base/byte_buffer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/platform.hpp"
#include "sake/middleware/compressor_kind.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

#if defined(SAKE_WITH_ZLIB)

inline constexpr bool has_gzip_compressor = true;

class GzipCompressor final : public Compressor {
  public:
    explicit GzipCompressor(const CompressorKind& made_as) : Compressor(made_as) {
        constexpr int with_gzip_head = 16;
        const int made = deflateInit2(&stream_, kind.level, Z_DEFLATED, window_bits() + with_gzip_head,
                                      memory_level(), Z_DEFAULT_STRATEGY);
        if (made != Z_OK) throw std::bad_alloc();
    }
    ~GzipCompressor() override { deflateEnd(&stream_); }

    void begin(std::size_t) override { deflateReset(&stream_); }

    void encode(std::string_view piece, Behind behind, ByteBuffer& out) override {
        constexpr std::size_t most = std::numeric_limits<uInt>::max();
        while (piece.size() > most) {
            deflate_all(piece.substr(0, most), Z_NO_FLUSH, out);
            piece.remove_prefix(most);
        }
        deflate_all(piece,
                    behind == Behind::more    ? Z_NO_FLUSH
                    : behind == Behind::pause ? Z_SYNC_FLUSH
                                              : Z_FINISH,
                    out);
    }

    /// As zconf.h has it, and what the library keeps besides.
    [[nodiscard]] std::size_t memory() const noexcept override {
        return (std::size_t{1} << (window_bits() + 2)) + (std::size_t{1} << (memory_level() + 9)) + 8 * 1024;
    }

  private:
    [[nodiscard]] int window_bits() const noexcept { return kind.is_for_streams() ? kind.window_bits : 15; }
    // As zlib has it by default for its largest window: tables of the size of the window.
    [[nodiscard]] int memory_level() const noexcept { return window_bits() - 7; }

    void deflate_all(std::string_view piece, int flush, ByteBuffer& out) {
        // zlib does not write there; it is only not const for want of ZLIB_CONST.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
        stream_.avail_in = static_cast<uInt>(piece.size());
        do {
            const std::size_t room = std::min<std::size_t>(piece.size() / 4 + 64, 1024 * 1024);
            char* const place = out.make_room(room);
            stream_.next_out = reinterpret_cast<Bytef*>(place);
            stream_.avail_out = static_cast<uInt>(room);
            deflate(&stream_, flush);
            out.end_at(place + (room - stream_.avail_out));
        } while (stream_.avail_out == 0);
    }

    z_stream stream_{};
};

inline OwningPtr<Compressor> make_gzip_compressor(const CompressorKind& kind) {
    return OwningPtr<Compressor>(new GzipCompressor(kind));
}

#else

inline constexpr bool has_gzip_compressor = false;
inline OwningPtr<Compressor> make_gzip_compressor(const CompressorKind&) { return nullptr; }

#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
