// The seam to the operating system: calls that read, write, accept, shut down and wait go through thin
// functions here. They retry EINTR, return errno as a value (a compiler may cache its address across a
// suspension), and never raise SIGPIPE. Tests put faults in behind them at link time, so nothing here knows
// of tests.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sake/async/file_descriptor.hpp"
#include "sake/base/cast.hpp"
#include "sake/base/error.hpp"
#include "sake/base/platform.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

namespace sys {

#if defined(MSG_NOSIGNAL)
inline constexpr int send_flags = MSG_NOSIGNAL;
#else
inline constexpr int send_flags = 0;
#endif

/// For a send that is followed by another one at once: what leaves is a whole packet.
#if defined(MSG_MORE)
inline constexpr int more_follows = MSG_MORE;
#else
inline constexpr int more_follows = 0;
#endif

/// Calls until the call is not interrupted.
template <class Call>
SysResult retry(Call call) noexcept {
    for (;;) {
        const auto value = static_cast<ssize_t>(call());
        if (value >= 0) return {value, 0};
        const int error = errno;
        if (error != EINTR) return {-1, error};
    }
}

/// For a call that waits: after a signal it is made again without waiting, so that it has looked in any case,
/// and a caller with a clock sets the timeout anew.
template <class Duration, class Call>
SysResult retry_without_waiting(Duration timeout, Call call) noexcept {
    return retry([&] { return call(std::exchange(timeout, Duration::zero())); });
}

inline SysResult receive(int fd, void* buffer, std::size_t size) noexcept {
    return retry([=] { return ::recv(fd, buffer, size, 0); });
}

inline SysResult send(int fd, const void* data, std::size_t size) noexcept {
    return retry([=] { return ::send(fd, data, size, send_flags); });
}

inline SysResult send_vectors(int fd, iovec* vectors, std::size_t count, int flags) noexcept {
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = cast_to<decltype(message.msg_iovlen)>(count);
    return retry([&] { return ::sendmsg(fd, &message, send_flags | flags); });
}

inline SysResult read(int fd, void* buffer, std::size_t size) noexcept {
    return retry([=] { return ::read(fd, buffer, size); });
}

inline SysResult write(int fd, const void* data, std::size_t size) noexcept {
    return retry([=] { return ::write(fd, data, size); });
}

/// Reads from this place of a file, and leaves its own position alone.
inline SysResult read_at(int fd, void* buffer, std::size_t size, std::uint64_t offset) noexcept {
    return retry([=] { return ::pread(fd, buffer, size, static_cast<off_t>(offset)); });
}

/// Sends a piece of a file through memory of our own; a piece that the socket does not take is read again.
inline SysResult copy_file(int socket, int file, std::uint64_t& offset, std::size_t count) noexcept {
    char piece[16 * 1024];
    const SysResult got = read_at(file, piece, count < sizeof piece ? count : sizeof piece, offset);
    if (!got.ok() || got.value == 0) return got;
    const SysResult sent = send(socket, piece, static_cast<std::size_t>(got.value));
    if (sent.ok()) offset += static_cast<std::uint64_t>(sent.value);
    return sent;
}

#if SAKE_HAS_EPOLL  // Linux
/// sendfile has no flag against SIGPIPE, so the signal is blocked for this thread, and taken if it came.
inline SysResult sendfile_without_signal(int socket, int file, off_t& offset, std::size_t count) noexcept {
    sigset_t pipe;
    sigset_t before;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
    const SysResult sent = retry([&] { return ::sendfile(socket, file, &offset, count); });
    const timespec at_once{};
    if (sent.error == EPIPE) ::sigtimedwait(&pipe, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return sent;
}
#endif

/// Sends up to `count` bytes of a file from `offset` on, which it moves. 0 if the file has no more. A file
/// that the system cannot send by itself is copied.
inline SysResult send_file(int socket, int file, std::uint64_t& offset, std::size_t count) noexcept {
#if SAKE_HAS_EPOLL  // Linux
    auto at = static_cast<off_t>(offset);
    const SysResult sent = sendfile_without_signal(socket, file, at, count);
    offset = static_cast<std::uint64_t>(at);
    if (sent.error != EINVAL && sent.error != ENOSYS) return sent;
#endif
    return copy_file(socket, file, offset, count);
}

/// Whether a read of this byte of a file would wait for a disk. False also where the system cannot tell.
inline bool waits_for_disk([[maybe_unused]] int file, [[maybe_unused]] std::uint64_t offset) noexcept {
#if SAKE_HAS_EPOLL && defined(RWF_NOWAIT)
    char byte;
    const iovec place{&byte, 1};
    return retry([&] { return ::preadv2(file, &place, 1, static_cast<off_t>(offset), RWF_NOWAIT); })
        .would_block();
#else
    return false;
#endif
}

/// Has the system begin to read this part of a file, without waiting for it.
inline void read_ahead([[maybe_unused]] int file, [[maybe_unused]] std::uint64_t offset,
                       [[maybe_unused]] std::uint64_t size) noexcept {
#if defined(POSIX_FADV_WILLNEED)
    ::posix_fadvise(file, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
#endif
}

/// The smallest number that a descriptor of ours may have. Those below are standard input, output and error
/// for all of the program, also where they are closed.
inline constexpr int first_own_number = 3;

/// Gives a new descriptor, if there is one, a number of its own; close-on-exec.
inline SysResult above_standard_streams(SysResult made) noexcept {
    if (!made.ok() || made.value >= first_own_number) return made;
    const FileDescriptor low(static_cast<int>(made.value));
    return retry([&] { return ::fcntl(low.get(), F_DUPFD_CLOEXEC, first_own_number); });
}

inline bool set_close_on_exec(int fd) noexcept { return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0; }

inline bool set_nonblocking_cloexec(int fd) noexcept {
    return ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 && set_close_on_exec(fd);
}

inline SysResult set_option(int fd, int level, int option, int value) noexcept {
    return retry([=] { return ::setsockopt(fd, level, option, &value, sizeof value); });
}

/// Lets the next close reset the connection and drop what the kernel has not sent yet.
inline SysResult reset_on_close(int fd) noexcept {
    const linger at_once{1, 0};
    return retry([&] { return ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); });
}

/// A new non-blocking, close-on-exec stream socket.
inline SysResult stream_socket(int family) noexcept {
#if SAKE_HAS_ACCEPT4
    return above_standard_streams(
        retry([=] { return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }));
#else
    const SysResult made = above_standard_streams(retry([=] { return ::socket(family, SOCK_STREAM, 0); }));
    if (made.ok()) set_nonblocking_cloexec(static_cast<int>(made.value));
#if defined(SO_NOSIGPIPE)
    if (made.ok()) set_option(static_cast<int>(made.value), SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
    return made;
#endif
}

/// The next waiting connection, non-blocking and close-on-exec, with the address of its peer.
inline SysResult accept(int fd, sockaddr_storage& peer, socklen_t& peer_size) noexcept {
    auto* address = reinterpret_cast<sockaddr*>(&peer);
    // Linux reports errors of the dead connection itself here (accept(2)): the next one may be fine.
    return above_standard_streams(retry([&] {
        peer_size = sizeof peer;
#if SAKE_HAS_ACCEPT4
        return ::accept4(fd, address, &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
        const int accepted = ::accept(fd, address, &peer_size);
        if (accepted >= 0) {
            set_nonblocking_cloexec(accepted);
#if defined(SO_NOSIGPIPE)
            set_option(accepted, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
        }
        return accepted;
#endif
    }));
}

/// What accept says of one connection: it died in the queue, or is forbidden (accept(2), "Error handling").
/// Any other error is ours, and trying again at once would spin.
inline bool is_of_one_connection(int error) noexcept {
    switch (error) {
        case ECONNABORTED:
        case EPERM:
        case EPROTO:
        case ENOPROTOOPT:
        case EOPNOTSUPP:
        case ENETDOWN:
        case ENETUNREACH:
#if defined(ENONET)
        case ENONET:
#endif
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ETIMEDOUT:
            return true;
        default:
            return false;
    }
}

/// Whether it can be read (POLLIN) or written (POLLOUT) right now. So it is where it has failed, or is no
/// open descriptor at all: trying tells.
inline bool is_ready(int fd, short direction) noexcept {
    pollfd polled{fd, direction, 0};
    return retry([&] { return ::poll(&polled, 1, 0); }).value > 0;
}

/// Another descriptor for the same open file, close-on-exec.
inline SysResult duplicate(int fd) noexcept {
    return retry([=] { return ::fcntl(fd, F_DUPFD_CLOEXEC, first_own_number); });
}

/// Begins to connect a non-blocking socket. EINPROGRESS: when it is writable, `socket_error` tells the
/// outcome.
inline SysResult connect(int fd, const sockaddr* address, socklen_t size) noexcept {
    if (::connect(fd, address, size) == 0) return {0, 0};
    const int error = errno;
    return {-1, error == EINTR ? EINPROGRESS : error};  // interrupted, it goes on by itself
}

/// The error that waits on a socket; 0 if there is none.
inline int socket_error(int fd) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    const SysResult asked = retry([&] { return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size); });
    return asked.ok() ? error : asked.error;
}

/// Whether it is a Unix socket.
inline bool is_unix_socket(int fd) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
           address.ss_family == AF_UNIX;
}

/// How many bytes of what was sent have yet to arrive at the peer's system; 1 where ours does not tell. None
/// over a Unix socket: they are with the peer already, which can read them however late, and after our close.
inline std::uint32_t unacknowledged(int fd) noexcept {
    int bytes = 0;
#if defined(SO_NWRITE)  // macOS
    socklen_t size = sizeof bytes;
    const bool is_known = ::getsockopt(fd, SOL_SOCKET, SO_NWRITE, &bytes, &size) == 0;
#elif defined(FIONWRITE)  // FreeBSD
    const bool is_known = ::ioctl(fd, FIONWRITE, &bytes) == 0;
#else
    const bool is_known = ::ioctl(fd, TIOCOUTQ, &bytes) == 0;
#endif
    if (is_known && bytes <= 0) return 0;
    if (is_unix_socket(fd)) return 0;
    return is_known ? static_cast<std::uint32_t>(bytes) : 1;
}

inline SysResult shutdown_write(int fd) noexcept {
    return retry([=] { return ::shutdown(fd, SHUT_WR); });
}

/// Takes over a descriptor that a call has just made. Throws std::system_error that names the call.
inline FileDescriptor own_or_throw(SysResult made, const char* call) {
    const SysResult own = above_standard_streams(made);
    if (!own.ok()) throw_system_error(own.error, call);
    return FileDescriptor(static_cast<int>(own.value));
}

/// A pipe whose ends are non-blocking and close-on-exec: {read end, write end}. Throws std::system_error.
inline std::pair<FileDescriptor, FileDescriptor> make_pipe() {
    int ends[2] = {-1, -1};
#if SAKE_HAS_ACCEPT4
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) throw_system_error(errno, "pipe");
#else
    if (::pipe(ends) != 0) throw_system_error(errno, "pipe");
    set_nonblocking_cloexec(ends[0]);
    set_nonblocking_cloexec(ends[1]);
#endif
    const SysResult read_end = above_standard_streams({ends[0], 0});
    const SysResult write_end = above_standard_streams({ends[1], 0});
    std::pair<FileDescriptor, FileDescriptor> pipe{static_cast<int>(read_end.value),
                                                   static_cast<int>(write_end.value)};
    const int error = read_end.ok() ? write_end.error : read_end.error;
    if (error != 0) throw_system_error(error, "pipe");
    return pipe;
}

/// Asks for large pages behind memory that is about to be filled: 64 MiB then take some 30 page faults
/// instead of 16,384, which cost more than copying them. Only for as much as this:
inline constexpr std::size_t worth_large_pages = std::size_t{4} * 1024 * 1024;
inline void prefer_large_pages([[maybe_unused]] char* memory, [[maybe_unused]] std::size_t size) noexcept {
#if defined(MADV_HUGEPAGE)
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t before_first_page = (page - reinterpret_cast<std::uintptr_t>(memory) % page) % page;
    ::madvise(memory + before_first_page, size - before_first_page, MADV_HUGEPAGE);
#endif
}

/// Memory in pages of its own, whose size is a multiple of `large_page`. nullptr where there is none. Where
/// the pages lie is left to the system: recent Linux places them so that large pages fit. To choose the place
/// (MREMAP_FIXED) would unmap what is there even if the call then fails, and another thread might get that
/// place before it could be freed.
inline constexpr std::size_t large_page = std::size_t{2} * 1024 * 1024;
#if SAKE_HAS_EPOLL  // Linux
inline constexpr bool has_page_memory = true;

/// Pages that are zero when they are first used.
inline char* make_pages(std::size_t size) noexcept {
    constexpr int access = PROT_READ | PROT_WRITE;
    void* const pages = ::mmap(nullptr, size, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return nullptr;
    ::madvise(pages, size, MADV_HUGEPAGE);
    return static_cast<char*>(pages);
}
/// More pages behind these, which may move. Their bytes are not copied. On failure they stay as they are.
inline char* grow_pages(char* pages, std::size_t size, std::size_t to) noexcept {
    void* const grown = ::mremap(pages, size, to, MREMAP_MAYMOVE);
    return grown == MAP_FAILED ? nullptr : static_cast<char*>(grown);
}
inline void free_pages(char* pages, std::size_t size) noexcept { ::munmap(pages, size); }
#else
inline constexpr bool has_page_memory = false;
inline char* make_pages(std::size_t) noexcept { return nullptr; }
inline char* grow_pages(char*, std::size_t, std::size_t) noexcept { return nullptr; }
inline void free_pages(char*, std::size_t) noexcept {}
#endif

/// How many file descriptors this process may open: the soft limit.
inline std::size_t open_file_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    return cast_to<std::size_t>(limit.rlim_cur);
}

/// The CPUs that the calling thread may run on; 0 where the system does not tell.
inline int cpus_of_affinity() noexcept {
#if SAKE_HAS_EPOLL  // Linux
    cpu_set_t set;
    return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
#else
    return 0;
#endif
}

/// The name of the calling thread, as debuggers and `top -H` show it; at most 15 bytes.
inline void set_thread_name([[maybe_unused]] const char* name) noexcept {
#if SAKE_HAS_EPOLL  // Linux
    ::pthread_setname_np(::pthread_self(), name);
#endif
}

}  // namespace sys
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
