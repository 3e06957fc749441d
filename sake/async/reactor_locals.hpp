// What a reactor keeps for others: one thing of each type that asks for it, and the news that it ends for who
// may live longer.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "sake/async/wait.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Who keeps something of a reactor's and may live longer.
class ReactorEndListener : public ListNode {
  public:
    /// The reactor's last fiber has ended, and nothing of the reactor may be used after this call.
    virtual void reactor_ends() noexcept = 0;

  protected:
    ~ReactorEndListener() = default;
};

/// At most one thing of each type, made from the reactor when it is first asked for.
class ReactorLocals {
  public:
    ReactorLocals() = default;
    ReactorLocals(const ReactorLocals&) = delete;
    ReactorLocals& operator=(const ReactorLocals&) = delete;
    ~ReactorLocals() { clear(); }

    template <class T>
    [[nodiscard]] T& get(Reactor& reactor) {
        static constexpr char key = 0;
        for (auto& [owner, held] : locals_) {
            if (owner == &key) return static_cast<Holder<T>&>(*held).value;
        }
        locals_.emplace_back(&key, std::make_unique<Holder<T>>(reactor));
        return static_cast<Holder<T>&>(*locals_.back().second).value;
    }

    /// The last made goes first.
    void clear() noexcept {
        while (!locals_.empty()) locals_.pop_back();
    }

  private:
    struct Local {
        Local() = default;
        Local(const Local&) = delete;
        Local& operator=(const Local&) = delete;
        virtual ~Local() = default;
    };
    template <class T>
    struct Holder final : Local {
        explicit Holder(Reactor& reactor) : value(reactor) {}
        T value;
    };

    std::vector<std::pair<const void*, std::unique_ptr<Local>>> locals_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
