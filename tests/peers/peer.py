"""What the scripts of this directory share: counting, a scratch directory, programs that serve."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

PATIENCE = 120  # seconds
counts = {"ok": 0, "FAIL": 0}

NGINX = """
master_process off; pid {directory}/nginx.pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off; root {directory}/files;
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    {settings}
    server {{ listen 127.0.0.1:{port}; absolute_redirect off; }}
}}
"""


def report(line):
    """A line "ok NAME" or "FAIL NAME: WHY"; what is neither is only shown."""
    print(line, flush=True)
    if (word := line.partition(" ")[0]) in counts:
        counts[word] += 1


def check(name, is_so, seen=""):
    report(f"ok {name}" if is_so else f"FAIL {name}: {seen!r:.600}")


def end():
    """Prints the last line. The status to exit with."""
    print(f"{counts['ok']} passed, {counts['FAIL']} failed")
    return counts["FAIL"] != 0


@contextlib.contextmanager
def scratch_directory():
    directory = tempfile.mkdtemp(prefix="sake-peers-")
    os.chmod(directory, 0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Program:
    """A program with Sake that logs where it listens. Ends with the block, at the latest."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)/", self.process.stderr.readline()).group(1))
        self.url = f"http://127.0.0.1:{self.port}"
        # Its log must not fill the pipe.
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)

    def end(self, number=signal.SIGTERM):
        """Its status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def errors(self):
        """What it has logged as an error, once it has ended."""
        self.reader.join(PATIENCE)
        return [line for line in self.log if line.startswith("sake: error: ")]

    def open_files(self):
        """The targets of its descriptors."""
        directory = f"/proc/{self.process.pid}/fd"
        return [os.readlink(f"{directory}/{number}") for number in os.listdir(directory)]


class Proxy:
    """Carries connections to a port that may change, and cuts them when it is told to."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.sockets |= {client, server}
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one, other):
        try:
            while received := one.recv(1 << 16):
                other.sendall(received)
        except OSError:
            pass
        for each in (one, other):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets.discard(one)

    def cut(self):
        for each in list(self.sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def start_nginx(directory, settings=""):
    """Serves `directory`/files. Gives the port, and what ends it."""
    with socket.socket() as probe:  # nginx takes no port 0
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = os.path.join(directory, "nginx.conf")
    with open(config, "w") as file:
        file.write(NGINX.format(directory=directory, port=port, settings=settings))
    nginx = ["nginx", "-p", directory, "-c", config]
    # It goes to the background when it listens.
    subprocess.run(nginx, stderr=subprocess.DEVNULL, check=True, timeout=PATIENCE)
    return port, lambda: subprocess.run([*nginx, "-s", "stop"], stderr=subprocess.DEVNULL, timeout=PATIENCE)
