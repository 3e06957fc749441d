// The answers that a client keeps: found by URL and by the fields that Vary names, limited in bytes, dropped
// in the order of their last use. cache_rules.hpp has the rules of RFC 9111.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/hash.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/random.hpp"
#include "sake/client/breaker.hpp"
#include "sake/client/cache_rules.hpp"
#include "sake/client/client_habits.hpp"
#include "sake/client/client_response.hpp"
#include "sake/client/url.hpp"
#include "sake/http/conditional.hpp"
#include "sake/http/headers.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

/// Whether a kept answer may replace this failure (RFC 5861 section 4).
inline bool may_be_stood_in_for(const std::exception& error) noexcept {
    return is_failure_of_origin(error) || dynamic_cast<const CircuitOpen*>(&error) != nullptr;
}
constexpr bool may_be_stood_in_for(int status) noexcept {
    return status == 500 || status == 502 || status == 503 || status == 504;
}

/// What a request asks the cache.
struct CacheQuestion {
    CacheQuestion(const Url& url, Headers its_headers)
        : key(key_of(url)), headers(std::move(its_headers)), control(CacheControl::of(headers)) {}

    /// The host has its length in front, so that no two URLs have the same key.
    static std::string key_of(const Url& url) {
        return std::to_string(url.authority.size()) + ":" + url.authority + url.target;
    }
    /// All fields of this name as one; nothing if there is none.
    [[nodiscard]] std::optional<std::string> field(std::string_view name) const {
        std::optional<std::string> value;
        for (const auto& [each, text] : headers) {
            if (!iequals(each, name)) continue;
            if (value)
                value->append(",").append(trim_ows(text));
            else
                value.emplace(trim_ows(text));
        }
        return value;
    }
    [[nodiscard]] bool has_credentials() const noexcept {
        return headers.contains("Authorization") || headers.contains("Cookie");
    }

    std::string key;
    Headers headers;
    CacheControl control;
};

/// A kept answer. It does not change, except its place in the cache.
struct KeptResponse final : sake::detail::Counted {
    struct Varying {
        std::string name;
        std::optional<std::string> value;
    };

    KeptResponse(const CacheQuestion& question, Response its_response, const CacheRules& its_rules)
        : key(question.key), response(std::move(its_response)), rules(its_rules) {
        for_each_element(response.headers, "Vary", [&](std::string_view name) {
            varying.push_back(Varying{std::string(name), question.field(name)});
        });
        drop_what_is_not_kept(response.headers);
    }

    /// Whether it answers a request for the same URL with these fields.
    [[nodiscard]] bool answers(const CacheQuestion& question) const {
        if (question.has_credentials() && !rules.is_for_all()) return false;
        return std::all_of(varying.begin(), varying.end(),
                           [&](const Varying& each) { return question.field(each.name) == each.value; });
    }
    /// Whether a 304 confirms it: not if the 304 names another tag.
    [[nodiscard]] bool is_confirmed_by(const Headers& not_modified) const noexcept {
        using sake::detail::EntityTag;
        const auto theirs = EntityTag::parse(not_modified.get("ETag").value_or(""));
        const auto ours = EntityTag::parse(response.headers.get("ETag").value_or(""));
        return !theirs || !ours || theirs->matches_weakly(*ours);
    }
    [[nodiscard]] Response answer(Exchange::Moment now) const {
        Response copy = response;
        copy.headers.set("Age", std::to_string(rules.age(now).count()));
        return copy;
    }
    [[nodiscard]] std::size_t size() const noexcept {
        constexpr std::size_t overhead = 512;  // of the objects, rather too much
        std::size_t fields = response.headers.wire().size();
        for (const Varying& each : varying) {
            fields += sizeof(Varying) + each.name.size() + (each.value ? each.value->size() : 0);
        }
        return overhead + key.size() + fields + response.body.size();
    }

    std::string key;
    sake::detail::Array<Varying> varying;
    Response response;  // without the fields of its connection, and without Age
    CacheRules rules;

    // While it is in the cache.
    sake::detail::CountedPtr<KeptResponse> itself;
    KeptResponse* next_in_bucket = nullptr;
    KeptResponse* newer = nullptr;
    KeptResponse* older = nullptr;

  private:
    // RFC 9111 section 3.1.
    static void drop_what_is_not_kept(Headers& headers) {
        sake::detail::Array<std::string> gone;
        for_each_element(headers, "Connection",
                         [&](std::string_view name) { gone.push_back(std::string(name)); });
        for (const std::string& name : gone) headers.remove(name);
        for (const std::string_view name :
             {"Age", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info",
              "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"}) {
            headers.remove(name);
        }
    }
};

/// For one reactor at a time, as its client.
class ResponseCache {
  public:
    using Kept = sake::detail::CountedPtr<KeptResponse>;
    using TimePoint = Exchange::Moment;

    explicit ResponseCache(const CacheOptions& options)
        : options_(options),
          hash_key_(is_on() ? sake::detail::make_random_key() : sake::detail::HashKey{}),
          buckets_(is_on() ? 64 : 0) {}
    ResponseCache(const ResponseCache&) = delete;
    ResponseCache& operator=(const ResponseCache&) = delete;
    ~ResponseCache() {
        while (oldest_ != nullptr) drop(*oldest_);
    }

    [[nodiscard]] bool is_on() const noexcept { return options_.max_bytes > 0; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }

