// User: who sent a request, as the authentication middleware stores it.
#pragma once

#include <string>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The authenticated user: `ctx.state<sake::User>().name`, behind basic_auth, bearer_auth or jwt.
struct User {
    std::string name = {};  // "" if no such middleware has run
};

}  // namespace SAKE_ABI
}  // namespace sake
