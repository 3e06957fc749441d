// Brotli (RFC 7932) by libbrotlienc, if SAKE_WITH_BROTLI is defined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <string_view>

#include "sake/base/byte_buffer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/platform.hpp"
#include "sake/middleware/compressor_kind.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

#if defined(SAKE_WITH_BROTLI)

inline constexpr bool has_brotli_compressor = true;

/// The library cannot begin anew with the memory that it has, so its memory is kept here from one whole body
/// to the next.
class BrotliMemory {
  public:
    enum class Keeps : std::uint8_t { nothing, blocks };
    explicit BrotliMemory(Keeps keeps) noexcept : keeps_(keeps) {}
    BrotliMemory(const BrotliMemory&) = delete;
    BrotliMemory& operator=(const BrotliMemory&) = delete;
    ~BrotliMemory() {
        for (std::size_t i = 0; i < spare_count_; ++i) std::free(spare_[i]);
    }

    /// What is in use and what is kept.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // What the library calls.
    static void* take(void* memory, std::size_t size) {
        return static_cast<BrotliMemory*>(memory)->take_block(size);
    }
    static void give_back(void* memory, void* block) {
        if (block != nullptr) static_cast<BrotliMemory*>(memory)->give_back_block(head_of(block));
    }

  private:
    struct alignas(std::max_align_t) Head {
        std::size_t size;  // of the block behind it
    };
    static constexpr std::size_t most_spare = 16;
    static constexpr std::size_t most_kept = std::size_t{4} * 1024 * 1024;

    static Head* head_of(void* block) noexcept { return static_cast<Head*>(block) - 1; }

    // A spare block that fits without much waste, or a new one.
    void* take_block(std::size_t size) noexcept {
        std::size_t best = most_spare;
        for (std::size_t i = 0; i < spare_count_; ++i) {
            const std::size_t spare = spare_[i]->size;
            const bool fits = spare >= size && spare / 2 <= size;
            if (fits && (best == most_spare || spare < spare_[best]->size)) best = i;
        }
        if (best != most_spare) {
            Head* const taken = spare_[best];
            spare_[best] = spare_[--spare_count_];
            return taken + 1;
        }
        if (size > std::numeric_limits<std::size_t>::max() - sizeof(Head)) return nullptr;
        auto* const made = static_cast<Head*>(std::malloc(sizeof(Head) + size));
        if (made == nullptr) return nullptr;
        made->size = size;
        size_ += size;
        return made + 1;
    }
    void give_back_block(Head* block) noexcept {
        if (keeps_ == Keeps::nothing || size_ > most_kept) return free_block(block);
        if (spare_count_ == most_spare) {
            free_block(spare_[0]);
            spare_[0] = spare_[--spare_count_];
        }
        spare_[spare_count_++] = block;
    }
    void free_block(Head* block) noexcept {
        size_ -= block->size;
        std::free(block);
    }

    const Keeps keeps_;
    Head* spare_[most_spare] = {};
    std::size_t spare_count_ = 0;
    std::size_t size_ = 0;
};

class BrotliCompressor final : public Compressor {
  public:
    explicit BrotliCompressor(const CompressorKind& made_as)
        : Compressor(made_as),
          memory_(kind.is_for_streams() ? BrotliMemory::Keeps::nothing : BrotliMemory::Keeps::blocks) {
        if (kind.is_for_streams()) make_encoder(kind.window_bits, 0);
    }
    ~BrotliCompressor() override { end_encoder(); }

    void begin(std::size_t size) override {
        constexpr int window_of_whole = 18;
        end_encoder();
        make_encoder(window_of_whole, size);
    }

    void encode(std::string_view piece, Behind behind, ByteBuffer& out) override {
        const BrotliEncoderOperation operation = behind == Behind::more    ? BROTLI_OPERATION_PROCESS
                                                 : behind == Behind::pause ? BROTLI_OPERATION_FLUSH
                                                                           : BROTLI_OPERATION_FINISH;
        const auto* from = reinterpret_cast<const std::uint8_t*>(piece.data());
        std::size_t left = piece.size();
        do {
            const std::size_t room = std::min<std::size_t>(piece.size() / 4 + 64, 1024 * 1024);
            char* const place = out.make_room(room);
            auto* to = reinterpret_cast<std::uint8_t*>(place);
            std::size_t room_left = room;
            if (!BrotliEncoderCompressStream(encoder_, operation, &left, &from, &room_left, &to, nullptr)) {
                throw std::runtime_error("brotli: a body cannot be compressed");
            }
            out.end_at(place + (room - room_left));
        } while (left > 0 || BrotliEncoderHasMoreOutput(encoder_));
    }

    [[nodiscard]] std::size_t memory() const noexcept override { return memory_.size(); }

  private:
    void make_encoder(int window_bits, std::size_t size) {
        encoder_ = BrotliEncoderCreateInstance(&BrotliMemory::take, &BrotliMemory::give_back, &memory_);
        if (encoder_ == nullptr) throw std::bad_alloc();
        constexpr int most_of_streams = 3;  // above it, an encoder takes 2 MiB
        const int level = kind.is_for_streams() ? std::min(kind.level, most_of_streams) : kind.level;
        set(BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(level));
        set(BROTLI_PARAM_LGWIN, static_cast<std::uint32_t>(window_bits));
        constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
        set(BROTLI_PARAM_SIZE_HINT, static_cast<std::uint32_t>(std::min(size, most)));
        if (kind.is_for_streams()) set(BROTLI_PARAM_LGBLOCK, BROTLI_MIN_INPUT_BLOCK_BITS);
    }
    void end_encoder() noexcept {
        if (encoder_ != nullptr) BrotliEncoderDestroyInstance(encoder_);
        encoder_ = nullptr;
    }
    void set(BrotliEncoderParameter parameter, std::uint32_t value) {
        BrotliEncoderSetParameter(encoder_, parameter, value);
    }

    BrotliMemory memory_;
    BrotliEncoderState* encoder_ = nullptr;
};

inline OwningPtr<Compressor> make_brotli_compressor(const CompressorKind& kind) {
    return OwningPtr<Compressor>(new BrotliCompressor(kind));
}

#else

inline constexpr bool has_brotli_compressor = false;
inline OwningPtr<Compressor> make_brotli_compressor(const CompressorKind&) { return nullptr; }

#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
