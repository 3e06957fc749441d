// WsLink: a WebSocket connection, on whichever side it is: what it reads, what it sends, when it pings, and
// how it closes. What the bytes mean is in http/ws_reader.hpp. The server's is a session as well, see
// server/ws_session.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/port.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/ws_close.hpp"
#include "sake/http/ws_frame.hpp"
#include "sake/http/ws_reader.hpp"
#include "sake/io/socket.hpp"
#include "sake/websocket/websocket.hpp"
#include "sake/websocket/ws_box.hpp"
#include "sake/websocket/ws_buffers.hpp"
#include "sake/websocket/ws_codec.hpp"
#include "sake/websocket/ws_pump.hpp"
#include "sake/websocket/ws_terms.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Made by new, it deletes itself when the connection has ended and nothing of the program has it any more.
///
///   state      what happens                                               goes on to
///   open       messages in both directions                                closing, ending, over
///   closing    this side has said Close and waits for the other to say    ending, over
///              so; messages that come are dropped
///   ending     both have, or this side had to end it: nothing more is     over
///              sent behind what is unsent; what comes is dropped, until
///              the other side ends the connection, for a moment at most
///   over       the socket is closed
///
/// Reading: as long as a message waits for `receive`, nothing more is read, so that a client is read as fast
/// as the program goes. Time in which this side does not read does not count as silence.
class WsLink : protected Resumable, private Timer {
  public:
    WsLink(Reactor& reactor, FileDescriptor descriptor, OwningPtr<Wire> wire, const WsTerms& terms,
           const WsAgreement& agreed);
    WsLink(const WsLink&) = delete;
    WsLink& operator=(const WsLink&) = delete;

    /// Begins, with bytes that came behind the handshake, and those of the handshake that have yet to leave.
    void begin(std::string_view early_input, std::string_view unsent);

    // --- For what has it: the WebSocket, the handler that runs, each subscription ---

    void add_holder() noexcept { ++holders_; }
    void drop_holder() noexcept;
    /// The program has let go of it: closes in order, with this code.
    void let_go(int code, std::string_view reason) noexcept;

    [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }
    [[nodiscard]] bool has_ended() const noexcept { return state_ >= State::ending; }
    /// Whether `receive` has something to give, or never will.
    [[nodiscard]] bool has_news() const noexcept { return message_ || state_ != State::open; }
    /// Whether the other side has so much to read that sending should wait.
    [[nodiscard]] bool is_held_up() const noexcept { return unsent_bytes() > most_unsent; }
    [[nodiscard]] int close_code() const noexcept { return close_code_; }
    [[nodiscard]] std::string_view close_reason() const noexcept;
    [[nodiscard]] std::string_view protocol() const noexcept;
    [[nodiscard]] bool is_compressed() const noexcept { return codec() != nullptr; }
    [[nodiscard]] const WebSocketOptions& options() const noexcept { return terms_.options; }
    [[nodiscard]] Reactor& reactor() noexcept { return watch().reactor(); }

    /// Reads until a message is there, or nothing more is.
    void read_on();
    /// After has_news: the message, if there is one.
    [[nodiscard]] std::optional<Message> take_message();
    /// Before the program waits: what has gathered leaves.
    void before_waiting() noexcept;
    /// For a coroutine in `receive`: what it waits by. Throws std::logic_error if another waits.
    [[nodiscard]] WsReceiveWait& begin_receive();
    /// It goes on: whether it was cancelled.
    [[nodiscard]] bool end_receive() noexcept {
        const bool was_cancelled = receive_.end_use();
        if (is_finished()) look_again();
        return was_cancelled;
    }
    void add_waiter(WsWait& waiter) { waiter.insert_before(extras().waiters); }

    /// The program wants no more of what comes.
    void drop_message() noexcept { message_.reset(); }
    /// Sends a message. False if it is not open. Throws std::bad_alloc.
    bool send(bool is_text, std::string_view payload);
    /// The same for a coroutine: the second time that it is not open, throws Cancelled.
    bool send_or_end(bool is_text, std::string_view payload);
    /// The same of a text that many are sent, one after the other.
    bool send_published(std::string_view payload);
    /// Ends it now.
    void lose() noexcept;
    /// Says Close, once.
    void say_close(int code, std::string_view reason);

    /// Sends what a box holds for it.
    void send_post(const WsPost& post) noexcept;
    /// Of this link, made at the first call. From any thread.
    [[nodiscard]] CountedPtr<WsBox> box();
    /// The subscriptions, made at the first call.
    [[nodiscard]] WsPumps& pumps() { return extras().pumps; }
    /// Null if they were not made.
    [[nodiscard]] WsPumps* pumps_if_any() const noexcept { return extras_ ? &extras_->pumps : nullptr; }

  protected:
    enum class State : std::uint8_t { open, closing, ending, over };

    virtual ~WsLink() { leave(); }

