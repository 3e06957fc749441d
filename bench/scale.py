"""Scale: what a connection costs while it is idle or asleep, and how the cost of a request grows.

What needs more connections than one process may have is done with several, and says so.
"""

import json
import statistics
import struct
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace

from machine import pinned_to, raise_open_files
from measure import measure
from programs import PROGRAMS, SAKE_FLAGS, Program, Skipped, build, build_preload
from scenarios import KIB, MIB, Scenario
from servers import end, exchange, start
from tables import number, table

IDLE = 10_000
FEW = 100
SLEEP_MS = 3000
PROBES = 500  # a second
MANY = 100_000
OWN_FILES = 256  # of a server, beside its connections

CONNECTIONS = (1, 10, 100, 1000, 10_000)
ROUTES = (1, 10, 100, 1000, 10_000)
BODIES = (KIB, 16 * KIB, 256 * KIB, 4 * MIB, 64 * MIB)

RAW = next(program for program in PROGRAMS if program.name == "raw")
SAKE = next(program for program in PROGRAMS if program.name == "sake")
GROWTH = Program("growth", "growth.cpp", SAKE_FLAGS)


class Sleepers:
    """Many connections held by a client of their own, each of which asks once (sleepers.cpp)."""

    def __init__(self, server, path, count, options):
        command = [str(build("sleepers.cpp", options.build_dir)), str(server.port), path, str(count)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=pinned_to(options.client_cpu),
        )
        self.limit = threading.Timer(120, self.process.kill)
        self.limit.start()
        self.read_line()  # "connected"

    def read_line(self):
        line = self.process.stdout.readline()
        if not line:
            raise Skipped(f"the client: {self.process.stderr.read().strip() or 'ended'}")
        return line

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        return json.loads(self.read_line())

    def close(self):
        self.limit.cancel()
        end(self.process)


@contextmanager
def holding(server, path, count, options):
    """Sleepers that are connected, and closed afterwards."""
    sleepers = Sleepers(server, path, count, options)
    try:
        yield sleepers
    finally:
        sleepers.close()


@contextmanager
def running(program, options, **how):
    server = start(program, options, **how)
    try:
        yield server
    finally:
        server.stop()


def start_paced(server, path, connections, rate, requests, options):
    numbers = (connections, rate, requests)
    command = [str(build("paced.cpp", options.build_dir)), str(server.port), path, *map(str, numbers)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pinned_to(options.client_cpu)
    )


def finish_paced(process):
    try:
        said, complaint = process.communicate(timeout=120)
    except subprocess.TimeoutExpired as error:
        raise Skipped("the paced client did not end in time") from error
    finally:
        end(process)
    if not said:
        raise Skipped(f"the paced client: {complaint.strip()}")
    return json.loads(said)


def paced(server, path, connections, rate, requests, options):
    """The figures of requests at a steady pace (paced.cpp)."""
    return finish_paced(start_paced(server, path, connections, rate, requests, options))


# ---- idle connections -------------------------------------------------------------------------------------------


def idle_memory(program, options):
    """Bytes of user memory that each of many kept-alive connections costs the server after its first answer."""
    if program.most_connections < IDLE:
        raise Skipped(f"takes no more than {program.most_connections:,} connections, each with a thread")
    counts = options.build_dir / f"{program.name}.malloc"
    counts.unlink(missing_ok=True)
    preload = str(build_preload("malloc_count.cpp", options.build_dir))

    def memory(server):
        heap = struct.unpack("qq", counts.read_bytes()) if program.uses_malloc else (0, 0)
        return (server.resident_kib() * KIB, *heap)

    with running(program, options, environment=(("LD_PRELOAD", preload), ("MALLOC_COUNT", str(counts)))) as server:
        for _ in range(100):
            exchange(server.port, "/")
        before = memory(server)
        with holding(server, "/", IDLE, options) as sleepers:
            sleepers.ask()
            answered = sleepers.result()["answered"]
            after = memory(server)
    resident, heap, blocks = ((b - a) / IDLE for a, b in zip(before, after))
    found = {"connections": answered, "resident": resident}
    return {**found, "heap": heap, "blocks": blocks} if program.uses_malloc else found


def idle_table(results):
    rows = [
        [name, number(r["resident"]), number(r.get("heap")), number(r.get("blocks"), 2)]
        if "failed" not in r else [f"{name}: {r['failed']}", "", "", ""]
        for name, r in results.items()
    ]
    return table(["", "resident bytes each", "heap bytes each", "heap blocks each"], rows)


