// A stand-in for the BSD header of this name, so that the kqueue backend compiles and runs on Linux: names
// and types as on macOS, implemented over epoll by kqueue.cpp. Sockets and pipes with EVFILT_READ and
// EVFILT_WRITE only; other filters are declared, and refused with EINVAL.
#pragma once
#pragma GCC system_header

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
    void* udata;
};

#define EV_SET(event, id, filter_, flags_, fflags_, data_, udata_) \
    do {                                                           \
        struct kevent* sake_test_event = (event);                  \
        sake_test_event->ident = (id);                             \
        sake_test_event->filter = (filter_);                       \
        sake_test_event->flags = (flags_);                         \
        sake_test_event->fflags = (fflags_);                       \
        sake_test_event->data = (data_);                           \
        sake_test_event->udata = (udata_);                         \
    } while (0)

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_SIGNAL (-6)
#define EVFILT_TIMER (-7)
#define EVFILT_USER (-10)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define NOTE_LOWAT 0x00000001
#define NOTE_TRIGGER 0x01000000

/// A new queue, or -1. Not close-on-exec, as on the BSDs.
int kqueue();
/// Applies the changes, then waits for events unless there is no room for any. A change that fails is
/// reported as an EV_ERROR event if there is room, and by -1 otherwise.
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events, int room,
           const struct timespec* timeout);
