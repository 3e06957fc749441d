// The wrappers that the linker puts in front of libc, and the plan they consult. While no plan is active a
// wrapper takes no lock and orders nothing between threads (relaxed counters only), so that it hides no race
// from ThreadSanitizer.
#include "faults.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>

#include "allocations.hpp"

#define HARNESS_WRAPPED_CALLS(X) \
    X(accept4)                   \
    X(bind)                      \
    X(close)                     \
    X(connect)                   \
    X(epoll_create1)             \
    X(epoll_ctl)                 \
    X(epoll_wait)                \
    X(eventfd)                   \
    X(fcntl)                     \
    X(getsockname)               \
    X(getsockopt)                \
    X(linkat)                    \
    X(listen)                    \
    X(madvise)                   \
    X(mmap)                      \
    X(mremap)                    \
    X(munmap)                    \
    X(open)                      \
    X(openat)                    \
    X(pipe2)                     \
    X(poll)                      \
    X(pread)                     \
    X(preadv2)                   \
    X(read)                      \
    X(recv)                      \
    X(send)                      \
    X(sendfile)                  \
    X(sendmsg)                   \
    X(setsockopt)                \
    X(shutdown)                  \
    X(socket)                    \
    X(syscall)                   \
    X(unlink)                    \
    X(write)                     \
    X(writev)

extern "C" {
int __real_accept4(int, sockaddr*, socklen_t*, int);
int __real_bind(int, const sockaddr*, socklen_t);
int __real_close(int);
int __real_connect(int, const sockaddr*, socklen_t);
int __real_epoll_create1(int);
int __real_epoll_ctl(int, int, int, epoll_event*);
int __real_epoll_wait(int, epoll_event*, int, int);
int __real_eventfd(unsigned, int);
int __real_fcntl(int, int, ...);
int __real_getsockname(int, sockaddr*, socklen_t*);
int __real_getsockopt(int, int, int, void*, socklen_t*);
int __real_linkat(int, const char*, int, const char*, int);
int __real_listen(int, int);
int __real_madvise(void*, size_t, int);
void* __real_mmap(void*, size_t, int, int, int, off_t);
void* __real_mremap(void*, size_t, size_t, int, ...);
int __real_munmap(void*, size_t);
int __real_open(const char*, int, ...);
int __real_openat(int, const char*, int, ...);
int __real_pipe2(int*, int);
int __real_poll(pollfd*, nfds_t, int);
ssize_t __real_pread(int, void*, size_t, off_t);
ssize_t __real_preadv2(int, const iovec*, int, off_t, int);
ssize_t __real_read(int, void*, size_t);
ssize_t __real_recv(int, void*, size_t, int);
ssize_t __real_send(int, const void*, size_t, int);
ssize_t __real_sendfile(int, int, off_t*, size_t);
ssize_t __real_sendmsg(int, const msghdr*, int);
int __real_setsockopt(int, int, int, const void*, socklen_t);
int __real_shutdown(int, int);
int __real_socket(int, int, int);
long __real_syscall(long, ...);
int __real_unlink(const char*);
ssize_t __real_write(int, const void*, size_t);
ssize_t __real_writev(int, const iovec*, int);
}

