"""Instructions for a request in user space, counted by callgrind: the one figure that no neighbour disturbs.

A server runs twice, with a few requests and with many more; the difference is theirs alone.
"""

import re
import shutil
import socket
from pathlib import Path

from programs import command_of
from rounds import Skipped, attempt
from servers import Server
from tables import failures_text, median_of, number, paragraphs, table

NAMES = ("raw", "sake", "beast")  # not those that compile while they run, have too many threads, or end without a count
ROWS = {  # path, and how many requests are under way
    "GET /": ("/", 1),
    "GET / pipelined 16": ("/", 16),
    "GET /json": ("/json", 1),
    "GET /tree": ("/tree", 1),
    "GET /user/42": ("/user/42", 1),
}
FEW, MANY = 320, 3520


def ask(port, path, depth, count):
    """`count` requests over one connection, each batch answered before the next is sent."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        length = len(connection.recv(65536))  # short enough to come in one piece
        for _ in range(count // depth):
            connection.sendall(request * depth)
            missing = length * depth
            while missing > 0:
                received = len(connection.recv(min(missing, 65536)))
                if received == 0:
                    raise Skipped(f"closed without an answer to {path}")
                missing -= received


def instructions(program, work, options):
    """Of the server's whole life, in which work(port) is done."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=yes",
               *command_of(program, options.build_dir)]
    log = options.build_dir / f"{program.name}.callgrind.log"
    server = Server(program, command, options.server_cpu, log)
    try:
        work(server.port)
    finally:
        server.stop()
    counted = re.search(rf"=={server.process.pid}== Collected : (\d+)", Path(log).read_text())
    if counted is None:
        raise Skipped("valgrind gave no count, as when a server does not end by itself")
    return int(counted[1])


def for_a_request(program, row, options):
    path, depth = ROWS[row]
    few, many = (instructions(program, lambda port: ask(port, path, depth, count), options) for count in (FEW, MANY))
    return {"instructions": (many - few) / (MANY - FEW)}


def measure_instructions(options):
    """found[program][row] is a list of one figure: it hardly differs from run to run."""
    if shutil.which("valgrind") is None:
        raise Skipped("valgrind is not installed")
    programs = [program for program in options.programs if program.name in NAMES]
    return {p.name: {row: [attempt(for_a_request, p, row, options)] for row in ROWS} for p in programs}


def instructions_text(found):
    rows = [[name, *(number(median_of(of[row], "instructions")) for row in ROWS)] for name, of in found.items()]
    failures = failures_text({f"{name}, {row}": rounds for name, of in found.items() for row, rounds in of.items()})
    return paragraphs(table(["", *ROWS], rows), failures)
