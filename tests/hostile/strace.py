#!/usr/bin/env python3
"""F2 without the test programs' own seam: strace makes system calls of a server fail, again and again.

  strace.py PROGRAM      the built server.cpp beside this file

With each fault the server must answer what it can (all of it, where the fault is one to try again after), stay
alive, and end with status 0 after SIGTERM.
"""

import re
import signal
import socket
import subprocess
import sys

# Every third call fails. `lossy`: such an error costs the connection that the call was for. Left to the seam are
# EAGAIN of accept4 and recv, which the kernel never says while something is there, so that nobody would come back;
# and close, which strace would not carry out at all.
FAULTS = [(call, error, lossy) for call, errors, lossy in [
    ("accept4", "EINTR ECONNABORTED EPROTO EMFILE ENFILE ENOMEM ENOBUFS", False),
    ("epoll_wait", "EINTR", False),
    ("epoll_ctl", "ENOMEM ENOSPC", True),
    ("recvfrom", "EINTR", False),
    ("recvfrom", "ECONNRESET ENOMEM ETIMEDOUT", True),
    ("sendto", "EINTR EAGAIN", False),
    ("sendto", "EPIPE ECONNRESET ENOBUFS", True),
    ("sendmsg", "EINTR EAGAIN", False),
    ("sendmsg", "EPIPE ENOBUFS", True),
    ("shutdown", "ENOTCONN", False),
    ("setsockopt", "ENOBUFS", False),
    ("write", "ENOSPC EIO EPIPE", False),
] for error in errors.split()]
REQUESTS = 60
PATIENCE = 10  # seconds


def ask(port):
    """Whether a request on a connection of its own was answered with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer.startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False


def run(program, call, error, lossy):
    # From the tenth call on, so that the server gets as far as listening.
    inject = f"inject={call}:error={error}:when=10+3"
    server = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, program, "127.0.0.1:0"],
                              stderr=subprocess.PIPE, text=True)
    try:
        line = server.stderr.readline()
        port = int(re.search(r":(\d+)/", line).group(1))
        child = int(subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True).stdout)
        answered = sum(ask(port) for _ in range(REQUESTS))
        alive = any(ask(port) for _ in range(5))
        subprocess.run(["kill", "-TERM", str(child)], check=True)
        status = server.wait(timeout=PATIENCE)
    except Exception as problem:  # whatever it is, it is this fault's result
        return f"FAIL {call} {error}: {problem!r}"
    finally:
        server.kill()
        server.wait()
    enough = answered > 0 if lossy else answered == REQUESTS
    verdict = "ok" if enough and alive and status == 0 else "FAIL"
    return f"{verdict} {call} {error}: {answered} of {REQUESTS} answered, status {status}"


signal.alarm(600)
results = [run(sys.argv[1], *fault) for fault in FAULTS]
print("\n".join(results))
sys.exit(any(result.startswith("FAIL") for result in results))
