"""Scale: what a connection costs while it is idle or asleep, and the growth of what a request costs (growth.py).

What needs more connections than one process may have is done with several, and says so.
"""

import struct
from contextlib import ExitStack

import growth
from clients import Sleepers, finish_paced, holding, paced, start_paced
from machine import await_quiet, raise_open_files
from programs import SAKE, build_preload
from rounds import Skipped, attempt, interleaved
from scenarios import KIB
from servers import exchange, running
from tables import Row, failures_text, goal_table, good, median_of, number, paragraphs, table

IDLE = 10_000
FEW = 100
SLEEP_MS = 3000
PROBES = 500  # a second
MANY = 100_000
OWN_FILES = 256  # of a server, beside its connections
MOST_ROUNDS = 3  # of what takes long and differs little from round to round

IDLE_GOAL = {
    "heap": Row(
        "Sake's heap for an idle connection", "bytes", 0, at_most=256,
        shortfall="it is one object for each connection, with the buffers' state and its timer in it; fewer and "
        "smaller members would mend it.",
    ),
}


def rounds_of(options):
    return min(options.rounds, MOST_ROUNDS)


# ---- idle connections -------------------------------------------------------------------------------------------


def idle_memory(program, options):
    """Bytes of user memory that each of many kept-alive connections costs the server after its first answer."""
    if program.most_connections < IDLE:
        raise Skipped(f"takes no more than {program.most_connections:,} connections, each with a thread")

    def warm_up(server):
        for _ in range(100):
            exchange(server.port, "/")

    return memory_of_each(program, warm_up, lambda server: holding(server, "/", IDLE, options), options)


def memory_of_each(program, warm_up, hold, options):
    """Of IDLE connections, which hold(server) holds, beside what warm_up(server) has left behind."""
    counts = options.build_dir / f"{program.name}.malloc"
    counts.unlink(missing_ok=True)
    preload = str(build_preload("malloc_count.cpp", options.build_dir))

    def memory(server):
        heap = struct.unpack("qq", counts.read_bytes()) if program.uses_malloc else (0, 0)
        return (server.resident_kib() * KIB, *heap)

    with running(program, options, environment=(("LD_PRELOAD", preload), ("MALLOC_COUNT", str(counts)))) as server:
        warm_up(server)
        before = memory(server)
        with hold(server) as sleepers:
            sleepers.ask()
            result = sleepers.result()
            after = memory(server)
    resident, heap, blocks = ((b - a) / IDLE for a, b in zip(before, after))
    found = {"answered": result["answered"], "errors": result["errors"], "resident": resident}
    return {**found, "heap": heap, "blocks": blocks} if program.uses_malloc else found


def idle_text(results):
    header = ("", "resident bytes each", "heap bytes each", "heap blocks each", "medians of", "answered", "errors")
    rows = []
    for name, rounds in results.items():
        if not good(rounds):
            continue
        has_heap = "heap" in good(rounds)[0]
        heap, blocks = (median_of(rounds, key) if has_heap else None for key in ("heap", "blocks"))
        rows.append([
            *(name, number(median_of(rounds, "resident")), number(heap), number(blocks, 2), str(len(good(rounds)))),
            *(number(median_of(rounds, "answered")), str(sum(r["errors"] for r in good(rounds)))),
        ])
    goal = goal_table(IDLE_GOAL, {"heap": [r["heap"] for r in good(results.get("sake", []))]})
    return paragraphs(table(header, rows), failures_text(results), goal)


# ---- requests asleep --------------------------------------------------------------------------------------------


