#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_session {

using sake::detail::Session;
using sake::detail::SessionList;

namespace {

/// A session that notes what the server asks of it.
struct Noting final : Session {
    Noting(SessionList& owner, char called, std::string& notes) : list(owner), name(called), log(notes) {
        list.add(*this);
    }
    ~Noting() override { list.remove(*this); }

    [[nodiscard]] bool is_busy() const noexcept override { return false; }
    [[nodiscard]] sake::detail::SessionPhase phase() const noexcept override {
        return sake::detail::SessionPhase::idle;
    }
    void begin_drain() noexcept override { log += name; }
    [[nodiscard]] sake::detail::Maybe<sake::detail::TimePoint> idle_since() const noexcept override {
        return {};
    }
    [[nodiscard]] bool is_read_slowly() const noexcept override { return false; }
    void make_room() noexcept override {}
    void abandon(int, std::string_view) noexcept override {
        log += name;
        delete this;
    }
    void drop() noexcept override {}
    void end_if_free() noexcept override {
        if (name != 'b') delete this;
    }
    void peer_hung_up(std::uint8_t) noexcept override {}

    SessionList& list;
    char name;
    std::string& log;
};

std::string names_of(SessionList& list) {
    std::string names;
    list.for_each([&](Session& each) { names += static_cast<Noting&>(each).name; });
    return names;
}

}  // namespace

TEST_CASE("sessions are listed in the order in which they came, and leave when they end") {
    SessionList list;
    std::string log;
    CHECK(list.count() == 0);
    CHECK(names_of(list).empty());
    auto a = std::make_unique<Noting>(list, 'a', log);
    auto b = std::make_unique<Noting>(list, 'b', log);
    auto c = std::make_unique<Noting>(list, 'c', log);
    CHECK(list.count() == 3);
    CHECK(names_of(list) == "abc");
    list.for_each([](Session& each) { each.begin_drain(); });
    CHECK(log == "abc");
    b.reset();
    CHECK(list.count() == 2);
    CHECK(names_of(list) == "ac");
    b = std::make_unique<Noting>(list, 'b', log);
    CHECK(names_of(list) == "acb");
    a.reset();
    b.reset();
    c.reset();
    CHECK(list.count() == 0);
}

TEST_CASE("a session may end while the list is gone through") {
    SessionList list;
    std::string log;
    for (const char name : {'a', 'b', 'c'}) new Noting(list, name, log);
    list.for_each([](Session& each) { each.end_if_free(); });
    CHECK(list.count() == 1);
    CHECK(names_of(list) == "b");
    new Noting(list, 'd', log);
    list.for_each([](Session& each) { each.abandon(503, "stop"); });
    CHECK(log == "bd");
    CHECK(list.count() == 0);
    list.for_each([](Session&) { FAIL("an empty list has a session"); });
}

}  // namespace test_session