namespace harness {
namespace {

#define HARNESS_ENUMERATOR(name) name,
#define HARNESS_STRING(name) #name,
enum class Call : std::size_t { HARNESS_WRAPPED_CALLS(HARNESS_ENUMERATOR) count_ };
constexpr std::size_t call_count = static_cast<std::size_t>(Call::count_);
constexpr std::array<std::string_view, call_count> names{HARNESS_WRAPPED_CALLS(HARNESS_STRING)};

constexpr std::size_t index_of(Call call) { return static_cast<std::size_t>(call); }

std::size_t index_of(std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw std::invalid_argument("no wrapped call is named " + std::string(name));
    return static_cast<std::size_t>(found - names.begin());
}

// ---- which threads, and how many calls

enum class Side { undecided, server, spared };
constinit thread_local Side side = Side::undecided;
constinit std::atomic<bool> all_other_threads{false};
std::array<std::atomic<std::uint64_t>, call_count> counters{};
std::array<std::atomic<std::uint64_t>, call_count> longest_lengths{};

// ---- the active plan, all of it behind one mutex that is taken only while a plan is active

struct Active {
    std::vector<FaultPlan::Rule> rules;
    std::uint64_t random = 0;
    std::array<std::uint64_t, call_count> seen{};
};
constinit std::atomic<bool> plan_is_active{false};
std::mutex plan_mutex;
Active active;
std::array<std::atomic<std::uint64_t>, call_count> fired_counts{};

std::uint64_t next_random(std::uint64_t& state) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1DULL;
}

/// What a call is about, as far as plausibility of a fault depends on it.
struct Subject {
    int fd = -1;
    std::size_t length = 0;
    bool may_block = true;        // no MSG_DONTWAIT
    std::uint32_t readiness = 0;  // EPOLLIN or EPOLLOUT for calls that transfer something
    std::uint64_t offset = 0;     // in a file
};

bool hits(const FaultPlan::Rule& rule, std::uint64_t number, const Subject& subject) {
    if (rule.end != 0) return subject.offset >= rule.begin && subject.offset < rule.end;
    if (rule.first != 0) return number >= rule.first && number - rule.first < rule.count;
    return static_cast<double>(next_random(active.random) >> 11) * 0x1.0p-53 < rule.probability;
}

// ---- readiness that a fault has hidden: reported again by the next epoll_wait of the same thread

struct Hidden {
    int fd;
    std::uint32_t events;
};
// Fixed storage: the wrappers must not allocate, since allocation failures may be active on this thread.
struct HiddenList {
    std::array<Hidden, 512> items;
    std::size_t size;
};
constinit thread_local HiddenList hidden{};

bool remember(int fd, std::uint32_t events) {
    for (std::size_t i = 0; i < hidden.size; ++i) {
        if (hidden.items[i].fd != fd) continue;
        hidden.items[i].events |= events;
        return true;
    }
    if (hidden.size == hidden.items.size()) return false;
    hidden.items[hidden.size++] = {fd, events};
    return true;
}

void forget(int fd) {
    for (std::size_t i = 0; i < hidden.size; ++i) {
        if (hidden.items[i].fd != fd) continue;
        hidden.items[i] = hidden.items[--hidden.size];
        return;
    }
}

/// Reads /proc/self/fdinfo/<epoll fd>, the kernel's own list of what is registered. Asking it when needed is
/// simpler than shadowing epoll_ctl, and cannot be stale when numbers are reused or another thread registers.
class Registrations {
  public:
    explicit Registrations(int epoll_fd) {
        char path[64];
        std::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll_fd);
        fd_ = __real_open(path, O_RDONLY | O_CLOEXEC);
    }
    ~Registrations() {
        if (fd_ >= 0) __real_close(fd_);
    }
    Registrations(const Registrations&) = delete;
    Registrations& operator=(const Registrations&) = delete;

    [[nodiscard]] bool is_open() const { return fd_ >= 0; }

    /// The next "tfd: 7 events: 80002019 data: 7 ..." line; false at the end.
    bool next(int& fd, epoll_event& event) {
        unsigned events = 0;
        unsigned long long data = 0;
        while (next_line()) {
            if (std::sscanf(line_, "tfd: %d events: %x data: %llx", &fd, &events, &data) != 3) continue;
            event.events = events;
            event.data.u64 = data;
            return true;
        }
        return false;
    }

  private:
    bool next_line() {
        std::size_t length = 0;
        while (true) {
            if (at_ == end_ && !refill()) return false;
            const char c = block_[at_++];
            if (c == '\n') break;
            if (length + 1 < sizeof line_) line_[length++] = c;
        }
        line_[length] = '\0';
        return true;
    }