def sleeping(program, options):
    """How one more request fares beside many that are asleep, and how long the whole batch takes."""
    path = f"/sleep/{SLEEP_MS}"
    found = {"errors": 0, "dropped": 0}

    def note(name, probes):
        found[f"{name}_p99_us"] = probes["p99_us"]
        found["dropped"] += probes["dropped"]
        found["worst_us"] = max(found.get("worst_us", 0), probes["worst_us"])

    with running(program, options) as server:
        exchange(server.port, "/sleep/1")
        await_quiet()
        note("alone", paced(server, "/", 1, PROBES, PROBES, options))
        for count in (FEW, IDLE):
            with holding(server, path, count, options) as sleepers:
                sleepers.ask()
                exchange(server.port, "/")  # behind those that were asked for before
                if count == IDLE:
                    note("beside", paced(server, "/", 1, PROBES, PROBES, options))
                batch = sleepers.result()
                found[f"late_{count}_ms"] = batch["last_answer_ms"] - SLEEP_MS
                found["errors"] += batch["errors"]
            await_quiet()
        with holding(server, path, IDLE, options) as sleepers:
            probes = start_paced(server, "/", 1, PROBES, PROBES * (SLEEP_MS + 1000) // 1000, options)
            sleepers.ask()
            note("throughout", finish_paced(probes))
            found["errors"] += sleepers.result()["errors"]
    return found


def sleeping_table(results):
    header = (
        *("GET /, ms", "alone: p99", "while all sleep: p99", "from first to last: p99", "worst", f"{FEW} late by"),
        *(f"{IDLE:,} late by", "medians of", "errors asleep", "GET / dropped"),
    )
    rows = []
    for name, rounds in results.items():
        if not good(rounds):
            continue
        p99 = [median_of(rounds, f"{when}_p99_us") / 1000 for when in ("alone", "beside", "throughout")]
        worst = max(r["worst_us"] for r in good(rounds)) / 1000
        late = [number(median_of(rounds, f"late_{count}_ms")) for count in (FEW, IDLE)]
        sums = [str(sum(r[key] for r in good(rounds))) for key in ("errors", "dropped")]
        rows.append([name, *(number(x, 2) for x in p99), number(worst, 1), *late, str(len(good(rounds))), *sums])
    return paragraphs(table(header, rows), failures_text(results))


# ---- more connections than a process may have -------------------------------------------------------------------


def many(options):
    """100,000 connections, held by as many processes of server and client as the limit of open files demands."""
    each_at_most = min(SAKE.most_connections, raise_open_files() - OWN_FILES)
    processes = -(-MANY // each_at_most)
    each = -(-MANY // processes)
    with ExitStack() as stack:
        servers = [stack.enter_context(running(SAKE, options)) for _ in range(processes)]
        for server in servers:
            exchange(server.port, "/")
        before = sum(server.resident_kib() for server in servers)
        results = []
        for server in servers:
            client = Sleepers(server, "/", each, options)
            stack.callback(client.close)
            client.ask()
            results.append(client.result())
        resident = sum(server.resident_kib() for server in servers) - before
        answered = sum(result["answered"] for result in results)
        probes = paced(servers[0], "/", 1, PROBES, PROBES, options)
    return {
        "processes": processes,
        "answered": answered,
        "errors": sum(result["errors"] for result in results),
        "connecting_s": sum(result["connecting_ms"] for result in results) / 1000,
        "resident": resident * KIB / max(answered, 1),
        "p99_us": probes["p99_us"],
        "dropped": probes["dropped"],
    }


def many_text(r):
    if "failed" in r:
        return f"failed: {r['failed']}"
    return (
        f"{r['answered']:,} connections were open at once, each of which had been answered, in {r['processes']} "
        f"processes of the server and as many of the client, because a process may open only so many files here; "
        f"{r['errors']:,} failed. They took {r['connecting_s']:.1f} s to make and {r['resident']:,.0f} resident bytes "
        f"each; meanwhile p99 of one more request was {r['p99_us'] / 1000:.2f} ms, and {r['dropped']} of {PROBES} were "
        f"dropped. One measurement."
    )


# ---- all of it --------------------------------------------------------------------------------------------------


def sections(results):
    """Titles and texts of what has been found so far."""
    texts = {
        "idle": (f"{IDLE:,} idle connections", idle_text),
        "sleeping": (f"{IDLE:,} requests asleep for {SLEEP_MS} ms", sleeping_table),
        "connections": ("Growth with connections", lambda r: growth.growth_table("connections", r)),
        "routes": ("Growth with routes", lambda r: growth.growth_table("routes", r)),
        "received": ("Growth with the body received", lambda r: growth.growth_table("body", r, growth.size_text)),
        "sent": ("Growth with the body sent", lambda r: growth.growth_table("body", r, growth.size_text)),
        "many": (f"{MANY:,} connections", many_text),
    }
    return [(title, text(results[key])) for key, (title, text) in texts.items() if key in results]


def of_each(what, programs, options):
    return interleaved({p.name: lambda p=p: what(p, options) for p in programs}, rounds_of(options))


def measure_scale(options, progress, found):
    """Every part of it, into `found`; each is printed when it is done."""
    parts = {
        "idle": lambda: of_each(idle_memory, options.programs, options),
        "sleeping": lambda: of_each(sleeping, [p for p in options.programs if p.sleeps], options),
        "connections": lambda: growth.by_connections(options),
        "routes": lambda: growth.by_routes(options),
        "received": lambda: growth.by_body_received(options),
        "sent": lambda: growth.by_body_sent(options),
        "many": lambda: attempt(many, options),
    }
    for name, part in parts.items():
        progress(f"scale: {name}")
        found[name] = part()
        for title, text in sections({name: found[name]}):
            print(f"{title}\n\n{text}\n", flush=True)
