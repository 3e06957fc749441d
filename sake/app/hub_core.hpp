// The inside of a Hub, shared with its subscriptions: topics and their readers. One lock guards it, held only
// to find a topic and copy a pointer.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/hub.hpp"
#include "sake/app/hub_ring.hpp"
#include "sake/app/hub_waiters.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {

/// HubOptions as the inside needs them.
struct HubLimits {
    std::size_t messages;
    std::size_t bytes;
    std::size_t topics;
    std::size_t unused_bytes;
    SlowSubscriber slow;
};

/// A topic with publishers or subscribers so far. In the list of unused topics while it has no subscribers.
struct HubTopic : ListNode {
    HubTopic(std::string_view its_name, const HubLimits& limits, std::uint64_t missing_up_to)
        : name(its_name), ring(limits.messages, limits.bytes, missing_up_to) {}

    const std::string name;
    HubRing ring;
    std::atomic<std::uint64_t> end = 0;  // of the ring, for those without the lock
    std::size_t subscribers = 0;
    Array<CountedPtr<HubGroup>> groups;  // one for each reactor where somebody has waited
};

class HubCore;

/// What a subscription has taken, and its place. Its reader alone uses it.
struct HubReader {
    explicit HubReader(CountedPtr<HubCore> of) noexcept : core(std::move(of)) {}
    HubReader(const HubReader&) = delete;
    HubReader& operator=(const HubReader&) = delete;
    ~HubReader();

    /// Whether `take` has something to give or never will.
    [[nodiscard]] bool is_served() const noexcept;
    /// The group in which it waits on this reactor.
    [[nodiscard]] HubGroup& group_on(Reactor& reactor);

    CountedPtr<HubCore> core;
    HubTopic* topic = nullptr;
    std::uint64_t next = 0;      // the number of the message that it reads next
    bool is_stale = false;       // which it has yet to be told
    bool is_too_slow = false;    // it was closed for it
    bool is_awaited = false;     // by its one reader
    CountedPtr<HubGroup> group;  // in which it waited last
};

/// What a reader is given: a message, or the news that it missed some.
struct HubItem {
    HubRing::Post post;  // none: there is nothing
    bool is_stale = false;
    std::uint64_t lost = 0;
};