    bool refill() {
        const auto got = __real_read(fd_, block_, sizeof block_);
        at_ = 0;
        end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
        return end_ > 0;
    }

    int fd_ = -1;
    std::size_t at_ = 0;
    std::size_t end_ = 0;
    char line_[256];
    char block_[4096];
};

/// Writes an event for every hidden readiness of this epoll instance and returns how many. What is level-
/// triggered or no longer registered needs none and is dropped; what does not fit stays for the next call.
int report_hidden(int epoll_fd, epoll_event* events, int room) {
    Registrations registrations(epoll_fd);
    if (!registrations.is_open()) return 0;
    int written = 0;
    int fd = -1;
    epoll_event registered{};
    while (written < room && registrations.next(fd, registered)) {
        for (std::size_t i = 0; i < hidden.size; ++i) {
            if (hidden.items[i].fd != fd) continue;
            const std::uint32_t again = hidden.items[i].events & registered.events;
            if ((registered.events & EPOLLET) != 0 && again != 0) {
                events[written].events = again;
                events[written++].data = registered.data;
            }
            forget(fd);
            break;
        }
    }
    if (written < room) hidden.size = 0;
    return written;
}

/// A kernel never names a descriptor twice in one batch, so equal data become one event.
int merge_duplicates(epoll_event* events, int synthetic, int total) {
    int kept = synthetic;
    for (int i = synthetic; i < total; ++i) {
        auto* same = std::find_if(events, events + synthetic,
                                  [&](const epoll_event& e) { return e.data.u64 == events[i].data.u64; });
        if (same != events + synthetic) {
            same->events |= events[i].events;
        } else {
            events[kept++] = events[i];
        }
    }
    return kept;
}

// ---- the decision of one call

struct Verdict {
    int error = 0;       // non-zero: fail with it
    std::size_t length;  // bytes to pass on
};

bool is_stream_or_file(int fd) {
    struct stat info{};
    return ::fstat(fd, &info) == 0 &&
           (S_ISSOCK(info.st_mode) || S_ISFIFO(info.st_mode) || S_ISREG(info.st_mode));
}

bool is_non_blocking(const Subject& subject) {
    return !subject.may_block || (__real_fcntl(subject.fd, F_GETFL) & O_NONBLOCK) != 0;
}

/// A full eventfd or pipe means that a wake-up is already on its way, which an injected EAGAIN would belie.
bool wakes_somebody(const Subject& subject) {
    struct stat info{};
    return subject.readiness == EPOLLOUT && (::fstat(subject.fd, &info) != 0 || !S_ISSOCK(info.st_mode));
}

/// Applies one rule, or finds it implausible here and leaves the call alone.
bool apply(const FaultPlan::Rule& rule, const Subject& subject, Verdict& verdict) {
    if (rule.error == 0) {
        if (subject.length <= rule.most || !is_stream_or_file(subject.fd)) return false;
        if (!remember(subject.fd, subject.readiness)) return false;
        verdict.length = rule.most;
        return true;
    }
    if (rule.error == EAGAIN && subject.readiness != 0) {
        if (rule.first == 0 && (!is_non_blocking(subject) || wakes_somebody(subject))) return false;
        if (!remember(subject.fd, subject.readiness)) return false;
    }
    verdict.error = rule.error;
    return true;
}

void note_length(Call call, std::uint64_t length) {
    std::atomic<std::uint64_t>& longest = longest_lengths[index_of(call)];
    std::uint64_t known = longest.load(std::memory_order_relaxed);
    while (length > known && !longest.compare_exchange_weak(known, length, std::memory_order_relaxed)) {
    }
}

void count(Call call) { counters[index_of(call)].fetch_add(1, std::memory_order_relaxed); }

