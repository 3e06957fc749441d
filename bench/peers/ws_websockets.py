"""Python's websockets in the benchmarks (Debian: python3-websockets): /echo, /topic and /publish as in ws_server.cpp.

    python3 ws_websockets.py PORT
"""

import asyncio
import http
import sys

import websockets

subscribers = set()


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def topic(socket):
    subscribers.add(socket)
    try:
        await socket.wait_closed()
    finally:
        subscribers.discard(socket)


async def publish(socket):
    async for message in socket:
        websockets.broadcast(subscribers, message)


async def hello(path, headers):
    return None if "Upgrade" in headers else (http.HTTPStatus.OK, [], b"Hello, World!")


async def main():
    serve = {"/echo": echo, "/topic": topic, "/publish": publish}
    async with websockets.serve(lambda socket: serve[socket.path](socket), "127.0.0.1", int(sys.argv[1]), backlog=4096,
                                compression=None, ping_interval=None, process_request=hello):
        await asyncio.Future()


asyncio.run(main())
