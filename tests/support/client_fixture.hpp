// with_client: runs a test body against an engine over memory and in virtual time. For whatever needs no real
// socket; server_fixture.hpp has its counterpart with one.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "coroutines.hpp"
#include "reliability.hpp"
#include "sake.hpp"
#include "server_fixture.hpp"

namespace harness {

/// Runs `body` with a TestClient for an engine made by `setup`, then checks that a ping is answered, unless
/// the body stopped the engine, and that nothing is left on the heap. Server and test share one thread, so
/// what either allocates meanwhile has to be freed. Returns the exit code of the run.
inline int with_client(const TestServer::Setup& setup, const std::function<void(sake::TestClient&)>& body,
                       const sake::Config& config = quiet_config()) {
    make_what_stays();
    const auto before = allocations::live_blocks();
    int exit_code = -1;
    {
        sake::Engine app(config);
        app.get("/_ping", [](sake::Context& ctx) { ctx.text("pong"); });
        setup(app);
        sake::TestClient client(app);
        body(client);
        try {
            const sake::TestResponse pong = client.get("/_ping");
            CHECK(pong.body == "pong");
        } catch (const std::logic_error&) {
            // The body stopped the engine.
        }
        exit_code = client.stop();
    }
    CHECK(is_back_at(before));
    return exit_code;
}

/// So many connections, each of which has sent these bytes; of so small a window, if one is given.
[[nodiscard]] inline std::vector<sake::TestConnection> connections_of(
    sake::TestClient& client, int count, const std::string& bytes,
    std::optional<std::size_t> window = std::nullopt) {
    std::vector<sake::TestConnection> connections;
    connections.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        connections.push_back(window ? client.connect(*window) : client.connect());
        connections.back().send(bytes);
    }
    return connections;
}

/// Now, in the virtual time of whoever asks: of a handler, for instance.
[[nodiscard]] inline sake::detail::TimePoint virtual_now() { return sake::Reactor::current()->present(); }

}  // namespace harness
