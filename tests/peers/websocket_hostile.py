#!/usr/bin/env python3
"""WebSocket clients that die or mean no good, against websocket.cpp: 200 that are killed at chosen points, thousands
that begin a frame and say no more. A good client goes on, and no session is left. In the end a stop, under 5,000.

  websocket_hostile.py PROGRAM      the built websocket.cpp
"""

import base64
import os
import random
import re
import resource
import signal
import socket
import sys
import time
import urllib.request
import zlib

from wsproto.extensions import PerMessageDeflate

from peer import PATIENCE, Program, check, end, report
from wsproto_client import Talk

KILLS = 200
HOSTILE = 10_000
AT_STOP = 5000


class Server(Program):
    """Counted by its own metrics, and by what the system says of it."""

    def sessions(self):
        """Its WebSockets, those that close included."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + "/metrics", timeout=PATIENCE) as answer:
            text = answer.read().decode()
        return sum(int(count) for count in re.findall(r'(?m)^sake_connections\{state="(?:websocket|closing)"\} (\d+)', text))

    def memory(self):
        """MiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s*(\d+)", file.read()).group(1)) // 1024

    def wait_for(self, count):
        """How many sessions there are, once there are `count`, or when that has taken too long."""
        deadline = time.monotonic() + PATIENCE
        while (seen := self.sessions()) != count and time.monotonic() < deadline:
            time.sleep(0.02)
        return seen


# ---- clients that are killed


class Doomed(Talk):
    """Kills its own process when so many bytes were sent, or received."""

    def __init__(self, port, target, most_sent, most_received, **asked):
        self.left = {"sent": most_sent, "received": most_received}
        super().__init__(port, target, **asked)

    def say(self, event, split=None):
        sent = self.connection.send(event)
        self.socket.sendall(sent[:self.left["sent"]])
        self._spend("sent", len(sent))

    def read(self):
        before = len(self.inbox)
        super().read()
        self._spend("received", sum(len(each) for each in self.inbox[before:]) + 1)

    def _spend(self, kind, count):
        self.left[kind] -= count
        if self.left[kind] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def echo_on(talk):
    for i in range(1_000_000):
        talk.send("x" * (i * 97 % 2000))
        talk.next()


def send_on(talk):
    """Reads nothing: there is a reset in the end."""
    for i in range(1_000_000):
        talk.send(b"y" * (i * 97 % 5000))


def read_on(talk):
    while True:
        talk.next()


def close_on(talk):
    talk.close(1000, "done")
    os.kill(os.getpid(), signal.SIGKILL)


# And how much comes at least.
ALL = 1_000_000
WAYS = (("/echo", echo_on, ALL), ("/deflate-shared", echo_on, ALL), ("/deflate-dedicated-12", echo_on, ALL),
        ("/echo", send_on, ALL), ("/pieces", read_on, ALL), ("/push", read_on, 50_000), ("/told", close_on, ALL),
        ("/hasty", read_on, 5))


def die(port, seed):
    """In a process of its own, which does not come back."""
    chance = random.Random(seed)
    try:
        target, act, least = WAYS[seed % len(WAYS)]
        most = chance.choice((300, 2000, 100_000, ALL))  # some within the handshake
        extensions = [PerMessageDeflate()] if "deflate" in target else []
        most_sent = min(most, 100_000)  # which always fits into the buffers of both ends
        act(Doomed(port, target, chance.randrange(1, most_sent), chance.randrange(1, min(most, least)), extensions=extensions))
    finally:
        os._exit(1)


def try_kills(server):
    before = server.memory()
    with Talk(server.port, "/echo") as good:
        wrong = []
        for first in range(0, KILLS, 10):  # ten at a time
            children = []
            for seed in range(first, first + 10):
                child = os.fork()
                if child == 0:
                    die(server.port, seed)
                children.append((seed, child))
            for seed, child in children:
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                if status != -signal.SIGKILL:
                    wrong.append((seed, status))
            good.send(f"after {first}")
            if good.next() != f"after {first}":
                wrong.append(f"the good client, after {first}")
        check(f"{KILLS} clients are killed, and another one goes on", not wrong, wrong)
        left = server.wait_for(1)
        check("no session of theirs is left", left == 1, left)
    report(f"{before} MiB before them, {server.memory()} MiB after them")


# ---- clients that begin and say no more


