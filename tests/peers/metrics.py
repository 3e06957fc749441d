#!/usr/bin/env python3
"""The page of metrics as Prometheus sees it: promtool has nothing to complain of, and the server reads it in both formats.

  metrics.py METRICS        the built program metrics.cpp
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from peer import PATIENCE, Program, check, end, report, scratch_directory

CONFIG = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s }}
scrape_configs:
  - job_name: sake
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
"""


def request(port, method, target, headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, target, body, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def ask_all(port):
    """Some requests of each kind, good and bad. Gives the stream, which stays open."""
    for number in range(20):
        request(port, "GET", f"/users/{number}")
        request(port, "GET", f"/wp-login/{number}.php")
    request(port, "HEAD", "/users/1")
    request(port, "POST", "/work", body=b"abc")
    request(port, "GET", "/fails")
    request(port, "INVENTED", "/users/1")
    raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    raw.sendall(b"\x01\r\n\r\n")
    raw.recv(4096)
    raw.close()
    stream = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    stream.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    stream.recv(4096)
    return stream


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def try_promtool(page):
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=PATIENCE)
    check("promtool check metrics accepts the page", done.returncode == 0 and not done.stdout + done.stderr,
          done.stdout + done.stderr)


def query(port, text):
    """The values of a query, by their labels as text."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(text)}"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        found = json.load(answer)["data"]["result"]
    return {json.dumps(each["metric"], sort_keys=True): float(each["value"][1]) for each in found}


def until_is(port, text, wanted):
    """Asks until the only value is that, for a while. What was seen last."""
    deadline = time.monotonic() + 60
    seen = None
    while time.monotonic() < deadline:
        try:
            seen = list(query(port, text).values())
        except OSError as error:  # it is not up yet
            seen = error
        if seen == [wanted]:
            break
        time.sleep(0.2)
    return seen


def try_prometheus(port, directory):
    """It asks for OpenMetrics first, and refuses a page that has one wrong line."""
    own = free_port()
    config = os.path.join(directory, "prometheus.yml")
    with open(config, "w") as file:
        file.write(CONFIG.format(port=port))
    with open(os.path.join(directory, "log"), "w") as log:
        process = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                                    f"--web.listen-address=127.0.0.1:{own}"], stdout=log, stderr=log)
    try:
        check("Prometheus scrapes it", (seen := until_is(own, "up", 1.0)) == [1.0], seen)
        count = 'http_server_request_duration_seconds_count{http_route="/users/:id",http_request_method="GET"}'
        check("the requests of a route are there", (seen := until_is(own, count, 20.0)) == [20.0], seen)
        quantile = 'histogram_quantile(0.9, http_server_request_duration_seconds_bucket{http_route="unmatched",http_request_method="GET"})'
        check("a percentile can be had", (seen := list(query(own, quantile).values())) and 0 < seen[0] < 5, seen)
        check("the stream is open", (seen := until_is(own, 'sake_connections{state="streaming"}', 1.0)) == [1.0], seen)
        check("the version is there", 'version' in str(seen := query(own, "sake_build_info")), seen)
    finally:
        process.kill()
        process.wait(PATIENCE)


def main(program):
    if shutil.which("promtool") is None or shutil.which("prometheus") is None:
        report("skipped: Prometheus is not available\nok Prometheus (skipped)")
        return end()
    with scratch_directory() as directory, Program(program, "127.0.0.1:0") as server:
        stream = ask_all(server.port)
        answer, page = request(server.port, "GET", "/metrics")
        check("the text has its type", answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8",
              answer.headers.items())
        try_promtool(page)
        answer, page = request(server.port, "GET", "/metrics", {"Accept": "application/openmetrics-text"})
        check("OpenMetrics has its type", answer.headers["Content-Type"] ==
              "application/openmetrics-text; version=1.0.0; charset=utf-8" and page.endswith("\n# EOF\n"), page[-200:])
        try_prometheus(server.port, directory)
        stream.close()
        check("the server ends well", (status := server.end()) == 0, status)
    return end()


sys.exit(main(*sys.argv[1:]))
