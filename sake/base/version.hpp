// The version of Sake, for the preprocessor and for programs. Nothing else.
#pragma once

#define SAKE_VERSION_MAJOR 0
#define SAKE_VERSION_MINOR 1
#define SAKE_VERSION_PATCH 0
#define SAKE_VERSION "0.1.0"

namespace sake {
inline namespace v0 {

/// The version of this header as text, "major.minor.patch".
inline constexpr const char* version = SAKE_VERSION;

}  // namespace v0
}  // namespace sake
