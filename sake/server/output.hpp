// Output: the bytes on their way to a client. Answers gather in one buffer that all connections of a shard
// share, and leave with one call. A large body or a file follows as a separate piece. Only bytes that the
// socket does not accept are kept.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/file_body.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/socket.hpp"
#include "sake/server/rate_limit.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A text, or a range of a file. It owns what it sends, or borrows a text: for one send, or for
/// the whole program.
class OutputPiece {
  public:
    explicit OutputPiece(std::string text) noexcept : text_(std::move(text)) {}
    explicit OutputPiece(std::string_view borrowed) noexcept : borrowed_(borrowed) {}
    explicit OutputPiece(FileRange range) noexcept : range_(std::move(range)) {}
    explicit OutputPiece(BodyPiece piece) noexcept
        : text_(std::move(piece.text)),
          borrowed_(piece.lasting),
          is_lasting_(!piece.lasting.empty()),
          range_(std::move(piece.range)) {}

    [[nodiscard]] bool is_file() const noexcept { return range_.fd() >= 0; }
    [[nodiscard]] bool is_empty() const noexcept { return is_file() ? range_.length == 0 : text().empty(); }
    /// Of a text: what is left to be sent.
    [[nodiscard]] std::string_view text() const noexcept {
        return (borrowed_.empty() ? std::string_view(text_) : borrowed_).substr(taken_);
    }
    [[nodiscard]] FileRange& range() noexcept { return range_; }
    void take(std::size_t size) noexcept { taken_ += size; }
    /// If the socket does not accept a borrowed text, more than this many bytes of it stay with their owner:
    /// they are not kept, nor are the pieces behind them.
    void leave_beyond(std::size_t most) noexcept { most_kept_ = most; }
    [[nodiscard]] bool is_left() const noexcept { return text().size() > most_kept_; }
    /// What it is from now on, on its own: what is left of it.
    [[nodiscard]] OutputPiece kept() {
        return borrowed_.empty() || is_lasting_ ? std::move(*this) : OutputPiece(std::string(text()));
    }
    OutputPiece* next = nullptr;  // sent behind this one
    /// The memory that it keeps.
    [[nodiscard]] std::size_t held_bytes() const noexcept { return text_.size(); }

  private:
    std::string text_;
    std::string_view borrowed_;
    bool is_lasting_ = false;  // what is borrowed is there for as long as the program
    std::size_t taken_ = 0;
    std::size_t most_kept_ = std::string_view::npos;
    FileRange range_;
};

/// Bytes that the socket did not accept. There are no pieces if all of these bytes stay with their owner.
struct UnsentOutput {
    OwningList<OutputPiece> pieces;
    TimePoint since;
    std::uint64_t sent = 0;  // of the answers that it belongs to
    RateLimit rate;

    /// Of the texts in it.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        std::uint64_t sum = 0;
        for (const OutputPiece* each = pieces.first(); each != nullptr; each = each->next) {
            sum += each->text().size();
        }
        return sum;
    }
};

class Output {
  public:
    /// `paused`: the socket has accepted much of a file, and other connections have their turn now.
    enum class Result : std::uint8_t { sent, blocked, paused, failed };

    [[nodiscard]] bool has_unsent() const noexcept { return unsent_ != nullptr; }
    [[nodiscard]] UnsentOutput& unsent() const noexcept { return *unsent_; }

    /// The memory that belongs to this connection alone.
    [[nodiscard]] std::size_t held_bytes() const noexcept {
        std::size_t sum = 0;
        if (has_unsent()) {
            const OutputPiece* each = unsent_->pieces.first();
            for (; each != nullptr; each = each->next) sum += each->held_bytes();
        }
        return sum;
    }

    /// Sends the unsent bytes, or else the gathered ones, and empties the buffer. Bytes that the socket does
    /// not accept become unsent.
    Result flush(Socket& socket, ByteBuffer& gathered) {
        if (has_unsent()) return flush_unsent(socket);
        return gathered.empty() ? Result::sent : flush_with(socket, gathered, nullptr);
    }

    /// Sends the gathered bytes and the pieces behind them. The pieces are moved from, not copied; of a
    /// borrowed piece the rest is copied, unless it stays with its owner. Not while anything is unsent.
    Result flush_with(Socket& socket, ByteBuffer& gathered, OutputPiece* pieces) {
        Sending sending{gathered.view(), pieces};
        const Result result = sending.run(socket);
        if (result == Result::blocked || result == Result::paused) keep(socket, sending);
        gathered.clear();
        return result;
    }

    /// Forgets the unsent bytes: another object sends them.
    void forget_unsent() noexcept { unsent_.reset(); }

    /// Sends this behind what is unsent.
    void append_unsent(std::string text) { unsent_->pieces.push_back(new OutputPiece(std::move(text))); }

  private:
    /// The progress of a send of a text and the pieces behind it.
    struct Sending {
        std::string_view text;
        OutputPiece* pieces;
        std::uint64_t sent = 0;
        std::uint64_t file_bytes_left = most_of_files;

        Result run(Socket& socket) {
            for (;;) {
                skip_what_is_sent();
                if (text.empty() && pieces == nullptr) return Result::sent;
                const SysResult result = send_next(socket);
                if (result.would_block()) {
                    socket.blocked(writable);
                    return Result::blocked;
                }
                if (!result.ok()) return result.error == took_enough ? Result::paused : Result::failed;
                sent += static_cast<std::uint64_t>(result.value);
            }
        }

