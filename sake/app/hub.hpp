// Hub: messages under topics, published from any thread and read by any number of subscribers. A subscriber
// that reconnects can continue where it stopped. hub_serve.hpp sends messages to clients.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/app/hub_waiter.hpp"
#include "sake/app/json_check.hpp"
#include "sake/async/task.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_types.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Context;

namespace detail {
class HubCore;
class HubPump;
struct HubFrom;
struct HubItem;
struct HubPost;
struct HubReader;
}  // namespace detail

/// What happens to a subscriber that is so slow that a message it has not read must leave the ring.
enum class SlowSubscriber {
    drop_oldest,  // it misses messages, and is told how many
    close,        // its subscription ends
};

/// How much a Hub keeps. The largest value of a field's type means "no limit".
struct HubOptions {
    int messages = 1000;              // of each topic, for subscribers that are slow or reconnect
    std::size_t bytes = 1024 * 1024;  // of each topic; the newest message is always kept
    SlowSubscriber slow = SlowSubscriber::drop_oldest;
    // Topics without subscribers are kept for subscribers that reconnect. Beyond these limits, the topics
    // that were used longest ago are dropped.
    int topics = 10'000;
    std::size_t unused_bytes = 64 * 1024 * 1024;  // of all topics without subscribers
};

/// The text of a message: a view that converts to std::string. Valid while a copy of the message lives.
class HubText : public std::string_view {
  public:
    HubText() = default;
    explicit HubText(std::string_view text) noexcept : std::string_view(text) {}
    operator std::string() const { return std::string(data(), size()); }  // NOLINT: the purpose of this class
};

/// A message as a subscriber receives it. Copies are cheap: all share one text.
class HubMessage {
  public:
    HubMessage(const HubMessage&) noexcept;
    HubMessage(HubMessage&&) noexcept;
    HubMessage& operator=(const HubMessage&) noexcept;
    HubMessage& operator=(HubMessage&&) noexcept;
    ~HubMessage();

    HubText topic;
    std::uint64_t id = 0;
    HubText data;
    /// True for a report that messages are missing before the next one. It was not published, and its `data`
    /// is empty. A subscriber can continue from its id.
    bool is_stale = false;
    /// How many messages are missing; 0 if the number is not known.
    std::uint64_t lost = 0;

  private:
    friend class Subscription;
    explicit HubMessage(detail::HubItem item) noexcept;

    detail::CountedPtr<const detail::HubPost> post_;
};

/// The messages of one topic from some moment on, for one reader: at most one `next` waits at a time. It may
/// be made on one thread and read on another, and it may outlive its hub. Do not destroy it while its `next`
/// is awaited. Movable, not copyable; its destructor ends the subscription.
class [[nodiscard("the subscription ends at once")]] Subscription {
    class NextWait;

  public:
    Subscription(Subscription&&) noexcept;
    Subscription& operator=(Subscription&&) noexcept;
    ~Subscription();

    /// Waits for the next message. Returns std::nullopt when the hub is closed and all messages are read, or
    /// when this subscription was closed because it was too slow. Throws Cancelled, and then has consumed no
    /// message.
    detail::Operation<NextWait, Subscription&> next() noexcept;
    /// The next message if one is there, without waiting.
    [[nodiscard]] std::optional<HubMessage> try_next();

    /// Whether the subscription was closed because it was too slow: see SlowSubscriber::close.
    [[nodiscard]] bool was_too_slow() const noexcept;

  private:
    friend class Hub;
    friend class detail::HubPump;
    explicit Subscription(detail::OwningPtr<detail::HubReader> reader) noexcept;
    [[nodiscard]] static std::optional<HubMessage> take(detail::HubReader& reader);

    detail::OwningPtr<detail::HubReader> reader_;
};

/// Passes messages from publishers on any thread to all subscribers of a topic:
///
///     Hub hub;
///     hub.publish("prices", "7.20");                 // anywhere
///     Subscription prices = hub.subscribe("prices");
///     while (auto message = co_await prices.next()) use(message->data);
///
/// All subscribers of a topic see the same messages in the same order. Messages of one publisher keep its
/// order. A topic keeps its newest messages. A subscriber that is slow, or that reconnects and names the last
/// message it received, continues after it. If messages in between were dropped, the subscriber first
/// receives a message that `is_stale`.
///
/// Ids grow from message to message, over all topics. They also grow over a restart of the program, because
/// they begin with the time of day. If the clock is set back over a restart, new ids are below the old
/// ones, and an old id counts as unknown. Messages do not survive a restart.
class Hub {
  public:
    /// Throws std::invalid_argument that names an invalid option.
    explicit Hub(const HubOptions& options = {});
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;
    /// Closes the hub.
    ~Hub();