def open_raw(server, target, extensions=""):
    client = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    fields = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n{fields}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n") and (received := client.recv(1 << 12)):
        head += received
    if not head.startswith(b"HTTP/1.1 101 "):
        raise RuntimeError(f"the handshake was answered with {head!r}")
    return client


def beginning(first_byte, payload):
    """The first bytes of a binary frame of 1 MiB, masked with zeros."""
    return bytes((first_byte, 0xff)) + (1 << 20).to_bytes(8, "big") + bytes(4) + payload


def try_hostile(server, name, count, target, sent, most, extensions=""):
    """`most` is what the server may hold, in MiB."""
    begun = time.monotonic()
    before = server.memory()
    with Talk(server.port, "/echo") as good:
        clients = []
        for i in range(count):
            client = open_raw(server, target, extensions)
            client.settimeout(PATIENCE)
            send_what_goes(client, sent)
            clients.append(client)
            if i % 500 == 0:
                good.send(f"beside {i}")
                if good.next() != f"beside {i}":
                    check(f"{name}: a good client goes on", False, i)
        good.send("beside all")
        check(f"{name}: a good client goes on", good.next() == "beside all")
        memory, sessions = server.memory(), server.sessions()
        report(f"{name}: {count} clients, {sessions - 1} sessions: {before} MiB before, {memory} MiB with them, "
               f"{time.monotonic() - begun:.1f} s")
        check(f"{name}: the server holds at most {most} MiB", memory <= most, memory)
        return clients


def send_what_goes(client, sent):
    """A server that has no memory to spare may have closed already."""
    try:
        client.sendall(sent)
    except OSError:
        pass


def leave(server, name, clients):
    for client in clients:
        client.close()
    left = server.wait_for(0)
    check(f"{name}: they leave, and no session is left", left == 0, left)
    report(f"{name}: {server.memory()} MiB after them")


def try_all_hostile(server):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    count = min(HOSTILE, limit - 500)  # the server needs some as well
    frame = beginning(0x82, b"x" * 100)

    name = "a frame that begins"
    leave(server, name, try_hostile(server, name, count, "/echo", frame, 96))

    name = "a frame that begins, and no pong"
    clients = try_hostile(server, name, count, "/hasty", frame, 96)
    left = server.wait_for(0)
    check(f"{name}: the server ends them all by itself", left == 0, left)
    leave(server, name, clients)

    # An inflater needs tens of KiB: Config::max_buffered, 256 MiB, bounds them all.
    name = "a compressed frame that begins"
    compressed = beginning(0xc2, zlib.compress(random.Random(3).randbytes(1 << 16).hex().encode())[2:1000])
    leave(server, name, try_hostile(server, name, count, "/deflate-dedicated-15", compressed, 384, "permessage-deflate"))

    name = "half a frame"
    half = beginning(0x82, b"x" * (1 << 19))
    leave(server, name, try_hostile(server, name, 1000, "/echo", half, 384))


# ---- a stop


def read_to_end(client):
    received = b""
    try:
        while piece := client.recv(1 << 12):
            received += piece
    except ConnectionError:
        pass
    return received


def try_stop(server):
    """All are told to go away; every second one answers, and the others the server leaves after a moment."""
    clients = [open_raw(server, "/echo") for _ in range(AT_STOP)]
    told = server.wait_for(AT_STOP)
    check(f"{AT_STOP} clients are connected before the stop", told == AT_STOP, told)
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    frame = b""
    for client in clients[::2]:
        client.settimeout(PATIENCE)
        frame = client.recv(2, socket.MSG_PEEK)
        send_what_goes(client, bytes((0x88, 0x82)) + bytes(4) + (1001).to_bytes(2, "big"))
    status = server.process.wait(PATIENCE)
    report(f"the stop has taken {time.monotonic() - begun:.1f} s")
    closed = sum(read_to_end(client)[:4] == frame + (1001).to_bytes(2, "big") for client in clients)
    check("a stop closes each of them with 1001", frame[:1] == b"\x88" and closed == AT_STOP, (frame, closed))
    return status


def main():
    with Server(sys.argv[1]) as server:
        try_kills(server)
        try_all_hostile(server)
        status = try_stop(server)
        check("the server ends with status 0", status == 0, status)
        check("it has logged no error", not server.errors(), server.errors())
    return end()


sys.exit(main())
