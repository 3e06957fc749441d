"""The clients that hold many connections, or ask at a steady pace: how each is started, and what it says."""

import json
import subprocess
import threading
from contextlib import contextmanager

from machine import pinned_to
from programs import build
from rounds import Skipped
from servers import end


class Sleepers:
    """Many connections held by a client of their own, each of which asks once (sleepers.cpp)."""

    def __init__(self, server, path, count, options):
        self.process = subprocess.Popen(
            self.command(server, path, count, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=pinned_to(options.client_cpu),
        )
        self.limit = threading.Timer(120, self.process.kill)
        self.limit.daemon = True
        self.limit.start()
        try:
            self.read_line()  # "connected"
        except BaseException:
            self.close()
            raise

    @staticmethod
    def command(server, path, count, options):
        return [str(build("sleepers.cpp", options.build_dir)), str(server.port), path, str(count)]

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


class Sockets(Sleepers):
    """The same with WebSockets (ws_load.cpp), each of which sends one message."""

    BYTES = 64

    @staticmethod
    def command(server, path, count, options):
        words = (server.port, path, "hold", Sockets.BYTES, count)
        return [str(build("ws_load.cpp", options.build_dir)), *map(str, words)]


@contextmanager
def holding(server, path, count, options, kind=Sleepers):
    """Sleepers that are connected, and closed afterwards."""
    sleepers = kind(server, path, count, options)
    try:
        yield sleepers
    finally:
        sleepers.close()


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
