// The version of Sake, and the form in which this file is compiled.
//
// In one file, the usual form, the header has declarations and definitions. In separate form, SAKE_SEPARATE
// for the whole program, files see the declarations, and the one that defines SAKE_IMPLEMENTATION compiles
// the definitions. Parts that have definitions only are the second list of sake.hpp; what they define for the
// first is SAKE_INLINE.
#pragma once

#define SAKE_VERSION_MAJOR 0
#define SAKE_VERSION_MINOR 1
#define SAKE_VERSION_PATCH 0
#define SAKE_VERSION "0.1.0"

#if defined(SAKE_IMPLEMENTATION) && !defined(SAKE_SEPARATE)
#error "SAKE_IMPLEMENTATION goes with SAKE_SEPARATE: compile every file of the program with -DSAKE_SEPARATE"
#endif

// The names differ, so that files of both forms refuse to link.
#if defined(SAKE_SEPARATE)
#define SAKE_ABI v0_separate
#else
#define SAKE_ABI v0
#endif

// SAKE_MACHINERY is for tests of Sake itself: they see the definitions, and do not compile them again.
#if !defined(SAKE_SEPARATE)
#define SAKE_INLINE inline
#elif defined(SAKE_MACHINERY)
#define SAKE_INLINE [[gnu::gnu_inline]] inline
#else
#define SAKE_INLINE
#endif

namespace sake {
inline namespace SAKE_ABI {

/// The version of this header as text, "major.minor.patch".
inline constexpr const char* version = SAKE_VERSION;

}  // namespace SAKE_ABI
}  // namespace sake
