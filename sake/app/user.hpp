// User: who sent a request, as middleware that asks for credentials leaves it.
#pragma once

#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Who sent the request: `ctx.state<sake::User>().name`, behind basic_auth, bearer_auth or jwt.
struct User {
    std::string name = {};  // "" if nobody was asked
};

}  // namespace SAKE_ABI
}  // namespace sake
