// Definitions of children.hpp: how children start, are cancelled, and end.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "sake/async/children.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE Children::~Children() {
    cancel_rest_ = CancelRest::never;
    while (fibers_.is_linked()) static_cast<Fiber&>(*fibers_.next()).top.destroy();
}

SAKE_INLINE void Children::spawn(Task<> task) {
    Fiber& child =
        run<Start::later, Task<>>(parent_.reactor(), *this, added_, std::move(task), ignored_).fiber();
    take_in(child);
    if (is_cancelled_) child.cancel();
    start(child);
}

SAKE_INLINE void Children::take_in(Fiber& child) noexcept {
    child.work = parent_.work;
    child.insert_before(fibers_);
    ++added_;
}

SAKE_INLINE void Children::start() {
    // One that ends removes itself, and nothing else does so meanwhile.
    for (ListNode* node = fibers_.next(); node != &fibers_;) {
        ListNode* const next = node->next();
        start(*static_cast<Fiber*>(node));
        if (cancel_rest_ == CancelRest::on_end && first_ != none) return;
        node = next;
    }
}

SAKE_INLINE void Children::start(Fiber& child) {
    ++running_;
    child.top.resume();
}

SAKE_INLINE void Children::cancel() noexcept {
    is_cancelled_ = true;
    for (ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
        static_cast<Fiber*>(node)->cancel();
    }
}

SAKE_INLINE void Children::abandon() noexcept {
    for (ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
        static_cast<Fiber*>(node)->abandon();
    }
}

SAKE_INLINE void Children::describe_waits(std::string& out) const {
    std::size_t count = 0;
    for (const ListNode* node = fibers_.next(); node != &fibers_; node = node->next()) {
        if (++count > 4) continue;
        if (count > 1) out += " and ";
        static_cast<const Fiber*>(node)->describe_wait(out);
    }
    if (count > 4) out.append(" and ").append(std::to_string(count - 4)).append(" more");
}

SAKE_INLINE void Children::ended(const Presence& child) noexcept {
    const bool is_first = first_ == none;
    if (is_first) first_ = child.index;
    const bool was_told_to = child.failed_by_cancelled && is_cancelled_ && !is_parent_cancelled_;
    const bool is_failure = child.failure && !failure_ && !was_told_to;
    const bool decides = cancel_rest_ == CancelRest::on_end ? is_first : is_failure;
    if (decides) {
        failure_ = child.failure;
        failed_by_cancelled_ = child.failed_by_cancelled;
        if (cancel_rest_ != CancelRest::never) cancel();
    }
    if (--running_ == 0 && waiter_ != nullptr) waiter_->finish();
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
