#!/usr/bin/env python3
"""The HTTP client against nginx and Python's http.server, which serve a folder of this script's making.

  http_servers.py PROGRAM      the built fetch.cpp beside this file
"""

import os
import re
import signal
import subprocess
import sys

from peer import PATIENCE, check, end, report, scratch_directory, start_nginx

# A server that closes every fifth connection after its answer, and idle ones at once, is what repeating is for.
CLOSES_OFTEN = "keepalive_requests 5; keepalive_timeout 1s;"


def make_files(directory):
    files = os.path.join(directory, "files")
    os.makedirs(os.path.join(files, "folder"))
    with open(os.path.join(files, "small.txt"), "w") as file:
        file.write("small\n")
    with open(os.path.join(files, "folder", "index.html"), "w") as file:
        file.write("index\n")
    with open(os.path.join(files, "large.bin"), "wb") as file:
        file.write(bytes(ord("a") + i % 23 for i in range(5_000_000)))
    return files


def start_python(directory):
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--protocol", "HTTP/1.1",
         "--directory", os.path.join(directory, "files")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    port = int(re.search(r" port (\d+)", server.stdout.readline()).group(1))

    def stop():
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)

    return port, stop


def main():
    with scratch_directory() as directory:
        make_files(directory)
        for name, start in (("nginx", lambda: start_nginx(directory, CLOSES_OFTEN)),
                            ("http.server", lambda: start_python(directory))):
            port, stop = start()
            try:
                tried = subprocess.run([sys.argv[1], f"http://127.0.0.1:{port}"], capture_output=True, text=True,
                                       timeout=PATIENCE)
            finally:
                stop()
            for line in tried.stdout.splitlines():
                report(line.replace("ok ", f"ok {name}: ", 1).replace("FAIL ", f"FAIL {name}: ", 1))
            check(f"{name}: ends with status 0", tried.returncode == 0, tried.stderr)
    return end()


sys.exit(main())
