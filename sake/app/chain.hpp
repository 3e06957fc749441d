// The rest of the chain, as middleware awaits it by Context::next. The chain itself is in chain_impl.hpp.
#pragma once

#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct Call;

/// Runs what is left of the chain. Middleware that has awaited next() finds nothing left when it returns; if
/// it has not, the rest runs then. What a handler throws is answered here, so that the middleware outside
/// sees the answer, as it does when the handler runs in a worker. Only a cancellation passes through to what
/// runs the call.
Task<> run_rest(Call& call);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