      private:
        static constexpr int took_enough = ECANCELED;  // no send gives it
        // Of files at a time; much less where that waits for a disk, which may be slow.
        static constexpr std::uint64_t most_of_files = 512 * 1024;
        static constexpr std::uint64_t most_from_disk = 64 * 1024;
        static constexpr std::uint64_t most_ahead = 1024 * 1024;

        void skip_what_is_sent() noexcept {
            if (!text.empty()) return;
            while (pieces != nullptr && pieces->is_empty()) pieces = pieces->next;
        }

        SysResult send_next(Socket& socket) noexcept {
            if (pieces == nullptr) return send_text(socket);
            return text.empty() && pieces->is_file() ? send_range(socket) : send_texts(socket);
        }

        SysResult send_range(Socket& socket) noexcept {
            if (file_bytes_left == 0) return {-1, took_enough};
            FileRange& range = pieces->range();
            const std::uint64_t before = range.offset;
            const std::uint64_t most = bytes_at_once(range);
            if (most == 0) return {-1, took_enough};
            const SysResult result = socket.send_file(range.fd(), range.offset, cast_to<std::size_t>(most));
            range.length -= range.offset - before;
            file_bytes_left -= range.offset - before;
            // The file was truncated meanwhile: its answer cannot be completed.
            return result.ok() && result.value == 0 ? SysResult{-1, EIO} : result;
        }

        // How much may be sent now: as much as is in memory. If that is nothing, the system is asked to read
        // ahead, and other connections have their turn. In its next turn, this connection waits for a small
        // part, and for one only. For a small part at the start of a turn, a probe does not pay.
        std::uint64_t bytes_at_once(FileRange& range) noexcept {
            const std::uint64_t most = std::min(range.length, file_bytes_left);
            const std::uint64_t sent_of_files = most_of_files - file_bytes_left;
            if (sent_of_files + most <= most_from_disk) return most;
            const std::uint64_t in_memory = bytes_in_memory(range, most);
            if (in_memory != 0) return in_memory;
            if (range.asked_to <= range.offset) {
                sys::read_ahead(range.fd(), range.offset, most_ahead);
                range.asked_to = range.offset + most_ahead;
                return 0;
            }
            if (sent_of_files != 0) return 0;
            file_bytes_left = most_from_disk;
            return std::min(most, most_from_disk);
        }

        // How much of its next `most` bytes is in memory. The first byte is probed and the last one of each
        // step: the system reads a file in larger pieces than pages, so that a hole seldom lies between them.
        static std::uint64_t bytes_in_memory(const FileRange& range, std::uint64_t most) noexcept {
            constexpr std::uint64_t step = most_from_disk;
            if (sys::waits_for_disk(range.fd(), range.offset)) return 0;
            for (std::uint64_t found = 0; found < most; found += step) {
                const std::uint64_t next = std::min(found + step, most);
                if (sys::waits_for_disk(range.fd(), range.offset + next - 1)) return found;
            }
            return most;
        }

        SysResult send_text(Socket& socket) noexcept {
            const SysResult result = socket.send(text.data(), text.size());
            if (result.ok()) text.remove_prefix(static_cast<std::size_t>(result.value));
            return result;
        }

        SysResult send_texts(Socket& socket) noexcept {
            constexpr std::size_t most = 8;
            iovec vectors[most];
            std::size_t count = 0;
            const auto add = [&](std::string_view each) {
                // A send does not write through the pointer; iovec is only not const because readv shares it.
                if (!each.empty()) vectors[count++] = {const_cast<char*>(each.data()), each.size()};
            };
            add(text);
            const OutputPiece* each = pieces;
            for (; each != nullptr && !each->is_file() && count < most; each = each->next) add(each->text());
            const int flags = each != nullptr ? sys::more_follows : 0;
            const SysResult result = socket.send(vectors, count, flags);
            if (result.ok()) take(static_cast<std::size_t>(result.value));
            return result;
        }

        void take(std::size_t size) noexcept {
            const std::size_t of_text = std::min(size, text.size());
            text.remove_prefix(of_text);
            size -= of_text;
            for (OutputPiece* each = pieces; size > 0; each = each->next) {
                const std::size_t of_piece = std::min(size, each->text().size());
                each->take(of_piece);
                size -= of_piece;
            }
        }
    };

    void keep(Socket& socket, Sending& sending) {
        unsent_ = OwningPtr<UnsentOutput>(new UnsentOutput);
        unsent_->since = socket.watch().reactor().now();
        unsent_->sent = sending.sent;
        if (!sending.text.empty()) unsent_->pieces.push_back(new OutputPiece(std::string(sending.text)));
        for (OutputPiece* each = sending.pieces; each != nullptr && !each->is_left(); each = each->next) {
            if (!each->is_empty()) unsent_->pieces.push_back(new OutputPiece(each->kept()));
        }
    }

    Result flush_unsent(Socket& socket) {
        OwningList<OutputPiece>& pieces = unsent_->pieces;
        Sending sending{{}, pieces.first()};
        const Result result = sending.run(socket);
        unsent_->sent += sending.sent;
        while (!pieces.empty() && pieces.first()->is_empty()) static_cast<void>(pieces.take_front());
        if (result == Result::sent) unsent_.reset();
        return result;
    }

    OwningPtr<UnsentOutput> unsent_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
