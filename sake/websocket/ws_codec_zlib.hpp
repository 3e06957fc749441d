// permessage-deflate (RFC 7692) by zlib, if SAKE_WITH_ZLIB is defined. Where no window is kept between
// messages, the connections of a reactor share their streams, and hold none between messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/reactor.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/platform.hpp"
#include "sake/websocket/ws_codec.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

#if defined(SAKE_WITH_ZLIB)

inline constexpr bool has_ws_codec = true;

/// What every flush ends with, and no message carries (7.2.1): an empty block without compression.
inline constexpr std::string_view ws_tail{"\x00\x00\xff\xff", 4};

/// zlib does not write there; it is only not const for want of ZLIB_CONST.
inline void set_input(z_stream& stream, std::string_view bytes) noexcept {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
}

/// Output on its way into a string, on the stack of a plain function.
class WsStep {
  public:
    explicit WsStep(z_stream& stream) noexcept : stream_(stream) {}
    void begin() noexcept {
        stream_.next_out = bytes_;
        stream_.avail_out = sizeof bytes_;
    }
    [[nodiscard]] std::string_view made() const noexcept {
        return {reinterpret_cast<const char*>(bytes_), sizeof bytes_ - stream_.avail_out};
    }
    [[nodiscard]] bool is_full() const noexcept { return stream_.avail_out == 0; }

  private:
    z_stream& stream_;
    Bytef bytes_[std::size_t{16} * 1024];
};

/// Compresses messages, one after the other.
class WsDeflateStream {
  public:
    /// Measured with JSON of 2 KiB and 16 KiB (bench/compress.cpp): without a window that is kept, level 6
    /// takes 1.5 times the time of level 1 for a tenth less. With one, level 3 does so for a sixth less.
    static constexpr int level_for(WsWindow window) noexcept { return window.is_kept ? 3 : 1; }

    explicit WsDeflateStream(WsWindow window) : WsDeflateStream(window, level_for(window)) {}
    WsDeflateStream(WsWindow window, int level)
        : is_kept_(window.is_kept), memory_(deflating_memory(window.bits)) {
        const int made = deflateInit2(&stream_, level, Z_DEFLATED, -window.bits, ws_memory_level(window.bits),
                                      Z_DEFAULT_STRATEGY);
        if (made != Z_OK) throw std::bad_alloc();
    }
    WsDeflateStream(const WsDeflateStream&) = delete;
    WsDeflateStream& operator=(const WsDeflateStream&) = delete;
    ~WsDeflateStream() { deflateEnd(&stream_); }

    /// As WsCodec::deflate.
    [[nodiscard]] bool deflate(std::string_view message, std::string& out) {
        if (message.empty() || message.size() > std::numeric_limits<uInt>::max()) return false;
        // Until the end, the stream has seen a message that the other end may not get.
        if (std::exchange(is_stale_, true)) deflateReset(&stream_);
        CutAtEnd cut{out, out.size()};
        if (!deflate_within(message, out, out.size() + message.size() + ws_tail.size() - 1)) return false;
        cut.size = out.size() - ws_tail.size();
        is_stale_ = !is_kept_;
        return true;
    }
    [[nodiscard]] std::size_t memory() const noexcept { return memory_; }

  private:
    struct CutAtEnd {
        std::string& out;
        std::size_t size;
        ~CutAtEnd() { out.resize(size); }
    };

    /// Returns false as soon as `out` would be larger than `most`.
    bool deflate_within(std::string_view message, std::string& out, std::size_t most) {
        WsStep step(stream_);
        set_input(stream_, message);
        do {
            step.begin();
            ::deflate(&stream_, Z_SYNC_FLUSH);
            if (step.made().size() > most - out.size()) return false;
            out.append(step.made());
        } while (step.is_full());
        return true;
    }

    z_stream stream_{};
    const bool is_kept_;
    bool is_stale_ = false;  // it remembers what is not to be referred to
    const std::size_t memory_;
};

/// Inflates messages, one after the other.
class WsInflateStream {
  public:
    using Result = WsInflater::Result;

    explicit WsInflateStream(int window_bits) : memory_(inflating_memory(window_bits)) {
        if (inflateInit2(&stream_, -window_bits) != Z_OK) throw std::bad_alloc();
    }
    WsInflateStream(const WsInflateStream&) = delete;
    WsInflateStream& operator=(const WsInflateStream&) = delete;
    ~WsInflateStream() { inflateEnd(&stream_); }

    /// As WsInflater::inflate.
    [[nodiscard]] Result inflate(std::string_view bytes, bool is_end, std::string& out, std::size_t most) {
        Result result = Result::ok;
        while (result == Result::ok && !bytes.empty()) {
            const std::string_view piece = bytes.substr(0, std::numeric_limits<uInt>::max());
            bytes.remove_prefix(piece.size());
            result = inflate_piece(piece, out, most);
        }
        return result == Result::ok && is_end ? end_message(out, most) : result;
    }

    /// Begins anew, with an empty window.
    void reset() noexcept {
        inflateReset(&stream_);
        is_at_border_ = true;
    }
    [[nodiscard]] std::size_t memory() const noexcept { return memory_; }

  private:
    /// A message that ends with a final block needs no tail, nor does one without a byte, which some send for
    /// an empty message. With the tail, every other message ends at the end of a block and of a byte.
    Result end_message(std::string& out, std::size_t most) {
        if (is_at_border_) return Result::ok;
        const Result result = inflate_piece(ws_tail, out, most);
        constexpr int after_block = 128;  // and no bit is left, nor was it the final block (zlib.h, inflate)
        if (result == Result::ok && !is_at_border_ && stream_.data_type != after_block) {
            return Result::malformed;
        }
        is_at_border_ = true;
        return result;
    }