Verdict judge(Call call, const Subject& subject = {}) {
    Verdict verdict{0, subject.length};
    if (!faults::this_thread_is_included()) return verdict;
    if (call != Call::recv) count(call);
    note_length(call, subject.length);
    if (!plan_is_active.load(std::memory_order_acquire)) return verdict;
    const std::lock_guard lock(plan_mutex);
    const std::uint64_t number = ++active.seen[index_of(call)];
    for (const auto& rule : active.rules) {
        if (rule.call != index_of(call) || !hits(rule, number, subject) || !apply(rule, subject, verdict))
            continue;
        fired_counts[index_of(call)].fetch_add(1, std::memory_order_relaxed);
        break;
    }
    return verdict;
}

int fail(int error) {
    errno = error;
    return -1;
}

void* fail_to_map(int error) {
    errno = error;
    return MAP_FAILED;
}

/// The first `length` bytes of a gathered write; at most 64 pieces, more than which makes it shorter still.
struct ShortGather {
    std::array<iovec, 64> pieces;
    std::size_t count = 0;

    ShortGather(const iovec* from, std::size_t from_count, std::size_t length) {
        for (std::size_t i = 0; i < from_count && length > 0 && count < pieces.size(); ++i) {
            const std::size_t part = std::min(from[i].iov_len, length);
            pieces[count++] = {from[i].iov_base, part};
            length -= part;
        }
    }
};

std::size_t total_length(const iovec* pieces, std::size_t count) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) total += pieces[i].iov_len;
    return total;
}

}  // namespace

// ---- the public face

namespace faults {

void apply_to_this_thread() noexcept { side = Side::server; }
void spare_this_thread() noexcept { side = Side::spared; }

bool this_thread_is_included() noexcept {
    if (side == Side::undecided) return all_other_threads.load(std::memory_order_relaxed);
    return side == Side::server;
}

AllOtherThreads::AllOtherThreads() noexcept {
    spare_this_thread();
    all_other_threads.store(true, std::memory_order_relaxed);
}

AllOtherThreads::~AllOtherThreads() {
    all_other_threads.store(false, std::memory_order_relaxed);
    side = Side::undecided;
}

std::uint64_t calls(std::string_view name) {
    return counters[index_of(name)].load(std::memory_order_relaxed);
}

std::uint64_t longest(std::string_view name) {
    return longest_lengths[index_of(name)].load(std::memory_order_relaxed);
}

void reset_calls() noexcept {
    for (auto& counter : counters) counter.store(0, std::memory_order_relaxed);
    for (auto& length : longest_lengths) length.store(0, std::memory_order_relaxed);
}

std::vector<std::string_view> wrapped_names() { return {names.begin(), names.end()}; }

}  // namespace faults

FaultPlan& FaultPlan::fail_range(std::string_view name, std::uint64_t n, std::uint64_t count, int error) {
    if (n == 0 || error == 0) throw std::invalid_argument("a failing call has a number from 1 and an errno");
    rules_.push_back({.call = index_of(name), .first = n, .count = count, .error = error});
    return *this;
}

FaultPlan& FaultPlan::not_in_memory(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) throw std::invalid_argument("a part of a file ends behind its begin");
    rules_.push_back({.call = index_of(Call::preadv2), .error = EAGAIN, .begin = begin, .end = end});
    return *this;
}

FaultPlan& FaultPlan::fail_randomly(std::string_view name, double probability, int error) {
    if (error == 0) throw std::invalid_argument("a failing call has an errno");
    rules_.push_back({.call = index_of(name), .probability = probability, .error = error});
    return *this;
}

FaultPlan& FaultPlan::short_io(std::string_view name, double probability, std::size_t most) {
    if (most == 0) throw std::invalid_argument("short I/O moves at least one byte");
    rules_.push_back({.call = index_of(name), .probability = probability, .most = most});
    return *this;
}

FaultPlan& FaultPlan::storm(double probability) {
    for (const char* name : {"recv", "send", "sendfile", "sendmsg", "read", "write", "writev"}) {
        fail_randomly(name, probability, EINTR);
        fail_randomly(name, probability, EAGAIN);
        short_io(name, probability, 1);
    }
    fail_randomly("accept4", probability, EINTR).fail_randomly("accept4", probability, EAGAIN);
    return fail_randomly("epoll_wait", probability, EINTR).fail_randomly("poll", probability, EINTR);
}

