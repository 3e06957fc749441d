#!/usr/bin/env python3
"""Measures worker routes: what the pool gains, what it spares the reactor, and what it costs.

Prints one table. Every row is a figure or a ratio taken within a round, and shows the median over the rounds with the
lowest and highest. Server and clients share all CPUs, since that is what the pool is about. README.md says what each
row means. Runs alone or as part of run.py.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import busy_seconds, children_cpu_seconds, cpu_model
from programs import BUILD_DIR, SAKE_FLAGS, Program, build
from rounds import FAILURES, Skipped
from servers import Server, end, exchange, free_port
from tables import Row, goal_table

CALIBRATION = 4_000_000  # iterations of the handler, some 5 ms
HEAVY_MS = 5  # what a heavy request shall take
CONCURRENT = 100
HEAVY_CONNECTIONS = 8
STARTS = 5  # of each kind in a round
SAME_ANSWERS = 100
POOLS = (1, 65)  # sizes whose difference in memory is the cost of idle workers

TYPICAL = "1 KiB text"
LARGE = "64 KiB text"


ROWS = {
    "speedup": Row(f"{CONCURRENT} heavy requests at once: worker to spawn, req/s"),
    "efficiency": Row(
        "  SC-002: parallel efficiency: the same for each usable CPU", at_least=0.95,
        shortfall="workers share their CPUs with the reactor, the load client and whatever else runs; where bare "
        "threads gain as little, the machine has no more to give.",
    ),
    "cpu_ratio": Row("  CPU of the server for each request, worker to spawn"),
    "machine": Row("  what bare threads gain, one for each CPU, to one"),
    "efficiency_to_machine": Row("  worker to spawn, as a share of that"),
    "client": Row("  CPU that the load client took meanwhile", "%", 1),
    "others": Row("  CPU that processes of others took meanwhile", "%", 1),
    "light_idle_p50": Row("GET / with nothing else to do, p50", "us", 0),
    "light_idle_p99": Row("  p99", "us", 0),
    "light_spawn_p50": Row(f"GET / beside {HEAVY_CONNECTIONS} heavy on the reactor, p50", "us", 0),
    "light_spawn_p99": Row("  p99", "us", 0),
    "light_worker_p50": Row(f"GET / beside {HEAVY_CONNECTIONS} heavy on the pool, p50", "us", 0),
    "light_worker_p99": Row(
        f"  SC-003: GET / beside {HEAVY_CONNECTIONS} heavy on the pool, p99", "us", 0, at_most=10_000,
        shortfall="workers keep every CPU, and the kernel lets the reactor wait for their time slices; a lower "
        "priority of the workers would mend it.",
    ),
    "handler": Row("a handler of 100,000 iterations", "us", 1),
    "bridge_typical": Row(f"JSON bridge there and back, {TYPICAL}", "us", 1),
    "bridge_typical_share": Row(
        f"  SC-004: bridge of {TYPICAL} to that handler", "%", 1, at_most=2,
        shortfall="most of it is allocation; writing the text straight from Context's views and reading into its "
        "storage would mend it.",
    ),
    "bridge_typical_json": Row("  with a body of JSON", "us", 1),
    "bridge_typical_bytes": Row("  with a body that is not UTF-8", "us", 1),
    "bridge_large": Row(f"JSON bridge there and back, {LARGE}", "us", 1),
    "bridge_large_share": Row(
        f"  SC-005: bridge of {LARGE} to that handler", "%", 1, at_most=2,
        shortfall="every byte of the body is checked, escaped, copied and read again, twice; carrying bodies beside "
        "the JSON would mend it.",
    ),
    "bridge_large_json": Row("  with a body of JSON", "us", 1),
    "bridge_large_bytes": Row("  with a body that is not UTF-8", "us", 1),
    "crossing": Row("a whole crossing (GET, c1): worker less spawn, p50", "us", 1),
    "crossing_cpu": Row("  CPU of the server for it", "us", 1),
    "start_off": Row("start to first answer without a pool", "ms", 1),
    "start_pool": Row("  with a pool", "ms", 1),
    "start_difference": Row("  SC-006: what the pool adds", "ms", 1, at_most=100),
    "memory_idle": Row("SC-007: resident memory of a worker that never worked", "KiB", 1, at_most=64),
    "memory_used": Row("  of one that has, and is idle again", "KiB", 1, at_most=64),
    "different": Row(f"SC-008: answers out of {SAME_ANSWERS} that differ between worker and spawn", "", 0, at_most=0),
}


class Bench:
    """The programs that all measurements use, and where a round's figures go: figures[row name] is a list."""

    def __init__(self, options, found):
        self.directory = options.build_dir
        self.seconds = options.seconds
        self.workers = str(build("workers.cpp", self.directory, SAKE_FLAGS))
        self.bridge = str(build("worker_bridge.cpp", self.directory, SAKE_FLAGS))
        self.load = str(build("load.cpp", self.directory))
        self.figures = found
        self.figures.update((name, []) for name in ROWS)
        self.cpus = 0
        self.heavy = CALIBRATION

    def start(self, pool):
        command = [self.workers, pool]
        return Server(Program("workers"), command, None, self.directory / f"workers-{pool}.log")

    def add(self, name, value):
        self.figures[name].append(value)

    def calibrate(self, server):
        self.cpus = int(exchange(server.port, "/cpus")[1])
        times = []
        for _ in range(10):
            begin = time.monotonic()
            exchange(server.port, f"/spawn/{CALIBRATION}")
            times.append(time.monotonic() - begin)
        self.heavy = round(int(CALIBRATION * HEAVY_MS / 1000 / min(times)), -4)

    def run_load(self, server, path, connections, seconds):
        command = [self.load, *(str(x) for x in (server.port, path, connections, 1, seconds, 0, server.process.pid))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
        if done.returncode != 0:
            raise Skipped(f"load {path}: {done.stderr.strip() or done.returncode}")
        result = json.loads(done.stdout)
        if result["errors"] or not result["requests"]:
            raise Skipped(f"load {path}: {result['requests']} answers, {result['errors']} errors")
        return result


# ---- the parts of a round ---------------------------------------------------------------------------------------


def await_idle(server):
    """After a heavy client: what it had asked for last is still being computed, and would burden the next run."""
    deadline = time.monotonic() + 10
    before, now = -1.0, server.cpu_seconds()
    while now > before and time.monotonic() < deadline:
        time.sleep(0.05)  # five ticks of the kernel's clock
        before, now = now, server.cpu_seconds()


def measure_throughput(bench, server):
    speed, cpu = {}, {}
    for where in ("spawn", "worker"):
        busy_before, client_before = busy_seconds(), children_cpu_seconds()
        server_before, begin = server.cpu_seconds(), time.monotonic()
        result = bench.run_load(server, f"/{where}/{bench.heavy}", CONCURRENT, bench.seconds)
        wall, busy = time.monotonic() - begin, busy_seconds() - busy_before
        ours = server.cpu_seconds() - server_before + children_cpu_seconds() - client_before
        await_idle(server)
        speed[where] = result["requests_per_second"]
        cpu[where] = result["server_cpu_seconds"] / result["requests"]
    # What the loop leaves behind is of the run on the pool.
    bench.add("client", 100 * result["client_cpu_seconds"] / result["seconds"])
    bench.add("others", 100 * max(0.0, (busy - ours) / wall))
    one, all_cpus = (
        float(subprocess.run([bench.workers, "spin", str(n)], capture_output=True, timeout=30, check=True).stdout)
        for n in (1, bench.cpus)
    )
    speedup = speed["worker"] / speed["spawn"]
    bench.add("speedup", speedup)
    bench.add("efficiency", speedup / bench.cpus)
    bench.add("cpu_ratio", cpu["worker"] / cpu["spawn"])
    bench.add("machine", all_cpus / one)
    bench.add("efficiency_to_machine", speedup / (all_cpus / one))


def light_latencies(port, seconds):
    """Microseconds of one request after the other, paced: a client without pauses would keep a CPU for itself."""
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    head, body = exchange(port, "/")
    size = len(head) + 4 + len(body)
    latencies = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            time.sleep(0.002)
            begin = time.perf_counter()
            connection.sendall(request)
            received = 0
            while received < size:
                chunk = connection.recv(65536)
                if not chunk:
                    raise Skipped("the server closed the connection of the light route")
                received += len(chunk)
            latencies.append((time.perf_counter() - begin) * 1e6)
    return latencies


def add_light(bench, name, latencies):
    latencies.sort()
    for percent in (50, 99):
        bench.add(f"{name}_p{percent}", latencies[min(len(latencies) * percent // 100, len(latencies) - 1)])


def measure_light(bench, server):
    add_light(bench, "light_idle", light_latencies(server.port, 1))
    for where in ("spawn", "worker"):
        command = [bench.load, str(server.port), f"/{where}/{bench.heavy}", str(HEAVY_CONNECTIONS), "1"]
        command.append(str(bench.seconds + 5))  # longer than is needed: it is ended
        heavy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            latencies = light_latencies(server.port, bench.seconds)
            if heavy.poll() is not None:
                raise Skipped("the heavy client ended before the light one")
        finally:
            end(heavy)
        await_idle(server)
        add_light(bench, f"light_{where}", latencies)


def measure_bridge(bench):
    done = subprocess.run([bench.bridge], capture_output=True, text=True, timeout=60, check=True)
    result = json.loads(done.stdout)
    handler = result["handler"]
    bench.add("handler", handler)
    for name, size in (("bridge_typical", "1 KiB"), ("bridge_large", "64 KiB")):
        text = result[f"{size} text"]["total"]
        bench.add(name, text)
        bench.add(f"{name}_share", 100 * text / handler)
        bench.add(f"{name}_json", result[f"{size} JSON"]["total"])
        bench.add(f"{name}_bytes", result[f"{size} bytes"]["total"])
    return result


def measure_crossing(bench, server):
    """One request at a time whose handler does nothing: what is left is the bridge and the way between threads."""
    latency, cpu = {}, {}
    for where in ("spawn", "worker"):
        result = bench.run_load(server, f"/{where}/1", 1, 1)
        latency[where] = result["p50_us"]
        cpu[where] = result["server_cpu_seconds"] / result["requests"] * 1e6
    bench.add("crossing", latency["worker"] - latency["spawn"])
    bench.add("crossing_cpu", cpu["worker"] - cpu["spawn"])


def measure_sameness(bench, server):
    """The same handler's answers in both modes; only the line of the date may differ."""

    def answer(path):
        head, body = exchange(server.port, path)
        return [line for line in head.split(b"\r\n") if not line.lower().startswith(b"date:")], body

    pairs = ((answer(f"/spawn/{n}"), answer(f"/worker/{n}")) for n in range(SAME_ANSWERS))
    bench.add("different", sum(spawned != worked for spawned, worked in pairs))


def time_to_first_answer(bench, pool):
    """Milliseconds from the start of a process until it has answered."""
    port = free_port()
    begin = time.monotonic()
    command = [bench.workers, pool, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - begin < 10 and process.poll() is None:
            try:
                exchange(port, "/")
                return (time.monotonic() - begin) * 1e3
            except ConnectionRefusedError:
                time.sleep(0.0002)
    finally:
        end(process)
    raise Skipped("the server did not answer within 10 s of its start")


def measure_start(bench):
    pairs = [(time_to_first_answer(bench, "off"), time_to_first_answer(bench, "0")) for _ in range(STARTS)]
    bench.add("start_off", statistics.median(off for off, _ in pairs))
    bench.add("start_pool", statistics.median(pool for _, pool in pairs))
    bench.add("start_difference", statistics.median(pool - off for off, pool in pairs))


def measure_memory(bench):
    idle, used = [], []
    for size in POOLS:
        server = bench.start(str(size))
        try:
            exchange(server.port, "/")
            idle.append(server.resident_kib())
            # Twice as many at once as there are workers, so that each gets some.
            bench.run_load(server, "/worker/heavy", 2 * max(POOLS), 1)
            used.append(server.resident_kib())
        finally:
            server.stop()
    workers = POOLS[1] - POOLS[0]
    bench.add("memory_idle", (idle[1] - idle[0]) / workers)
    bench.add("memory_used", (used[1] - used[0]) / workers)


# ---- all of it --------------------------------------------------------------------------------------------------


def worker_table(figures):
    """Markdown, from the figures of every round."""
    return goal_table(ROWS, figures)


def print_steps(result):
    print("\nthe steps of the bridge in the last round, us:")
    for name in (TYPICAL, LARGE):
        steps = ", ".join(f"{step} {value:,.1f}" for step, value in result[name].items() if step != "total")
        print(f"{name}: {steps}")


def measure_workers(options, found):
    """Prints the table; the figures of every round go into `found`, and `failed` when not all could be measured."""
    print(f"\nworker routes, {options.rounds} rounds, {options.seconds} s for each load; ", end="")
    bench = Bench(options, found)
    server = bench.start("0")
    try:
        bench.calibrate(server)
        print(f"{bench.cpus} usable CPUs, shared by server and clients; ", end="")
        print(f"a heavy request is {bench.heavy:,} iterations, some {HEAVY_MS} ms", flush=True)
        for _ in range(options.rounds):
            measure_throughput(bench, server)
            measure_light(bench, server)
            measure_crossing(bench, server)
            found["bridge_steps"] = measure_bridge(bench)
            measure_start(bench)
            measure_memory(bench)
            measure_sameness(bench, server)
    finally:
        server.stop()
        print(worker_table(found))
    if statistics.median(found["others"]) > 10:
        print("NOTE: other processes used more than a tenth of a CPU, so that throughput and latency say little.")
    print_steps(found["bridge_steps"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=1, help="of each load (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures to FILE")
    parser.add_argument("--build-dir", type=Path, default=BUILD_DIR)
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds < 1:
        parser.error("nothing to measure")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{cpu_model()}, {os.cpu_count()} CPUs; load average {os.getloadavg()[0]:.2f}")
    results = {}
    try:
        measure_workers(options, results)
    except FAILURES as reason:
        sys.exit(f"failed: {reason}")
    finally:
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
