// Hub: messages under topics, published on any thread and read by any number of subscribers, with what a
// subscriber needs who was away for a while. Not here: how they are sent to clients (hub_serve.hpp).
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
struct HubFrom;
struct HubItem;
struct HubPost;
struct HubReader;
}  // namespace detail

/// What becomes of a subscriber who has not taken a message when it has to leave the ring for a newer one.
enum class SlowSubscriber {
    drop_oldest,  // it loses messages, and is told how many
    close,        // its subscription ends
};

/// How much a Hub keeps. The largest value of a type means "no limit".
struct HubOptions {
    int messages = 1000;              // of each topic: for subscribers that come again or are slow
    std::size_t bytes = 1024 * 1024;  // of each topic, the newest message in any case
    SlowSubscriber slow = SlowSubscriber::drop_oldest;
    // Topics without subscribers are kept for subscribers that come again. Beyond these limits, the topics
    // that were used longest ago are forgotten.
    int topics = 10'000;
    std::size_t unused_bytes = 64 * 1024 * 1024;  // of all these topics
};

/// Text of a message, a view that becomes a std::string where one is wanted. Valid as long as a copy of the
/// message lives.
class HubText : public std::string_view {
  public:
    HubText() = default;
    explicit HubText(std::string_view text) noexcept : std::string_view(text) {}
    operator std::string() const { return std::string(data(), size()); }  // NOLINT: that is what it is for
};

/// A message as a subscriber receives it. Copying is cheap: all copies share one text.
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
    /// This is not a message that was published: it reports that some are missing before the next one. `data`
    /// is empty, and a subscriber can go on from its id.
    bool is_stale = false;
    /// How many are missing; 0 if that is not known.
    std::uint64_t lost = 0;

  private:
    friend class Subscription;
    explicit HubMessage(detail::HubItem item) noexcept;

    detail::CountedPtr<const detail::HubPost> post_;
};

/// The messages of one topic, from some moment on, for one reader: at most one `next` at a time. It may be
/// made on one thread and read on another, and outlive its hub. It must not be destroyed while its `next` is
/// awaited. It can be moved, not copied; its destructor ends it.
class [[nodiscard("the subscription ends at once")]] Subscription {
    class NextWait;

  public:
    Subscription(Subscription&&) noexcept;
    Subscription& operator=(Subscription&&) noexcept;
    ~Subscription();

    /// Waits for the next message; gives nothing once the hub is closed and all is read, or this subscription
    /// was closed because it was too slow. Throws Cancelled, and then has taken nothing.
    detail::Operation<NextWait, Subscription&> next() noexcept;
    /// The next message if it is there.
    [[nodiscard]] std::optional<HubMessage> try_next();

    /// Whether it was closed because it was too slow: see SlowSubscriber::close.
    [[nodiscard]] bool was_too_slow() const noexcept;

  private:
    friend class Hub;
    explicit Subscription(detail::OwningPtr<detail::HubReader> reader) noexcept;
    [[nodiscard]] static std::optional<HubMessage> take(detail::HubReader& reader);

    detail::OwningPtr<detail::HubReader> reader_;
};

/// Carries messages from whoever publishes, on any thread, to all who subscribe to their topic:
///
///     Hub hub;
///     hub.publish("prices", "7.20");                 // anywhere
///     Subscription prices = hub.subscribe("prices");
///     while (auto message = co_await prices.next()) use(message->data);
///
/// All subscribers of a topic see the same messages in the same order, and those of one publisher in its
/// order. A topic keeps its newest messages. A subscriber that is slow, or that was away and names the last
/// message that it has seen, goes on behind it. If messages in between are no longer kept, the subscriber
/// first receives one that `is_stale`.
///
/// Ids grow from message to message over all topics, and over a restart of the program, since they begin with
/// the time of day. If the clock is put back over a restart, the new ids are below the old ones, and an old
/// one is unknown like any other that this hub has not given out. The messages do not survive a restart.
class Hub {
  public:
    /// Throws std::invalid_argument that names an option which makes no sense.
    explicit Hub(const HubOptions& options = {});
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;
    /// Closes it.
    ~Hub();

    /// Hands a message to all who subscribe to the topic, and returns its id; 0 if the hub is closed. From
    /// any thread. Never waits for a subscriber.
    std::uint64_t publish(std::string_view topic, std::string text);
    /// The same with a value as JSON text: hub.publish("prices", Json{{"tea", 7.2}}). Text in it has quotes.
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

    /// The messages of a topic after the one with this id; with 0, those that are published from now on. An
    /// id that this hub has not given out, below its first or above its newest, is taken for one of an
    /// earlier run: everything that is kept follows, after a message that `is_stale`, since nobody knows what
    /// has come in between. From any thread.
    [[nodiscard]] Subscription subscribe(std::string_view topic, std::uint64_t after_id = 0);

    /// A whole endpoint of server-sent events: sends the messages of a topic, each with its id, to a client
    /// that may come again and then goes on behind the last that it has seen. A message that is_stale is an
    /// event named "stale", with the data {"lost":3}, or {"lost":null} if nobody knows how many. A
    /// Last-Event-ID that is not a number is ignored. Ends when the hub is closed, or this client was too
    /// slow for SlowSubscriber::close.
    ///
    ///     app.get("/prices", [&hub](Context& ctx) { return hub.serve(ctx, "prices"); });
    template <std::convertible_to<std::string_view> Topic>
    Task<> serve(Context& ctx, const Topic& topic) {
        return serve_topic(ctx, std::string(std::string_view(topic)));
    }

    /// Takes no more messages. Subscribers receive what there is, and then nothing. No effect the second
    /// time.
    void close() noexcept;
    [[nodiscard]] bool is_closed() const noexcept;

    /// How many topics it knows, and how many subscribe to one.
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

/// For tests: a Hub whose first message has the id behind this one, whatever the clock says.
struct HubFrom {
    std::uint64_t before_first_id;
    [[nodiscard]] OwningPtr<Hub> make(const HubOptions& options = {}) const {
        return OwningPtr<Hub>(new Hub(options, before_first_id));
    }
};

}  // namespace detail

class [[nodiscard]] Subscription::NextWait final : public detail::HubWaiter {
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

  private:
    [[nodiscard]] bool has_next() const noexcept;
    [[nodiscard]] bool must_wait() const noexcept;
    void find_group(Reactor& reactor);
    void enter_group() noexcept;

    detail::HubReader* reader_;
    bool is_waiting_here_ = false;
};

}  // namespace SAKE_ABI
}  // namespace sake
