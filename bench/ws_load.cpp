// A light load client for WebSocket servers: one thread, one epoll, messages made beforehand. It does what it
// does for some time before it counts, and reads the CPU clock of SERVER, a process, when the counting begins
// and ends. One line of JSON goes to standard output.
//
//     ws_load PORT PATH echo BYTES CONNECTIONS DEPTH SECONDS SERVER
//         each connection keeps DEPTH messages under way, and replaces those that come back at once
//     ws_load PORT PATH publish BYTES SUBSCRIBERS SECONDS SERVER
//         what is sent to /publish comes to all that are connected to PATH; the next is sent when all have it
//     ws_load PORT PATH hold BYTES CONNECTIONS
//         prints "connected" -> waits for a line -> each sends one message and waits until it is back
//         prints one line of JSON -> waits for a line -> closes

#include "ws_connection.hpp"

namespace {

using namespace bench;

constexpr const char* usage =
    "ws_load PORT PATH (echo BYTES CONNECTIONS DEPTH SECONDS SERVER | publish BYTES SUBSCRIBERS SECONDS "
    "SERVER | "
    "hold BYTES CONNECTIONS)";
constexpr std::uint32_t most_bytes = 65535;
constexpr std::uint64_t most_unfinished = 1U << 24;
constexpr std::uint64_t lead_ns = 300'000'000;
constexpr std::uint64_t second_ns = 1'000'000'000;

void no_follow_up(WsConnection&, std::uint64_t) {}

/// What all connections send: so many messages, end to end.
struct Block {
    Block(std::uint32_t payload, std::uint32_t count) : frame(masked_frame(payload).size()) {
        for (std::uint32_t i = 0; i < count; ++i) bytes += masked_frame(payload);
    }
    std::size_t frame;
    std::string bytes;
};

void send(WsConnection& connection, const Block& block, std::uint64_t count) {
    if (!connection.send(block.bytes, block.frame, count)) fail("a connection was lost");
}

/// Turns `turn(deadline, tally)` for a while, then for as long as it counts, and prints what was counted.
template <typename Turn>
void count(std::uint32_t seconds, pid_t server, std::uint32_t payload, Turn turn) {
    MessageTally tally;
    const auto turn_until = [&](std::uint64_t deadline) {
        while (now_ns() < deadline) turn(deadline, tally);
    };
    turn_until(now_ns() + lead_ns);
    tally = {};
    const Clocks begin(server);
    turn_until(begin.time + seconds * second_ns);
    const Clocks end(server);
    // Messages that are not whole at either end are the difference.
    const std::uint64_t expected = tally.messages * payload;
    if (std::max(tally.payload, expected) - std::min(tally.payload, expected) > most_unfinished) {
        fail("messages of another length than those that were sent");
    }
    const double time = static_cast<double>(end.time - begin.time) / 1e9;
    std::printf(
        "{\"messages\": %llu, \"seconds\": %.3f, \"messages_per_second\": %.0f, \"client_cpu_seconds\": "
        "%.6f, "
        "\"server_cpu_seconds\": %.6f}\n",
        static_cast<unsigned long long>(tally.messages), time, static_cast<double>(tally.messages) / time,
        end.client - begin.client, end.server - begin.server);
}

void echo(const Target& target, char** argv) {
    const std::uint32_t payload = argument(argv[4], 1, most_bytes);
    const std::uint32_t depth = argument(argv[6], 1, 1024);
    const Block block(payload, depth);
    WsCrowd crowd(target, argument(argv[5], 1, 60000));
    for (WsConnection& each : crowd.connections()) send(each, block, depth);
    count(argument(argv[7], 1, 3600), static_cast<pid_t>(argument(argv[8], 1, 1U << 30)), payload,
          [&](std::uint64_t deadline, MessageTally& tally) {
              crowd.turn(deadline, block.bytes, tally,
                         [&](WsConnection& each, std::uint64_t messages) { send(each, block, messages); });
          });
}

void publish(const Target& target, char** argv) {
    const std::uint32_t payload = argument(argv[4], 1, most_bytes);
    const std::uint32_t subscribers = argument(argv[5], 1, 60000);
    const Block block(payload, 1);
    WsCrowd crowd(target, subscribers);
    WsConnection& publisher = crowd.add({target.port, "/publish"});
    std::uint64_t missing = subscribers;
    send(publisher, block, 1);
    count(argument(argv[6], 1, 3600), static_cast<pid_t>(argument(argv[7], 1, 1U << 30)), payload,
          [&](std::uint64_t deadline, MessageTally& tally) {
              crowd.turn(deadline, block.bytes, tally,
                         [&](WsConnection&, std::uint64_t messages) { missing -= messages; });
              if (missing > 0) return;
              missing = subscribers;
              send(publisher, block, 1);
          });
}

void await_line() {
    std::fflush(stdout);
    for (int c = std::getchar(); c != '\n' && c != EOF;) c = std::getchar();
}

void hold(const Target& target, char** argv) {
    const Block block(argument(argv[4], 1, most_bytes), 1);
    WsCrowd crowd(target, argument(argv[5], 1, 60000));
    std::puts("connected");
    await_line();
    MessageTally tally;
    for (WsConnection& each : crowd.connections()) send(each, block, 1);
    const std::uint64_t deadline = now_ns() + 60 * second_ns;
    const std::uint64_t size = crowd.connections().size();
    while (tally.messages < size && now_ns() < deadline)
        crowd.turn(deadline, block.bytes, tally, no_follow_up);
    std::printf("{\"connections\": %llu, \"answered\": %llu, \"errors\": %llu}\n",
                static_cast<unsigned long long>(size), static_cast<unsigned long long>(tally.messages),
                static_cast<unsigned long long>(size - tally.messages));
    await_line();
}

}  // namespace

int main(int argc, char** argv) {
    const Target target = target_of(argc, argv, 5, 8, usage);
    const std::string_view mode = argv[3];
    raise_open_files();
    if (mode == "echo" && argc == 9) {
        echo(target, argv);
    } else if (mode == "publish" && argc == 8) {
        publish(target, argv);
    } else if (mode == "hold" && argc == 6) {
        hold(target, argv);
    } else {
        fail(std::string("usage: ") + usage);
    }
}
