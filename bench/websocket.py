"""WebSockets: messages echoed and published for each CPU-second of the server, the memory of idle connections, and
instructions for a message. Sake (ws_server.cpp) beside the limit (ws_raw.cpp) and peers, all with one thread.
"""

import json
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass

import scale
from clients import Sockets, holding
from instructions import instructions
from machine import await_quiet, busy_seconds, children_cpu_seconds, pinned_to
from programs import BENCH, NODE_MODULES, ROOT, SAKE_FLAGS, Program, build, command_of, debian_version, version_of
from rounds import FAILURES, Skipped, attempt, interleaved, turns
from servers import start
from tables import failures_text, good, median_of, median_ratio, number, paragraphs, percent, ratios, spread, table

BUN = NODE_MODULES / "@oven/bun-linux-x64/bin/bun"
WS_VERSION = "process.stdout.write(require('ws/package.json').version)"
NODE_PATH = (("NODE_PATH", str(NODE_MODULES)),)

PROGRAMS = [
    Program("raw", "ws_raw.cpp", optional=False),
    Program("sake", "ws_server.cpp", SAKE_FLAGS, optional=False,
            version=("git", "-C", str(ROOT), "describe", "--always", "--dirty")),
    Program("beast", "peers/ws_beast.cpp", lacks=("/",), version=debian_version("libboost-dev")),
    Program("lws", "peers/ws_lws.cpp", ("-lwebsockets",), version=debian_version("libwebsockets-dev")),
    Program("gorilla", "peers/ws_gorilla.go", environment=(("GOMAXPROCS", "1"),), uses_malloc=False,
            version=debian_version("golang-github-gorilla-websocket-dev")),
    Program("ws", command=("node", str(BENCH / "peers/ws_node.js")), environment=NODE_PATH, uses_malloc=False,
            version=("node", "-e", WS_VERSION)),
    Program("bun", command=(str(BUN), str(BENCH / "peers/ws_bun.js")), uses_malloc=False,
            version=(str(BUN), "--version")),
    Program("websockets", command=("/usr/bin/python3", str(BENCH / "peers/ws_websockets.py")), lacks=("/",),
            uses_malloc=False, version=debian_version("python3-websockets")),
]
INSTRUCTION_NAMES = ("raw", "sake", "beast", "lws")

SUBSCRIBERS = 10_000


@dataclass(frozen=True)
class Scenario:
    name: str
    path: str
    words: tuple  # for ws_load, up to SECONDS


SCENARIOS = [
    *(Scenario(f"echo 64 B, c{count}{f', {depth} under way' if depth > 1 else ''}", "/echo", ("echo", 64, count, depth))
      for depth in (1, 16) for count in (1, 64, 1000)),
    Scenario("echo 16 KiB, c64", "/echo", ("echo", 16 * 1024, 64, 1)),
    Scenario(f"publish 100 B to {SUBSCRIBERS:,}", "/topic", ("publish", 100, SUBSCRIBERS)),
]


# ---- messages for each CPU-second -------------------------------------------------------------------------------


def measure(server, scenario, options):
    """One run of ws_load against one server."""
    if not server.is_running():
        raise Skipped(f"the server had ended before with code {server.process.returncode}")
    words = (server.port, scenario.path, *scenario.words, options.seconds, server.process.pid)
    command = [str(build("ws_load.cpp", options.build_dir)), *map(str, words)]
    await_quiet()
    busy_before, client_before, server_before = busy_seconds(), children_cpu_seconds(), server.cpu_seconds()
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds + 60,
                          preexec_fn=pinned_to(options.client_cpu))
    wall = time.monotonic() - begin
    ours = server.cpu_seconds() - server_before + children_cpu_seconds() - client_before
    if done.returncode != 0:
        raise Skipped((done.stderr.strip() or "the client failed").splitlines()[-1])
    result = json.loads(done.stdout)
    if result["messages"] == 0:
        raise Skipped("no message came back")
    result["messages_per_cpu_second"] = result["messages"] / max(result["server_cpu_seconds"], 1e-9)
    for name in ("server", "client"):
        result[f"{name}_cpu_share"] = result[f"{name}_cpu_seconds"] / result["seconds"]
    result["others_cpu_share"] = max(0.0, (busy_seconds() - busy_before - ours) / wall)
    return result


