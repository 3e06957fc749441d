// What this system offers, decided once: the only part with conditional system includes. Every other part
// asks the SAKE_HAS_ macros defined here and never the system's own. Nothing here changes the layout of a
// class. The single header begins with this part, so that what is missing is the first error.
#pragma once

#if !defined(__cplusplus) || (__cplusplus < 202002L)
#error "Sake needs C++20: compile with -std=c++20 (g++ 11, clang 14 or newer)"
#define SAKE_CANNOT_COMPILE
#elif !defined(__unix__) && !defined(__APPLE__)
#error "Sake runs on POSIX systems: Linux, macOS and the BSDs"
#define SAKE_CANNOT_COMPILE
#elif !defined(SAKE_CONTAINS_JSON) && !__has_include(<nlohmann/json.hpp>)
#error "Sake needs nlohmann/json 3.9 or newer: apt install nlohmann-json3-dev, brew install nlohmann-json"
#define SAKE_CANNOT_COMPILE
#else
#include <version>
#if !defined(__cpp_lib_jthread)
#error "Sake needs std::jthread: use libstdc++ (g++ 11 or newer), or with libc++ add -fexperimental-library"
#define SAKE_CANNOT_COMPILE
#endif
#endif

// Libraries that a program may have Sake use. Where it only declares, it does without them.
#if !defined(SAKE_SEPARATE) || defined(SAKE_IMPLEMENTATION) || defined(SAKE_MACHINERY)
#if defined(SAKE_WITH_ZLIB)
#if __has_include(<zlib.h>)
#include <zlib.h>
#else
#error "SAKE_WITH_ZLIB needs zlib.h: apt install zlib1g-dev, brew install zlib"
#define SAKE_CANNOT_COMPILE
#endif
#endif
#if defined(SAKE_WITH_BROTLI)
#if __has_include(<brotli/encode.h>)
#include <brotli/encode.h>
#else
#error "SAKE_WITH_BROTLI needs brotli/encode.h: apt install libbrotli-dev, brew install brotli"
#define SAKE_CANNOT_COMPILE
#endif
#endif
#if defined(SAKE_WITH_ZSTD)
#if __has_include(<zstd.h>)
#include <zstd.h>
#else
#error "SAKE_WITH_ZSTD needs zstd.h: apt install libzstd-dev, brew install zstd"
#define SAKE_CANNOT_COMPILE
#endif
#endif
#endif

// A file that is missing ends the compilation, instead of thousands of errors that follow from the first.
#if defined(SAKE_CANNOT_COMPILE)
#include <stop: see the error above>
#endif

#if defined(__linux__)
#define SAKE_HAS_EPOLL 1
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#else
#define SAKE_HAS_EPOLL 0
#endif

// SAKE_KQUEUE lets the tests compile the kqueue backend on a system that does not have it.
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(SAKE_KQUEUE)
#define SAKE_HAS_KQUEUE 1
#include <sys/event.h>
#else
#define SAKE_HAS_KQUEUE 0
#endif

// A directory may be searchable without being readable.
#if defined(__linux__) || defined(__FreeBSD__)
#define SAKE_HAS_O_PATH 1
#else
#define SAKE_HAS_O_PATH 0
#endif

#if defined(__APPLE__)
#include <sys/random.h>  // getentropy, which others have in unistd.h
#endif

// libc++ reads integers only, until version 20.
#if defined(__cpp_lib_to_chars)
#define SAKE_HAS_FLOAT_FROM_CHARS 1
#else
#define SAKE_HAS_FLOAT_FROM_CHARS 0
#include <locale.h>
#include <stdlib.h>
#if defined(__APPLE__) || defined(__FreeBSD__)
#include <xlocale.h>
#endif
#endif

// GCC before 13 destroys a closure twice that is a temporary of a co_await expression (seen on 12).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define SAKE_HAS_SAFE_AWAIT_TEMPORARIES 0
#else
#define SAKE_HAS_SAFE_AWAIT_TEMPORARIES 1
#endif

#if defined(__linux__) || defined(__FreeBSD__)
#define SAKE_HAS_ACCEPT4 1
#else
#define SAKE_HAS_ACCEPT4 0
#endif

// Where definitions are compiled, and nowhere else.
#if defined(SAKE_WITH_OPENSSL) && \
    (!defined(SAKE_SEPARATE) || defined(SAKE_IMPLEMENTATION) || defined(SAKE_MACHINERY))
#if !__has_include(<openssl/core_names.h>)
#error "SAKE_WITH_OPENSSL needs OpenSSL 3: apt install libssl-dev, brew install openssl@3"
#include <stop: see the error above>
#endif
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#endif
