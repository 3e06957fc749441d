// The session of a request, in a slot of its call: what middleware::sessions found, how the program changed
// it by Context::session, and what happens to it.
#pragma once

#include <cstdint>
#include <string>

#include "sake/base/json.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct SessionSlot;

/// The store that a slot's session belongs to.
class SessionKeeper {
  public:
    SessionKeeper() = default;
    SessionKeeper(const SessionKeeper&) = delete;
    SessionKeeper& operator=(const SessionKeeper&) = delete;
    /// The program has ended this stored session.
    virtual void end(const SessionSlot& slot) = 0;

  protected:
    ~SessionKeeper() = default;
};

struct SessionSlot {
    enum class State : std::uint8_t { absent, open, saved };
    enum class Origin : std::uint8_t {
        fresh,   // there is none yet
        stored,  // it is stored, as it was when the request arrived
        ended    // there was one, or may have been; the program has ended it
    };
    /// The program's view of it, a Json: functions that only a program with sessions compiles.
    struct Value {
        void* object = nullptr;  // until it is asked for
        std::string (*write)(const void*) = nullptr;
        void (*clear)(void*) = nullptr;
    };

    SessionKeeper* keeper = nullptr;
    State state = State::absent;
    Origin origin = Origin::fresh;
    bool is_renewed = false;    // the program has asked for a new id
    bool is_asked_for = false;  // by Context::session; a cache reads and clears it
    std::string id;             // the id of a stored session
    std::string text;           // its stored text; "" if there is none
    Value value;
};

/// The object behind a slot's value.
template <class Value>
struct SessionValue {
    SessionValue() = default;
    SessionValue(const SessionValue&) = delete;
    SessionValue& operator=(const SessionValue&) = delete;
    ~SessionValue() { dismantle(object); }
    Value object = Value::object();
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
