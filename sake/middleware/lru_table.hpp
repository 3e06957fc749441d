// A table of entries by a hash, in the order of their last use. For bounded stores: sessions and cached
// answers.
#pragma once

#include <cstddef>

#include "sake/base/hash.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Owns its entries, which are made by new, and have these members: `Hash128 key; Entry* next_in_bucket;
/// Entry* newer; Entry* older;`. The keys are of a hash whose key no client knows, so that none can fill one
/// bucket.
template <class Entry>
class LruTable {
  public:
    LruTable() = default;
    LruTable(const LruTable&) = delete;
    LruTable& operator=(const LruTable&) = delete;
    ~LruTable() { clear(); }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// What was used the longest time ago; nullptr if the table is empty.
    [[nodiscard]] Entry* oldest() const noexcept { return oldest_; }
    /// nullptr if there is none.
    [[nodiscard]] Entry* find(const Hash128& key) const noexcept {
        if (bucket_count_ == 0) return nullptr;
        Entry* each = bucket_of(key);
        while (each != nullptr && each->key != key) each = each->next_in_bucket;
        return each;
    }

    /// Makes room for one more entry, so that `add` cannot fail.
    void reserve_one() {
        if (size_ == bucket_count_) grow();
    }
    /// The key must not be in the table. The entry is the one that was used last.
    Entry& add(OwningPtr<Entry> entry) {
        reserve_one();
        Entry* const added = entry.release();
        put_in_bucket(added);
        put_in_front(added);
        ++size_;
        return *added;
    }
    /// The entry is the one that was used last.
    void touch(Entry& entry) noexcept {
        take_out_of_order(entry);
        put_in_front(&entry);
    }
    [[nodiscard]] OwningPtr<Entry> take(Entry& entry) noexcept {
        Entry** link = &bucket_of(entry.key);
        while (*link != &entry) link = &(*link)->next_in_bucket;
        *link = entry.next_in_bucket;
        take_out_of_order(entry);
        --size_;
        return OwningPtr<Entry>(&entry);
    }
    void clear() noexcept {
        while (oldest_ != nullptr) static_cast<void>(take(*oldest_));
    }

  private:
    [[nodiscard]] Entry*& bucket_of(const Hash128& key) const noexcept {
        return buckets_[key.low & (bucket_count_ - 1)];
    }
    void put_in_bucket(Entry* entry) noexcept {
        Entry*& bucket = bucket_of(entry->key);
        entry->next_in_bucket = bucket;
        bucket = entry;
    }
    void put_in_front(Entry* entry) noexcept {
        entry->newer = nullptr;
        entry->older = newest_;
        (newest_ == nullptr ? oldest_ : newest_->newer) = entry;
        newest_ = entry;
    }
    void take_out_of_order(Entry& entry) noexcept {
        (entry.newer == nullptr ? newest_ : entry.newer->older) = entry.older;
        (entry.older == nullptr ? oldest_ : entry.older->newer) = entry.newer;
    }
    void grow() {
        const std::size_t count = bucket_count_ == 0 ? 16 : 2 * bucket_count_;  // a power of two
        OwningPtr<Entry*[]> buckets(new Entry* [count] {});
        buckets_ = static_cast<OwningPtr<Entry*[]>&&>(buckets);
        bucket_count_ = count;
        for (Entry* each = oldest_; each != nullptr; each = each->newer) put_in_bucket(each);
    }

    OwningPtr<Entry*[]> buckets_;
    std::size_t bucket_count_ = 0;
    std::size_t size_ = 0;
    Entry* newest_ = nullptr;
    Entry* oldest_ = nullptr;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
