#!/usr/bin/env python3
"""The HTTP client against nginx and Python's http.server, which serve a folder of this script's making.

  http_servers.py PROGRAM      the built fetch.cpp beside this file
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

PATIENCE = 90  # seconds

# A server that closes every fifth connection after its answer, and idle ones at once, is what repeating is for.
NGINX = """
master_process off; pid {directory}/nginx.pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off; root {directory}/files; keepalive_requests 5; keepalive_timeout 1s;
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    server {{ listen 127.0.0.1:{port}; absolute_redirect off; }}
}}
"""


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


def start_nginx(directory):
    with socket.socket() as probe:  # nginx takes no port 0
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = os.path.join(directory, "nginx.conf")
    with open(config, "w") as file:
        file.write(NGINX.format(directory=directory, port=port))
    nginx = ["nginx", "-p", directory, "-c", config]
    # It goes to the background when it listens.
    subprocess.run(nginx, stderr=subprocess.DEVNULL, check=True, timeout=PATIENCE)
    return port, lambda: subprocess.run([*nginx, "-s", "stop"], stderr=subprocess.DEVNULL, timeout=PATIENCE)


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
    passed = failed = 0
    directory = tempfile.mkdtemp(prefix="sake-http-")
    os.chmod(directory, 0o755)
    try:
        make_files(directory)
        for name, start in (("nginx", start_nginx), ("http.server", start_python)):
            port, stop = start(directory)
            try:
                tried = subprocess.run([sys.argv[1], f"http://127.0.0.1:{port}"], capture_output=True, text=True,
                                       timeout=PATIENCE)
            finally:
                stop()
            for line in tried.stdout.splitlines():
                print(line.replace("ok ", f"ok {name}: ", 1).replace("FAIL ", f"FAIL {name}: ", 1))
                passed += line.startswith("ok ")
                failed += line.startswith("FAIL ")
            if tried.returncode:
                print(f"FAIL {name}: status {tried.returncode}: {tried.stderr}")
                failed += 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
