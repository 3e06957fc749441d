// Channel<T>: a bounded queue between coroutines of any reactors and plain threads. Coroutines await it,
// threads block on it. All are served in the order of arrival.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "sake/async/channel_gate.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Thrown by a send into a channel that is closed, or is closed before there is room. The item was not sent.
class ChannelClosed : public std::exception {
  public:
    [[nodiscard]] const char* what() const noexcept override { return "the channel is closed"; }
};

namespace detail {

template <class T>
class SendOperation;
template <class T>
class ReceiveWait;

}  // namespace detail

/// Passes items from any number of senders to any number of receivers. Each item goes to one receiver, in the
/// order of sending. May be used from all threads at once. It must outlive every call and every waiter.
///
///     Channel<Job> jobs(16);
///     co_await jobs.send(job);                               // in a coroutine: waits while 16 are there
///     while (auto job = co_await jobs.receive()) run(*job);  // in another: until closed and drained
///     jobs.send_blocking(job);                               // on a thread without a loop
///     jobs.close();
///
/// A send or receive that throws Cancelled, or that loses in `when_any`, has not happened.
template <class T>
class Channel {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                  "the items of a channel must move without throwing, so that none is lost");

  public:
    /// Holds up to `capacity` items; the largest value of its type means "no limit". Memory for up to a
    /// thousand items is allocated at once, more when it is needed; a send may then throw std::bad_alloc.
    /// Throws std::invalid_argument unless `capacity` is at least 1.
    template <std::integral Number>
    explicit Channel(Number capacity);
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel();

    /// Waits for room and adds the item. Throws ChannelClosed, or Cancelled.
    [[nodiscard]] detail::SendOperation<T> send(T item) noexcept;

    /// Waits for an item and removes it. Returns std::nullopt once the channel is closed and empty, so that
    /// `while (auto item = co_await channel.receive())` loops over all items. Throws Cancelled.
    detail::Operation<detail::ReceiveWait<T>, Channel&> receive() noexcept;

    /// Adds the item if that needs no waiting. Otherwise returns false and leaves the item unchanged. Throws
    /// ChannelClosed.
    [[nodiscard]] bool try_send(T&& item);
    /// The same with a copy of the item.
    [[nodiscard]] bool try_send(const T& item)
        requires std::copy_constructible<T>
    {
        T copy(item);
        return try_send(std::move(copy));
    }

    /// Removes and returns an item if that needs no waiting.
    [[nodiscard]] std::optional<T> try_receive() noexcept;

    /// Like `send`, but blocks the thread. Throws ChannelClosed, and std::logic_error on a reactor's thread.
    void send_blocking(T item);

    /// Like `receive`, but blocks the thread. Throws std::logic_error on a reactor's thread.
    [[nodiscard]] std::optional<T> receive_blocking();

    /// Ends sending: senders, including those that wait, get ChannelClosed. Items inside can still be
    /// received. A second call has no effect.
    void close() noexcept;

    [[nodiscard]] bool is_closed() const noexcept;
    /// The number of items inside. Other threads may change it at any time.
    [[nodiscard]] int size() const noexcept;
    [[nodiscard]] int capacity() const noexcept { return static_cast<int>(gate_.capacity()); }

  private:
    friend class detail::SendOperation<T>;
    friend class detail::ReceiveWait<T>;

    [[nodiscard]] bool put(T& item);
    void grow();
    [[nodiscard]] std::optional<T> take() noexcept;

    mutable std::mutex mutex_;  // of everything below
    detail::ChannelGate gate_;
    T* cells_;
};

namespace detail {

/// A send that has not begun. Awaiting it makes its wait.
template <class T>
class [[nodiscard("nothing is sent until it is awaited: co_await it")]] SendOperation {
  public:
    SendOperation(Channel<T>& channel, T&& item) noexcept : channel_(channel), item_(std::move(item)) {}

    class [[nodiscard]] SendWait final : public ChannelWait {
      public:
        SendWait(Channel<T>& channel, T&& item) noexcept
            : ChannelWait(channel.mutex_, channel.gate_, channel.gate_.senders),
              channel_(channel),
              item_(std::move(item)) {}

        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> coroutine) {
            return !(may_go_on(coroutine) && try_now()) && ChannelWait::await_suspend(coroutine);
        }
        void await_resume() {
            if (!is_over_) {
                const std::lock_guard lock(mutex_);
                end();
                is_sent_ = channel_.put(item_);
            }
            if (!is_sent_) throw ChannelClosed();
        }

      private:
        [[nodiscard]] bool try_now() {
            const std::lock_guard lock(mutex_);
            if (!channel_.gate_.may_send()) return false;
            is_sent_ = channel_.put(item_);
            is_over_ = true;
            return true;
        }

