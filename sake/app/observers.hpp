// The functions given to Engine::on_answered, and the one place that calls them.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/owning_list.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A class that Engine::use passes to on_answered contains a type of this name.
template <class F>
concept ObservesAnswers = requires { typename std::remove_cvref_t<F>::ObservesAnswers; };

struct Call;

/// Counts the answers of a server.
class AnswerCounter {
  public:
    /// An answer is about to leave, or a stream has ended; `sent` and `received` are bytes of the bodies.
    virtual void count(const Call& call, std::uint64_t sent, std::uint64_t received,
                       std::chrono::nanoseconds duration, bool is_stream) noexcept = 0;

  protected:
    ~AnswerCounter() = default;
};

class Observers {
  public:
    template <class F>
    void add(F observer) {
        struct Given final : Observer {
            explicit Given(F&& given) : function(std::move(given)) {}
            void tell(const Answered& answered) override { function(answered); }
            std::uint64_t dropped() const override {
                if constexpr (requires { function.dropped(); })
                    return function.dropped();
                else
                    return 0;
            }
            F function;
        };
        list_.push_back(new Given(std::move(observer)));
        empty_ = false;
    }
    /// It must outlive the serving.
    void count_by(AnswerCounter& counter) noexcept {
        counter_ = &counter;
        empty_ = false;
    }
    [[nodiscard]] bool empty() const noexcept { return empty_; }
    /// Null if answers are not counted.
    [[nodiscard]] AnswerCounter* counter() const noexcept { return counter_; }
    [[nodiscard]] bool has_any_to_tell() const noexcept { return !list_.empty(); }

    /// Calls all observers in the order of registration. An exception is logged, and the answer leaves all
    /// the same.
    void tell(const Answered& answered) const noexcept {
        for (Observer* each = list_.first(); each != nullptr; each = each->next) {
            try {
                each->tell(answered);
            } catch (...) {
                report_failure("on_answered failed: ", std::current_exception());
            }
        }
    }

    /// How many lines the loggers among them have lost.
    [[nodiscard]] std::uint64_t dropped() const {
        std::uint64_t all = 0;
        for (const Observer* each = list_.first(); each != nullptr; each = each->next) all += each->dropped();
        return all;
    }

  private:
    struct Observer {
        Observer() = default;
        Observer(const Observer&) = delete;
        Observer& operator=(const Observer&) = delete;
        virtual ~Observer() = default;
        virtual void tell(const Answered& answered) = 0;
        virtual std::uint64_t dropped() const = 0;
        Observer* next = nullptr;
    };

    OwningList<Observer> list_;
    AnswerCounter* counter_ = nullptr;
    bool empty_ = true;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