ScopedFaults::ScopedFaults(const FaultPlan& plan) {
    const allocations::Exempt not_the_servers;
    const std::lock_guard lock(plan_mutex);
    if (plan_is_active.load(std::memory_order_relaxed))
        throw std::logic_error("a fault plan is active already");
    active.rules = plan.rules();
    active.random = plan.seed() * 0x9E3779B97F4A7C15ULL | 1;
    active.seen = {};
    for (auto& count : fired_counts) count.store(0, std::memory_order_relaxed);
    plan_is_active.store(true, std::memory_order_release);
}

ScopedFaults::~ScopedFaults() {
    const std::lock_guard lock(plan_mutex);
    plan_is_active.store(false, std::memory_order_release);
    active.rules = {};
}

std::uint64_t ScopedFaults::fired() const {
    std::uint64_t sum = 0;
    for (const auto& count : fired_counts) sum += count.load(std::memory_order_relaxed);
    return sum;
}

std::uint64_t ScopedFaults::fired(std::string_view name) const {
    return fired_counts[index_of(name)].load(std::memory_order_relaxed);
}

}  // namespace harness

// ---- the wrappers

using harness::Call;
using harness::judge;

extern "C" {

int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
    const auto verdict = judge(Call::accept4, {.fd = fd, .readiness = EPOLLIN});
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_accept4(fd, address, length, flags);
}

int __wrap_bind(int fd, const sockaddr* address, socklen_t length) {
    const auto verdict = judge(Call::bind);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_bind(fd, address, length);
}

// Linux gives the number back whatever close reports, so an injected error must not leak it.
int __wrap_close(int fd) {
    const auto verdict = judge(Call::close);
    harness::forget(fd);
    const int result = __real_close(fd);
    return verdict.error != 0 ? harness::fail(verdict.error) : result;
}

int __wrap_connect(int fd, const sockaddr* address, socklen_t length) {
    const auto verdict = judge(Call::connect);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_connect(fd, address, length);
}

int __wrap_epoll_create1(int flags) {
    const auto verdict = judge(Call::epoll_create1);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) {
    const auto verdict = judge(Call::epoll_ctl);
    return verdict.error != 0 ? harness::fail(verdict.error)
                              : __real_epoll_ctl(epoll_fd, operation, fd, event);
}

int __wrap_epoll_wait(int epoll_fd, epoll_event* events, int room, int timeout) {
    const auto verdict = judge(Call::epoll_wait);
    if (verdict.error != 0) return harness::fail(verdict.error);
    if (harness::hidden.size == 0) return __real_epoll_wait(epoll_fd, events, room, timeout);
    const int synthetic = harness::report_hidden(epoll_fd, events, room);
    if (synthetic == 0 && harness::hidden.size == 0)
        return __real_epoll_wait(epoll_fd, events, room, timeout);
    if (synthetic == room) return synthetic;
    // Nothing synthetic and still hidden: /proc could not be opened (no descriptors left). Try again soon.
    const int wait = synthetic > 0 || timeout == 0 ? 0 : 1;
    const int real = __real_epoll_wait(epoll_fd, events + synthetic, room - synthetic, wait);
    return harness::merge_duplicates(events, synthetic, synthetic + std::max(real, 0));
}

int __wrap_eventfd(unsigned initial, int flags) {
    const auto verdict = judge(Call::eventfd);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_eventfd(initial, flags);
}

// Every command of fcntl takes at most one argument, an int or a pointer, which travels in the same register.
int __wrap_fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void* argument = va_arg(rest, void*);
    va_end(rest);
    const auto verdict = judge(Call::fcntl);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_fcntl(fd, command, argument);
}

int __wrap_getsockname(int fd, sockaddr* address, socklen_t* length) {
    const auto verdict = judge(Call::getsockname);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_getsockname(fd, address, length);
}

