// The limit of open files: raised while an engine runs, and given back.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <stdexcept>

#include "sake.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_file_limit {

using namespace harness;

namespace {

rlimit limit_now() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit;
}

rlim_t soft_limit() { return limit_now().rlim_cur; }

void set_soft_limit(rlim_t value) {
    rlimit limit = limit_now();
    limit.rlim_cur = value;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/// A soft limit below the hard one.
class LowerLimit {
  public:
    LowerLimit() { set_soft_limit(low); }
    LowerLimit(const LowerLimit&) = delete;
    LowerLimit& operator=(const LowerLimit&) = delete;
    ~LowerLimit() { set_soft_limit(before_); }

    const rlim_t high = limit_now().rlim_max;
    const rlim_t low = high > 4000 ? 2000 : high - 10;

  private:
    const rlim_t before_ = soft_limit();
};

}  // namespace

TEST_CASE("the soft limit of open files is the hard one while an engine runs, and then what it was") {
    const LowerLimit limit;
    for (int run = 0; run < 3; ++run) {
        with_server([](sake::Engine&) {},
                    [&](TestServer& server) {
                        CHECK(server.ping());
                        CHECK(soft_limit() == limit.high);
                    });
        CHECK(soft_limit() == limit.low);
    }
}

TEST_CASE("the last of several engines gives the limit of open files back") {
    const LowerLimit limit;
    {
        TestServer first([](sake::Engine&) {});
        TestServer second([](sake::Engine&) {});
        CHECK(first.ping());
        CHECK(second.ping());
        first.stop();
        CHECK(soft_limit() == limit.high);
        CHECK(second.ping());
        second.stop();
        CHECK(soft_limit() == limit.low);
    }
    CHECK(soft_limit() == limit.low);
}

TEST_CASE("a limit of open files that the program sets while an engine runs stays") {
    const LowerLimit limit;
    with_server([](sake::Engine&) {},
                [&](TestServer& server) {
                    CHECK(server.ping());
                    set_soft_limit(limit.low + 1);
                });
    CHECK(soft_limit() == limit.low + 1);
}

TEST_CASE("the limit of open files is left alone where the program says so, or limits connections itself") {
    const LowerLimit limit;
    for (const sake::Config& config :
         {quiet_config().with_raise_file_limit(false), quiet_config().with_max_connections(10)}) {
        with_server([](sake::Engine&) {},
                    [&](TestServer& server) {
                        CHECK(server.ping());
                        CHECK(soft_limit() == limit.low);
                    },
                    config);
        CHECK(soft_limit() == limit.low);
    }
}

TEST_CASE("an engine that cannot start gives the limit of open files back") {
    const LowerLimit limit;
    sake::Engine app(quiet_config().with_signals(false).with_announce(false));
    app.on_start([] { throw std::runtime_error("no"); });
    app.listen("127.0.0.1:0");
    CHECK_THROWS_AS(app.run(), std::runtime_error);
    CHECK(soft_limit() == limit.low);
}

}  // namespace test_file_limit
