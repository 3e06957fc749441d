"""How the cost of a request grows with connections, routes and bodies: Sake's beside that of raw, which does the same
system calls."""

from dataclasses import replace

from measure import measure
from programs import RAW, SAKE, SAKE_FLAGS, Program
from rounds import attempt, interleaved
from scenarios import KIB, MIB, Scenario
from servers import start
from tables import failures_text, good, median_of, number, paragraphs, table

CONNECTIONS = (1, 100, 1000, 10_000)
ROUTES = (1, 100, 1000, 10_000)
BODIES = (KIB, 16 * KIB, 256 * KIB, 4 * MIB, 64 * MIB)

GROWTH = Program("growth", "growth.cpp", SAKE_FLAGS)


def cost(server, scenario, options):
    """Microseconds of the server's CPU for a request. With large bodies a part of one is counted as that part."""
    r = measure("load", server, scenario, options.seconds, options)
    if "failed" in r:
        return r
    size = max(scenario.body, len(scenario.answer))
    moved = max(r["sent_bytes"], r["received_bytes"]) / size if size > KIB else r["requests"]
    return {"us": r["server_cpu_seconds"] / moved * 1e6, "errors": r["errors"]}


def measure_point(servers, options):
    """servers[name] is (program, arguments, scenario); found[name] is a list with the cost in each round."""
    started = {}
    try:
        for name, (program, arguments, _) in servers.items():
            started[name] = start(program, options, arguments=map(str, arguments))
        whats = {name: lambda n=name: cost(started[n], servers[n][2], options) for name in servers}
        return interleaved(whats, options.rounds)
    finally:
        for server in started.values():
            server.stop()


def measure_points(points, options):
    """A point for each number that grows; one that fails as a whole is a list with one failure for each server."""
    found = {}
    for x, servers in points.items():
        found[x] = attempt(measure_point, servers, options)
        if "failed" in found[x]:
            found[x] = {name: [found[x]] for name in servers}
    return found


def by_connections(options):
    get = Scenario("", "/")
    points = {
        n: {"raw": (RAW, (), replace(get, connections=n)), "sake": (SAKE, (), replace(get, connections=n))}
        for n in CONNECTIONS
    }
    return measure_points(points, options)


def by_routes(options):
    points = {
        n: {
            "raw": (RAW, (), Scenario("", "/")),
            "sake": (GROWTH, (n,), Scenario("", f"/route/{n}/42", answer=b"42")),
        }
        for n in ROUTES
    }
    return measure_points(points, options)


def by_body_received(options):
    """One connection, here and below, so that what is under way when time is up matters little."""
    points = {
        n: {
            "raw": (RAW, (n, 13), Scenario("", "/length", connections=1, body=n)),
            "sake": (GROWTH, (1,), Scenario("", "/length", connections=1, body=n)),
        }
        for n in BODIES
    }
    return measure_points(points, options)


def by_body_sent(options):
    points = {
        n: {
            "raw": (RAW, (0, n), Scenario("", "/", connections=1, answer=b"x" * n)),
            "sake": (GROWTH, (1,), Scenario("", f"/bytes/{n}", connections=1, answer=b"x" * n)),
        }
        for n in BODIES
    }
    return measure_points(points, options)


def size_text(n):
    return f"{n // MIB} MiB" if n >= MIB else f"{n // KIB} KiB"


def growth_table(name, points, label="{:,}".format):
    """Microseconds of CPU for a request; the keys of points are numbers, or their texts when read from a file."""
    rows = []
    for x, servers in points.items():
        raw, sake = (median_of(servers[server], "us") for server in ("raw", "sake"))
        ratio = number(sake / raw, 2) if raw and sake else "-"
        rounds = [r for of_server in servers.values() for r in of_server]
        count = min(len(good(of_server)) for of_server in servers.values())
        errors = sum(r["errors"] for r in good(rounds))
        rows.append([label(int(x)), number(raw, 2), number(sake, 2), ratio, str(count), str(errors)])
    of_points = {f"{label(int(x))}, {server}": r for x, servers in points.items() for server, r in servers.items()}
    header = [name, "raw, CPU us", "sake, CPU us", "sake to raw", "medians of", "errors"]
    return paragraphs(table(header, rows), failures_text(of_points))