int __wrap_getsockopt(int fd, int level, int option, void* value, socklen_t* length) {
    const auto verdict = judge(Call::getsockopt);
    return verdict.error != 0 ? harness::fail(verdict.error)
                              : __real_getsockopt(fd, level, option, value, length);
}

int __wrap_linkat(int from_directory, const char* from, int directory, const char* path, int flags) {
    const auto verdict = judge(Call::linkat);
    return verdict.error != 0 ? harness::fail(verdict.error)
                              : __real_linkat(from_directory, from, directory, path, flags);
}

int __wrap_listen(int fd, int backlog) {
    const auto verdict = judge(Call::listen);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_listen(fd, backlog);
}

int __wrap_madvise(void* memory, size_t length, int advice) {
    const auto verdict = judge(Call::madvise);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_madvise(memory, length, advice);
}

void* __wrap_mmap(void* place, size_t length, int access, int flags, int fd, off_t offset) {
    const auto verdict = judge(Call::mmap);
    if (verdict.error != 0) return harness::fail_to_map(verdict.error);
    void* const made = __real_mmap(place, length, access, flags, fd, offset);
    if (made != MAP_FAILED) harness::allocations::pages_changed(0, length);
    return made;
}

// MREMAP_FIXED also unmaps what is at its place, which no figure notices: the library does without it.
void* __wrap_mremap(void* pages, size_t length, size_t to, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    void* const place = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void*) : nullptr;
    va_end(rest);
    const auto verdict = judge(Call::mremap);
    if (verdict.error != 0) return harness::fail_to_map(verdict.error);
    void* const moved = __real_mremap(pages, length, to, flags, place);
    if (moved != MAP_FAILED) harness::allocations::pages_changed(length, to);
    return moved;
}

int __wrap_munmap(void* pages, size_t length) {
    const auto verdict = judge(Call::munmap);
    if (verdict.error != 0) return harness::fail(verdict.error);
    const int result = __real_munmap(pages, length);
    if (result == 0) harness::allocations::pages_changed(length, 0);
    return result;
}

int __wrap_open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    const mode_t mode = creates ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    const auto verdict = judge(Call::open);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_open(path, flags, mode);
}

int __wrap_openat(int directory, const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    const mode_t mode = creates ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    const auto verdict = judge(Call::openat);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_openat(directory, path, flags, mode);
}

int __wrap_pipe2(int* ends, int flags) {
    const auto verdict = judge(Call::pipe2);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_pipe2(ends, flags);
}

int __wrap_poll(pollfd* entries, nfds_t count, int timeout) {
    const auto verdict = judge(Call::poll);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_poll(entries, count, timeout);
}

ssize_t __wrap_pread(int fd, void* buffer, size_t length, off_t offset) {
    const auto verdict = judge(Call::pread, {.fd = fd, .length = length, .readiness = EPOLLIN});
    return verdict.error != 0 ? harness::fail(verdict.error)
                              : __real_pread(fd, buffer, verdict.length, offset);
}

// Its EAGAIN is about a disk (RWF_NOWAIT), so that no readiness is hidden.
ssize_t __wrap_preadv2(int fd, const iovec* pieces, int count, off_t offset, int flags) {
    const auto verdict = judge(Call::preadv2, {.fd = fd, .offset = static_cast<std::uint64_t>(offset)});
    return verdict.error != 0 ? harness::fail(verdict.error)
                              : __real_preadv2(fd, pieces, count, offset, flags);
}

ssize_t __wrap_read(int fd, void* buffer, size_t length) {
    const auto verdict = judge(Call::read, {.fd = fd, .length = length, .readiness = EPOLLIN});
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_read(fd, buffer, verdict.length);
}

