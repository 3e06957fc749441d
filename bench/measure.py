"""Requests: every scenario, every client, every server, interleaved, each measured in the same way.

results[scenario name][client][server name] is a list with one dict for each round; a dict with `failed` has no figure.
"""

import json
import shutil
import subprocess
import time

from machine import await_quiet, busy_seconds, children_cpu_seconds, pinned_to
from programs import BENCH, build
from rounds import Skipped, turns
from servers import check_answer, exchange, start
from tables import failures_text, good, median_of, median_ratio, number, paragraphs, percent, ratios, spread, table


def client_command(client, server, scenario, seconds, options):
    if client == "load":
        numbers = (scenario.connections, scenario.pipeline, seconds, scenario.body, server.process.pid)
        return [str(build("load.cpp", options.build_dir)), str(server.port), scenario.path, *map(str, numbers)]
    return [
        *("wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds}s", "-s", str(BENCH / "wrk.lua")),
        *(f"http://127.0.0.1:{server.port}{scenario.path}", "--", str(scenario.pipeline)),
    ]


def measure(client, server, scenario, seconds, options):
    """One run of a client against one server; a dict with `failed` when there is no figure."""
    if not server.is_running():
        return {"failed": f"the server had ended before with code {server.process.returncode}"}
    command = client_command(client, server, scenario, seconds, options)
    await_quiet()
    busy_before, client_before, server_before = busy_seconds(), children_cpu_seconds(), server.cpu_seconds()
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 30, preexec_fn=pinned_to(options.client_cpu)
        )
    except subprocess.TimeoutExpired:
        return {"failed": "the client did not end in time"}
    if not server.is_running():
        return {"failed": f"the server ended with code {server.process.returncode}"}
    server_cpu, client_cpu = server.cpu_seconds() - server_before, children_cpu_seconds() - client_before
    others = busy_seconds() - busy_before - server_cpu - client_cpu
    wall = time.monotonic() - begin
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        return {"failed": (done.stderr.strip() or f"the client ended with code {done.returncode}").splitlines()[-1]}
    # load has read the clocks itself, while it counted; with wrk, connecting and closing are in them.
    result = {"server_cpu_seconds": server_cpu, "client_cpu_seconds": client_cpu, **json.loads(lines[-1])}
    if result["requests"] == 0:
        return {"failed": "no request was answered"}
    result["requests_per_cpu_second"] = result["requests"] / max(result["server_cpu_seconds"], 1e-9)
    result["server_cpu_share"] = result["server_cpu_seconds"] / result["seconds"]
    result["client_cpu_share"] = result["client_cpu_seconds"] / result["seconds"]
    result["others_cpu_share"] = max(0.0, others / wall)
    return result


def clients_of(scenario, options):
    wanted = [c for c in options.clients if c == "load" or (scenario.by_wrk and shutil.which("wrk"))]
    return wanted or ["load"]


def able(servers, scenario, skipped):
    """The servers that have this path and answer it rightly; why others do not is added to `skipped`."""
    found = []
    for server in servers:
        if scenario.path in server.program.lacks:
            skipped[f"{server.name}, {scenario.name}"] = "it has no natural counterpart"
            continue
        try:
            check_answer(server, scenario)
            found.append(server)
        except Skipped as reason:
            print(f"skipped: {server.name}: {reason}")
            skipped[f"{server.name}, {scenario.name}"] = str(reason)
    return found


def measure_scenario(servers, scenario, skipped, options):
    """The rounds of one scenario: of_clients[client][server name] is a list. Raw is started anew where it must
    receive or answer more than usual."""
    own_raw = None
    if scenario.raw_bodies and any(server.name == "raw" for server in servers):
        raw = next(server.program for server in servers if server.name == "raw")
        own_raw = start(raw, options, arguments=map(str, scenario.raw_bodies))
        servers = [own_raw if server.name == "raw" else server for server in servers]
    try:
        servers = able(servers, scenario, skipped)
        clients = clients_of(scenario, options)
        of_clients = {client: {server.name: [] for server in servers} for client in clients}
        for turn in turns(servers, options.rounds):
            for client in clients:
                for server in turn:
                    of_clients[client][server.name].append(
                        measure(client, server, scenario, options.seconds, options)
                    )
        return of_clients
    finally:
        if own_raw:
            own_raw.stop()


def answer_sizes(servers):
    sizes = {}
    for server in servers:
        head, body = exchange(server.port, "/")
        sizes[server.name] = len(head) + 4 + len(body)
    return sizes


# ---- what they say ----------------------------------------------------------------------------------------------


HEADER = (
    *("", "req/s", "to raw", "req/CPU-s", "to raw", "p50 us", "p99 us"),
    *("server", "client", "others", "errors"),
)


def p99_text(rounds):
    """wrk gives 0 where it cannot tell. What had no answer for as long as was counted may have waited for ever."""
    value, seconds = median_of(rounds, "p99_us"), median_of(rounds, "seconds")
    if not value:
        return "-"
    return f"> {number(seconds * 1e6)}" if value >= seconds * 1e6 else number(value)


def row(name, rounds, raw):
    errors = sum(r.get("errors", 0) for r in good(rounds))
    return [
        name,
        number(median_of(rounds, "requests_per_second")),
        spread(ratios(rounds, raw, "requests_per_second")),
        number(median_of(rounds, "requests_per_cpu_second")),
        spread(ratios(rounds, raw, "requests_per_cpu_second")),
        number(median_of(rounds, "p50_us") or None),
        p99_text(rounds),
        *(percent(median_of(rounds, f"{who}_cpu_share")) for who in ("server", "client", "others")),
        str(errors),
    ]


def scenario_table(of_servers):
    raw = of_servers.get("raw", [])
    rows = [row(name, rounds, raw) for name, rounds in of_servers.items() if good(rounds)]
    return paragraphs(table(HEADER, rows), failures_text(of_servers))


def best_peer(of_servers, key="requests_per_cpu_second"):
    """The name of the peer with the best median, neither raw nor Sake; None when there is none."""
    peers = {name: median_of(r, key) for name, r in of_servers.items() if name not in ("raw", "sake")}
    known = {name: value for name, value in peers.items() if value is not None}
    return max(known, key=known.get) if known else None


def summary_table(results):
    """Requests per CPU-second as a share of raw's, by the light client: a row for each scenario."""
    of_load = {name: of_clients["load"] for name, of_clients in results.items() if "load" in of_clients}
    names = [name for name in dict.fromkeys(n for servers in of_load.values() for n in servers) if name != "raw"]
    rows = []
    for scenario, of_servers in of_load.items():
        shares = [
            median_ratio(of_servers.get(name, []), of_servers.get("raw", []), "requests_per_cpu_second")
            for name in names
        ]
        best = best_peer(of_servers)
        to_best = median_ratio(of_servers.get("sake", []), of_servers.get(best, []), "requests_per_cpu_second")
        compared = "-" if to_best is None else f"{to_best:.2f} ({best})"
        rows.append([scenario, *(number(share, 2) for share in shares), compared])
    return table(["", *names, "sake to the best peer"], rows)


def disturbance(results):
    """How many measurements were disturbed by other processes, and of how many."""
    shares = [
        r["others_cpu_share"]
        for of_clients in results.values()
        for of_servers in of_clients.values()
        for rounds in of_servers.values()
        for r in good(rounds)
    ]
    return sum(share > 0.1 for share in shares), len(shares)
