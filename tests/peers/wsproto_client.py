"""A WebSocket of Debian's wsproto, over a socket."""

import socket

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, Request,
                            TextMessage)

from peer import PATIENCE


class Talk:
    """One connection. Every wait has a limit. `accepted` is the answer to its handshake."""

    def __init__(self, port, target, **asked):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = WSConnection(ConnectionType.CLIENT)
        self.accepted = self.end = self.begun = None
        self.inbox = []
        self.pongs = []
        self.pings = 0
        self.say(Request(host=f"127.0.0.1:{port}", target=target, **asked))
        while self.accepted is None and self.end is None:
            self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, event, split=None):
        """Sends this, in pieces if there is a function that gives their sizes."""
        sent = self.connection.send(event)
        while split and sent:
            size = split()
            self.socket.sendall(sent[:size])
            sent = sent[size:]
        self.socket.sendall(sent)

    def send(self, data, split=None):
        self.say(TextMessage(data=data) if isinstance(data, str) else BytesMessage(data=data), split)

    def next(self):
        """The next message; None once the connection has ended."""
        while not self.inbox and self.end is None:
            self.read()
        return self.inbox.pop(0) if self.inbox else None

    def close(self, code, reason):
        """The code and the reason of the answer."""
        self.say(CloseConnection(code=code, reason=reason))
        while self.end is None:
            self.read()
        return self.end

    def read(self):
        received = self.socket.recv(1 << 16)
        if not received:
            self.end = self.end or (1006, "")
            return
        self.connection.receive_data(received)
        for event in self.connection.events():
            self._take(event)

    def _take(self, event):
        if isinstance(event, (AcceptConnection, RejectConnection)):
            self.accepted = event
        elif isinstance(event, (TextMessage, BytesMessage)):
            self.begun = event.data if self.begun is None else self.begun + event.data
            if event.message_finished:
                self.inbox.append(bytes(self.begun) if isinstance(event, BytesMessage) else self.begun)
                self.begun = None
        elif isinstance(event, Ping):
            self.pings += 1
            self.say(event.response())
        elif isinstance(event, Pong):
            self.pongs.append(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            self._answer_close(event)

    def _answer_close(self, event):
        self.end = (event.code, event.reason or "")
        if self.connection.state is ConnectionState.REMOTE_CLOSING:  # else it was the answer
            self.say(event.response())
