// The options of an API's documentation page.
#pragma once

#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The options of Engine::docs.
struct DocsOptions {
    std::string openapi = "/openapi.json";  // the path of the OpenAPI document, from the root of the engine
    std::string title = {};                 // of the page; "" uses the title in the document
};

}  // namespace SAKE_ABI
}  // namespace sake