def measure_messages(options, found):
    """found["messages"][scenario name][server name] is a list with a dict for each round."""
    skipped = found["skipped"] = {}
    messages = found["messages"] = {}
    with ExitStack() as stack:
        servers = []
        for program in options.sockets:
            try:
                servers.append(start(program, options))
                stack.callback(servers[-1].stop)
            except FAILURES as reason:
                skipped[program.name] = str(reason)
        found["versions"] = {s.name: version_of(s.program) for s in servers}
        for scenario in SCENARIOS:
            rounds = messages[scenario.name] = {server.name: [] for server in servers}
            for turn in turns(servers, options.rounds):
                for server in turn:
                    rounds[server.name].append(attempt(measure, server, scenario, options))
            print(f"{scenario.name}\n{detail_table(rounds)}\n", flush=True)


# ---- idle connections -------------------------------------------------------------------------------------------


def idle(program, options):
    """Bytes of user memory that each of many WebSockets costs the server after a message."""
    def warm_up(server):
        with holding(server, "/echo", 100, options, Sockets) as few:
            few.ask()
            few.result()

    return scale.memory_of_each(
        program, warm_up, lambda server: holding(server, "/echo", scale.IDLE, options, Sockets), options)


def measure_idle(options, found):
    programs = [program for program in options.sockets if program.name != "raw"]
    rounds = min(options.rounds, scale.MOST_ROUNDS)
    found["idle"] = interleaved({p.name: lambda p=p: idle(p, options) for p in programs}, rounds)
    of_http = {p.name: lambda p=p: scale.idle_memory(p, options) for p in programs if "/" not in p.lacks}
    found["idle_http"] = interleaved(of_http, rounds)


# ---- instructions -----------------------------------------------------------------------------------------------