    /// Sends a message to all subscribers of the topic and returns its id; 0 if the hub is closed. From any
    /// thread. Never waits for a subscriber.
    std::uint64_t publish(std::string_view topic, std::string text);
    /// The same with a value as JSON text: hub.publish("prices", Json{{"tea", 7.2}}). A text value is
    /// published with quotes.
    template <std::same_as<Json> Value>
    std::uint64_t publish(std::string_view topic, const Value& value) {
        return publish(topic, dump_json<Value>(value));
    }
    template <detail::HasShape T>
        requires(!std::convertible_to<const T&, std::string_view>)
    std::uint64_t publish(std::string_view topic, const T& value) {
        return publish(topic, dump_json(value));
    }
    template <detail::HasNoJson T>
        requires(!std::convertible_to<const T&, std::string_view>)
    std::uint64_t publish(std::string_view, const T&) {
        detail::refuse_json<T>();
        return 0;
    }

    /// The messages of a topic after the one with this id; with 0, those published from now on. An id
    /// outside the range of this hub, below its first or above its newest, is taken as an id of an earlier
    /// run: all kept messages follow, after a message that `is_stale`, because nobody knows what came in
    /// between. From any thread.
    [[nodiscard]] Subscription subscribe(std::string_view topic, std::uint64_t after_id = 0);

    /// A complete endpoint of server-sent events. Sends the messages of a topic, each with its id. A client
    /// that reconnects continues after the last message it received (Last-Event-ID; ignored unless it is a
    /// number). A message that is_stale becomes an event named "stale" with the data {"lost":3}, or
    /// {"lost":null} if the number is unknown. Ends when the hub is closed, or when this client was too slow
    /// for SlowSubscriber::close.
    ///
    ///     app.get("/prices", [&hub](Context& ctx) { return hub.serve(ctx, "prices"); });
    template <std::convertible_to<std::string_view> Topic>
    Task<> serve(Context& ctx, const Topic& topic) {
        return serve_topic(ctx, std::string(std::string_view(topic)));
    }

    /// Accepts no further messages. Subscribers receive the remaining messages, and then std::nullopt. A
    /// second call has no effect.
    void close() noexcept;
    [[nodiscard]] bool is_closed() const noexcept;

    /// The number of topics that the hub knows, and of subscribers to one of them.
    [[nodiscard]] int topics() const noexcept;
    [[nodiscard]] int subscribers(std::string_view topic) const noexcept;

  private:
    friend struct detail::HubFrom;
    Hub(const HubOptions& options, std::uint64_t before_first_id);

    template <class = void>
    Task<> serve_topic(Context& ctx, std::string topic);

    detail::CountedPtr<detail::HubCore> core_;
};

namespace detail {

/// For tests: a Hub whose first message has the id after this one, whatever the clock shows.
struct HubFrom {
    std::uint64_t before_first_id;
    [[nodiscard]] OwningPtr<Hub> make(const HubOptions& options = {}) const {
        return OwningPtr<Hub>(new Hub(options, before_first_id));
    }
};

}  // namespace detail

class [[nodiscard]] Subscription::NextWait final : public detail::Wait, public detail::HubWaiter {
  public:
    explicit NextWait(Subscription& subscription) noexcept : reader_(subscription.reader_.get()) {}
    ~NextWait();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (!must_wait()) return give_way(coroutine);
        find_group(coroutine.promise().fiber->reactor());
        if (!suspend(coroutine)) return false;
        enter_group();
        return true;
    }
    [[nodiscard]] std::optional<HubMessage> await_resume();
    [[nodiscard]] bool is_served() const noexcept override { return has_next(); }
    void go_on() noexcept override { finish(); }
    void describe(std::string& out) const override { out += "a message of a Hub"; }

  private:
    bool withdraw() noexcept override {
        unlink();
        return true;
    }
    [[nodiscard]] bool has_next() const noexcept;
    [[nodiscard]] bool must_wait() const noexcept;
    void find_group(Reactor& reactor);
    void enter_group() noexcept;

    detail::HubReader* reader_;
    bool is_waiting_here_ = false;
};

}  // namespace SAKE_ABI
}  // namespace sake