        Channel<T>& channel_;
        T item_;
        bool is_over_ = false;
        bool is_sent_ = false;
    };

    [[nodiscard]] SendWait operator co_await() && noexcept { return SendWait(channel_, std::move(item_)); }

  private:
    Channel<T>& channel_;
    T item_;
};

template <class T>
class [[nodiscard]] ReceiveWait final : public ChannelWait {
  public:
    explicit ReceiveWait(Channel<T>& channel) noexcept
        : ChannelWait(channel.mutex_, channel.gate_, channel.gate_.receivers), channel_(channel) {}

    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        return !(may_go_on(coroutine) && try_now()) && ChannelWait::await_suspend(coroutine);
    }
    [[nodiscard]] std::optional<T> await_resume() {
        if (is_over_) return std::move(item_);
        const std::lock_guard lock(mutex_);
        end();
        return channel_.take();
    }

  private:
    [[nodiscard]] bool try_now() noexcept {
        const std::lock_guard lock(mutex_);
        if (!channel_.gate_.may_receive()) return false;
        if (auto item = channel_.take()) item_.emplace(std::move(*item));
        is_over_ = true;
        return true;
    }

    Channel<T>& channel_;
    std::optional<T> item_;
    bool is_over_ = false;
};

}  // namespace detail

template <class T>
template <std::integral Number>
Channel<T>::Channel(Number capacity)
    : gate_(static_cast<std::size_t>(detail::limit_of<int>(1, capacity, "Channel: capacity"))),
      cells_(std::allocator<T>().allocate(gate_.cells())) {}

template <class T>
Channel<T>::~Channel() {
    while (gate_.size() > 0) std::destroy_at(cells_ + gate_.leave());
    std::allocator<T>().deallocate(cells_, gate_.cells());
}

// The items move to the front of more cells. Without memory for them there is room all the same: whoever
// comes next tries again.
template <class T>
void Channel<T>::grow() {
    const std::size_t more = gate_.more_cells();
    const detail::AtExit wake([this] { gate_.wake_who_may_go(); });
    T* const larger = std::allocator<T>().allocate(more);
    for (std::size_t i = 0; i < gate_.size(); ++i) {
        T* const cell = cells_ + gate_.cell(i);
        std::construct_at(larger + i, std::move(*cell));
        std::destroy_at(cell);
    }
    std::allocator<T>().deallocate(cells_, gate_.cells());
    cells_ = larger;
    gate_.set_cells(more);
}

// Where a sender need not wait: false if that is because the channel is closed.
template <class T>
bool Channel<T>::put(T& item) {
    if (gate_.is_closed()) return false;
    if (gate_.size() == gate_.cells()) grow();
    std::construct_at(cells_ + gate_.enter(), std::move(item));
    return true;
}

// Where a receiver need not wait: nothing if that is because the channel is closed and drained.
template <class T>
std::optional<T> Channel<T>::take() noexcept {
    if (gate_.size() == 0) return std::nullopt;
    T* const cell = cells_ + gate_.leave();
    std::optional<T> item(std::move(*cell));
    std::destroy_at(cell);
    return item;
}

template <class T>
detail::SendOperation<T> Channel<T>::send(T item) noexcept {
    return detail::SendOperation<T>(*this, std::move(item));
}

template <class T>
auto Channel<T>::receive() noexcept -> detail::Operation<detail::ReceiveWait<T>, Channel&> {
    return detail::Operation<detail::ReceiveWait<T>, Channel&>(*this);
}

template <class T>
bool Channel<T>::try_send(T&& item) {
    const std::lock_guard lock(mutex_);
    if (!gate_.may_send()) return false;
    if (!put(item)) throw ChannelClosed();
    return true;
}

template <class T>
std::optional<T> Channel<T>::try_receive() noexcept {
    const std::lock_guard lock(mutex_);
    if (!gate_.may_receive()) return std::nullopt;
    return take();
}

template <class T>
void Channel<T>::send_blocking(T item) {
    std::unique_lock lock(mutex_);
    detail::wait_in_line(lock, gate_.senders, [&] { return gate_.may_send(); });
    if (!put(item)) throw ChannelClosed();
}

template <class T>
std::optional<T> Channel<T>::receive_blocking() {
    std::unique_lock lock(mutex_);
    detail::wait_in_line(lock, gate_.receivers, [&] { return gate_.may_receive(); });
    return take();
}

template <class T>
void Channel<T>::close() noexcept {
    const std::lock_guard lock(mutex_);
    gate_.close();
}

template <class T>
bool Channel<T>::is_closed() const noexcept {
    const std::lock_guard lock(mutex_);
    return gate_.is_closed();
}

template <class T>
int Channel<T>::size() const noexcept {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(gate_.size());
}

}  // namespace SAKE_ABI
}  // namespace sake
