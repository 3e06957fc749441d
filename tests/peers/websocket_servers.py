#!/usr/bin/env python3
"""The WebSocket client against servers of Debian's websockets, which compress in several ways, and against a server of
its wsproto that is killed 200 times.

  websocket_servers.py PROGRAM      the built websocket_talk.cpp
"""

import asyncio
import contextlib
import http
import os
import random
import signal
import socket
import subprocess
import sys

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from peer import PATIENCE, check, end, report

KILLS = 200


async def serve(ws, path):
    if path == "/echo":
        with contextlib.suppress(websockets.ConnectionClosed):  # with another code than 1000
            async for message in ws:
                await ws.send(message)
    elif path.startswith("/close/"):
        await ws.close(int(path[len("/close/"):]), "because \u9152")
    elif path == "/pieces":
        await ws.ping(b"before")
        await ws.send(["a", "", "\u9152", "z"])
    elif path == "/proto":
        await ws.send(ws.subprotocol)


async def refuse(path, _):
    return (http.HTTPStatus.UNAUTHORIZED, [], b"who are you?") if path == "/guarded" else None


async def try_server(program, name, **options):
    async with websockets.serve(serve, "127.0.0.1", 0, process_request=refuse, subprotocols=["chat.v2"],
                                max_size=1 << 21, **options) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = await asyncio.create_subprocess_exec(program, url, "/echo", stdout=subprocess.PIPE)
        said, _ = await asyncio.wait_for(client.communicate(), PATIENCE)
    for line in said.decode().splitlines():
        word, _, rest = line.partition(" ")
        report(f"{word} {name}: {rest}")
    check(f"{name}: the client ends with status 0", client.returncode == 0, client.returncode)


async def try_servers(program):
    await try_server(program, "websockets, plain", compression=None)
    await try_server(program, "websockets, compressed", compression="deflate")
    small = ServerPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)
    await try_server(program, "websockets, small windows", compression=None, extensions=[small])
    fresh = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    await try_server(program, "websockets, fresh windows", compression=None, extensions=[fresh])


# ---- a server that is killed


class Doomed:
    """Echoes on one connection, in a process of its own, which it kills when so many bytes were sent."""

    def __init__(self, listener, most):
        self.left = most
        self.socket, _ = listener.accept()
        self.connection = WSConnection(ConnectionType.SERVER)

    def serve(self):
        while received := self.socket.recv(1 << 16):
            self.connection.receive_data(received)
            for event in self.connection.events():
                if answer := self._answer(event):
                    self._say(self.connection.send(answer))

    @staticmethod
    def _answer(event):
        if isinstance(event, Request):
            return AcceptConnection(extensions=[PerMessageDeflate()])
        if isinstance(event, (TextMessage, BytesMessage)):
            return type(event)(data=event.data, message_finished=event.message_finished)
        return None

    def _say(self, sent):
        self.socket.sendall(sent[:self.left])
        self.left -= len(sent)
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def be_killed(listener, seed):
    chance = random.Random(seed)
    try:
        Doomed(listener, chance.randrange(chance.choice((1, 300, 5_000, 50_000)))).serve()
    finally:
        os._exit(1)


def try_kills(program):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/echo"
        client = subprocess.Popen([program, "--killed", url, str(KILLS)], stdout=subprocess.PIPE, text=True)
        wrong = []
        for seed in range(KILLS):
            child = os.fork()
            if child == 0:
                be_killed(listener, seed)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status != -signal.SIGKILL:
                wrong.append((seed, status))
        said, _ = client.communicate(timeout=PATIENCE)
        for line in said.splitlines():
            report(line)
        check("each server was killed while it talked", not wrong, wrong)
        check("the client ends with status 0", client.returncode == 0, client.returncode)


def main():
    asyncio.run(try_servers(sys.argv[1]))
    try_kills(sys.argv[1])
    return end()


sys.exit(main())
