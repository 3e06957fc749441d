#!/usr/bin/env python3
"""F2 without the test programs' own seam: strace makes system calls of a server fail, again and again.

  strace.py PROGRAM      the built server.cpp beside this file

With each fault the server must answer what it can (all of it, where the fault is one to try again after), stay
alive, and end with status 0 after SIGTERM. A fault that strace never got to put in is a failure of this test.
"""

import re
import signal
import socket
import subprocess
import sys
import tempfile

# Every third call fails. `lossy`: such an error costs the connection that the call was for. Left to the seam are
# EAGAIN, which the kernel never says where there is something to take or room to give, so that nobody would come
# back; and close, which strace would not carry out at all.
FAULTS = [(call, error, lossy) for call, errors, lossy in [
    ("accept4", "EINTR ECONNABORTED EPROTO EMFILE ENFILE ENOMEM ENOBUFS", False),
    ("epoll_wait", "EINTR", False),
    ("epoll_ctl", "ENOMEM ENOSPC", True),
    ("recvfrom", "EINTR", False),
    ("recvfrom", "ECONNRESET ENOMEM ETIMEDOUT", True),
    ("sendto", "EINTR", False),
    ("sendto", "EPIPE ECONNRESET ENOBUFS", True),
    ("sendmsg", "EINTR", False),
    ("sendmsg", "EPIPE ENOBUFS", True),
    ("shutdown", "ENOTCONN", True),
    ("ioctl", "EINVAL", False),
] for error in errors.split()]
REQUESTS = 60
PATIENCE = 10  # seconds


# A small answer, a large one, and a body that is refused before it has come.
ASKED = [
    (b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 ", 13),
    (b"GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 ", 10_000_000),
    (b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999\r\n\r\nabc", b"HTTP/1.1 413 ", 1),
]


def ask(port, number=0):
    """Whether a request on a connection of its own was answered as it should be, in whole."""
    request, beginning, least = ASKED[number % len(ASKED)]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            client.sendall(request)
            answer = bytearray()
            while piece := client.recv(1 << 20):
                answer += piece
            return answer.startswith(beginning) and len(answer) - answer.find(b"\r\n\r\n") - 4 >= least
    except ConnectionError:
        return False


def run(program, call, error, lossy):
    # From the fourth call on, so that the server gets as far as listening.
    inject = f"inject={call}:error={error}:when=4+3"
    trace = tempfile.NamedTemporaryFile("r")
    server = subprocess.Popen(["strace", "-f", "-qq", "-o", trace.name, "-e", inject, program, "127.0.0.1:0"],
                              stderr=subprocess.PIPE, text=True)
    child = None
    try:
        line = server.stderr.readline()
        port = int(re.search(r":(\d+)/", line).group(1))
        child = int(subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True).stdout)
        answered = sum(ask(port, number) for number in range(REQUESTS))
        alive = any(ask(port) for _ in range(5))
        subprocess.run(["kill", "-TERM", str(child)], check=True)
        status = server.wait(timeout=PATIENCE)
    except Exception as problem:  # whatever it is, it is this fault's result
        return f"FAIL {call} {error}: {problem!r}"
    finally:
        if server.poll() is None and child is not None:
            subprocess.run(["kill", "-KILL", str(child)], check=False)
        server.kill()
        server.wait()
    injected = trace.read().count("(INJECTED)")
    enough = answered >= REQUESTS / 4 if lossy else answered == REQUESTS
    verdict = "ok" if injected > 0 and enough and alive and status == 0 else "FAIL"
    return f"{verdict} {call} {error} {injected} times: {answered} of {REQUESTS} answered, status {status}"


signal.alarm(600)
results = [run(sys.argv[1], *fault) for fault in FAULTS]
print("\n".join(results))
sys.exit(any(result.startswith("FAIL") for result in results))