# ---- requests asleep --------------------------------------------------------------------------------------------


def sleeping(program, options):
    """How one more request fares beside many that are asleep, and how long the whole batch takes."""
    path = f"/sleep/{SLEEP_MS}"
    found = {}
    with running(program, options) as server:
        exchange(server.port, "/sleep/1")
        found["alone"] = paced(server, "/", 1, PROBES, PROBES, options)
        for count in (FEW, IDLE):
            with holding(server, path, count, options) as sleepers:
                sleepers.ask()
                exchange(server.port, "/")  # behind those that were asked for before
                if count == IDLE:
                    found["beside"] = paced(server, "/", 1, PROBES, PROBES, options)
                batch = sleepers.result()
                found[f"late_{count}"] = batch["last_answer_ms"] - SLEEP_MS
                found[f"errors_{count}"] = batch["errors"]
        with holding(server, path, IDLE, options) as sleepers:
            probes = start_paced(server, "/", 1, PROBES, PROBES * (SLEEP_MS + 1000) // 1000, options)
            sleepers.ask()
            found["throughout"] = finish_paced(probes)
            sleepers.result()
    return found


def sleeping_table(results):
    rows = []
    for name, r in results.items():
        if "failed" in r:
            rows.append([f"{name}: {r['failed']}"] + [""] * 7)
            continue
        p99 = [number(r[key]["p99_us"] / 1000, 2) for key in ("alone", "beside", "throughout")]
        late = [number(r[f"late_{count}"]) for count in (FEW, IDLE)]
        rows.append([name, *p99, number(r["throughout"]["worst_us"] / 1000, 1), *late, str(r[f"errors_{IDLE}"])])
    header = ["GET /, ms", "alone: p99", "while all sleep: p99", "from first to last: p99", "worst"]
    return table([*header, f"{FEW} late by", f"{IDLE:,} late by", "errors"], rows)


# ---- growth -----------------------------------------------------------------------------------------------------


def cost(server, scenario, options):
    """Microseconds of the server's CPU for a request. With large bodies a part of one is counted as that part."""
    r = measure("load", server, scenario, options.seconds, options)
    if "failed" in r:
        return r
    size = max(scenario.body, len(scenario.answer))
    moved = max(r["sent_bytes"], r["received_bytes"]) / size if size > KIB else r["requests"]
    return {"us": r["server_cpu_seconds"] / moved * 1e6, "errors": r["errors"]}


def interleaved(points, options):
    """points[x][server name] is (how to start it, scenario); the costs of every round by x and name."""
    rounds = max(1, options.rounds // 2)
    found = {x: {name: [] for name in servers} for x, servers in points.items()}
    for x, servers in points.items():
        started = {}
        try:
            for name, ((program, arguments), _) in servers.items():
                started[name] = start(program, options, arguments=map(str, arguments))
            for _ in range(rounds):
                for name, (_, scenario) in servers.items():
                    found[x][name].append(cost(started[name], scenario, options))
        finally:
            for server in started.values():
                server.stop()
    return found


def growth_by_connections(options):
    get = Scenario("", "/")
    return interleaved(
        {
            n: {"raw": ((RAW, ()), replace(get, connections=n)), "sake": ((SAKE, ()), replace(get, connections=n))}
            for n in CONNECTIONS
        },
        options,
    )


def growth_by_routes(options):
    return interleaved(
        {
            n: {
                "raw": ((RAW, ()), Scenario("", "/")),
                "sake": ((GROWTH, (n,)), Scenario("", f"/route/{n}/42", answer=b"42")),
            }
            for n in ROUTES
        },
        options,
    )


def growth_by_body(options):
    """Received and sent, by size; one connection, so that what is under way when time is up matters little."""
    received = {
        n: {
            "raw": ((RAW, (n, 13)), Scenario("", "/length", connections=1, body=n)),
            "sake": ((GROWTH, (1,)), Scenario("", "/length", connections=1, body=n)),
        }
        for n in BODIES
    }
    sent = {
        n: {
            "raw": ((RAW, (0, n)), Scenario("", "/", connections=1, answer=b"x" * n)),
            "sake": ((GROWTH, (1,)), Scenario("", f"/bytes/{n}", connections=1, answer=b"x" * n)),
        }
        for n in BODIES
    }
    return {"received": interleaved(received, options), "sent": interleaved(sent, options)}


def cost_median(rounds):
    values = [r["us"] for r in rounds if "us" in r]
    return statistics.median(values) if values else None


def size_text(n):
    return f"{n // MIB} MiB" if n >= MIB else f"{n // KIB} KiB"


def growth_table(name, points, label=str):
    """Microseconds of CPU for a request; the keys of points are numbers, or their texts when read from a file."""
    rows = []
    for x, servers in points.items():
        raw, sake = (cost_median(servers[server]) for server in ("raw", "sake"))
        ratio = number(sake / raw, 2) if raw and sake else "-"
        rows.append([label(int(x)), number(raw, 2), number(sake, 2), ratio])
    return table([name, "raw, CPU us", "sake, CPU us", "sake to raw"], rows)


# ---- more connections than a process may have -------------------------------------------------------------------


def many(options):
    """100,000 connections, held by as many processes of server and client as the limit of open files demands."""
    each_at_most = min(SAKE.most_connections, raise_open_files() - OWN_FILES)
    processes = -(-MANY // each_at_most)
    each = -(-MANY // processes)
    servers, clients = [], []
    try:
        for _ in range(processes):
            servers.append(start(SAKE, options))
        for server in servers:
            exchange(server.port, "/")
        before = sum(server.resident_kib() for server in servers)
        answered, connecting = 0, 0
        for server in servers:
            clients.append(Sleepers(server, "/", each, options))
            clients[-1].ask()
            result = clients[-1].result()
            answered += result["answered"]
            connecting += result["connecting_ms"]
        resident = sum(server.resident_kib() for server in servers) - before
        probes = [paced(server, "/", 1, PROBES, PROBES, options) for server in servers[:1]]
    finally:
        for client in clients:
            client.close()
        for server in servers:
            server.stop()
    return {
        "processes": processes,
        "answered": answered,
        "connecting_s": connecting / 1000,
        "resident": resident * KIB / answered,
        "p99_us": probes[0]["p99_us"],
    }


def many_text(r):
    if "failed" in r:
        return f"failed: {r['failed']}"
    return (
        f"{r['answered']:,} connections were open at once, each of which had been answered, in {r['processes']} processes "
        f"of the server and as many of the client, because a process may open only so many files here. They took "
        f"{r['connecting_s']:.1f} s to make and {r['resident']:,.0f} resident bytes each; meanwhile p99 of one more "
        f"request was {r['p99_us'] / 1000:.2f} ms."
    )


# ---- all of it --------------------------------------------------------------------------------------------------


def attempt(what, *arguments):
    try:
        return what(*arguments)
    except (Skipped, OSError) as reason:
        return {"failed": str(reason)}


def sections(results):
    """Titles and texts of what has been found so far."""
    texts = {
        "idle": (f"{IDLE:,} idle connections", idle_table),
        "sleeping": (f"{IDLE:,} requests asleep for {SLEEP_MS} ms", sleeping_table),
        "connections": ("Growth with connections", lambda r: growth_table("connections", r, "{:,}".format)),
        "routes": ("Growth with routes", lambda r: growth_table("routes", r, "{:,}".format)),
        "received": ("Growth with the body received", lambda r: growth_table("body", r, size_text)),
        "sent": ("Growth with the body sent", lambda r: growth_table("body", r, size_text)),
        "many": (f"{MANY:,} connections", many_text),
    }
    return [(title, text(results[key])) for key, (title, text) in texts.items() if key in results]


def measure_scale(options, progress):
    """Every part of it; each is printed when it is done."""
    sleepy = [program for program in options.programs if program.sleeps]
    parts = {
        "idle connections": lambda: {"idle": {p.name: attempt(idle_memory, p, options) for p in options.programs}},
        "requests asleep": lambda: {"sleeping": {p.name: attempt(sleeping, p, options) for p in sleepy}},
        "growth with connections": lambda: {"connections": growth_by_connections(options)},
        "growth with routes": lambda: {"routes": growth_by_routes(options)},
        "growth with bodies": lambda: growth_by_body(options),
        "more connections than a process may have": lambda: {"many": attempt(many, options)},
    }
    found = {}
    for title, part in parts.items():
        progress(f"scale: {title}")
        new = part()
        for name, text in sections(new):
            print(f"{name}\n\n{text}\n", flush=True)
        found.update(new)
    return found
