// Hub: messages under topics, published on any thread and read by any number of subscribers, with what a
// subscriber needs who was away for a while. Not here: how they are sent to clients (hub_serve.hpp).
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/hub_core.hpp"
#include "sake/async/task.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Context;

namespace detail {
struct HubFrom;
}

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
    explicit HubMessage(detail::HubItem item) noexcept
        : topic(item.post->topic),
          id(item.post->id),
          data(item.post->data),
          is_stale(item.is_stale),
          lost(item.lost),
          post_(std::move(item.post)) {}

    detail::HubRing::Post post_;
};

/// The messages of one topic, from some moment on, for one reader: at most one `next` at a time. It may be
/// made on one thread and read on another, and outlive its hub. It must not be destroyed while its `next` is
/// awaited. It can be moved, not copied; its destructor ends it.
class [[nodiscard("the subscription ends at once")]] Subscription {
    class NextWait;

  public:
    Subscription(Subscription&&) noexcept = default;
    Subscription& operator=(Subscription&&) noexcept = default;
    ~Subscription() = default;

    /// Waits for the next message; gives nothing once the hub is closed and all is read, or this subscription
    /// was closed because it was too slow. Throws Cancelled, and then has taken nothing.
    [[nodiscard]] detail::Operation<NextWait, Subscription&> next() noexcept;
    /// The next message if it is there.
    [[nodiscard]] std::optional<HubMessage> try_next();

    /// Whether it was closed because it was too slow: see SlowSubscriber::close.
    [[nodiscard]] bool was_too_slow() const noexcept { return reader_ != nullptr && reader_->is_too_slow; }

  private:
    friend class Hub;
    explicit Subscription(detail::OwningPtr<detail::HubReader> reader) noexcept
        : reader_(std::move(reader)) {}
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
    explicit Hub(const HubOptions& options = {}) : Hub(options, detail::HubCore::id_of_this_moment()) {}
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;
    /// Closes it.
    ~Hub() { core_->close(); }

    /// Hands a message to all who subscribe to the topic, and returns its id; 0 if the hub is closed. From
    /// any thread. Never waits for a subscriber.
    std::uint64_t publish(std::string_view topic, std::string text) {
        return core_->publish(topic, std::move(text));
    }
    /// The same with a value as JSON text: hub.publish("prices", Json{{"tea", 7.2}}). Text in it has quotes.
    template <std::same_as<Json> Value>
    std::uint64_t publish(std::string_view topic, const Value& value) {
        return core_->publish(topic, dump_json<Value>(value));
    }

    /// The messages of a topic after the one with this id; with 0, those that are published from now on. An
    /// id that this hub has not given out, below its first or above its newest, is taken for one of an
    /// earlier run: everything that is kept follows, after a message that `is_stale`, since nobody knows what
    /// has come in between. From any thread.
    [[nodiscard]] Subscription subscribe(std::string_view topic, std::uint64_t after_id = 0) {
        detail::OwningPtr<detail::HubReader> reader(new detail::HubReader(core_));
        core_->subscribe(*reader, topic, after_id);
        return Subscription(std::move(reader));
    }

    /// A whole endpoint of server-sent events: sends the messages of a topic, each with its id, to a client
    /// that may come again and then goes on behind the last that it has seen. A message that is_stale is an
    /// event named "stale", with the data {"lost":3}, or {"lost":null} if nobody knows how many. A
    /// Last-Event-ID that is not a number is ignored. Ends when the hub is closed, or this client was too
    /// slow for SlowSubscriber::close.
    ///
    ///     app.get("/prices", [&hub](Context& ctx) { return hub.serve(ctx, "prices"); });
    template <std::convertible_to<std::string_view> Topic>
    [[nodiscard]] Task<> serve(Context& ctx, const Topic& topic) {
        return serve_topic(ctx, std::string(std::string_view(topic)));
    }

    /// Takes no more messages. Subscribers receive what there is, and then nothing. No effect the second
    /// time.
    void close() noexcept { core_->close(); }
    [[nodiscard]] bool is_closed() const noexcept { return core_->is_closed(); }

    /// How many topics it knows, and how many subscribe to one.
    [[nodiscard]] int topics() const noexcept { return static_cast<int>(core_->topics()); }
    [[nodiscard]] int subscribers(std::string_view topic) const noexcept {
        return static_cast<int>(core_->subscribers(topic));
    }

  private:
    friend struct detail::HubFrom;
    Hub(const HubOptions& options, std::uint64_t before_first_id)
        : core_(new detail::HubCore(limits_of(options), before_first_id)) {}

    template <class = void>
    Task<> serve_topic(Context& ctx, std::string topic);
    [[nodiscard]] static detail::HubLimits limits_of(const HubOptions& options) {
        using Size = std::size_t;
        return {detail::limit_of<Size>(1, options.messages, "HubOptions: messages"),
                detail::limit_of<Size>(1, options.bytes, "HubOptions: bytes"),
                detail::limit_of<Size>(0, options.topics, "HubOptions: topics"),
                detail::limit_of<Size>(0, options.unused_bytes, "HubOptions: unused_bytes"), options.slow};
    }

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
    // Still waiting only where a thread ends in the middle of it.
    ~NextWait() {
        if (is_waiting_here_) reader_->is_awaited = false;
    }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (reader_ == nullptr || reader_->is_awaited || is_served()) return give_way(coroutine);
        Reactor& reactor = coroutine.promise().fiber->reactor();
        const auto& port = reactor.template local<detail::HubPortOfReactor>().port;
        if (reader_->group == nullptr || reader_->group->port() != port) {
            reader_->group = reader_->core->group_of(*reader_->topic, port);
        }
        if (!suspend(coroutine)) return false;
        reader_->is_awaited = is_waiting_here_ = true;
        reader_->group->enter(*this);
        return true;
    }
    // Cancelled even after the wait was over, it takes nothing.
    [[nodiscard]] std::optional<HubMessage> await_resume() {
        if (std::exchange(is_waiting_here_, false)) {
            reader_->is_awaited = false;
            if (was_cancelled() || take_late_cancellation()) throw Cancelled();
        }
        throw_if_cancelled();
        if (reader_ == nullptr) return std::nullopt;
        if (reader_->is_awaited)
            throw std::logic_error("Subscription: two coroutines wait for its next message");
        return take(*reader_);
    }
    [[nodiscard]] bool is_served() const noexcept override { return reader_->is_served(); }

  private:
    detail::HubReader* reader_;
    bool is_waiting_here_ = false;
};

inline auto Subscription::next() noexcept -> detail::Operation<NextWait, Subscription&> {
    return detail::Operation<NextWait, Subscription&>(*this);
}

inline std::optional<HubMessage> Subscription::take(detail::HubReader& reader) {
    detail::HubItem item = reader.core->take(reader);
    if (item.post == nullptr) return std::nullopt;
    return HubMessage(std::move(item));
}

inline std::optional<HubMessage> Subscription::try_next() {
    if (reader_ == nullptr || !reader_->is_served()) return std::nullopt;
    return take(*reader_);
}

}  // namespace SAKE_ABI
}  // namespace sake
