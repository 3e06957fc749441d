// RouteTable: all routes of an engine, registered before it serves and only read while it does.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/app/handler.hpp"
#include "sake/app/pattern.hpp"
#include "sake/app/route.hpp"
#include "sake/async/current_reactor.hpp"
#include "sake/base/array.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct Call;
template <class Target>
class Router;

/// Addresses are stable: routes and scopes never move.
class RouteTable : public Counted {
  public:
    RouteTable();
    RouteTable(const RouteTable&) = delete;
    RouteTable& operator=(const RouteTable&) = delete;
    ~RouteTable();

    /// The modules of the program whose handlers are registered.
    ReactorSlots modules;

    [[nodiscard]] Scope& root() noexcept { return root_; }
    [[nodiscard]] const Scope& root() const noexcept { return root_; }

    Scope& add_scope(const Scope& outer, const PatternInfo& prefix);

    void add_middleware(Scope& scope, Handler middleware);

    /// Throws std::invalid_argument that names both routes of a conflict.
    RouteEntry& add(Scope& scope, std::string_view method, const PatternInfo& pattern, Handler handler);

    /// Adds a route that gives way to every other one with its pattern, whichever is added first.
    void add_yielding(Scope& scope, std::string_view method, const PatternInfo& pattern, Handler handler);

    /// The route that answers where there is none: for 404, 405 and OPTIONS.
    RouteEntry& set_fallback(Handler handler);

    /// Finds the route of a call and the positions of its path parameters.
    void route(Call& call) const noexcept;
    [[nodiscard]] const RouteEntry& fallback() const noexcept;
    /// The methods of all routes on this path, sorted, HEAD and OPTIONS included; empty if there are none.
    [[nodiscard]] Array<std::string> allowed(std::string_view path) const;

    /// Serving begins: from now on the table is read-only.
    void freeze(bool has_carrier);
    void unfreeze() noexcept { frozen_ = false; }
    void require_unfrozen() const { root_.require_unfrozen(); }
    /// How often serving has begun. Data made from the routes of an earlier run may be out of date.
    [[nodiscard]] unsigned runs() const noexcept { return runs_; }

    [[nodiscard]] bool has_method(std::string_view name) const noexcept;
    /// The methods of all routes of the server.
    [[nodiscard]] Array<std::string> methods() const;
    [[nodiscard]] std::vector<RouteInfo> list() const;
    [[nodiscard]] const RouteEntry* first() const noexcept { return routes_.first(); }
    /// The route registered with this pattern that accepts this method, for calls that arrive with their
    /// route; nullptr if there is none.
    [[nodiscard]] const RouteEntry* find(std::string_view pattern, std::string_view method) const noexcept;
    /// Makes the carrier of worker routes; nullptr if there are none.
    [[nodiscard]] MakeCarrier make_carrier() const noexcept;

    /// A job that uses the table, and may outlive the engine with it.
    class Use {
      public:
        explicit Use(CountedPtr<const RouteTable> table) noexcept : table_(std::move(table)) {
            ++table_->uses_;
        }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        ~Use() { --table_->uses_; }
        const RouteTable& operator*() const noexcept { return *table_; }

      private:
        CountedPtr<const RouteTable> table_;
    };
    [[nodiscard]] bool is_in_use() const noexcept { return uses_ != 0; }

  private:
    using Routes = OwningList<RouteEntry>;

    void check_route(const RouteEntry& entry, std::size_t taken);

    bool frozen_ = false;
    unsigned runs_ = 0;
    Scope root_{nullptr, {}, frozen_};
    OwningList<Scope> scopes_;  // all but the root
    Routes routes_;
    Routes fallback_;  // that one
    OwningPtr<Router<const RouteEntry>> router_;
    mutable std::atomic<int> uses_{0};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
