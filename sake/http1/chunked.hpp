// The chunked coding (RFC 9112 section 7.1), both ways. The decoder is strict about sizes and line ends,
// checks extensions and trailers and throws them away, and hands out views into its input. Not here: limits
// on the decoded body, which the server counts for every coding alike.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace http1 {

/// In bytes. Extensions: all of a body together, from the ';' to the CRLF. Trailers: their lines, CRLFs
/// included, without the final empty line.
struct ChunkedLimits {
    std::size_t extensions = 16 * 1024;
    std::size_t trailers = 4 * 1024;
};

/// Decodes one chunked body, byte by byte except for the data itself; `reset` begins the next.
class ChunkedDecoder {
  public:
    struct Step {
        enum class Kind : std::uint8_t { need_more, data, done, refused };

        Kind kind = Kind::need_more;
        std::size_t consumed = 0;  // bytes of the input that are dealt with; drop them before the next call
        std::string_view data;     // for Kind::data: a view into the input, never empty
    };

    explicit ChunkedDecoder(ChunkedLimits limits = {}) noexcept : limits_(limits) {}

    /// The next piece of the body. Call it with what is left after `consumed` until it says need_more (all
    /// input is consumed then), done (what is left is the next request) or refused.
    [[nodiscard]] Step decode(std::string_view in) noexcept {
        std::size_t used = 0;
        while (used < in.size() && state_ < State::done) {
            if (state_ == State::data) {
                const auto length =
                    static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size() - used));
                left_ -= length;
                if (left_ == 0) state_ = State::data_cr;
                return {Step::Kind::data, used + length, in.substr(used, length)};
            }
            take(in[used++]);
        }
        const auto kind = state_ == State::done      ? Step::Kind::done
                          : state_ == State::refused ? Step::Kind::refused
                                                     : Step::Kind::need_more;
        return {kind, used, {}};
    }

    /// After refused: the status to answer with, and why.
    [[nodiscard]] int status() const noexcept { return state_ == State::refused ? 400 : 0; }
    [[nodiscard]] std::string_view reason() const noexcept { return reason_; }

    /// How much of the present chunk is still to come, once its size line is complete.
    [[nodiscard]] std::uint64_t left_in_chunk() const noexcept { return state_ == State::data ? left_ : 0; }

    void reset() noexcept { *this = ChunkedDecoder(limits_); }

  private:
    // In the order of a body. Everything before `done` wants more input.
    enum class State : std::uint8_t {
        size,            // first digit not yet seen
        size_more,       // further digits, or what ends them
        ext_gap,         // BWS after the size or an extension's value: ';' or CR must come
        ext_name_start,  // after ';'
        ext_name,
        ext_name_gap,  // BWS after a name
        ext_value_start,
        ext_value,
        ext_quoted,
        ext_escape,
        ext_quoted_end,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer_name,
        trailer_value,
        trailer_lf,
        final_lf,
        done,
        refused,
    };

    ChunkedLimits limits_;
    std::uint64_t left_ = 0;  // of the current chunk
    std::size_t extensions_ = 0;
    std::size_t trailers_ = 0;
    unsigned digits_ = 0;
    State state_ = State::size;
    std::string_view reason_;

    void refuse(std::string_view reason) noexcept {
        state_ = State::refused;
        reason_ = reason;
    }

    void take(char c) noexcept {
        if (state_ <= State::size_more) return take_size(c);
        if (state_ < State::size_lf) return take_extension(c);
        if (state_ >= State::trailer_start && state_ < State::final_lf) return take_trailer(c);
        expect_line_end(c);
    }

    /// chunk-size = 1*HEXDIG; more than 16 digits cannot be a 64-bit size.
    void take_size(char c) noexcept {
        if (ascii::is(c, ascii::hex)) {
            if (++digits_ > 16) return refuse("chunk size too long");
            left_ = left_ << 4 | ascii::hex_value(c);
            state_ = State::size_more;
        } else if (state_ == State::size) {
            refuse("bad chunk size");
        } else if (c == '\r') {
            state_ = State::size_lf;
        } else {
            state_ = State::ext_gap;
            take_extension(c);
        }
    }

    /// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
    /// chunk-ext-val = token / quoted-string
    void take_extension(char c) noexcept {
        if (c == '\r' && end_extension()) return;
        if (++extensions_ > limits_.extensions) return refuse("chunk extensions too large");
        if (!ascii::is(c, ascii::field)) return refuse("control character in a chunk extension");
        const bool space = c == ' ' || c == '\t';
        const bool token = ascii::is(c, ascii::token);
        switch (state_) {
            case State::ext_name_start:
                return space ? void() : move_to(token, State::ext_name);
            case State::ext_name:
                if (token) return;
                [[fallthrough]];
            case State::ext_name_gap:
                if (c == '=') return move_to(true, State::ext_value_start);
                return after_extension(c, State::ext_name_gap);
            case State::ext_value_start:
                if (space) return;
                return c == '"' ? move_to(true, State::ext_quoted) : move_to(token, State::ext_value);
            case State::ext_value:
                return token ? void() : after_extension(c, State::ext_gap);
            case State::ext_quoted:
                if (c == '"') return move_to(true, State::ext_quoted_end);
                return c == '\\' ? move_to(true, State::ext_escape) : void();
            case State::ext_escape:
                return move_to(true, State::ext_quoted);
            default:  // ext_gap, ext_quoted_end
                return after_extension(c, State::ext_gap);
        }
    }

    /// White space or the next ';' may follow here. White space alone, with no ';' after it, is not an
    /// extension.
    void after_extension(char c, State gap) noexcept {
        const bool space = c == ' ' || c == '\t';
        move_to(space || c == ';', space ? gap : State::ext_name_start);
    }

    void move_to(bool allowed, State next) noexcept {
        if (!allowed) return refuse("bad chunk extension");
        state_ = next;
    }

    /// A CR ends the line where an extension may be complete.
    bool end_extension() noexcept {
        if (state_ != State::ext_name && state_ != State::ext_value && state_ != State::ext_quoted_end)
            return false;
        state_ = State::size_lf;
        return true;
    }

    /// trailer-section = *( field-line CRLF ); checked like the fields of a head.
    void take_trailer(char c) noexcept {
        if (state_ == State::trailer_start && c == '\r') {
            state_ = State::final_lf;
            return;
        }
        if (++trailers_ > limits_.trailers) return refuse("trailers too large");
        switch (state_) {
            case State::trailer_start:
                if (!ascii::is(c, ascii::token)) return refuse("bad trailer name");
                state_ = State::trailer_name;
                return;
            case State::trailer_name:
                if (c == ':')
                    state_ = State::trailer_value;
                else if (!ascii::is(c, ascii::token))
                    refuse("bad trailer name");
                return;
            case State::trailer_value:
                if (c == '\r')
                    state_ = State::trailer_lf;
                else if (!ascii::is(c, ascii::field))
                    refuse("control character in a trailer");
                return;
            default:
                if (c != '\n') return refuse("carriage return without line feed");
                state_ = State::trailer_start;
        }
    }

    void expect_line_end(char c) noexcept {
        if (c != (state_ == State::data_cr ? '\r' : '\n')) return refuse("chunk without its line end");
        switch (state_) {
            case State::size_lf:
                digits_ = 0;
                state_ = left_ == 0 ? State::trailer_start : State::data;
                return;
            case State::data_cr:
                state_ = State::data_lf;
                return;
            case State::data_lf:
                state_ = State::size;
                return;
            default:
                state_ = State::done;
        }
    }
};

/// The line before a chunk of so many bytes, which are at least one: an empty chunk would end the body.
class ChunkLine {
  public:
    explicit ChunkLine(std::uint64_t size) noexcept {
        constexpr std::string_view digits = "0123456789abcdef";
        text_[--first_] = '\n';
        text_[--first_] = '\r';
        for (; size != 0; size >>= 4) text_[--first_] = digits[size & 15];
    }
    [[nodiscard]] std::string_view view() const noexcept { return {text_ + first_, sizeof text_ - first_}; }

  private:
    char text_[18];
    std::size_t first_ = sizeof text_;
};
inline constexpr std::string_view chunk_end = "\r\n";

/// Appends the data as one chunk; nothing for no data, since an empty chunk would end the body.
inline void append_chunk(std::string& out, std::string_view data) {
    if (data.empty()) return;
    out.append(ChunkLine(data.size()).view()).append(data).append(chunk_end);
}

/// Ends a chunked body: the last chunk and no trailers.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace http1
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
