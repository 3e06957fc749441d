// A whole connection over a socket pair: whatever comes, it ends, what it answers is HTTP, one answer for
// each handler that runs, handlers run for whole requests only, and nothing depends on how the input was
// split.
#pragma once

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "answers.hpp"

namespace fuzz {

/// A server without listeners, made once.
struct Site {
    Site()
        : config{.half_close_window = std::chrono::hours(1),  // however long the machine takes
                 .handle_signals = false,
                 .announce = false,
                 .log = [](sake::LogLevel, std::string_view) {}},
          errors(on_error, config.log),
          shard(reactor, config, routes, errors, observers, 10) {
        const auto add = [this](const char* method, const char* pattern, auto handler) {
            routes.add(routes.root(), method, sake::detail::PatternInfo{pattern, 0, __FILE__, __LINE__},
                       sake::detail::Handler(handler));
        };
        routes.add_middleware(routes.root(), sake::detail::Handler([this](sake::Context& ctx) {
                                  if (ctx.route() == "/read") return;
                                  static_cast<void>(ctx.body());  // goes on when the request is whole
                                  are_heads.push_back(ctx.method() == "HEAD");
                              }));
        add("GET", "/", [](sake::Context& ctx) { ctx.text("ran"); });
        add("GET", "/see/*rest", [](sake::Context& ctx) { ctx.text(ctx.path()); });
        add("POST", "/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });
        add("GET", "/later", [](sake::Context& ctx) -> sake::Task<> {
            co_await sake::yield();
            ctx.text("later");
        });
        add("POST", "/echo-later", [](sake::Context& ctx) -> sake::Task<> {
            co_await sake::yield();
            ctx.text(ctx.body());
        });
        add("*", "/pieces", [](sake::Context& ctx) -> sake::Task<> {
            sake::BodyWriter out = ctx.stream("text/plain");
            co_await out.write("two ");
            co_await sake::yield();
            co_await out.write("pieces");
        });
        const auto read = [this](sake::Context& ctx) -> sake::Task<> {
            std::string all;
            while (const auto piece = co_await ctx.read()) all.append(*piece);
            are_heads.push_back(ctx.method() == "HEAD");  // the request is whole
            ctx.text(all);
        };
        routes
            .add(routes.root(), "*", sake::detail::PatternInfo{"/read", 0, __FILE__, __LINE__},
                 sake::detail::Handler(read))
            .route.stream_body();
        routes.set_fallback(sake::detail::Handler([](sake::Context& ctx) { ctx.status(404); }));
        routes.freeze(false);
    }

    sake::Config config;
    sake::detail::Handler on_error;
    sake::detail::ErrorAnswers errors;
    sake::detail::RouteTable routes;
    sake::Reactor reactor;
    sake::detail::Observers observers;
    sake::detail::Shard shard;
    std::vector<bool> are_heads;  // of the requests whose handlers have run
};

/// Ends of heads: a request has one.
inline std::size_t empty_lines(std::string_view input) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = input.find("\r\n\r\n", at)) != std::string_view::npos; at += 4) ++count;
    return count;
}

/// What a server does with `input`, of which it sees what is behind `cut` a turn later.
inline std::vector<Answer> serve(Site& site, std::string_view input, std::size_t cut) {
    int ends[2] = {-1, -1};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "a socket pair");
    const sake::detail::FileDescriptor client(ends[0]);
    const auto send = [&client](std::string_view piece) {
        const ssize_t sent =
            piece.empty() ? 0 : ::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
        require(sent == static_cast<ssize_t>(piece.size()) || errno == EPIPE, "the input fits the socket");
    };
    site.are_heads.clear();
    std::string bytes;
    int turns = 0;
    site.reactor.run_until([&] {
        if (turns == 0) {
            send(input.substr(0, cut));
            if (cut == input.size()) ::shutdown(client.get(), SHUT_WR);
            sake::detail::H1Connection::serve(site.shard, sake::detail::FileDescriptor(ends[1]),
                                              sake::detail::PeerAddress());
        } else if (turns == 1 && cut < input.size()) {
            send(input.substr(cut));
            ::shutdown(client.get(), SHUT_WR);
        }
        ++turns;
        char piece[4096];
        ssize_t count = 0;
        while ((count = ::read(client.get(), piece, sizeof piece)) > 0) {
            bytes.append(piece, static_cast<std::size_t>(count));
        }
        return site.shard.sessions.count() == 0 && count <= 0;
    });
    return take_apart(bytes, site.are_heads);
}

inline void connection(std::string_view input) {
    static Site& site = *new Site;
    if (input.size() > 100'000) return;
    const std::vector<Answer> at_once = serve(site, input, input.size());
    require(site.are_heads.size() <= empty_lines(input), "handlers run for whole requests only");
    if (input.empty()) return;
    // Anywhere, but in the same place for the same input.
    const std::size_t cut = std::hash<std::string_view>()(input) % input.size();
    const std::vector<Answer> in_two = serve(site, input, cut);
    require(at_once == in_two, "the answers are those to the input in two pieces");
}

}  // namespace fuzz
