// cache: keeps answers in memory and reuses them for equal requests.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/step_info.hpp"
#include "sake/async/flag.hpp"
#include "sake/async/task.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct CacheMaker;

/// An answer that is being made, for others to wait for. One reactor's.
class Flight : public Counted {
  public:
    enum class End : std::uint8_t {
        given_up,  // its client has left, or the answer is one that says nothing about others: the next leads
        kept,
        not_kept  // a 200 that nobody may share: all go on by themselves
    };

    Flight() = default;
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;
    virtual ~Flight() = default;
    Flag landed;
    End end = End::given_up;
};

inline constexpr StepInfo cache_info{"cache", no_rules};

/// What one request knows of its way through a cache.
struct CachePassage {
    std::string key;  // what the answer depends on; "" until it is known
    bool key_has_session = false;
    CountedPtr<Flight> flight;  // to wait for, or that was waited for
};

/// What copies of a Cache share.
class CacheWork : public Counted {
  public:
    CacheWork() = default;
    CacheWork(const CacheWork&) = delete;
    CacheWork& operator=(const CacheWork&) = delete;
    virtual ~CacheWork() = default;
    /// Answers the request, or lets it pass. False if it has to wait for a flight before, and to ask again.
    virtual bool serve(Context& ctx, CachePassage& passage) = 0;
    virtual void clear() noexcept = 0;
};

}  // namespace detail

namespace middleware {

/// The options of cache.
struct CacheOptions {
    /// How long an answer with status 200 is kept if it does not state a lifetime by max-age, s-maxage or
    /// Expires. With 0, only answers that state one are kept.
    std::chrono::seconds ttl = std::chrono::seconds(0);
    /// The memory that all kept answers may use, in bytes. Beyond it, the answer that was requested longest
    /// ago is dropped.
    std::size_t max_bytes = 64 * 1024 * 1024;
    /// Answers with larger bodies, in bytes, are not kept.
    std::size_t max_body = 1024 * 1024;
    /// A text that answers depend on in addition to method, scheme, host, path, query and the fields that
    /// Vary names: a user, a tenant. A request for which it returns std::nullopt bypasses the cache. Without
    /// a key, requests with Authorization or Cookie bypass the cache. With a key they use it, so return
    /// different texts for users who must not see the same answer.
    std::function<std::optional<std::string>(Context&)> key = {};
    /// Whether a client may demand a fresh answer, by Cache-Control: no-cache or max-age.
    bool client_may_reload = true;
    /// The name of the cache in the field Cache-Status (RFC 9211), a token. "" sends no such field.
    std::string name = "sake";
};

/// What cache() returns: coroutine middleware. Copies share the kept answers.
class Cache {
  public:
    template <class Unused = void>
    Task<> operator()(Context& ctx) const;
    /// Drops all answers, including those under way. From any thread.
    void clear() const noexcept { work_->clear(); }

  private:
    friend struct detail::StepAccess;
    friend struct detail::CacheMaker;
    static constexpr const detail::StepInfo* info_ = &detail::cache_info;
    explicit Cache(detail::CountedPtr<detail::CacheWork> work) noexcept : work_(std::move(work)) {}
    detail::CountedPtr<detail::CacheWork> work_;
};

/// Keeps answers to GET and HEAD for their stated lifetime (max-age) or `ttl`, and reuses them for equal
/// requests. While an answer is being made, equal requests wait for it. It keeps answers with status 200 and
/// a body in memory, and those with 301, 308, 404 and 410 that state a lifetime. It never keeps files,
/// streams, answers with Set-Cookie, `Vary: *` or Cache-Control: no-store, no-cache or private, or answers
/// whose handler used the session. Put it on slow routes, behind all middleware that checks permissions.
/// Throws std::invalid_argument for invalid options.
///
///     app.get("/report", make_report).use(sake::middleware::cache({.ttl = 10s}));
[[nodiscard]] Cache cache(CacheOptions options);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