    /// The kept answer for such a request, fresh or stale; or none.
    [[nodiscard]] Kept find(const CacheQuestion& question) {
        for (KeptResponse* each = bucket_of(question.key); each != nullptr; each = each->next_in_bucket) {
            if (each->key != question.key || !each->answers(question)) continue;
            leave_order(*each);
            become_newest(*each);
            return each->itself;
        }
        return nullptr;
    }

    /// Keeps an answer to a GET, if allowed, in place of the one kept for such a request.
    void keep(const CacheQuestion& question, const Response& response, const Exchange& exchange) {
        if (response.status >= 500 || response.status == 429)
            return;  // which say nothing of what is asked for
        if (const Kept before = find(question)) drop(*before);
        const CacheRules rules(response.headers, exchange, audience());
        if (!rules.allow_keeping(response.status, question.has_credentials())) return;
        if (response.body.size() > options_.max_response) return;
        const Kept kept(new KeptResponse(question, response, rules));
        if (kept->size() > options_.max_bytes) return;
        while (bytes_ > options_.max_bytes - kept->size()) drop(*oldest_);
        limit_variants(question.key);
        add(kept);
    }

    /// The answer that a 304 confirms, with the fields of the 304 (section 4.3.4).
    [[nodiscard]] Response refresh(const CacheQuestion& question, const KeptResponse& kept,
                                   const Response& not_modified, const Exchange& exchange) {
        Response response = kept.response;
        for (const auto& [name, value] : not_modified.headers) {
            if (!is_of_the_body(name)) response.headers.remove(name);
        }
        for (const auto& [name, value] : not_modified.headers) {
            if (!is_of_the_body(name)) response.headers.add(name, value);
        }
        keep(question, response, exchange);
        return response;
    }

    /// The resource at this URL may have changed: drops its answers.
    void forget(const Url& url) {
        const std::string key = CacheQuestion::key_of(url);
        KeptResponse* each = bucket_of(key);
        while (each != nullptr) {
            KeptResponse* const next = each->next_in_bucket;
            if (each->key == key) drop(*each);
            each = next;
        }
    }

    /// Whether it may be used in place of an answer that failed.
    [[nodiscard]] bool may_stand_in(const KeptResponse& kept, TimePoint now) const noexcept {
        return kept.rules.may_stand_in(options_.stale_if_error, now);
    }

  private:
    static constexpr std::size_t max_variants = 16;  // of a URL: Vary may name what clients choose freely

    [[nodiscard]] Audience audience() const noexcept {
        return options_.is_private ? Audience::one_user : Audience::shared;
    }
    // What a 304 has no say in.
    static bool is_of_the_body(std::string_view name) noexcept {
        for (const std::string_view own : {"Content-Length", "Content-Encoding", "Content-Type",
                                           "Content-Range", "Transfer-Encoding", "Trailer"}) {
            if (iequals(name, own)) return true;
        }
        return false;
    }

    // --- The table ---

    [[nodiscard]] KeptResponse*& bucket_of(std::string_view key) noexcept {
        return buckets_[sake::detail::hash_of(hash_key_, key).low & (buckets_.size() - 1)];
    }
    void add(const Kept& kept) {
        if (count_ == buckets_.size()) grow();
        put_in_bucket(*kept);
        kept->itself = kept;
        become_newest(*kept);
        bytes_ += kept->size();
        ++count_;
    }
    void put_in_bucket(KeptResponse& kept) noexcept {
        KeptResponse*& bucket = bucket_of(kept.key);
        kept.next_in_bucket = bucket;
        bucket = &kept;
    }
    void grow() {
        sake::detail::Array<KeptResponse*> larger(2 * buckets_.size());
        buckets_.swap(larger);
        for (KeptResponse* each = oldest_; each != nullptr; each = each->newer) put_in_bucket(*each);
    }
    void drop(KeptResponse& kept) noexcept {
        KeptResponse** place = &bucket_of(kept.key);
        while (*place != &kept) place = &(*place)->next_in_bucket;
        *place = kept.next_in_bucket;
        leave_order(kept);
        bytes_ -= kept.size();
        --count_;
        const Kept last = std::move(kept.itself);
    }
    // Makes room for one more.
    void limit_variants(std::string_view key) noexcept {
        std::size_t variants = 0;
        KeptResponse* first_kept = nullptr;
        for (KeptResponse* each = bucket_of(key); each != nullptr; each = each->next_in_bucket) {
            if (each->key != key) continue;
            ++variants;
            first_kept = each;  // the last of the bucket
        }
        if (variants >= max_variants) drop(*first_kept);
    }

    // --- The order of their last use ---

    void become_newest(KeptResponse& kept) noexcept {
        kept.newer = nullptr;
        kept.older = newest_;
        (newest_ == nullptr ? oldest_ : newest_->newer) = &kept;
        newest_ = &kept;
    }
    void leave_order(KeptResponse& kept) noexcept {
        (kept.newer == nullptr ? newest_ : kept.newer->older) = kept.older;
        (kept.older == nullptr ? oldest_ : kept.older->newer) = kept.newer;
    }

    const CacheOptions options_;
    const sake::detail::HashKey hash_key_;
    sake::detail::Array<KeptResponse*> buckets_;  // their number is a power of two
    KeptResponse* newest_ = nullptr;
    KeptResponse* oldest_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t count_ = 0;
};

}  // namespace detail
}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
