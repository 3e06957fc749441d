// The sessions in the memory of a server: a text for each id, stored under a hash of the id, with two time
// limits and a limit on their number.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/hash.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/random.hpp"
#include "sake/middleware/lru_table.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// For any thread. It stores a hash of each id, under a secret random key, and not the id: the time of a
/// search reveals nothing about existing ids.
class SessionTable {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// The result of a change.
    enum class Outcome : std::uint8_t {
        kept,
        gone,    // the session has ended meanwhile
        no_room  // the table is full of members who were here a short while ago
    };
    /// Guests have not logged in. If the table is full, the guest who was away for longest is removed.
    /// Without guests, the member who was away for longest is removed, but only after `safe_time`: so a
    /// client that logs in again and again keeps others out for no longer than that.
    enum class Standing : std::uint8_t { guest, member };

    static constexpr std::chrono::minutes safe_time{15};

    SessionTable(std::chrono::seconds idle_time, std::chrono::seconds lifetime, std::size_t max_sessions)
        : idle_time_(idle_time), lifetime_(lifetime), max_sessions_(max_sessions) {}

    /// The text of a session. It counts as used now.
    [[nodiscard]] std::optional<std::string> use(std::string_view id, Time now) {
        const std::lock_guard lock(mutex_);
        const Place place = find(id);
        if (place.entry == nullptr) return std::nullopt;
        if (has_expired(*place.entry, now)) {
            static_cast<void>(place.table->take(*place.entry));
            return std::nullopt;
        }
        place.entry->used_at = now;
        place.table->touch(*place.entry);
        return place.entry->text;
    }

    Outcome add(std::string_view id, std::string text, Standing standing, Time now) {
        OwningPtr<Entry> entry(new Entry);
        entry->key = hash_of(key_, id);
        entry->text = std::move(text);
        entry->made_at = entry->used_at = now;
        const std::lock_guard lock(mutex_);
        drop_some_expired(now);
        if (guests_.size() + members_.size() >= max_sessions_ && !make_room(now)) return Outcome::no_room;
        table_of(standing).add(std::move(entry));
        return Outcome::kept;
    }

    Outcome replace(std::string_view id, std::string text) {
        const std::lock_guard lock(mutex_);
        const Place place = find(id);
        if (place.entry == nullptr) return Outcome::gone;
        place.entry->text = std::move(text);
        return Outcome::kept;
    }

    /// Gives the session of a guest or member another id. From now on it is a member's, with a whole
    /// lifetime.
    Outcome renew(std::string_view id, std::string_view new_id, std::string text, Time now) {
        const std::lock_guard lock(mutex_);
        const Place place = find(id);
        if (place.entry == nullptr) return Outcome::gone;
        members_.reserve_one();
        OwningPtr<Entry> entry = place.table->take(*place.entry);
        entry->key = hash_of(key_, new_id);
        entry->text = std::move(text);
        entry->made_at = entry->used_at = now;
        members_.add(std::move(entry));
        return Outcome::kept;
    }

    void erase(std::string_view id) noexcept {
        const std::lock_guard lock(mutex_);
        const Place place = find(id);
        if (place.entry != nullptr) static_cast<void>(place.table->take(*place.entry));
    }

  private:
    struct Entry {
        Hash128 key;
        Entry* next_in_bucket = nullptr;
        Entry* newer = nullptr;
        Entry* older = nullptr;
        std::string text;
        Time made_at;
        Time used_at;
    };
    using Table = LruTable<Entry>;
    struct Place {
        Table* table;
        Entry* entry;
    };

    Table& table_of(Standing standing) noexcept { return standing == Standing::member ? members_ : guests_; }
    [[nodiscard]] Place find(std::string_view id) noexcept {
        const Hash128 key = hash_of(key_, id);
        if (Entry* const member = members_.find(key)) return {&members_, member};
        return {&guests_, guests_.find(key)};
    }
    [[nodiscard]] bool has_expired(const Entry& entry, Time now) const noexcept {
        return now - entry.used_at >= idle_time_ || now - entry.made_at >= lifetime_;
    }
    [[nodiscard]] bool make_room(Time now) noexcept {
        Table& table = guests_.size() > 0 ? guests_ : members_;
        Entry& oldest = *table.oldest();
        if (&table == &members_ && now - oldest.used_at < safe_time) return false;
        static_cast<void>(table.take(oldest));
        return true;
    }
    /// Removes expired sessions, a few at a time.
    void drop_some_expired(Time now) noexcept {
        for (Table* const table : {&guests_, &members_}) {
            for (int left = 8; left > 0 && table->oldest() != nullptr; --left) {
                if (!has_expired(*table->oldest(), now)) break;
                static_cast<void>(table->take(*table->oldest()));
            }
        }
    }

    const std::chrono::seconds idle_time_;
    const std::chrono::seconds lifetime_;
    const std::size_t max_sessions_;
    const HashKey key_ = make_random_key();
    std::mutex mutex_;  // of what follows
    Table guests_;
    Table members_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
