// The rest of the chain, as middleware awaits it by Context::next. chain_impl.hpp runs it.
#pragma once

#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct Call;

/// Runs the rest of the chain. If middleware has awaited next(), nothing is left when it returns; if it has
/// not, the rest runs then. Exceptions of handlers are answered here, so that outer middleware sees the
/// answer, as it does when the handler runs in a worker. Only a cancellation passes through to the caller.
Task<> run_rest(Call& call);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
