"""What large bodies and files cost: Sake's CPU for each way to receive a body and to send one, beside that of raw, which
keeps no body and makes none; and for files beside that of nginx, with and without its cache of open files."""

import os
import socket
import time
from contextlib import ExitStack

from growth import cost
from machine import await_quiet
from programs import FILE, PROGRAMS, RAW, SAKE_FLAGS, Program
from rounds import FAILURES, Skipped, interleaved
from scenarios import KIB, MIB, Scenario
from servers import start
from tables import failures_text, good, median_of, number, paragraphs, ratios, spread, table

BODIES = Program("bodies", "bodies.cpp", SAKE_FLAGS)
NGINX = next(program for program in PROGRAMS if program.name == "nginx")

SIZES = (1 * MIB, 64 * MIB)
RECEIVED = {"whole, before the handler": "/whole", "co_await ctx.read()": "/pieces"}
RETURNED, MADE, LESS_MAKING = "returned, with making it", "made and dropped, not sent", "returned, less making it"
SENT = {
    "ctx.stream": "/streamed/{}",
    RETURNED: "/returned/{}",
    MADE: "/made/{}",
    "copied by ctx.send": "/copied/{}",
}
FILES = {"64kib": 64 * KIB, "1gib": 1024 * MIB}  # a file's name and its size


def make_files():
    for name, size in FILES.items():
        path = FILE.parent / name
        if path.exists() and path.stat().st_size == size:
            continue
        with open(path, "wb") as file:
            for _ in range(max(1, size // MIB)):
                file.write(b"x" * min(size, MIB))


def scenario_of(path, connections=1, body=0, answer=0):
    """Of the answer nothing counts here but its length, so that no gibibyte has to be made for it."""
    return Scenario("", path, connections=connections, body=body, answer=range(answer))


class Download:
    """A client that knows beforehand how many bytes an answer has, since `load` reads none that comes in chunks."""

    def __init__(self, server, path):
        self.request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        self.connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self.buffer = bytearray(256 * KIB)

    def read(self, size):
        self.connection.sendall(self.request)
        while size > 0:
            received = self.connection.recv_into(self.buffer, min(size, len(self.buffer)))
            if received == 0:
                raise Skipped("closed in the middle of an answer")
            size -= received

    def read_one(self):
        """How many bytes it has: nothing comes behind it for a while."""
        self.connection.sendall(self.request)
        size = 0
        try:
            while received := self.connection.recv_into(self.buffer):
                size += received
                self.connection.settimeout(0.2)
        except TimeoutError:
            self.connection.settimeout(10)
        return size


def cost_of_download(server, path, options):
    """Microseconds of the server's CPU for an answer, as `cost` finds it."""
    cpus = os.sched_getaffinity(0)
    if options.client_cpu is not None:
        os.sched_setaffinity(0, {options.client_cpu})
    try:
        client = Download(server, path)
        size, count = client.read_one(), 0
        await_quiet()
        before, deadline = server.cpu_seconds(), time.monotonic() + options.seconds
        while time.monotonic() < deadline or count == 0:
            client.read(size)
            count += 1
        return {"us": (server.cpu_seconds() - before) / count * 1e6, "errors": 0}
    finally:
        os.sched_setaffinity(0, cpus)


def started(stack, program, options, *arguments):
    server = start(program, options, arguments=map(str, arguments))
    stack.callback(server.stop)
    return server


def measure_size(size, options):
    """found[way] is a list with the CPU of each round, of "raw, received" and "raw, sent" too."""
    with ExitStack() as stack:
        ours = started(stack, BODIES, options, FILE.parent)
        receiver = started(stack, RAW, options, size, 13)
        sender = started(stack, RAW, options, 0, size)
        whats = {"raw, received": lambda: cost(receiver, scenario_of("/", body=size), options)}
        for way, path in RECEIVED.items():
            whats[way] = lambda path=path: cost(ours, scenario_of(path, body=size), options)
        whats["raw, sent"] = lambda: cost_of_download(sender, "/", options)
        for way, path in SENT.items():
            whats[way] = lambda path=path.format(size): cost_of_download(ours, path, options)
        return interleaved(whats, options.rounds)


def cost_of_file(server, path, size, options):
    """`load` looks at the time between two answers only when nothing more comes, which may be late within a gibibyte."""
    if size > 64 * MIB:
        return cost_of_download(server, path, options)
    return cost(server, scenario_of(path, connections=16, answer=size), options)


def measure_files(options):
    found = {}
    with ExitStack() as stack:
        ours = started(stack, BODIES, options, FILE.parent)
        nginx = started(stack, NGINX, options)
        for name, size in FILES.items():
            whats = {
                server: lambda s=process, path=f"/{folder}/{name}", n=size: cost_of_file(s, path, n, options)
                for server, process, folder in (
                    ("sake", ours, "files"), ("nginx", nginx, "plain-files"), ("nginx, open files kept", nginx, "files")
                )
            }
            found[name] = interleaved(whats, options.rounds)
    return found


def measure_bodies(options, found):
    make_files()
    found["bodies"] = {str(size): measure_size(size, options) for size in SIZES}
    try:
        found["files"] = measure_files(options)
    except FAILURES as reason:
        found["without files"] = str(reason)


# ---- what they say ----------------------------------------------------------------------------------------------


def size_text(n):
    return f"{n // MIB} MiB" if n >= MIB else f"{n // KIB} KiB"


def ratio_text(rounds, others):
    return spread(ratios(rounds, others, "us"))


def without(rounds, others):
    """The cost less another's in the same round, where both have one."""
    both = [(a, b) for a, b in zip(rounds, others) if "us" in a and "us" in b]
    return [{"us": a["us"] - b["us"]} for a, b in both] if len(both) == len(rounds) else []


def bodies_table(of_sizes):
    rows = []
    for size, of in of_sizes.items():
        of = {**of, LESS_MAKING: without(of.get(RETURNED, []), of.get(MADE, []))}
        for raw, ways in (("raw, received", [*RECEIVED]), ("raw, sent", [*SENT, LESS_MAKING])):
            for way in (raw, *ways):
                rounds = of.get(way, [])
                rows.append([
                    size_text(int(size)), way, number(median_of(rounds, "us"), 0),
                    ratio_text(rounds, of.get(raw, [])), str(len(good(rounds))),
                ])
    failures = failures_text({f"{size}, {way}": r for size, of in of_sizes.items() for way, r in of.items()})
    return paragraphs(table(["", "", "CPU us", "to raw", "rounds"], rows), failures)


def files_table(of_files):
    rows = []
    for name, of in of_files.items():
        for server, rounds in of.items():
            ratio = "1.00" if server == "sake" else ratio_text(rounds, of["sake"])
            rows.append([size_text(FILES[name]), server, number(median_of(rounds, "us"), 1), ratio,
                         str(len(good(rounds)))])
    failures = failures_text({f"{name}, {server}": r for name, of in of_files.items() for server, r in of.items()})
    return paragraphs(table(["", "", "CPU us for a file", "Sake's requests per CPU-second to its", "rounds"], rows),
                      failures)


def bodies_text(found):
    parts = [bodies_table(found["bodies"])]
    if "files" in found:
        parts.append(files_table(found["files"]))
    if "without files" in found:
        parts.append(f"Files were not measured: {found['without files']}")
    return paragraphs(*parts)
