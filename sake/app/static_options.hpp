// What may be said of files that are served.
#pragma once

#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// For Engine::static_files and Engine::frontend.
struct StaticOptions {
    std::string index = "index.html";  // what a directory is answered with; "" for none
    std::string cache_control = {};    // of the answers; what frontend sets by itself comes first
    std::string immutable = {};        // "assets": a directory whose files never change, kept for a year
    bool listing = false;              // of a directory without an index
    bool dotfiles = false;             // serves names that begin with a dot; else they are 404
    bool precompressed =
        true;  // sends "app.js.br", ".zst" or ".gz" in place of "app.js", as the client accepts
};

}  // namespace SAKE_ABI
}  // namespace sake
