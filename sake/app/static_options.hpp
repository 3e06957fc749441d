// The options for serving files.
#pragma once

#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The options of Engine::static_files and Engine::frontend.
struct StaticOptions {
    std::string index = "index.html";  // the file that answers for a directory; "" for none
    std::string cache_control = {};    // the field of the answers; values that frontend sets take precedence
    std::string immutable = {};        // a directory, "assets", whose files never change: kept for a year
    bool listing = false;              // shows a page for a directory without an index
    bool dotfiles = false;             // serves names that begin with a dot; by default they are 404
    bool precompressed =
        true;  // sends "app.js.br", ".zst" or ".gz" in place of "app.js", as the client accepts
};

}  // namespace SAKE_ABI
}  // namespace sake
