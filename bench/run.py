#!/usr/bin/env python3
"""Measures Sake against the limit (raw_epoll) and against peers, always side by side in the same run.

The server has one CPU to itself and the load client another. Rounds are interleaved (A B C, A B C, ...), every ratio
is taken within a round, and the medians over the rounds are shown. Needs g++, nothing but the standard library of
Python, and wrk when it is there. README.md says what each column means.
"""

import argparse
import atexit
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent

COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-O2", "-pthread"] + os.environ.get("CXXFLAGS", "").split()
LINK_FLAGS = os.environ.get("LDFLAGS", "").split()

# As Debian's library was built: its classes are laid out otherwise without these.
HTTPLIB_FLAGS = (
    *("-DCPPHTTPLIB_OPENSSL_SUPPORT", "-DCPPHTTPLIB_ZLIB_SUPPORT", "-DCPPHTTPLIB_BROTLI_SUPPORT"),
    *("-lcpp-httplib", "-lssl", "-lcrypto"),
)

HELLO = b"Hello, World!"
HELLO_JSON = b'{"message":"Hello, World!"}'
EXPECTED = {"/": HELLO, "/json": HELLO_JSON, "/user/42": b"42"}


@dataclass(frozen=True)
class Scenario:
    name: str
    path: str
    connections: int
    pipeline: int = 1


SCENARIOS = [
    Scenario("GET / c64", "/", 64),
    Scenario("GET / c1", "/", 1),
    Scenario("GET / c1000", "/", 1000),
    Scenario("GET / c64 pipelined 16", "/", 64, 16),
    Scenario("GET /json c64", "/json", 64),
    Scenario("GET /user/42 c64", "/user/42", 64),
]


@dataclass(frozen=True)
class Program:
    """A server to measure: a source to compile, or a command line that is ready."""

    name: str
    source: str = ""
    flags: tuple = ()
    command: tuple = ()
    optional: bool = False
    same_answer_everywhere: bool = False
    sleeps: bool = False


PROGRAMS = [
    Program("raw", "raw_epoll.cpp", same_answer_everywhere=True),
    Program("sake", "hello.cpp", flags=("-I", str(ROOT / "single_include")), sleeps=True),
    Program("beast", "peers/beast.cpp", optional=True),
    Program("httplib", "peers/httplib.cpp", flags=HTTPLIB_FLAGS, optional=True),
    Program("node", command=("node", str(BENCH / "peers/node.js")), optional=True, sleeps=True),
]


class Skipped(Exception):
    """This server cannot take part; the text says why."""


# ---- building ---------------------------------------------------------------------------------------------------


def is_fresh(binary, stamp, command):
    if not binary.exists() or not stamp.exists() or stamp.read_text() != command:
        return False
    sources = [*BENCH.glob("*.?pp"), *BENCH.glob("peers/*.cpp"), *ROOT.glob("single_include/*.hpp")]
    return all(source.stat().st_mtime < binary.stat().st_mtime for source in sources)


def build(source, directory, flags=()):
    directory.mkdir(parents=True, exist_ok=True)
    binary = directory / Path(source).stem
    stamp = binary.with_suffix(".command")
    command = [COMPILER, *FLAGS, str(BENCH / source), "-o", str(binary), *flags, *LINK_FLAGS]
    if is_fresh(binary, stamp, " ".join(command)):
        return binary
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if "error" in line] or ["no message"]
        raise Skipped(f"does not build: {errors[0].strip()}")
    stamp.write_text(" ".join(command))
    return binary


def command_of(program, directory):
    if program.source:
        return [str(build(program.source, directory, program.flags))]
    if shutil.which(program.command[0]) is None:
        raise Skipped(f"{program.command[0]} is not installed")
    return list(program.command)


# ---- processes --------------------------------------------------------------------------------------------------


