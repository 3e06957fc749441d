// How a cache chooses the requests that it answers and the answers that it keeps, and how requests wait for
// each other.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/file_body.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/app/response_impl.hpp"
#include "sake/app/session_slot.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/error.hpp"
#include "sake/base/text.hpp"
#include "sake/middleware/cache.hpp"
#include "sake/middleware/cache_control.hpp"
#include "sake/middleware/cache_key.hpp"
#include "sake/middleware/cache_store.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class AnswerCache final : public CacheWork {
  public:
    explicit AnswerCache(middleware::CacheOptions options)
        : options_(checked(std::move(options))), store_(options_.max_bytes) {}

    bool serve(Context& ctx, CachePassage& passage) override {
        const Method method = Call::of(ctx).request.known_method;
        if (method != Method::get && method != Method::head) return true;
        const CacheControl asked = CacheControl::of(ctx.headers());
        if (passage.key.empty()) {
            static_cast<void>(take_note_of_session(ctx));  // of what stands in front of the cache
            std::optional<std::string> key = make_key(ctx, asked);
            if (!key) return say(ctx, "fwd=bypass"), true;
            passage.key_has_session = take_note_of_session(ctx);
            passage.key = *std::move(key);
        }
        const Way way = find_way(ctx, asked, passage);
        if (way.kind == Way::Kind::waits) return false;
        if (way.kind == Way::Kind::to_handler) follow(ctx, passage, way);
        return true;
    }

    void clear() noexcept override {
        const std::lock_guard lock(mutex_);
        store_.clear();
        ++generation_;
    }

  private:
    using Entry = CacheStore::Entry;
    using Kind = CacheStore::Kind;
    using Time = CacheStore::Time;

    struct KnownFlight final : Flight {
        explicit KnownFlight(const Hash128& of) noexcept : key(of) {}
        const Hash128 key;
        const Reactor* const reactor = Reactor::current();
    };
    struct FlightEntry {
        Hash128 key;
        FlightEntry* next_in_bucket = nullptr;
        FlightEntry* newer = nullptr;
        FlightEntry* older = nullptr;
        CountedPtr<KnownFlight> flight;
    };

    /// Where a request goes.
    struct Way {
        enum class Kind : std::uint8_t { answered, waits, to_handler };
        Kind kind;
        const char* why = "";  // it goes to the handler, for Cache-Status
        Hash128 key{};
        std::uint64_t generation = 0;
        bool may_lead = false;  // others may wait for it
    };

    /// Follows a request to its answer, as a function for Context::after. If it is destroyed without a call,
    /// because the client has disconnected, the waiting requests try again.
    class Follower {
      public:
        Follower(AnswerCache& cache, CountedPtr<KnownFlight> flight, const CachePassage& passage,
                 const Way& way, const http::Headers& before)
            : cache_(&cache),
              flight_(std::move(flight)),
              key_(passage.key),
              key_has_session_(passage.key_has_session),
              why_(way.why),
              generation_(way.generation),
              before_(before) {}
        Follower(Follower&&) noexcept = default;
        Follower& operator=(Follower&&) = delete;
        ~Follower() {
            if (flight_) cache_->land(*flight_);
        }
        void operator()(Context& ctx) {
            const bool is_of_session = uses_session(ctx, key_has_session_);
            const Flight::End end = cache_->keep(ctx, key_, before_, generation_, is_of_session);
            if (flight_) flight_->end = end;
            cache_->say(ctx, why_, end == Flight::End::kept ? "; stored" : "");
        }

      private:
        AnswerCache* cache_;
        CountedPtr<KnownFlight> flight_;
        std::string key_;
        bool key_has_session_;
        const char* why_;
        std::uint64_t generation_;
        http::Headers before_;
    };

    static middleware::CacheOptions checked(middleware::CacheOptions options) {
        constexpr std::chrono::seconds longest = std::chrono::hours(400 * 24);
        if (options.ttl < std::chrono::seconds(0) || options.ttl > longest) {
            throw std::invalid_argument("cache: ttl must be from 0 s to 400 days, but is " +
                                        std::to_string(options.ttl.count()) + " s");
        }
        for (const char c : options.name) {
            if (!ascii::is(c, ascii::token))
                throw std::invalid_argument(
                    "cache: the name must be a token: letters, digits and a few signs");
        }
        demand_at_least(1, options.max_bytes, "cache: max_bytes");
        return options;
    }

    // --- What is asked for ---

    /// std::nullopt for a request that bypasses the cache.
    [[nodiscard]] std::optional<std::string> make_key(Context& ctx, const CacheControl& asked) const {
        if (asked.no_store || has_body(ctx)) return std::nullopt;
        if (options_.key) {
            const std::optional<std::string> extra = options_.key(ctx);
            return extra ? std::optional(key_of(ctx, *extra)) : std::nullopt;
        }
        if (ctx.find_header("Authorization") || ctx.find_header("Cookie")) return std::nullopt;
        return key_of(ctx, {});
    }

    /// A handler may answer a GET by its body, which is not part of the key.
    static bool has_body(const Context& ctx) noexcept {
        return ctx.find_header("Transfer-Encoding") || ctx.header("Content-Length", "0") != "0";
    }

    // --- On the way to the handler ---

    Way find_way(Context& ctx, const CacheControl& asked, CachePassage& passage) {
        const std::lock_guard lock(mutex_);
        const Time now = sake::now();
        const CountedPtr<Flight> landed = std::exchange(passage.flight, nullptr);
        Hash128 key = store_.hash(passage.key);
        Entry* entry = store_.find(key);
        if (entry != nullptr && entry->kind == Kind::variants) {
            key = key_of_variant(ctx, passage.key, entry->vary);
            entry = store_.find(key);
        }
        const bool is_good = entry != nullptr && now < entry->good_until;
        const bool is_there = entry != nullptr && entry->kind == Kind::answer;
        if (is_good && is_there && (landed || is_young_enough(*entry, asked, now))) {
            answer(ctx, *entry, now);
            return {Way::Kind::answered};
        }
        if (asked.only_if_cached) throw HttpError(504, "the cache has no such answer");

        // No request waits for an answer that cannot be shared.
        const bool passes = is_good && entry->kind == Kind::passing;
        const FlightEntry* const other = flights_.find(key);
        if (!passes && other != nullptr && other->flight->reactor == Reactor::current() &&
            !(landed && landed->end == Flight::End::not_kept)) {
            passage.flight = other->flight;
            return {Way::Kind::waits};
        }
        const char* const why = !is_there ? "fwd=miss" : is_good ? "fwd=request" : "fwd=stale";
        return {Way::Kind::to_handler, why, key, generation_, other == nullptr};
    }

    /// The handler makes the answer. Nothing may fail once others wait for it.
    void follow(Context& ctx, const CachePassage& passage, const Way& way) {
        const CountedPtr<KnownFlight> flight(way.may_lead ? new KnownFlight(way.key) : nullptr);
        ctx.after(Follower(*this, flight, passage, way, Call::of(ctx).response.headers));
        if (!flight) return;
        OwningPtr<FlightEntry> entry(new FlightEntry);
        entry->key = way.key;
        entry->flight = flight;
        const std::lock_guard lock(mutex_);
        if (flights_.find(way.key) == nullptr) flights_.add(std::move(entry));
    }

    [[nodiscard]] bool is_young_enough(const Entry& entry, const CacheControl& asked,
                                       Time now) const noexcept {
        if (!options_.client_may_reload) return true;
        return !asked.no_cache && (!asked.max_age || now - entry.made_at <= *asked.max_age) &&
               asked.max_age != std::chrono::seconds(0);
    }

    void answer(Context& ctx, const Entry& entry, Time now) const {
        Response& response = Call::of(ctx).response;
        entry.answer.put_into(response);
        const auto age = std::chrono::floor<std::chrono::seconds>(now - entry.made_at).count();
        const auto left = std::chrono::floor<std::chrono::seconds>(entry.good_until - now).count();
        response.headers.set("Age", std::to_string(age));
        say(ctx, "hit; ttl=", std::to_string(left));
        ctx.abort();
    }

    [[nodiscard]] Hash128 key_of_variant(const Context& ctx, std::string key,
                                         const Array<std::string>& vary) const {
        for (const std::string& name : vary) add_key_fields(key, ctx, name);
        return store_.hash(key);
    }

    // --- On the way back ---

    void land(KnownFlight& flight) noexcept {
        {
            const std::lock_guard lock(mutex_);
            FlightEntry* const entry = flights_.find(flight.key);
            if (entry != nullptr && entry->flight.get() == &flight) static_cast<void>(flights_.take(*entry));
        }
        flight.landed.set();
    }

    /// The answer is complete: keeps it if that is allowed.
    Flight::End keep(Context& ctx, const std::string& key, const http::Headers& before,
                     std::uint64_t generation, bool is_of_session) {
        using End = Flight::End;
        try {
            Response& response = Call::of(ctx).response;
            const std::chrono::seconds lifetime =
                is_of_session ? std::chrono::seconds(0) : lifetime_of(response);
            const bool is_answer = lifetime > lifetime.zero();
            // An error or a 304 concerns this request alone: the kept answer stays, and the next request
            // leads.
            if (!is_answer && response.status != 200) return End::given_up;
            OwningPtr<Entry> entry(new Entry);
            entry->made_at = sake::now();
            if (is_answer) {
                entry->made_at -= age_of(response);
                entry->answer = KeptAnswer::of(response, before);
            } else {
                entry->kind = Kind::passing;
            }
            entry->good_until = entry->made_at + (is_answer ? lifetime : passing_time);
            const std::lock_guard lock(mutex_);
            if (generation != generation_) return End::given_up;  // it may be of before clear()
            return put(ctx, key, std::move(entry), response.headers) && is_answer ? End::kept : End::not_kept;
        } catch (const std::bad_alloc&) {
            return End::not_kept;
        }
    }

    /// How long the answer may be kept; 0 if it may not.
    [[nodiscard]] std::chrono::seconds lifetime_of(const Response& response) const {
        const std::chrono::seconds none(0);
        const CacheControl control = CacheControl::of(response.headers);
        if (control.no_store || control.no_cache || control.is_private) return none;
        if (response.headers.contains("Set-Cookie")) return none;
        if (!is_whole(response) || response.body.size() > options_.max_body) return none;
        const auto lifetime = control.lifetime();
        if (response.status != 200)
            return may_be_kept_if_it_says(response.status) ? lifetime.value_or(none) : none;
        return lifetime ? *lifetime : response.headers.contains("Expires") ? none : options_.ttl;
    }
    static bool may_be_kept_if_it_says(int status) noexcept {
        return status == 301 || status == 308 || status == 404 || status == 410;
    }
    /// Whether the body is in memory. The body of a stream is not here, but its type is. Files, of which a
    /// small one is in memory, answer ranges and conditions themselves.
    static bool is_whole(const Response& response) noexcept {
        if (response.file() != nullptr || response.headers.contains("Accept-Ranges")) return false;
        return !response.body.empty() || (response.status != 200 && response.content_type().empty());
    }
    /// Whether the session was used since the last call.
    static bool take_note_of_session(Context& ctx) noexcept {
        auto* const slot = Call::of(ctx).state.find<SessionSlot>();
        return slot != nullptr && std::exchange(slot->is_asked_for, false);
    }
    /// An answer whose handler used the session is for one visitor. If the key was made from the session as
    /// well, the program has decided what the answer depends on; then only a changed session counts.
    static bool uses_session(Context& ctx, bool key_has_session) {
        const auto* const slot = Call::of(ctx).state.find<SessionSlot>();
        if (slot == nullptr) return false;
        if (slot->is_renewed || slot->origin == SessionSlot::Origin::ended) return true;
        if (!slot->is_asked_for) return false;
        return !key_has_session ||
               slot->value.write(slot->value.object) != (slot->text.empty() ? "{}" : slot->text);
    }
    /// What an answer says of the time for which another cache has kept it.
    static std::chrono::seconds age_of(const Response& response) noexcept {
        const auto age = parse_decimal<std::uint32_t>(response.headers.get("Age").value_or(""));
        return std::chrono::seconds(age.value_or(0));
    }

    bool put(const Context& ctx, const std::string& key, OwningPtr<Entry> entry,
             const http::Headers& fields) {
        entry->key = store_.hash(key);
        const Entry* const there = store_.find(entry->key);
        Array<std::string> vary;
        if (there != nullptr && there->kind == Kind::variants) vary = there->vary;
        const std::size_t known = vary.size();
        if (!add_varying(vary, fields)) {
            entry->kind = Kind::passing;
            entry->answer = KeptAnswer();
            entry->good_until = sake::now() + passing_time;
            store_.put(std::move(entry));
            return false;
        }
        if (vary.size() > known) {
            OwningPtr<Entry> variants(new Entry);
            variants->key = entry->key;
            variants->kind = Kind::variants;
            variants->vary = vary;
            if (!store_.put(std::move(variants))) return false;
        }
        if (!vary.empty()) entry->key = key_of_variant(ctx, key, vary);
        return store_.put(std::move(entry));
    }

    void say(Context& ctx, std::string_view what, std::string_view more = {}) const {
        if (options_.name.empty()) return;
        std::string status = options_.name;
        ctx.add_header("Cache-Status", status.append("; ").append(what).append(more));
    }

    static constexpr std::chrono::seconds passing_time{10};

    const middleware::CacheOptions options_;
    std::mutex mutex_;  // of what follows
    CacheStore store_;
    LruTable<FlightEntry> flights_;
    std::uint64_t generation_ = 0;  // how often it was cleared
};

struct CacheMaker {
    static middleware::Cache make(middleware::CacheOptions options) {
        return middleware::Cache(CountedPtr<CacheWork>(new AnswerCache(std::move(options))));
    }
};

}  // namespace detail

namespace middleware {

template <class Unused>
Task<> Cache::operator()(Context& ctx) const {
    detail::CachePassage passage;
    while (true) {
        const bool is_served = work_->serve(ctx, passage);
        if (is_served) co_return;
        detail::Flag& landed = passage.flight->landed;
        co_await landed.wait();
    }
}

SAKE_INLINE Cache cache(CacheOptions options) { return detail::CacheMaker::make(std::move(options)); }

#if defined(SAKE_IMPLEMENTATION)
template Task<> Cache::operator()<void>(Context& ctx) const;
#endif

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