    /// A turn begins.
    virtual void begin_turn() noexcept {}
    /// Records how many bytes are held for it. False if the budget is exceeded.
    virtual bool account(std::size_t) noexcept { return true; }
    [[nodiscard]] virtual std::chrono::milliseconds write_timeout() const noexcept = 0;
    /// That of its reactor. From any thread; a link that may outlive its reactor keeps its own.
    [[nodiscard]] virtual const CountedPtr<Port>& port() const noexcept { return buffers_.port; }
    [[nodiscard]] virtual bool is_draining() const noexcept { return false; }
    /// It is over; may run code of the program, and may be called more than once.
    virtual void has_become_over() noexcept {}
    /// A message was read, or sent.
    virtual void count_received(std::size_t) noexcept {}
    virtual void count_sent(std::size_t) noexcept {}

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] Watch& watch() noexcept { return socket_.watch(); }
    [[nodiscard]] bool has_unsent() const noexcept { return unsent() != nullptr; }
    [[nodiscard]] Socket& socket() noexcept { return socket_; }
    /// Since when it is in its state, or has heard of the other side.
    [[nodiscard]] TimePoint since() const noexcept { return since_; }
    /// Ends it: says why, and gives the other side a moment to read that.
    void break_off(int code, std::string_view reason) noexcept;
    [[nodiscard]] bool has_holder() const noexcept { return holders_ != 0; }
    /// The bytes that are held for it now.
    [[nodiscard]] std::size_t held_bytes() const noexcept;
    [[nodiscard]] bool is_finished() const noexcept {
        return state_ == State::over && holders_ == 0 && !receive_.is_in_use();
    }
    /// It has less time from now on, since the server drains.
    void hurry() noexcept;
    /// For a reactor that resumes nothing any more.
    void end_pumps() noexcept {
        if (extras_) extras_->pumps.clear();
    }
    /// The reactor ends: what has gathered leaves, and the socket closes. A holder may stay.
    void end_with_reactor() noexcept;

  private:
    /// Input for which the program is not ready.
    struct Held {
        std::string bytes;
        std::size_t begin = 0;  // of what was not read yet
    };
    /// What the socket has not taken.
    struct Unsent {
        std::string bytes;
        std::size_t sent = 0;
        TimePoint due;  // for more to be taken
    };
    /// What only some connections have, or only at times. Once made, it stays.
    struct Extras {
        OwningPtr<Held> held;
        OwningPtr<Unsent> unsent;
        OwningPtr<WsCodec> codec;
        bool shares_published = false;  // what it deflates for one is good for all of them
        std::string words;              // the subprotocol, or in the end the reason of the Close
        ListNode waiters;               // for room to send, or for the end
        WsPumps pumps;
    };
    static constexpr std::size_t most_unsent = 64 * 1024;

    [[nodiscard]] Extras& extras() {
        if (!extras_) extras_.reset(new Extras);
        return *extras_;
    }
    [[nodiscard]] WsRole role() const noexcept { return terms_.rules.role; }
    [[nodiscard]] bool shares_published() const noexcept { return extras_ && extras_->shares_published; }
    [[nodiscard]] Held* held() const noexcept { return extras_ ? extras_->held.get() : nullptr; }
    [[nodiscard]] Unsent* unsent() const noexcept { return extras_ ? extras_->unsent.get() : nullptr; }
    [[nodiscard]] WsCodec* codec() const noexcept { return extras_ ? extras_->codec.get() : nullptr; }

    void resume() override { take_turn(); }
    void leave() noexcept;
    void take_turn() noexcept;
    void work() noexcept;
    void go_on();

    // Reading.
    [[nodiscard]] bool reads() const noexcept {
        return state_ == State::ending || (state_ != State::over && !message_);
    }
    [[nodiscard]] std::string_view receive();
    void take(std::string_view& input);
    void keep_message(WsContent& content);
    void take_close(const WsContent& content);
    void hear();
    void hold(OwningPtr<Held> held, std::string_view input);
    void await_input() noexcept;

    // Sending.
    void send_frame(WsOpcode opcode, std::string_view payload, bool is_compressed = false);
    void send_directly(std::string_view head, std::string_view payload);
    void put(std::string_view bytes, std::uint32_t mask = 0);
    void put_some(std::string_view bytes, std::uint32_t mask, std::size_t offset);
    void begin_gathering();
    void keep_unsent(std::string_view bytes);
    void await_room() noexcept;
    void note_progress() noexcept;
    void flush() noexcept;
    [[nodiscard]] bool send_now(std::string_view& bytes);
    void flush_unsent();
    void end_output() noexcept;
    [[nodiscard]] bool is_gatherer() const noexcept {
        return state_ != State::over && buffers_.gatherer == this;
    }
    [[nodiscard]] std::size_t unsent_bytes() const noexcept {
        return !has_unsent() ? 0 : unsent()->bytes.size() - unsent()->sent;
    }

    // Time.
    static void due(Timer& timer) noexcept;
    void on_time();
    void set_time(TimePoint moment);
    [[nodiscard]] TimePoint next_look() noexcept;
    [[nodiscard]] bool is_write_due() noexcept { return has_unsent() && now() >= unsent()->due; }
    [[nodiscard]] TimePoint now() noexcept { return reactor().now(); }

    void become(State state) noexcept;
    void end_reading() noexcept;
    void set_words(std::string_view words);
    void tell_receiver() noexcept {
        if (receive_.is_waiting()) receive_.finish();
    }
    void tell_waiters() noexcept;
    void account_all() noexcept;
    void look_again() noexcept { wake(reactor()); }

    std::uint32_t holders_ = 0;  // first, where Timer has room for it
    Socket socket_;
    WsBuffers& buffers_;
    const WsTerms& terms_;
    WsReader reader_;
    WsReceiveWait receive_;
    OwningPtr<Message> message_;  // until it is received; meanwhile nothing more is read
    TimePoint since_;
    OwningPtr<Extras> extras_;
    std::atomic<WsBox*> box_ = nullptr;
    std::uint16_t close_code_ = 0;
    State state_ = State::open;
    std::atomic<bool> has_closed_ = false;  // for boxes that are made later
    bool is_pinged_ = false;                // and has not been heard of since
    bool has_ended_output_ = false;
    bool has_refused_ = false;  // to send, once: see WebSocket::send
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
