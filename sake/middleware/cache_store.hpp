// The answers that a cache keeps, within a limit of bytes, under hashes of what they depend on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/response.hpp"
#include "sake/base/array.hpp"
#include "sake/base/hash.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/random.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/middleware/lru_table.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// An answer as the cache saw it, without the fields that stood in the response before.
struct KeptAnswer {
    int status = 200;
    std::string type;
    std::string body;
    http::Headers fields;
    Array<std::string> replaced;  // fields that were there before, and which it has set anew or removed

    /// What handlers have made of a response that had these fields.
    static KeptAnswer of(const Response& response, const http::Headers& before) {
        KeptAnswer kept;
        kept.status = response.status;
        kept.type = response.content_type();
        kept.body = response.body;
        for (const auto& [name, value] : before) {
            if (!has(response.headers, name, value)) kept.replaced.push_back(std::string(name));
        }
        for (const auto& [name, value] : response.headers) {
            if (kept.replaces(name) || !has(before, name, value)) kept.fields.add(name, value);
        }
        return kept;
    }

    void put_into(Response& response) const {
        for (const std::string& name : replaced) response.headers.remove(name);
        for (const auto& [name, value] : fields) response.headers.add(name, value);
        response.status = status;
        response.set_static_type({});
        if (!type.empty()) response.set_type(type);
        response.copy_body(body);
    }

    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t size = type.size() + body.size() + fields.wire().size() + fields.size() * 12;
        for (const std::string& name : replaced) size += sizeof name + name.size();
        return size;
    }

  private:
    static bool has(const http::Headers& fields, std::string_view name, std::string_view value) noexcept {
        for (const auto& [each, its_value] : fields) {
            if (its_value == value && iequals(each, name)) return true;
        }
        return false;
    }
    [[nodiscard]] bool replaces(std::string_view name) const noexcept {
        for (const std::string& each : replaced) {
            if (iequals(each, name)) return true;
        }
        return false;
    }
};

/// For one thread at a time.
class CacheStore {
  public:
    using Time = std::chrono::steady_clock::time_point;

    enum class Kind : std::uint8_t {
        answer,
        variants,  // there is one for each of what the fields in `vary` say
        passing    // its answers are not to be kept, so nobody waits for them
    };
    struct Entry {
        Hash128 key;
        Entry* next_in_bucket = nullptr;
        Entry* newer = nullptr;
        Entry* older = nullptr;
        Kind kind = Kind::answer;
        Time made_at{};
        Time good_until{};
        KeptAnswer answer;
        Array<std::string> vary;  // names in lower case

        [[nodiscard]] std::size_t size() const noexcept {
            std::size_t size =
                sizeof *this + 2 * sizeof(void*) + answer.size();  // and its place in the table
            for (const std::string& name : vary) size += sizeof name + name.size();
            return size;
        }
    };

    explicit CacheStore(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}

    [[nodiscard]] Hash128 hash(std::string_view key) const noexcept { return hash_of(hash_key_, key); }
    /// nullptr if there is none. A found answer counts as requested now.
    [[nodiscard]] Entry* find(const Hash128& key) noexcept {
        Entry* const entry = table_.find(key);
        if (entry != nullptr) table_.touch(*entry);
        return entry;
    }
    /// Replaces the answer under its key. False if it is larger than the whole cache.
    bool put(OwningPtr<Entry> entry) {
        const std::size_t size = entry->size();
        if (size > max_bytes_) return false;
        if (Entry* const before = table_.find(entry->key)) drop(*before);
        while (bytes_ > max_bytes_ - size) drop(*table_.oldest());
        table_.add(std::move(entry));
        bytes_ += size;
        return true;
    }
    void clear() noexcept {
        table_.clear();
        bytes_ = 0;
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  private:
    void drop(Entry& entry) noexcept {
        bytes_ -= entry.size();
        static_cast<void>(table_.take(entry));
    }

    const std::size_t max_bytes_;
    const HashKey hash_key_ = make_random_key();  // so that nobody can make a request that meets another's
    std::size_t bytes_ = 0;
    LruTable<Entry> table_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
