// What may be set for the page of an API's documentation.
#pragma once

#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// For Engine::docs.
struct DocsOptions {
    std::string openapi = "/openapi.json";  // the path of the document, from the root of the engine
    std::string title = {};                 // of the page; "" for the title in the document
};

}  // namespace SAKE_ABI
}  // namespace sake