class HubCore : public Counted {
  public:
    /// The time of day in microseconds since 1970: ids begin behind it, so those of a later run are greater
    /// unless the clock has been put back.
    [[nodiscard]] static std::uint64_t id_of_this_moment() {
        const auto since = wall_now().time_since_epoch();
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(since).count());
    }

    /// The first message has the id behind `before_first_id`.
    HubCore(const HubLimits& limits, std::uint64_t before_first_id)
        : limits_(limits), before_first_id_(before_first_id), last_id_(before_first_id) {}

    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    [[nodiscard]] std::size_t topics() const noexcept {
        const std::lock_guard lock(mutex_);
        return topics_.size();
    }
    [[nodiscard]] std::size_t subscribers(std::string_view name) const noexcept {
        const std::lock_guard lock(mutex_);
        const auto place = place_of(name);
        return is_at(place, name) ? (*place)->subscribers : 0;
    }

    std::uint64_t publish(std::string_view name, std::string text) {
        CountedPtr<HubPost> post(new HubPost(name, std::move(text)));
        CountedPtr<PortItem> woken;
        std::uint64_t id = 0;
        {
            const std::lock_guard lock(mutex_);
            if (is_closed_) return 0;
            HubTopic& topic = find_or_make(name);
            topic.ring.reserve();
            id = post->id = ++last_id_;
            if (topic.subscribers == 0) take_off_unused(topic);
            topic.ring.push(std::move(post));
            topic.end = topic.ring.end();
            collect(topic, woken);
            if (topic.subscribers == 0) leave_unused(topic);
        }
        bring(std::move(woken));
        return id;
    }

    void subscribe(HubReader& reader, std::string_view name, std::uint64_t after_id) {
        const std::lock_guard lock(mutex_);
        HubTopic& topic = find_or_make(name);
        if (topic.subscribers++ == 0) take_off_unused(topic);
        reader.topic = &topic;
        // An id above the newest is of a run before the clock was put back, or made up.
        const bool is_of_this_run = after_id >= before_first_id_ && after_id <= last_id_;
        if (after_id == 0) {
            reader.next = topic.ring.end();
        } else if (!is_of_this_run) {
            reader.next = topic.ring.begin();
            reader.is_stale = true;
        } else {
            reader.next = topic.ring.number_after(after_id);
            reader.is_stale = after_id < topic.ring.missing_up_to();
        }
    }
    void unsubscribe(HubTopic& topic) noexcept {
        const std::lock_guard lock(mutex_);
        if (--topic.subscribers == 0) leave_unused(topic);
    }

    /// What comes next for a reader; nothing if that is yet to come, or never will.
    [[nodiscard]] HubItem take(HubReader& reader) {
        const std::lock_guard lock(mutex_);
        const HubRing& ring = reader.topic->ring;
        if (reader.next < ring.begin() && limits_.slow == SlowSubscriber::close && !reader.is_stale) {
            reader.is_too_slow = true;
        }
        if (reader.is_too_slow) return {};
        if (reader.is_stale || reader.next < ring.begin()) return take_stale(reader);
        if (reader.next == ring.end()) return {};
        return {ring.at(reader.next++), false, 0};
    }

    /// The group of a topic on a reactor. Those of reactors that have ended go.
    [[nodiscard]] CountedPtr<HubGroup> group_of(HubTopic& topic, const CountedPtr<Port>& port) {
        const std::lock_guard lock(mutex_);
        topic.groups.erase(std::remove_if(topic.groups.begin(), topic.groups.end(),
                                          [](const auto& each) { return each->port()->has_ended(); }),
                           topic.groups.end());
        for (const auto& each : topic.groups) {
            if (each->port() == port) return each;
        }
        return topic.groups.push_back(CountedPtr<HubGroup>(new HubGroup(port)));
    }

    void close() noexcept {
        CountedPtr<PortItem> woken;
        {
            const std::lock_guard lock(mutex_);
            is_closed_ = true;
            for (const auto& topic : topics_) collect(*topic, woken);
        }
        bring(std::move(woken));
    }

  private:
    using Topics = Array<OwningPtr<HubTopic>>;

    [[nodiscard]] const OwningPtr<HubTopic>* place_of(std::string_view name) const noexcept {
        return std::lower_bound(topics_.begin(), topics_.end(), name,
                                [](const auto& topic, std::string_view text) { return topic->name < text; });
    }
    [[nodiscard]] bool is_at(const OwningPtr<HubTopic>* place, std::string_view name) const noexcept {
        return place != topics_.end() && (*place)->name == name;
    }
    [[nodiscard]] HubTopic& find_or_make(std::string_view name) {
        const auto place = place_of(name);
        if (is_at(place, name)) return **place;
        HubTopic& made =
            *topics_.insert(place, OwningPtr<HubTopic>(new HubTopic(name, limits_, forgotten_up_to_)));
        put_on_unused(made);
        return made;
    }

    // The report of missing messages has an id to go on from as well: the one before the oldest that is kept.
    [[nodiscard]] HubItem take_stale(HubReader& reader) {
        const HubRing& ring = reader.topic->ring;
        CountedPtr<HubPost> news(new HubPost(reader.topic->name, std::string()));
        HubItem item{nullptr, true, reader.is_stale ? 0 : ring.begin() - reader.next};
        if (reader.next < ring.begin()) reader.next = ring.begin();
        reader.is_stale = false;
        news->id = reader.next == ring.end() ? last_id_ : ring.at(reader.next)->id - 1;
        item.post = std::move(news);
        return item;
    }

    void take_off_unused(HubTopic& topic) noexcept {
        topic.unlink();
        --unused_;
        unused_bytes_ -= topic.ring.bytes();
    }
    void put_on_unused(HubTopic& topic) noexcept {
        topic.insert_before(unused_topics_);
        ++unused_;
        unused_bytes_ += topic.ring.bytes();
    }
    // As the one used last. Those used longest ago are forgotten while there are too many.
    void leave_unused(HubTopic& topic) noexcept {
        put_on_unused(topic);
        if (topic.ring.empty()) forget(topic);
        while (unused_ > limits_.topics || unused_bytes_ > limits_.unused_bytes) {
            forget(static_cast<HubTopic&>(*unused_topics_.next()));
        }
    }
    void forget(HubTopic& topic) noexcept {
        if (!topic.ring.empty()) {
            forgotten_up_to_ = std::max(forgotten_up_to_, topic.ring.at(topic.ring.end() - 1)->id);
        }
        take_off_unused(topic);
        topics_.erase(place_of(topic.name));
    }

    static void collect(HubTopic& topic, CountedPtr<PortItem>& woken) noexcept {
        for (const auto& group : topic.groups) {
            if (!group->must_be_woken()) continue;
            group->next = std::move(woken);
            woken = group;
        }
    }
    static void bring(CountedPtr<PortItem> woken) noexcept {
        while (woken != nullptr) {
            CountedPtr<PortItem> next = std::move(woken->next);
            // A copy: it may go with the group.
            const CountedPtr<Port> port = static_cast<const HubGroup&>(*woken).port();
            port->bring(std::move(woken));
            woken = std::move(next);
        }
    }

    mutable std::mutex mutex_;
    const HubLimits limits_;
    const std::uint64_t before_first_id_;
    std::uint64_t last_id_;
    std::uint64_t forgotten_up_to_ = 0;  // the last id of a topic that was forgotten
    std::atomic<bool> is_closed_ = false;
    Topics topics_;           // by name
    ListNode unused_topics_;  // first the one that was used longest ago
    std::size_t unused_ = 0;
    std::size_t unused_bytes_ = 0;
};

inline HubReader::~HubReader() {
    if (topic != nullptr) core->unsubscribe(*topic);
}

inline HubGroup& HubReader::group_on(Reactor& reactor) {
    const auto& port = Port::of(reactor);
    if (group == nullptr || group->port() != port) group = core->group_of(*topic, port);
    return *group;
}

inline bool HubReader::is_served() const noexcept {
    return next != topic->end || is_stale || is_too_slow || core->is_closed();
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
