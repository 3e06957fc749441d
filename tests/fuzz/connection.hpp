// A whole connection over a socket pair: whatever comes, it ends, what it answers is HTTP, and handlers run
// for whole requests only.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "fuzz.hpp"

namespace fuzz {

/// A server without listeners, made once.
struct Site {
    Site()
        : config{.header_timeout = std::chrono::milliseconds(50),
                 .handle_signals = false,
                 .announce = false,
                 .log = [](sake::LogLevel, std::string_view) {}},
          errors(on_error, config.log),
          server(reactor, config, routes, errors, 10) {
        server.keep_spares(4);
        const auto add = [this](const char* method, const char* pattern, auto handler) {
            routes.add(routes.root(), method, sake::detail::PatternInfo{pattern, 0, __FILE__, __LINE__},
                       sake::detail::Handler(handler));
        };
        routes.add_middleware(routes.root(),
                              sake::detail::Handler([this](sake::Context&) { ++handlers_run; }));
        add("GET", "/", [](sake::Context& ctx) { ctx.text("ran"); });
        add("GET", "/see/*rest", [](sake::Context& ctx) { ctx.text(ctx.path()); });
        add("POST", "/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });
        add("GET", "/later", [](sake::Context& ctx) -> sake::Task<> {
            co_await sake::yield();
            ctx.text("later");
        });
        routes.set_fallback(sake::detail::Handler([](sake::Context& ctx) { ctx.status(404); }));
        routes.freeze(false);
    }

    sake::Config config;
    sake::detail::Handler on_error;
    sake::detail::ErrorAnswers errors;
    sake::detail::RouteTable routes;
    sake::Reactor reactor;
    sake::detail::Server server;
    std::size_t handlers_run = 0;
};

/// Ends of heads: a request has one.
inline std::size_t empty_lines(std::string_view input) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = input.find("\r\n\r\n", at)) != std::string_view::npos; at += 4) ++count;
    return count;
}

inline void connection(std::string_view input) {
    static Site& site = *new Site;
    if (input.size() > 100'000) return;
    int ends[2] = {-1, -1};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "a socket pair");
    const sake::detail::FileDescriptor client(ends[0]);
    const ssize_t sent = input.empty() ? 0 : ::write(client.get(), input.data(), input.size());
    require(sent == static_cast<ssize_t>(input.size()), "the input fits the socket");
    ::shutdown(client.get(), SHUT_WR);
    const sake::detail::Root root = sake::detail::serve_connection(
        site.reactor, site.server, sake::detail::FileDescriptor(ends[1]), sake::detail::PeerAddress());
    site.reactor.adopt(root.fiber());
    site.handlers_run = 0;
    std::string answers;
    bool has_started = false;
    site.reactor.run_until([&] {
        if (!std::exchange(has_started, true)) root.start();
        char bytes[4096];
        ssize_t count = 0;
        while ((count = ::read(client.get(), bytes, sizeof bytes)) > 0) {
            answers.append(bytes, static_cast<std::size_t>(count));
        }
        return site.server.connection_count == 0 && has_started && count <= 0;
    });
    require(site.handlers_run <= empty_lines(input), "handlers run for whole requests only");
    require(answers.empty() || answers.starts_with("HTTP/1.1 "), "an answer is HTTP");
}

}  // namespace fuzz
