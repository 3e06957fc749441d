#!/usr/bin/env python3
"""WebSockets as Python speaks them: Debian's websockets, and its wsproto over a socket, against websocket.cpp.

  websocket.py PROGRAM      the built websocket.cpp
"""

import asyncio
import random
import sys
import urllib.request

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from wsproto.events import BytesMessage, Ping, RejectConnection, TextMessage
from wsproto.extensions import PerMessageDeflate

from peer import PATIENCE, Program, check, end
from wsproto_client import Talk

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 1 << 20)
ROUTES = ("/echo", "/deflate-shared", "/deflate-dedicated-9", "/deflate-dedicated-12", "/deflate-dedicated-15")
CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4999)
NOISE = random.Random(1).randbytes(1 << 20)


def text_of(size):
    """A text of so many bytes in UTF-8."""
    text = ("line \u9152 \u00e9 \U0001f376 of many\n" * (size // 20 + 1)).encode()[:max(0, size - 4)].decode(errors="ignore")
    return text + "." * (size - len(text.encode()))


def contents(size):
    return (("text", text_of(size)), ("random text", "".join(chr(33 + byte % 90) for byte in NOISE[:size])),
            ("bytes", (b"\0\r\n\xff abc" * (size // 8 + 1))[:size]), ("random bytes", NOISE[:size]))


def end_seen(server):
    """What the server saw of an end in /told."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(server.url + "/ends", timeout=PATIENCE) as answer:
        return answer.read().decode()


def messages(count):
    return [f"{i} " + "and more " * 150 if i % 10 == 0 else str(i) for i in range(count)]


# ---- websockets


def open_websockets(server, target, **options):
    url = server.url.replace("http", "ws") + target
    return websockets.connect(url, max_size=None, max_queue=None, open_timeout=PATIENCE, close_timeout=PATIENCE, **options)


async def try_echoes(server, compression):
    name = f"websockets, {compression or 'plain'}"
    for route in ROUTES:
        async with open_websockets(server, route, compression=compression) as ws:
            wrong = []
            for size in SIZES:
                for kind, sent in contents(size):
                    await ws.send(sent)
                    if await ws.recv() != sent:
                        wrong.append((kind, size))
            check(f"{name}: {route}: what is sent comes back", not wrong, wrong)
            sent = messages(10_000)
            sender = asyncio.create_task(send_all(ws, sent))
            received = [await ws.recv() for _ in sent]
            await sender
            check(f"{name}: {route}: 10,000 messages come back in order", received == sent)
            pieces = ["one", "", "\u9152", "x" * 70_000, ""]
            await ws.send(pieces)
            check(f"{name}: {route}: a message in frames", await ws.recv() == "".join(pieces))
            pong = await ws.ping(b"x" * 125)
            await asyncio.wait_for(pong, PATIENCE)
            check(f"{name}: {route}: a ping is answered", True)


async def send_all(ws, texts):
    for text in texts:
        await ws.send(text)


async def try_ends(server):
    for code in CODES:
        async with open_websockets(server, f"/close/{code}") as ws:
            await ws.wait_closed()
            seen = (ws.close_code, ws.close_reason)
            check(f"websockets: the server closes with {code}", seen == (code, f"because of {code} \u9152"), seen)
    for code in CODES:
        async with open_websockets(server, "/told") as ws:
            await ws.close(code, "\u9152 done")
            check(f"websockets: it closes with {code}", ws.close_code == code, ws.close_code)
        seen = await asyncio.to_thread(end_seen, server)
        check("websockets: and the server sees that", seen == f"{code} \u9152 done", seen)
    async with open_websockets(server, "/echo") as ws:
        await ws.send(["x" * (1 << 20), "x"])
        await ws.wait_closed()
        check("websockets: a message that is too large", ws.close_code == 1009, ws.close_code)
    try:
        async with open_websockets(server, "/guarded"):
            check("websockets: middleware refuses", False)
    except websockets.InvalidStatusCode as refused:
        check("websockets: middleware refuses", refused.status_code == 401, refused)
    async with open_websockets(server, "/proto", subprotocols=["chat.v1", "chat.v2"]) as ws:
        seen = (ws.subprotocol, await ws.recv())
        check("websockets: a subprotocol", seen == ("chat.v2", "chat.v2"), seen)


async def try_windows(server):
    """zlib, and so Python, has no window of 8 bits for what it sends."""
    for route in ROUTES[1:]:
        wrong = []
        for server_bits in (None, 8, 9, 12, 15):
            for client_bits in (None, True, 9, 12, 15):
                for takeover in range(4):
                    asked = (takeover & 1 != 0, takeover & 2 != 0, server_bits, client_bits)
                    factory = ClientPerMessageDeflateFactory(*asked)
                    async with open_websockets(server, route, compression=None, extensions=[factory]) as ws:
                        if bool(ws.extensions) != (server_bits != 8):
                            wrong.append((asked, ws.extensions))
                        for sent in (text_of(3000), text_of(3000), NOISE[:70_000], text_of(70_000), ""):
                            await ws.send(sent)
                            if await ws.recv() != sent:
                                wrong.append((asked, len(sent)))
        check(f"websockets: {route}: windows of all sizes, kept and not kept", not wrong, wrong)


# ---- wsproto


def try_wsproto_echoes(server):
    chance = random.Random(2)
    for route in ROUTES:
        for extensions in ([], [PerMessageDeflate()]):
            name = f"wsproto, {'compressed' if extensions else 'plain'}: {route}"
            with Talk(server.port, route, extensions=extensions) as talk:
                wrong = []
                for size in SIZES:
                    for kind, sent in contents(size):
                        talk.send(sent, split=lambda size=size: 1 if size < 128 else chance.randrange(1, 1 << 16))
                        if talk.next() != sent:
                            wrong.append((kind, size))
                check(f"{name}: what is sent comes back, in whatever pieces it was sent", not wrong, wrong)
                count = 0
                for i in range(0, 10_000, 100):
                    sent = messages(10_000)[i:i + 100]
                    for text in sent:
                        talk.send(text)
                    count += sum(talk.next() == text for text in sent)
                check(f"{name}: 10,000 messages come back in order", count == 10_000, count)
                for piece in ("a", "", "\u9152"):
                    talk.say(TextMessage(data=piece, message_finished=False))
                    talk.say(Ping(payload=piece.encode()))
                talk.say(TextMessage(data="z", message_finished=True))
                check(f"{name}: a message in frames", talk.next() == "a\u9152z")
                check(f"{name}: with pings between them", talk.pongs == [b"a", b"", "\u9152".encode()], talk.pongs)
                talk.say(BytesMessage(data=b"\xff" * 70_000, message_finished=False))
                talk.say(BytesMessage(data=b"\0", message_finished=True))
                check(f"{name}: bytes in frames", talk.next() == b"\xff" * 70_000 + b"\0")
                seen = talk.close(4999, "\u9152")
                check(f"{name}: the end", seen == (4999, ""), seen)


def try_wsproto_ends(server):
    for code in CODES:
        if code == 1014:  # which wsproto does not know
            continue
        with Talk(server.port, f"/close/{code}") as talk:
            seen = talk.next()
            check(f"wsproto: the server closes with {code}", seen is None and talk.end == (code, f"because of {code} \u9152"), talk.end)
        with Talk(server.port, "/told") as talk:
            talk.close(code, "done")
        seen = end_seen(server)
        check(f"wsproto: it closes with {code}, and the server sees that", seen == f"{code} done", seen)
    with Talk(server.port, "/hasty") as talk:
        while talk.pings < 3:
            talk.read()
        talk.send("still here")
        check("wsproto: pings of the server are answered", talk.next() == "still here")
    with Talk(server.port, "/told") as talk:
        talk.say(TextMessage(data="begun", message_finished=False))
    seen = end_seen(server)
    check("wsproto: a connection that is cut is seen as 1006", seen == "1006 ", seen)
    with Talk(server.port, "/proto", subprotocols=["soap", "chat.v1"]) as talk:
        seen = (talk.accepted.subprotocol, talk.next())
        check("wsproto: a subprotocol", seen == ("chat.v1", "chat.v1"), seen)
    with Talk(server.port, "/guarded") as talk:
        check("wsproto: middleware refuses", isinstance(talk.accepted, RejectConnection) and talk.accepted.status_code == 401)
    with Talk(server.port, "/echo") as talk:
        talk.send("x" * ((1 << 20) + 1))
        talk.next()
        check("wsproto: a message that is too large", talk.end[0] == 1009, talk.end)
    with Talk(server.port, "/echo") as talk, Talk(server.port, "/deflate-shared", extensions=[PerMessageDeflate()]) as other:
        status = server.end()
        seen = [talk.next(), talk.end, other.next(), other.end]
        check("wsproto: a server that stops says so", seen == [None, (1001, "the server is stopping")] * 2, seen)
        check("the server ends with status 0", status == 0, status)


async def try_websockets(server):
    for compression in (None, "deflate"):
        await try_echoes(server, compression)
    await try_ends(server)
    await try_windows(server)


def main():
    with Program(sys.argv[1]) as server:
        asyncio.run(try_websockets(server))
        try_wsproto_echoes(server)
        try_wsproto_ends(server)
        errors = server.errors()
        check("it has logged no error", not errors, errors)
    return end()


sys.exit(main())
