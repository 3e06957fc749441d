// The two streams of an HTTP/1 connection while a handler runs: its answer in pieces, and the body of its
// request. h1_answer_stream.hpp and h1_body_source.hpp have the functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/app/answered.hpp"
#include "sake/app/answerer.hpp"
#include "sake/app/body_encoder.hpp"
#include "sake/app/body_source.hpp"
#include "sake/async/poller.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/maybe.hpp"
#include "sake/server/output.hpp"
#include "sake/server/rate_limit.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Shard;
class Transport;
class Turn;
struct H1Exchange;

/// Both streams share a socket. Each waits for at most one direction of it.
class H1Stream {
  public:
    explicit H1Stream(H1Exchange& exchange) noexcept : exchange_(exchange) {}

    /// The handlers have ended: no task of theirs may wait here any more.
    void close() noexcept;
    /// Whether the server, not the client, ended the connection.
    [[nodiscard]] bool was_given_up() const noexcept { return is_given_up_; }

  protected:
    ~H1Stream() = default;

    void attach(Shard& shard, Transport& transport) noexcept {
        shard_ = &shard;
        transport_ = &transport;
        is_lost_ = is_given_up_ = false;
    }
    [[nodiscard]] TimePoint now() const noexcept;
    /// Throws Cancelled if the handler was cut off, std::logic_error if another task of it waits here.
    void require_use(const char* what) const;
    /// The client has disconnected, or the connection is broken: the timers that come next cancel the
    /// handler.
    void lose() noexcept;
    /// The same for a client that is too slow or needs too much memory.
    void give_up_client() noexcept {
        is_given_up_ = true;
        lose();
    }
    TimePoint wake_when(Readiness direction, ClientWait& wait, TimePoint due) noexcept;
    TimePoint wake_after_others(ClientWait& wait) noexcept;
    void stop_waking() noexcept;
    /// Calls `work(turn)` and ends the turn. Exceptions pass; then the input is lost, and the answer is the
    /// last of the connection.
    template <class Work>
    auto in_turn(Work work);

    H1Exchange& exchange_;
    Shard* shard_ = nullptr;
    Transport* transport_ = nullptr;
    ClientWait* waiting_ = nullptr;
    Maybe<Readiness> awaited_;  // what the socket was told to wait for
    bool is_lost_ = false;
    bool is_given_up_ = false;  // it is lost by the server's choice
};

/// A streamed answer: chunks, or for HTTP/1.0 everything up to the end of the connection. Bytes for which
/// write returned true are in the socket. A cancelled write may leave a small unsent rest of one chunk; if
/// more of its bytes are left, the answer is broken.
class H1AnswerStream final : public Answerer, private H1Stream {
  public:
    using H1Stream::close;
    using H1Stream::H1Stream;
    using H1Stream::was_given_up;

    void open(Shard& shard, Transport& transport) noexcept {
        attach(shard, transport);
        state_ = State::whole;
        sent_ = taken_ = 0;
        taken_in_time_ = 0;
        owed_ = 0;
        rate_ = {};
        began_at_ = waited_to_ = {};
        farewell.clear();
        encoder.reset();
    }

    bool write(std::string_view& bytes) override;
    [[nodiscard]] TimePoint wait_for_room(ClientWait& wait) override;
    void stop_waiting() noexcept override {
        waited_to_ = now();
        stop_waking();
    }
    TimePoint prolong_or_give_up() noexcept override;
    [[nodiscard]] const Config& config() const noexcept override;

    /// The handlers have ended: appends the rest of an answer that has begun. False if the answer is cut.
    [[nodiscard]] bool end(Turn& turn);
    /// Why a cut answer was cut.
    [[nodiscard]] AnswerCause cause_of_cut() const noexcept;
    /// Of an answer that has begun: whether the connection closes after it.
    [[nodiscard]] bool closes() const noexcept { return closes_; }
    /// Whether only the end of the connection marks the end of this answer.
    [[nodiscard]] bool ends_with_connection() const noexcept { return !is_chunked_; }
    /// How many bytes of the body were sent, and the status before them.
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
    [[nodiscard]] int status() const noexcept { return status_; }

  private:
    void append_head(Turn& turn);
    bool send(Turn& turn, std::string_view& bytes);
    Output::Result send_chunk(Turn& turn, std::string_view& bytes);
    Output::Result send_encoded(Turn& turn, std::string_view& bytes);
    void append_piece(Turn& turn, std::string_view piece, BodyEncoder::Behind behind);
    void append_bytes(Turn& turn, std::string_view bytes);
    void note_what_client_takes() noexcept;

    std::uint64_t sent_ = 0;
    std::uint64_t taken_in_time_ = 0;  // by the client, from the kernel's buffers, since it was given time
    std::uint64_t taken_ = 0;          // of this, by the client, when it was last waited for
    RateLimit rate_;                   // of the whole answer, or each piece would have a grace of its own
    TimePoint began_at_{};             // the first wait for the client
    TimePoint waited_to_{};            // the end of the last
    int status_ = 0;
    bool closes_ = false;
    bool is_chunked_ = true;
};

/// The body of a request whose handler reads it in pieces. A piece is the result of one recv.
class H1BodySource final : public BodySource, private H1Stream {
  public:
    using H1Stream::close;
    using H1Stream::H1Stream;
    using H1Stream::was_given_up;

    void open(Shard& shard, Transport& transport) noexcept;

    bool try_read(std::optional<std::string_view>& piece) override;
    [[nodiscard]] TimePoint wait_for_more(ClientWait& wait) override;
    void stop_waiting() noexcept override {
        waited_to_ = now();
        stop_waking();
    }
    void give_up() override;

    /// Whether more of the body is still to come.
    [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }
    /// When the handler read the end of the body.
    [[nodiscard]] TimePoint ended_at() const noexcept { return ended_at_; }
    /// Whether the body was too slow.
    [[nodiscard]] bool was_slow() const noexcept { return state_ == State::slow; }
    /// The handlers have ended: drops a small rest that is here. True if nothing of the body is left, so that
    /// the connection may continue.
    [[nodiscard]] bool finish(Turn& turn);

  private:
    enum class State : std::uint8_t {
        open,     // more is to come
        ended,    // all of it was read
        refused,  // it is too large or malformed
        slow      // it did not come in time
    };

    bool read(Turn& turn, std::optional<std::string_view>& piece);
    bool receive(Turn& turn);
    [[noreturn]] void refuse(State why, int status, std::string_view reason);

    State state_ = State::ended;
    int refusal_status_ = 0;
    std::string refusal_reason_;
    TimePoint ended_at_{};
    TimePoint began_at_{};   // the first wait for the client
    TimePoint waited_to_{};  // the end of the last
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
