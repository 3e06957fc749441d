// Step: what the functions of sake::middleware return, for Engine::use, a group or a route.
#pragma once

#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/step_info.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a step does for each request. It serves many at a time, and keeps nothing of one in itself.
class StepWork : public Counted {
  public:
    StepWork() = default;
    StepWork(const StepWork&) = delete;
    StepWork& operator=(const StepWork&) = delete;
    virtual ~StepWork() = default;
    virtual void run(Context& ctx) = 0;
};

struct StepMaker;

}  // namespace detail

namespace middleware {

/// Plain middleware made by Sake. Copies share its state.
class Step {
  public:
    void operator()(Context& ctx) const { work_->run(ctx); }

  private:
    friend struct detail::StepAccess;
    friend struct detail::StepMaker;
    Step(detail::CountedPtr<detail::StepWork> work, const detail::StepInfo& info) noexcept
        : work_(std::move(work)), info_(&info) {}
    detail::CountedPtr<detail::StepWork> work_;
    const detail::StepInfo* info_;
};

}  // namespace middleware

namespace detail {

struct StepMaker {
    /// A step that does what a `Work` does, which is made of the arguments. `Work::info` says what it is.
    template <class Work, class... Args>
    static middleware::Step make(Args&&... args) {
        return {CountedPtr<StepWork>(new Work(std::forward<Args>(args)...)), Work::info};
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
