// A circuit breaker for each origin. After a number of failures in a row, requests are refused for a time.
// Then one request tests whether the origin works again.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/array.hpp"
#include "sake/base/error.hpp"
#include "sake/client/client_habits.hpp"
#include "sake/client/client_response.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

/// Whether an exception is about the origin, not about the request or this program.
inline bool is_failure_of_origin(const std::exception& error) noexcept {
    return dynamic_cast<const std::system_error*>(&error) != nullptr ||
           dynamic_cast<const TimedOut*>(&error) != nullptr ||
           (dynamic_cast<const BadResponse*>(&error) != nullptr &&
            dynamic_cast<const ResponseTooLong*>(&error) == nullptr);
}

/// The circuits of a client. An origin has one from its first failure to its next success.
///
///     state      | a request             | success     | failure         | unknown
///     -----------+-----------------------+-------------+-----------------+-------------------
///     closed     | passes                | 0 in a row  | one more; after | -
///                |                       |             | the last: open  |
///     open       | is refused; after     | -           | -               | -
///                | open_time: half_open, |             |                 |
///                | and is the trial      |             |                 |
///     half_open  | the same              | trial:      | trial: open     | trial: open, its
///                |                       | closed      |                 | time has passed
///
/// The ends of requests that passed before the circuit opened do not count. A trial that takes longer than
/// open_time does not keep others out.
class Breaker {
  public:
    enum class State : std::uint8_t { closed, open, half_open };
    enum class Role : std::uint8_t { ordinary, trial };
    enum class End : std::uint8_t { success, failure, unknown };
    using TimePoint = sake::detail::TimePoint;

    explicit Breaker(const BreakerOptions& options) : options_(options) {}

    [[nodiscard]] bool is_on() const noexcept { return options_.failures > 0; }

    /// Lets a request to this origin pass, or throws CircuitOpen.
    Role admit(const std::string& origin, TimePoint now) {
        Circuit* const circuit = find(origin);
        if (circuit == nullptr || circuit->state == State::closed) return Role::ordinary;
        if (now < circuit->until) refuse(*circuit, now);
        circuit->state = State::half_open;
        circuit->until = later(now);
        return Role::trial;
    }

    /// For each request that was admitted.
    void note(const std::string& origin, Role role, End end, TimePoint now) {
        Circuit* circuit = find(origin);
        if (circuit == nullptr) {
            if (end != End::failure) return;
            circuit = &add(origin);
        } else if (circuit->state != (role == Role::trial ? State::half_open : State::closed)) {
            return;
        }
        switch (end) {
            case End::success:
                circuits_.erase(circuit);
                return;
            case End::unknown:
                if (role == Role::trial) open(*circuit, now);
                return;
            case End::failure:
                if (++circuit->failures >= options_.failures) open(*circuit, later(now));
                move_to_end(*circuit);
                return;
        }
    }

    [[nodiscard]] State state(std::string_view origin) const noexcept {
        for (const Circuit& each : circuits_) {
            if (each.origin == origin) return each.state;
        }
        return State::closed;
    }
    /// Whether a request would be refused now.
    [[nodiscard]] bool refuses(std::string_view origin, TimePoint now) const noexcept {
        for (const Circuit& each : circuits_) {
            if (each.origin == origin) return each.state != State::closed && now < each.until;
        }
        return false;
    }
    /// How many origins are remembered.
    [[nodiscard]] std::size_t size() const noexcept { return circuits_.size(); }

  private:
    struct Circuit {
        std::string origin;
        State state = State::closed;
        int failures = 0;  // in a row
        TimePoint until;   // the moment of the next trial
    };

    [[nodiscard]] Circuit* find(std::string_view origin) noexcept {
        for (Circuit& each : circuits_) {
            if (each.origin == origin) return &each;
        }
        return nullptr;
    }
    Circuit& add(const std::string& origin) {
        if (circuits_.size() == static_cast<std::size_t>(options_.max_origins)) {
            circuits_.erase(circuits_.begin());
        }
        return circuits_.push_back(Circuit{origin, State::closed, 0, {}});
    }
    // Behind those that failed before it.
    void move_to_end(Circuit& circuit) {
        Circuit moved = std::move(circuit);
        circuits_.erase(&circuit);
        circuits_.push_back(std::move(moved));
    }
    static void open(Circuit& circuit, TimePoint until) noexcept {
        circuit.state = State::open;
        circuit.until = until;
    }
    [[nodiscard]] TimePoint later(TimePoint now) const noexcept {
        return sake::detail::moment_after(now, sake::detail::to_clock(options_.open_time));
    }
    [[noreturn]] void refuse(const Circuit& circuit, TimePoint now) const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(circuit.until - now);
        throw CircuitOpen(circuit.origin + ": refused, as " + std::to_string(circuit.failures) +
                              " requests in a row have failed; the next is let through in " +
                              std::to_string(left.count()) + " ms",
                          circuit.origin, left);
    }

    const BreakerOptions options_;
    sake::detail::Array<Circuit> circuits_;  // in the order of their last failures
};

/// A request that passes the breaker. If it is destroyed before its end is noted, the end is unknown.
class Passage {
  public:
    explicit Passage(Breaker& breaker) noexcept : breaker_(breaker) {}
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;
    ~Passage() { end(Breaker::End::unknown); }

    /// Throws CircuitOpen.
    void begin(std::string origin) {
        role_ = breaker_.admit(origin, sake::now());
        origin_ = std::move(origin);
    }
    /// By the status of a whole answer.
    void end_with(int status) noexcept { end(status >= 500 ? Breaker::End::failure : Breaker::End::success); }
    void end_with(const std::exception& error) noexcept {
        end(is_failure_of_origin(error) ? Breaker::End::failure : Breaker::End::unknown);
    }

  private:
    void end(Breaker::End end) noexcept {
        if (origin_.empty()) return;
        try {
            breaker_.note(origin_, role_, end, sake::now());
        } catch (const std::exception&) {
            // There is no memory to remember a failure.
        }
        origin_.clear();
    }

    Breaker& breaker_;
    std::string origin_;  // while the request is under way
    Breaker::Role role_ = Breaker::Role::ordinary;
};

}  // namespace detail
}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
