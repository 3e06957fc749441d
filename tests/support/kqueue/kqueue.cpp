// kqueue over epoll, for tests. One epoll registration a descriptor holds both filters; each epoll event
// becomes one kevent a filter. Where it differs from a BSD: a wake-up of one filter may report the other one
// again, which an edge-triggered user must bear anyway.
#include <errno.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "support/allocations.hpp"

namespace {

struct Filter {
    bool added = false;
    bool enabled = false;
    std::uint16_t flags = 0;
    void* udata = nullptr;
};

struct Registration {
    Filter read;
    Filter write;

    Filter* filter(std::int16_t number) {
        if (number == EVFILT_READ) return &read;
        return number == EVFILT_WRITE ? &write : nullptr;
    }
    [[nodiscard]] bool is_empty() const { return !read.added && !write.added; }
    [[nodiscard]] std::uint32_t epoll_events() const {
        std::uint32_t events = 0;
        if (read.enabled) events |= EPOLLIN | EPOLLRDHUP;
        if (write.enabled) events |= EPOLLOUT;
        if (((read.flags | write.flags) & EV_CLEAR) != 0) events |= EPOLLET;
        return events;
    }
};

// By queue, then by descriptor. The memory is the test's, never the library's: hence Exempt wherever it
// changes.
using Queue = std::map<int, Registration>;
std::mutex queues_mutex;
std::map<int, Queue>& queues() {
    static auto* all = new std::map<int, Queue>;  // lives to the end: servers may outlast statics
    return *all;
}

/// Brings epoll in line with a registration; 0 or an errno.
int update_epoll(int queue, int fd, const Registration& registration) {
    epoll_event event{};
    event.events = registration.epoll_events();
    event.data.fd = fd;
    if (registration.is_empty()) return ::epoll_ctl(queue, EPOLL_CTL_DEL, fd, &event) == 0 ? 0 : errno;
    if (::epoll_ctl(queue, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
    if (errno != ENOENT) return errno;
    return ::epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

/// A closed descriptor leaves a kqueue by itself. epoll forgets it likewise, and this finds that out.
bool is_known_to_epoll(int queue, int fd, const Registration& registration) {
    epoll_event event{};
    event.events = registration.epoll_events();
    event.data.fd = fd;
    return ::epoll_ctl(queue, EPOLL_CTL_MOD, fd, &event) == 0;
}

void set_filter(Filter& filter, const struct kevent& change) {
    filter.added = true;
    filter.enabled = (change.flags & EV_DISABLE) == 0;
    filter.flags = change.flags;
    filter.udata = change.udata;
}

int apply_change(int queue, const struct kevent& change) {
    const int fd = static_cast<int>(change.ident);
    Queue& registrations = queues()[queue];
    const auto found = registrations.find(fd);
    Registration next;
    if (found != registrations.end() && is_known_to_epoll(queue, fd, found->second)) next = found->second;
    Filter* filter = next.filter(change.filter);
    if (filter == nullptr) return EINVAL;
    if ((change.flags & EV_ADD) != 0) {
        set_filter(*filter, change);
    } else if (!filter->added) {
        return ENOENT;
    } else if ((change.flags & EV_DELETE) != 0) {
        *filter = {};
    } else {
        filter->enabled = (change.flags & EV_ENABLE) != 0;
    }
    const int error = update_epoll(queue, fd, next);
    if (error == 0 && !next.is_empty()) registrations[fd] = next;
    if (error == 0 && next.is_empty()) registrations.erase(fd);
    return error;
}

int socket_option(int fd, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : 0;
}

std::intptr_t pending_bytes(int fd) {
    int bytes = 0;
    if (socket_option(fd, SO_ACCEPTCONN) != 0) return 1;  // a listener: connections, of which one at least
    return ::ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : 0;
}

struct kevent make_event(int fd, std::int16_t number, const Filter& filter, bool ended, std::uint32_t seen) {
    struct kevent event{};
    event.ident = static_cast<uintptr_t>(fd);
    event.filter = number;
    event.flags = static_cast<std::uint16_t>(filter.flags & ~(EV_ADD | EV_ENABLE | EV_RECEIPT));
    if (ended) event.flags |= EV_EOF;
    // Which error it is stays with the socket, for the next call: reading SO_ERROR would clear it.
    if (ended && (seen & EPOLLERR) != 0) event.fflags = ECONNRESET;
    event.data = number == EVFILT_READ ? pending_bytes(fd) : socket_option(fd, SO_SNDBUF);
    event.udata = filter.udata;
    return event;
}

/// The kevents of one epoll event, at most two; returns how many.
int translate(int fd, Registration& registration, std::uint32_t seen, struct kevent* out) {
    const bool read_ended = (seen & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    const bool write_ended = (seen & (EPOLLHUP | EPOLLERR)) != 0;
    int count = 0;
    if (registration.read.enabled && ((seen & EPOLLIN) != 0 || read_ended)) {
        out[count++] = make_event(fd, EVFILT_READ, registration.read, read_ended, seen);
    }
    if (registration.write.enabled && ((seen & EPOLLOUT) != 0 || write_ended)) {
        out[count++] = make_event(fd, EVFILT_WRITE, registration.write, write_ended, seen);
    }
    return count;
}

void drop_if_oneshot(int queue, int fd, Registration& registration, const struct kevent& event) {
    if ((event.flags & EV_ONESHOT) == 0) return;
    *registration.filter(event.filter) = {};
    update_epoll(queue, fd, registration);
}

int milliseconds(const struct timespec* timeout) {
    if (timeout == nullptr) return -1;
    const long long total = timeout->tv_sec * 1000LL + (timeout->tv_nsec + 999'999) / 1'000'000;
    return static_cast<int>(std::min(total, 1'000'000'000LL));
}

}  // namespace

int kqueue() {
    const int queue = ::epoll_create1(0);
    if (queue < 0) return -1;
    const harness::allocations::Exempt not_the_servers;
    const std::lock_guard lock(queues_mutex);
    queues()[queue] = {};  // the number may have been another queue's before
    return queue;
}

// The interface has a function and a struct of one name.
#pragma GCC diagnostic ignored "-Wshadow"
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events, int room,
           const struct timespec* timeout) {
    const harness::allocations::Exempt not_the_servers;
    int reported = 0;
    for (int i = 0; i < change_count; ++i) {
        const std::lock_guard lock(queues_mutex);
        const int error = apply_change(queue, changes[i]);
        const bool wants_receipt = (changes[i].flags & EV_RECEIPT) != 0;
        if (error == 0 && !wants_receipt) continue;
        if (reported == room) {
            errno = error;
            return -1;
        }
        events[reported] = changes[i];
        events[reported].flags = EV_ERROR;
        events[reported++].data = error;
    }
    if (room < 2 || reported > 0) {
        if (room == 1 && reported == 0) errno = EINVAL;  // one epoll event may need two places
        return room == 1 && reported == 0 ? -1 : reported;
    }
    std::array<epoll_event, 256> seen{};
    const int count = ::epoll_wait(queue, seen.data(), std::min(room / 2, 256), milliseconds(timeout));
    if (count < 0) return -1;
    const std::lock_guard lock(queues_mutex);
    Queue& registrations = queues()[queue];
    for (int i = 0; i < count; ++i) {
        const auto& event = seen[static_cast<std::size_t>(i)];
        const auto found = registrations.find(event.data.fd);
        if (found == registrations.end()) continue;
        const int made = translate(event.data.fd, found->second, event.events, events + reported);
        for (int k = 0; k < made; ++k)
            drop_if_oneshot(queue, event.data.fd, found->second, events[reported + k]);
        reported += made;
    }
    return reported;
}