def pinned_to(cpu):
    """Something to call in a child before its program starts; None leaves the child where it is."""
    return None if cpu is None else lambda: os.sched_setaffinity(0, {cpu})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Server:
    """A running server: its process, its port, and what /proc says of it."""

    def __init__(self, program, command, cpu, log):
        self.program = program
        self.name = program.name
        self.port = free_port()
        self.log = open(log, "w+")
        self.process = subprocess.Popen(
            [*command, str(self.port)], stdout=self.log, stderr=self.log, preexec_fn=pinned_to(cpu)
        )
        atexit.register(self.stop)  # however this script ends
        self.await_listening()

    def await_listening(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Skipped(f"ended at once with code {self.process.returncode}; see {self.log.name}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise Skipped("did not listen within 10 s")

    def stop(self):
        end(self.process)
        self.log.close()

    def cpu_seconds(self):
        # The second field, the name in parentheses, may hold spaces; utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self, field="VmRSS"):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        return 0


def exchange(port, path):
    """Head and body of one answer, read by its Content-Length."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        received = b""
        while True:
            head, blank, body = received.partition(b"\r\n\r\n")
            lengths = [
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if blank and line.lower().startswith(b"content-length:")
            ]
            if lengths and len(body) >= lengths[0]:
                return head, body
            chunk = connection.recv(65536)
            if not chunk:
                raise Skipped(f"closed without a whole answer to {path}")
            received += chunk


def check_answers(server, scenarios):
    for path in sorted({scenario.path for scenario in scenarios}):
        expected = HELLO if server.program.same_answer_everywhere else EXPECTED[path]
        try:
            head, body = exchange(server.port, path)
        except OSError as error:
            raise Skipped(f"no answer to {path}: {error}") from error
        if not head.startswith(b"HTTP/1.1 200") or body != expected:
            raise Skipped(f"wrong answer to {path}: {head.splitlines()[0]!r} {body!r}")


def start_all(programs, scenarios, options):
    servers, skipped = [], []
    for program in programs:
        try:
            command = command_of(program, options.build_dir)
            server = Server(program, command, options.server_cpu, options.build_dir / f"{program.name}.log")
            check_answers(server, scenarios)
            servers.append(server)
        except Skipped as reason:
            skipped.append((program, str(reason)))
    return servers, skipped


# ---- measuring --------------------------------------------------------------------------------------------------


def client_command(client, server, scenario, seconds, options):
    if client == "load":
        return [
            str(options.build_dir / "load"),
            *(str(x) for x in (server.port, scenario.path, scenario.connections, scenario.pipeline, seconds)),
        ]
    return [
        *("wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds}s", "-s", str(BENCH / "wrk.lua")),
        *(f"http://127.0.0.1:{server.port}{scenario.path}", "--", str(scenario.pipeline)),
    ]


def children_cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def busy_seconds():
    """Seconds of CPU that all processes of the machine have used, user and system."""
    user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(client, server, scenario, seconds, options):
    """One run of a client against one server; a dict with `failed` when there is no figure."""
    command = client_command(client, server, scenario, seconds, options)
    busy_before, client_before, server_before = busy_seconds(), children_cpu_seconds(), server.cpu_seconds()
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 30, preexec_fn=pinned_to(options.client_cpu)
        )
    except subprocess.TimeoutExpired:
        return {"failed": "the client did not end in time"}
    if server.process.poll() is not None:
        return {"failed": f"the server ended with code {server.process.returncode}"}
    cpu, client_cpu = server.cpu_seconds() - server_before, children_cpu_seconds() - client_before
    others = busy_seconds() - busy_before - cpu - client_cpu
    wall = time.monotonic() - begin
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        return {"failed": (done.stderr.strip() or f"the client ended with code {done.returncode}").splitlines()[-1]}
    result = json.loads(lines[-1])
    if result["requests"] == 0:
        return {"failed": "no request was answered"}
    result["requests_per_cpu_second"] = result["requests"] / max(cpu, 1 / os.sysconf("SC_CLK_TCK"))
    result["server_cpu_share"] = cpu / wall
    result["client_cpu_share"] = client_cpu / wall
    result["others_cpu_share"] = max(0.0, others / wall)
    return result


def warm_up(servers, scenarios, options):
    for server in servers:
        for path in sorted({scenario.path for scenario in scenarios}):
            measure("load", server, Scenario("warm-up", path, 64), 1, options)


def measure_all(servers, scenarios, options):
    """results[scenario name][client][server name] = one dict for each round."""
    results = {}
    for scenario in scenarios:
        of_clients = results[scenario.name] = {c: {s.name: [] for s in servers} for c in options.clients}
        for _ in range(options.rounds):
            for client, of_servers in of_clients.items():
                for server in servers:
                    if server.process.poll() is None:
                        result = measure(client, server, scenario, options.seconds, options)
                    else:
                        result = {"failed": "the server had ended before"}
                    of_servers[server.name].append(result)
        print_scenario(scenario, of_clients)
    return results


# ---- reporting --------------------------------------------------------------------------------------------------


def median_of(rounds, key):
    return statistics.median(r[key] for r in rounds if "failed" not in r)


def shown(value):
    return f"{value:,.0f}" if value > 0 else "-"  # wrk gives 0 for a percentile that it cannot tell


def ratio_to_raw(rounds, of_servers, key):
    """'median (lowest-highest)' of the ratios to raw within each round."""
    pairs = zip(rounds, of_servers.get("raw", []))
    ratios = [r[key] / raw[key] for r, raw in pairs if "failed" not in r and "failed" not in raw]
    if not ratios:
        return "-"
    return f"{statistics.median(ratios):.3f} ({min(ratios):.2f}-{max(ratios):.2f})"


HEADER = (
    f"{'':10}{'req/s':>10}  {'to raw':<18}{'req/CPU-s':>10}  {'to raw':<18}"
    f"{'p50 us':>9}{'p99 us':>10}{'server':>8}{'client':>8}{'others':>8}{'errors':>8}"
)


def row(name, rounds, of_servers):
    failures = [r["failed"] for r in rounds if "failed" in r]
    if len(failures) == len(rounds):
        return f"{name:10}failed: {failures[0]}"
    errors = sum(r.get("errors", 0) for r in rounds)
    note = f"  {len(failures)} of {len(rounds)} rounds failed: {failures[0]}" if failures else ""
    return (
        f"{name:10}{median_of(rounds, 'requests_per_second'):>10,.0f}"
        f"  {ratio_to_raw(rounds, of_servers, 'requests_per_second'):<18}"
        f"{median_of(rounds, 'requests_per_cpu_second'):>10,.0f}"
        f"  {ratio_to_raw(rounds, of_servers, 'requests_per_cpu_second'):<18}"
        f"{shown(median_of(rounds, 'p50_us')):>9}{shown(median_of(rounds, 'p99_us')):>10}"
        f"{median_of(rounds, 'server_cpu_share'):>8.0%}{median_of(rounds, 'client_cpu_share'):>8.0%}"
        f"{median_of(rounds, 'others_cpu_share'):>8.0%}{errors:>8}{note}"
    )


def print_scenario(scenario, of_clients):
    for client, of_servers in of_clients.items():
        print(f"\n{scenario.name}, by {client}\n{HEADER}")
        for name, rounds in of_servers.items():
            print(row(name, rounds, of_servers))
    sys.stdout.flush()


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def print_disturbance(results):
    shares = [
        r["others_cpu_share"]
        for of_clients in results.values()
        for of_servers in of_clients.values()
        for rounds in of_servers.values()
        for r in rounds
        if "failed" not in r
    ]
    disturbed = sum(share > 0.1 for share in shares)
    if disturbed:
        print(f"\nNOTE: in {disturbed} of {len(shares)} measurements other processes used more than a tenth of a CPU.")
        print("Their req/s say little; req/CPU-s and its ratio suffer less.")


def print_machine():
    compiler = subprocess.run([COMPILER, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    print(f"{cpu_model()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}")
    print(f"{compiler}, {' '.join(FLAGS)}; load average {os.getloadavg()[0]:.2f}")


def print_conditions(servers, skipped, options):
    print_machine()
    rounds = "" if options.sleepers else f"{options.rounds} rounds of {options.seconds} s; "
    print(f"{rounds}server on CPU {options.server_cpu}, client on CPU {options.client_cpu}")
    if options.client_cpu is None:
        print("NOTE: one CPU only, so that client and server share it; the figures say little")
    for server in servers:
        head, body = exchange(server.port, "/")
        print(f"{server.name}: {len(head) + 4 + len(body)} bytes answer GET /")
    for program, reason in skipped:
        print(f"skipped: {program.name}: {reason}")


# ---- sleepers ---------------------------------------------------------------------------------------------------


def measure_sleepers(server, count, options):
    command = [str(options.build_dir / "sleepers"), str(server.port), "/sleep/1000", str(count)]
    memory = {"before": server.memory_kib()}
    client = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=pinned_to(options.client_cpu),
    )
    limit = threading.Timer(120, client.kill)
    limit.start()
    try:
        if client.stdout.readline() != "connected\n":
            return {"failed": client.stderr.read().strip()}
        memory["connected"] = server.memory_kib()
        client.stdin.write("\n")
        client.stdin.flush()
        time.sleep(0.7)  # all sent, none awake: this is the middle of the second that they sleep
        memory["asleep"] = server.memory_kib()
        line = client.stdout.readline()
        if not line:
            return {"failed": client.stderr.read().strip()}
        memory["peak"] = max(server.memory_kib("VmHWM"), *memory.values())  # the kernel updates it late
        client.communicate("\n")
        return {**json.loads(line), "memory_kib": memory}
    finally:
        limit.cancel()
        end(client)


def print_sleepers(server, result):
    if "failed" in result:
        print(f"{server.name}: failed: {result['failed']}")
        return
    memory, count = result["memory_kib"], result["connections"]
    print(
        f"{server.name}: {result['answered']} of {count} answered, {result['errors']} errors; connecting took "
        f"{result['connecting_ms']:.0f} ms, sending {result['sending_ms']:.0f} ms; first answer after "
        f"{result['first_answer_ms']:.0f} ms, last after {result['last_answer_ms']:.0f} ms"
    )
    per_sleeper = (memory["asleep"] - memory["before"]) / count
    print(
        f"{server.name}: resident {memory['before']:,} KiB before, {memory['connected']:,} connected, "
        f"{memory['asleep']:,} asleep, {memory['peak']:,} at the most: {per_sleeper:.2f} KiB for each sleeper"
    )


def run_sleepers(servers, options):
    print(f"\n{options.sleepers:,} requests to /sleep/1000 at once")
    results = {}
    for server in servers:
        exchange(server.port, "/sleep/1")
        results[server.name] = measure_sleepers(server, options.sleepers, options)
        print_sleepers(server, results[server.name])
    return results


# ---- main -------------------------------------------------------------------------------------------------------


def parse_options():
    names = ", ".join(program.name for program in PROGRAMS)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default 3)")
    parser.add_argument("--only", default="", help=f"comma-separated servers out of: {names}")
    parser.add_argument("--scenario", default="", help="only those with all these words in the name, as 'c64'")
    parser.add_argument("--clients", default="wrk,load", help="wrk, load or wrk,load (default; wrk when installed)")
    parser.add_argument("--sleepers", type=int, nargs="?", const=10000, metavar="N",
                        help="instead: N (default 10,000) requests asleep at once")
    parser.add_argument("--workers", action="store_true", help="instead: worker routes, as workers.py does")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures to FILE")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build" / "bench")
    options = parser.parse_args()
    options.clients = [c for c in options.clients.split(",") if c == "load" or shutil.which(c)]
    cpus = sorted(os.sched_getaffinity(0))
    options.server_cpu, options.client_cpu = cpus[:2] if len(cpus) > 1 else (None, None)
    return parser, options


def choose_programs(parser, options):
    wanted = [name for name in options.only.split(",") if name]
    unknown = set(wanted) - {program.name for program in PROGRAMS}
    if unknown:
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    chosen = [program for program in PROGRAMS if not wanted or program.name in wanted]
    return [program for program in chosen if program.sleeps] if options.sleepers else chosen


def raise_open_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))


def measure_workers(options):
    import workers  # not above: it imports this file

    return workers.measure_workers(options)


def write_json(results, options):
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def main():
    parser, options = parse_options()
    programs = choose_programs(parser, options)
    scenarios = [s for s in SCENARIOS if set(options.scenario.split()) <= set(s.name.split())]
    if options.rounds < 1 or options.seconds < 1 or not programs or not scenarios or not options.clients:
        parser.error("nothing to measure")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_open_files()
    if options.workers:
        print_machine()
        results = measure_workers(options)
        write_json(results, options)
        sys.exit(0 if results else 1)
    try:
        build("load.cpp", options.build_dir)
        build("sleepers.cpp", options.build_dir)
    except Skipped as reason:
        sys.exit(f"the load client {reason}")
    servers, skipped = start_all(programs, scenarios, options)
    print_conditions(servers, skipped, options)
    if options.sleepers:
        results = run_sleepers(servers, options)
    else:
        warm_up(servers, scenarios, options)
        results = measure_all(servers, scenarios, options)
        print_disturbance(results)
    has_failed = any(not program.optional for program, _ in skipped)
    if not options.sleepers and not options.only:
        for server in servers:
            server.stop()  # worker routes have all CPUs and the memory to themselves
        results["workers"] = measure_workers(options)
        has_failed = has_failed or not results["workers"]
    write_json(results, options)
    sys.exit(1 if has_failed else 0)


if __name__ == "__main__":
    main()