def connect(port, path):
    """A WebSocket to that path."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)
    if not answer.startswith(b"HTTP/1.1 101"):
        raise Skipped(f"no handshake: {answer!r}")
    return connection


def frame(size):
    """A masked text of so many bytes, fewer than 126."""
    mask = b"\x5a\x13\xc6\x2b"
    return bytes((0x81, 0x80 | size)) + mask + bytes(ord("a") ^ mask[i % 4] for i in range(size))


def receive(connection, size):
    while size > 0:
        received = len(connection.recv(min(size, 65536)))
        if received == 0:
            raise Skipped("the connection was closed")
        size -= received


def echo_some(port, depth, count):
    with connect(port, "/echo") as connection:
        for _ in range(count // depth):
            connection.sendall(frame(64) * depth)
            receive(connection, (2 + 64) * depth)


def publish_some(port, subscribers, count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(port, "/topic")) for _ in range(subscribers)]
        publisher = stack.enter_context(connect(port, "/publish"))
        for _ in range(count // subscribers):
            publisher.sendall(frame(100))
            for each in sockets:
                receive(each, 2 + 100)


INSTRUCTION_ROWS = {  # the work of a number of messages, and few and many of them
    "echo 64 B": (lambda port, count: echo_some(port, 1, count), 320, 3520),
    "echo 64 B, 16 under way": (lambda port, count: echo_some(port, 16, count), 320, 3520),
    "publish 100 B to 50, for each": (lambda port, count: publish_some(port, 50, count), 1000, 6000),
}


def for_a_message(program, row, options):
    work, few, many = INSTRUCTION_ROWS[row]
    counted = [instructions(program, lambda port, n=n: work(port, n), options) for n in (few, many)]
    return {"instructions": (counted[1] - counted[0]) / (many - few)}


def measure_instructions(options, found):
    if shutil.which("valgrind") is None:
        found["skipped"]["instructions"] = "valgrind is not installed"
        return
    programs = [program for program in options.sockets if program.name in INSTRUCTION_NAMES]
    found["instructions"] = {
        p.name: {row: [attempt(for_a_message, p, row, options)] for row in INSTRUCTION_ROWS} for p in programs}


# ---- all of it --------------------------------------------------------------------------------------------------


def measure_websocket(options, progress, found):
    for name, part in (("messages", measure_messages), ("idle connections", measure_idle),
                       ("instructions", measure_instructions)):
        progress(f"websocket: {name}")
        part(options, found)
    print(websocket_text({**found, "messages": found.get("messages", {})}), flush=True)


def detail_row(name, rounds, raw):
    shares = (percent(median_of(rounds, f"{who}_cpu_share")) for who in ("server", "client", "others"))
    return [name, number(median_of(rounds, "messages_per_second")), number(median_of(rounds, "messages_per_cpu_second")),
            spread(ratios(rounds, raw, "messages_per_cpu_second")), *shares]


def detail_table(of_servers):
    header = ("", "messages/s", "messages/CPU-s", "to raw", "server", "client", "others")
    rows = [detail_row(name, rounds, of_servers.get("raw", [])) for name, rounds in of_servers.items() if good(rounds)]
    return paragraphs(table(header, rows), failures_text(of_servers))


def best_peer(of_servers):
    key = "messages_per_cpu_second"
    peers = {name: median_of(rounds, key) for name, rounds in of_servers.items() if name not in ("raw", "sake")}
    return max((name for name in peers if peers[name]), key=peers.get, default=None)


def summary_table(messages):
    """Messages per CPU-second, as a share of raw's."""
    key = "messages_per_cpu_second"
    names = list(dict.fromkeys(name for of in messages.values() for name in of if name != "raw"))
    rows = []
    for scenario, of in messages.items():
        best = best_peer(of)
        to_best = median_ratio(of.get("sake", []), of.get(best, []), key)
        shares = [number(median_ratio(of.get(name, []), of.get("raw", []), key), 3) for name in names]
        rows.append([scenario, *shares, "-" if to_best is None else f"{to_best:.2f} ({best})"])
    return table(["", *names, "sake to the best peer"], rows)


def idle_table(found):
    rows = []
    for name, rounds in found["idle"].items():
        of_http = found["idle_http"].get(name, [])
        heap = [median_of(of, "heap") if good(of) and "heap" in good(of)[0] else None for of in (rounds, of_http)]
        blocks = median_of(rounds, "blocks") if heap[0] is not None else None
        rows.append([name, number(median_of(rounds, "resident")), number(heap[0]), number(blocks, 2),
                     number(median_of(of_http, "resident")), number(heap[1]), str(sum(r["errors"] for r in good(rounds)))])
    header = ("", "WebSocket: resident bytes", "heap bytes", "heap blocks", "HTTP: resident bytes", "heap bytes", "errors")
    return paragraphs(table(header, rows), failures_text(found["idle"]), failures_text(found["idle_http"]))


def instructions_table(found):
    rows = [[name, *(number(median_of(of[row], "instructions")) for row in INSTRUCTION_ROWS)]
            for name, of in found.items()]
    failures = failures_text({f"{name}, {row}": rounds for name, of in found.items() for row, rounds in of.items()})
    return paragraphs(table(["", *INSTRUCTION_ROWS], rows), failures)


def websocket_text(found):
    versions = "; ".join(f"{name} {version}" for name, version in found.get("versions", {}).items())
    parts = [f"{versions}.", *(f"Skipped: {name}: {reason}." for name, reason in found.get("skipped", {}).items())]
    parts += [f"Measured {found['when']}."] if "when" in found else []
    parts += ["### Messages per CPU-second, as a share of raw", summary_table(found["messages"])]
    if "instructions" in found:
        parts += ["### Instructions for a message", instructions_table(found["instructions"])]
    if "idle" in found:
        parts += [f"### {scale.IDLE:,} idle WebSockets, and as many idle connections of HTTP", idle_table(found)]
    parts += [f"### {scenario}\n\n{detail_table(of)}" for scenario, of in found["messages"].items()]
    return "\n\n".join(parts)
