// Decoder: what a client does with a Content-Encoding, by the libraries themselves. No assertions here.
#pragma once

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "allocations.hpp"
#include "sake.hpp"

namespace harness {

/// Decodes a body piece by piece. What it allocates is not on the server's account.
class Decoder {
  public:
    /// "gzip", "zstd", "br", or anything else for a body that is as it is.
    explicit Decoder(std::string_view coding) : coding_(coding) {
        const allocations::Exempt of_the_test;
        if (coding_ == "gzip" && inflateInit2(&gzip_, 15 + 16) != Z_OK) throw std::bad_alloc();
        if (coding_ == "zstd") zstd_ = ZSTD_createDCtx();
        if (coding_ == "br") br_ = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
    }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    ~Decoder() {
        if (coding_ == "gzip") inflateEnd(&gzip_);
        ZSTD_freeDCtx(zstd_);
        BrotliDecoderDestroyInstance(br_);
    }

    /// What can be read when these bytes have come. Throws std::runtime_error if they make no sense, or if
    /// they follow the end.
    std::string read(std::string_view bytes) {
        if (bytes.empty()) return {};
        if (coding_ == "gzip") return read_gzip(bytes);
        if (coding_ == "zstd") return read_zstd(bytes);
        if (coding_ == "br") return read_br(bytes);
        return std::string(bytes);
    }
    /// Whether the body says that this was all.
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

  private:
    static constexpr std::size_t room = 1024;

    std::string read_gzip(std::string_view bytes) {
        std::string all;
        gzip_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        gzip_.avail_in = static_cast<uInt>(bytes.size());
        do {
            if (has_ended_ && gzip_.avail_in > 0) throw std::runtime_error("bytes behind the end");
            Bytef text[room];
            gzip_.next_out = text;
            gzip_.avail_out = room;
            const int status = inflate(&gzip_, Z_SYNC_FLUSH);
            if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
                throw std::runtime_error("this is not gzip");
            }
            has_ended_ = status == Z_STREAM_END;
            all.append(reinterpret_cast<const char*>(text), room - gzip_.avail_out);
        } while (gzip_.avail_out == 0 || gzip_.avail_in > 0);
        return all;
    }

    std::string read_zstd(std::string_view bytes) {
        std::string all;
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        char text[room];
        ZSTD_outBuffer out{text, room, 0};
        do {
            if (has_ended_ && in.pos < in.size) throw std::runtime_error("bytes behind the end");
            out.pos = 0;
            const std::size_t left = ZSTD_decompressStream(zstd_, &out, &in);
            if (ZSTD_isError(left)) throw std::runtime_error("this is not zstd");
            has_ended_ = left == 0;
            all.append(text, out.pos);
        } while (in.pos < in.size || (out.pos == room && !has_ended_));
        return all;
    }

    std::string read_br(std::string_view bytes) {
        std::string all;
        const auto* from = reinterpret_cast<const std::uint8_t*>(bytes.data());
        std::size_t left = bytes.size();
        for (;;) {
            if (has_ended_ && left > 0) throw std::runtime_error("bytes behind the end");
            std::uint8_t text[room];
            std::uint8_t* to = text;
            std::size_t room_left = room;
            const auto result = BrotliDecoderDecompressStream(br_, &left, &from, &room_left, &to, nullptr);
            if (result == BROTLI_DECODER_RESULT_ERROR) throw std::runtime_error("this is not Brotli");
            all.append(reinterpret_cast<const char*>(text), room - room_left);
            has_ended_ = result == BROTLI_DECODER_RESULT_SUCCESS;
            if (result != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && left == 0) return all;
        }
    }

    const std::string coding_;
    z_stream gzip_{};
    ZSTD_DCtx* zstd_ = nullptr;
    BrotliDecoderState* br_ = nullptr;
    bool has_ended_ = false;
};

/// The body of a whole answer as its client reads it. Throws if it is not that.
inline std::string decoded(const sake::TestResponse& response) {
    const std::string_view coding = response.header("Content-Encoding");
    Decoder decoder(coding);
    std::string text = decoder.read(response.body);
    if (!coding.empty() && !decoder.has_ended()) throw std::runtime_error("the body has no end");
    return text;
}

}  // namespace harness
