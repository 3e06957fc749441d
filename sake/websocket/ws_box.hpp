// WsBox: messages that other threads leave for a WebSocket to send. It outlives the connection, which
// detaches from it when it closes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "sake/async/port.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/ws_close.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a box holds for a connection.
struct WsPost {
    enum class Kind : std::uint8_t { text, binary, close };
    Kind kind;
    int code;           // of a close
    std::string bytes;  // what is sent, or the reason of a close
};

class WsLink;

/// Sends it, on the thread of the connection.
void deliver(WsLink& link, const WsPost& post) noexcept;

class WsBox final : public PortItem {
  public:
    WsBox(CountedPtr<Port> port, WsLink& link, std::size_t most_bytes, bool closes_if_full)
        : port_(std::move(port)), link_(&link), most_bytes_(most_bytes), closes_if_full_(closes_if_full) {}

    /// From any thread. False if it is closed, or full.
    bool add(WsPost post) {
        bool fits = true;
        {
            const std::lock_guard lock(mutex_);
            if (is_closed_) return false;
            fits = post.kind == WsPost::Kind::close || has_room(cost(post));
            if (!fits && !closes_if_full_) return false;
            if (!fits) post = {WsPost::Kind::close, ws_try_again, "the client is too slow"};
            const WsPost& added = posts_.push_back(std::move(post));
            waiting_ += cost(added);
            is_closed_ = added.kind == WsPost::Kind::close;
            if (std::exchange(is_on_its_way_, true)) return fits;
        }
        port_->bring(CountedPtr<PortItem>(this));
        return fits;
    }
    [[nodiscard]] bool is_open() const noexcept {
        const std::lock_guard lock(mutex_);
        return !is_closed_;
    }

    /// For the connection: how much it has to send already.
    void set_unsent(std::size_t bytes) noexcept {
        const std::lock_guard lock(mutex_);
        unsent_ = bytes;
    }
    /// For the connection: it sends nothing any more.
    void close() noexcept {
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
    }
    /// The connection is one of its owners, from here on up to its end.
    void join() noexcept { self_ = CountedPtr<WsBox>(this); }
    void leave() noexcept {
        CountedPtr<WsBox> self;
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
        link_ = nullptr;
        self.swap(self_);
    }

    void arrive() noexcept override {
        Array<WsPost> posts;
        WsLink* link = nullptr;
        {
            const std::lock_guard lock(mutex_);
            posts.swap(posts_);
            link = link_;
            is_on_its_way_ = false;
        }
        std::size_t delivered = 0;
        for (const WsPost& post : posts) {
            if (link != nullptr) deliver(*link, post);
            delivered += cost(post);
        }
        const std::lock_guard lock(mutex_);
        waiting_ -= delivered;
    }

  private:
    [[nodiscard]] static std::size_t cost(const WsPost& post) noexcept {
        return sizeof(WsPost) + post.bytes.size();
    }
    [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
        const std::size_t taken = waiting_ + unsent_;
        return taken == 0 || (taken <= most_bytes_ && bytes <= most_bytes_ - taken);
    }

    mutable std::mutex mutex_;
    CountedPtr<Port> port_;
    WsLink* link_;  // null once that has ended
    CountedPtr<WsBox> self_;
    const std::size_t most_bytes_;
    const bool closes_if_full_;
    bool is_closed_ = false;
    bool is_on_its_way_ = false;
    Array<WsPost> posts_;
    std::size_t waiting_ = 0;  // what they cost, up to their delivery
    std::size_t unsent_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