ssize_t __wrap_recv(int fd, void* buffer, size_t length, int flags) {
    const bool may_block = (flags & MSG_DONTWAIT) == 0;
    const auto verdict =
        judge(Call::recv, {.fd = fd, .length = length, .may_block = may_block, .readiness = EPOLLIN});
    const ssize_t received =
        verdict.error != 0 ? harness::fail(verdict.error) : __real_recv(fd, buffer, verdict.length, flags);
    // Not before: whoever waits for the count relies on it that the bytes are taken.
    if (harness::faults::this_thread_is_included()) harness::count(harness::Call::recv);
    return received;
}

ssize_t __wrap_send(int fd, const void* buffer, size_t length, int flags) {
    const bool may_block = (flags & MSG_DONTWAIT) == 0;
    const auto verdict =
        judge(Call::send, {.fd = fd, .length = length, .may_block = may_block, .readiness = EPOLLOUT});
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_send(fd, buffer, verdict.length, flags);
}

ssize_t __wrap_sendfile(int out, int in, off_t* offset, size_t length) {
    const auto verdict = judge(Call::sendfile, {.fd = out, .length = length, .readiness = EPOLLOUT});
    return verdict.error != 0 ? harness::fail(verdict.error)
                              : __real_sendfile(out, in, offset, verdict.length);
}

ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
    const bool may_block = (flags & MSG_DONTWAIT) == 0;
    const std::size_t length = harness::total_length(message->msg_iov, message->msg_iovlen);
    const auto verdict =
        judge(Call::sendmsg, {.fd = fd, .length = length, .may_block = may_block, .readiness = EPOLLOUT});
    if (verdict.error != 0) return harness::fail(verdict.error);
    if (verdict.length == length) return __real_sendmsg(fd, message, flags);
    harness::ShortGather gather(message->msg_iov, message->msg_iovlen, verdict.length);
    msghdr shorter = *message;
    shorter.msg_iov = gather.pieces.data();
    shorter.msg_iovlen = gather.count;
    return __real_sendmsg(fd, &shorter, flags);
}

int __wrap_setsockopt(int fd, int level, int option, const void* value, socklen_t length) {
    const auto verdict = judge(Call::setsockopt);
    return verdict.error != 0 ? harness::fail(verdict.error)
                              : __real_setsockopt(fd, level, option, value, length);
}

int __wrap_shutdown(int fd, int how) {
    const auto verdict = judge(Call::shutdown);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_shutdown(fd, how);
}

int __wrap_socket(int domain, int type, int protocol) {
    const auto verdict = judge(Call::socket);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_socket(domain, type, protocol);
}

// Of those that have no function of their own, openat2 is the one that the library makes; the others are
// those of the standard library.
long __wrap_syscall(long number, ...) {
    va_list rest;
    va_start(rest, number);
    long arguments[6];
    for (long& each : arguments) each = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_openat2) {
        const auto verdict = judge(Call::syscall);
        if (verdict.error != 0) return harness::fail(verdict.error);
    }
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                          arguments[5]);
}

int __wrap_unlink(const char* path) {
    const auto verdict = judge(Call::unlink);
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_unlink(path);
}

ssize_t __wrap_write(int fd, const void* buffer, size_t length) {
    const auto verdict = judge(Call::write, {.fd = fd, .length = length, .readiness = EPOLLOUT});
    return verdict.error != 0 ? harness::fail(verdict.error) : __real_write(fd, buffer, verdict.length);
}

ssize_t __wrap_writev(int fd, const iovec* pieces, int count) {
    const auto piece_count = static_cast<std::size_t>(std::max(count, 0));
    const std::size_t length = harness::total_length(pieces, piece_count);
    const auto verdict = judge(Call::writev, {.fd = fd, .length = length, .readiness = EPOLLOUT});
    if (verdict.error != 0) return harness::fail(verdict.error);
    if (verdict.length == length) return __real_writev(fd, pieces, count);
    harness::ShortGather gather(pieces, piece_count, verdict.length);
    return __real_writev(fd, gather.pieces.data(), static_cast<int>(gather.count));
}

}  // extern "C"