    Result inflate_piece(std::string_view bytes, std::string& out, std::size_t most) {
        WsStep step(stream_);
        set_input(stream_, bytes);
        do {
            step.begin();
            const int status = ::inflate(&stream_, Z_SYNC_FLUSH);
            if (status == Z_MEM_ERROR) throw std::bad_alloc();
            if (!append_within(out, step.made(), most)) return Result::too_big;
            is_at_border_ = status == Z_STREAM_END;
            if (is_at_border_) {
                // After a final block, others may follow, from the next byte on and with the same window
                // (7.2.1). In constant time: a message can consist of such blocks, of two bytes each.
                inflateResetKeep(&stream_);
            } else if (status != Z_OK && status != Z_BUF_ERROR) {
                return Result::malformed;
            }
        } while (stream_.avail_in > 0 || (step.is_full() && !is_at_border_));
        return Result::ok;
    }

    /// The memory of the text doubles as it grows, as usual, but never beyond `most`.
    static bool append_within(std::string& out, std::string_view piece, std::size_t most) {
        if (piece.size() > most - std::min(most, out.size())) return false;
        const std::size_t size = out.size() + piece.size();
        if (size > out.capacity()) {
            std::string grown;
            grown.reserve(std::min(most, std::max(size, 2 * out.capacity())));
            grown.append(out);
            out.swap(grown);
        }
        out.append(piece);
        return true;
    }

    z_stream stream_{};
    bool is_at_border_ = true;  // no block is open
    const std::size_t memory_;
};

/// The streams that the connections of a reactor share. A deflater has done its work when deflate() returns,
/// so there is one for each window. A message that comes in pieces has an inflater while it lasts.
class WsStreams : public Counted {
  public:
    [[nodiscard]] WsDeflateStream& deflater(int window_bits) {
        OwningPtr<WsDeflateStream>& place = deflaters_[window_bits - least_ws_window];
        if (place == nullptr) place.reset(new WsDeflateStream(WsWindow{false, window_bits}));
        return *place;
    }

    [[nodiscard]] OwningPtr<WsInflateStream> take_inflater() {
        if (spare_count_ > 0) return std::move(spare_[--spare_count_]);
        return OwningPtr<WsInflateStream>(new WsInflateStream(most_ws_window));
    }
    void give_back(OwningPtr<WsInflateStream> inflater) noexcept {
        if (inflater == nullptr || spare_count_ == most_spare) return;
        inflater->reset();
        spare_[spare_count_++] = std::move(inflater);
    }

    static constexpr std::size_t most_spare = 4;
    [[nodiscard]] std::size_t spare_count() const noexcept { return spare_count_; }

  private:
    OwningPtr<WsDeflateStream> deflaters_[most_ws_window - least_ws_window + 1];
    OwningPtr<WsInflateStream> spare_[most_spare];
    std::size_t spare_count_ = 0;
};

/// Those of a reactor: Reactor::local. A client's connection may outlive its reactor.
struct WsStreamsOfReactor {
    explicit WsStreamsOfReactor(Reactor&) : streams(new WsStreams()) {}
    CountedPtr<WsStreams> streams;
};

class ZlibWsCodec final : public WsCodec {
  public:
    ZlibWsCodec(CountedPtr<WsStreams> streams, WsWindow sent, WsWindow received) noexcept
        : streams_(std::move(streams)), sent_(sent), received_(received) {
        // zlib inflates what a smaller window has made.
        received_.bits = std::max(received_.bits, least_ws_window);
    }
    ZlibWsCodec(const ZlibWsCodec&) = delete;
    ZlibWsCodec& operator=(const ZlibWsCodec&) = delete;
    ~ZlibWsCodec() override { give_back(); }

    Result inflate(std::string_view bytes, bool is_end, std::string& out, std::size_t most) override {
        if (inflater_ == nullptr) take_inflater();
        const Result result = inflater_->inflate(bytes, is_end, out, most);
        if (is_end || result != Result::ok) give_back();
        return result;
    }

    bool deflate(std::string_view message, std::string& out) override {
        // A server may demand a window of 8 of a client, which then sends messages as they are (7.2).
        if (sent_.bits < least_ws_window) return false;
        if (!sent_.is_kept) return streams_->deflater(sent_.bits).deflate(message, out);
        if (deflater_ == nullptr) deflater_.reset(new WsDeflateStream(sent_));
        return deflater_->deflate(message, out);
    }

    [[nodiscard]] std::size_t memory() const noexcept override {
        return (inflater_ == nullptr ? 0 : inflater_->memory()) +
               (deflater_ == nullptr ? 0 : deflater_->memory());
    }

  private:
    void take_inflater() {
        inflater_ = received_.is_kept ? OwningPtr<WsInflateStream>(new WsInflateStream(received_.bits))
                                      : streams_->take_inflater();
    }
    void give_back() noexcept {
        if (!received_.is_kept) streams_->give_back(std::move(inflater_));
    }

    const CountedPtr<WsStreams> streams_;
    OwningPtr<WsInflateStream> inflater_;  // a shared one only within a message
    OwningPtr<WsDeflateStream> deflater_;  // from the first message on, if its window is kept
    const WsWindow sent_;
    WsWindow received_;
};

inline OwningPtr<WsCodec> WsCodec::make(Reactor& reactor, WsRole role, const WsDeflate& agreed) {
    return OwningPtr<WsCodec>(new ZlibWsCodec(reactor.local<WsStreamsOfReactor>().streams,
                                              window_of(agreed, role), window_of(agreed, other_end(role))));
}

#else

inline constexpr bool has_ws_codec = false;
inline OwningPtr<WsCodec> WsCodec::make(Reactor&, WsRole, const WsDeflate&) { return nullptr; }

#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
