#!/usr/bin/env python3
"""examples/postgres.cpp against a PostgreSQL of its own, on a private socket directory, that is killed in between.

  postgres.py PROGRAM [--bench]      the built example

A hundred requests at once are answered; when the database dies in their middle each gets its answer or a 503, later
ones get a 503, and when it is back, 200 again.
"""

import concurrent.futures
import glob
import http.client
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

from peer import PATIENCE, Program, check, end


class Database:
    """A cluster in a directory that goes at the end. The server refuses to run as root."""

    def __init__(self):
        self.user = "postgres" if os.getuid() == 0 else None
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.directory = tempfile.mkdtemp(prefix="sake-postgres-")
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self.data = os.path.join(self.directory, "data")
        self.is_running = False
        self.run_tool("initdb", "-D", self.data, "-U", "sake", "--auth=trust", "--no-sync")

    def run_tool(self, name, *arguments):
        subprocess.run([os.path.join(self.programs, name), *arguments], user=self.user, cwd=self.directory,
                       check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)

    def start(self):
        self.run_tool("pg_ctl", "start", "-w", "-D", self.data, "-l", os.path.join(self.directory, "log"),
                      "-o", f"-k {self.directory} -h '' -F")
        self.is_running = True

    def stop(self):
        """At once, as far as its clients can tell."""
        if self.is_running:
            self.run_tool("pg_ctl", "stop", "-w", "-D", self.data, "-m", "immediate")
            self.is_running = False

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()


def at_once(port, paths):
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as threads:
        return list(threads.map(lambda path: get(port, path), paths))


def test(database, port):
    answers = at_once(port, [f"/square/{n}" for n in range(100)])
    check("a hundred at once are answered", answers == [(200, f'{{"square":{n * n}}}') for n in range(100)], answers)
    status, _ = get(port, "/square/3000000000")
    check("a parameter that does not fit is a 400", status == 400, status)

    with concurrent.futures.ThreadPoolExecutor(100) as threads:
        running = [threads.submit(get, port, "/nap/400") for _ in range(100)]
        concurrent.futures.wait(running[:1], timeout=PATIENCE)  # twenty at a time: most still wait
        database.stop()
        answers = [each.result() for each in running]
    statuses = sorted({status for status, _ in answers})
    check("those in flight when the database dies are answered, with 200 or 503", statuses == [200, 503], statuses)
    answers = at_once(port, ["/square/2"] * 20)
    check("while it is away they get a 503", {status for status, _ in answers} == {503}, answers)

    database.start()
    answers = at_once(port, [f"/square/{n}" for n in range(100)])
    check("when it is back they are answered again", {status for status, _ in answers} == {200}, answers)

    # What was killed between two requests is not lent again.
    database.stop()
    database.start()
    answers = at_once(port, [f"/square/{n}" for n in range(20)])
    check("a restart between two requests is not noticed", {status for status, _ in answers} == {200}, answers)


def bench(port, count=300):
    """Latency of a query, over a connection of the pool and over one made for it; the ratio is what says something."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    medians = {}
    for path in ("/square/7", "/unpooled/7"):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            connection.request("GET", path)
            connection.getresponse().read()
            times.append(time.perf_counter() - start)
        medians[path] = sorted(times)[count // 2]
    pooled, unpooled = medians["/square/7"], medians["/unpooled/7"]
    print(f"bench: pooled {pooled * 1e3:.2f} ms, connecting {unpooled * 1e3:.2f} ms, ratio {unpooled / pooled:.1f}")


def main():
    database = Database()
    try:
        database.start()
        where = f"host={database.directory} user=sake dbname=postgres"
        with Program(sys.argv[1], "127.0.0.1:0", where) as server:
            test(database, server.port)
            if "--bench" in sys.argv:
                bench(server.port)
            status = server.end()
            check("it ends with status 0", status == 0, status)
    finally:
        database.remove()
    return end()


sys.exit(main())
