"""Running servers: starting and stopping them, one request by hand, and what the kernel knows of each."""

import atexit
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from machine import cpu_seconds_of, pinned_to
from programs import FILE, command_of
from rounds import Skipped


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

    def __init__(self, program, command, cpu, log, environment=()):
        self.program = program
        self.name = program.name
        self.port = free_port()
        self.log = open(log, "w+")
        variables = {**os.environ, "MEBIBYTE": str(FILE), **dict(program.environment), **dict(environment)}
        self.process = subprocess.Popen(
            [*command, str(self.port)], stdout=self.log, stderr=self.log, env=variables, preexec_fn=pinned_to(cpu)
        )
        atexit.register(self.stop)  # however this script ends
        try:
            self.await_listening()
        except Skipped:
            self.stop()
            raise

    def await_listening(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Skipped(f"ended at once with code {self.process.returncode}: {self.last_words()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise Skipped("did not listen within 10 s")

    def last_words(self):
        """The line of its log that tells most of why it ended."""
        lines = [line for line in Path(self.log.name).read_text().splitlines() if line.strip()] or ["it said nothing"]
        return next((line for line in lines if "rror" in line), lines[-1]).strip()

    def stop(self):
        end(self.process)
        self.log.close()

    def is_running(self):
        return self.process.poll() is None

    def cpu_seconds(self):
        return cpu_seconds_of(self.process.pid)

    def memory_kib(self, field="VmRSS"):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        return 0

    def resident_kib(self):
        # Exact, where the kernel has it; VmRSS is a sum of counters of each CPU that may be some pages behind.
        try:
            for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    return int(line.split()[1])
        except OSError:
            pass
        return self.memory_kib()


def start(program, options, environment=(), arguments=()):
    """Builds and starts a program, pinned to the server's CPU; `arguments` come before the port."""
    command = [*command_of(program, options.build_dir), *arguments]
    return Server(program, command, options.server_cpu, options.build_dir / f"{program.name}.log", environment)


@contextmanager
def running(program, options, **how):
    server = start(program, options, **how)
    try:
        yield server
    finally:
        server.stop()


def exchange(port, path, body=0):
    """Head and body of one answer, read by its Content-Length; a POST when there are bytes to send."""
    request = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    if body:
        request += f"Content-Type: text/plain\r\nContent-Length: {body}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{request}\r\n".encode() + b"x" * body)
        received = bytearray()
        while True:
            head, blank, _ = received[:65536].partition(b"\r\n\r\n")
            lengths = [
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if blank and line.lower().startswith(b"content-length:")
            ]
            if lengths and len(received) >= len(head) + 4 + lengths[0]:
                return bytes(head), bytes(received[len(head) + 4 :])
            chunk = connection.recv(262144)
            if not chunk:
                raise Skipped(f"closed without a whole answer to {path}")
            received += chunk


def check_answer(server, scenario):
    """Throws Skipped when the server does not answer as it should; raw's answers need but have the right length."""
    try:
        head, body = exchange(server.port, scenario.path, scenario.body)
    except OSError as error:
        raise Skipped(f"no answer to {scenario.path}: {error}") from error
    is_raw = server.name == "raw"
    is_right = len(body) == len(scenario.answer) or not scenario.raw_bodies if is_raw else body == scenario.answer
    if not head.startswith(b"HTTP/1.1 200") or not is_right:
        raise Skipped(f"wrong answer to {scenario.path}: {head.splitlines()[0]!r} {body[:40]!r}")
