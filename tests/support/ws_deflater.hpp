// A client's side of permessage-deflate, by zlib: payloads of compressed messages, whatever Sake makes of
// them. Only with SAKE_WITH_ZLIB.
#pragma once

#include <zlib.h>

#include <new>
#include <string>
#include <string_view>

#include "ws_case.hpp"

namespace harness::ws {

/// What a flush ends with, and no payload (7.2.1).
inline constexpr std::string_view tail("\0\0\xff\xff", 4);

/// What a client compresses with.
struct Settings {
    int level = 6;
    int bits = 15;
    int strategy = Z_DEFAULT_STRATEGY;
};

/// A client's side of the extension: payloads of messages (7.2.1).
class Deflater {
  public:
    explicit Deflater(bool keeps_window = false, const Settings& with = {}) : keeps_window_(keeps_window) {
        if (deflateInit2(&stream_, with.level, Z_DEFLATED, -with.bits, 8, with.strategy) != Z_OK)
            throw std::bad_alloc();
    }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    ~Deflater() { deflateEnd(&stream_); }

    std::string payload(std::string_view message) {
        if (message.empty()) return std::string(1, '\0');  // 7.2.3.6
        std::string out = run(message, Z_SYNC_FLUSH);
        if (!keeps_window_) deflateReset(&stream_);
        return out.substr(0, out.size() - tail.size());
    }
    /// What deflate makes of it, with the bytes that a flush of this kind leaves.
    std::string run(std::string_view text, int flush) {
        std::string out(deflateBound(&stream_, static_cast<uLong>(text.size())) + 64, '\0');
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream_.avail_in = static_cast<uInt>(text.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        ::deflate(&stream_, flush);
        out.resize(out.size() - stream_.avail_out);
        return out;
    }

  private:
    z_stream stream_{};
    bool keeps_window_;
};

inline std::string deflated(std::string_view text, const Settings& with = {}) {
    return Deflater(false, with).payload(text);
}

inline Frame compressed(int opcode, std::string_view payload) { return frame(opcode, payload).rsv(4); }

}  // namespace harness::ws
