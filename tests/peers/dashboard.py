#!/usr/bin/env python3
"""The dashboard in headless Chromium: what it shows of a server and of frames with hostile texts; how it is sorted,
paused, and loses its connection; that it neither breaks its policy nor asks another server; how it looks.

  dashboard.py DASHBOARD [DIRECTORY]   the built program dashboard.cpp; where pictures of the page are put
"""

import base64
import copy
import http.client
import http.server
import json
import os
import shutil
import sys
import threading

from browser import LEAST_CONTRAST, Browser, asked, complaints, until
from peer import PATIENCE, Program, check, end, report, scratch_directory

HOSTILE = "<img src=x onerror=\"document.title='hacked'\"></td><script>document.title='hacked'</script>"

FRAME = {
    "version": "1.2.3" + HOSTILE, "uptime": 93784.5,
    "total": {"rate": 12345.6, "count": 12345678, "errors": 42, "p50": 0.00042, "p99": 0.0123},
    "routes": [
        {"method": "GET", "pattern": "/a", "rate": 10.0, "count": 500, "errors": 0, "p50": 0.002, "p99": 0.9996},
        {"method": HOSTILE, "pattern": "/b" + HOSTILE, "rate": 0.04, "count": 7000, "errors": 3, "p50": 61.0, "p99": 4000.0},
        {"method": "", "pattern": "unmatched", "rate": None, "count": 30, "errors": 0, "p50": None, "p99": None},
    ],
    "workers": {"threads": 8, "busy": 2, "queued": 5, "limit": 0,
                "running": [{"route": "GET /r" + HOSTILE, "seconds": 75.2}, {"route": "GET /s", "seconds": 0.25}]},
    "loop": {"p50": 0.00001, "p99": 0.0015, "stalls": 1},
    "connections": {"open": 40, "idle": 30, "reading": 4, "handling": 3, "writing": 2, "streaming": 1, "websocket": 0, "closing": 0},
    "memory": {"held": 5 * 1024 * 1024, "limit": 0},
    "slow": [{"at": 1767225600.25 + i, "method": "GET", "route": "/slow" + HOSTILE, "status": 504 - i, "cause": "client_closed",
              "seconds": 20.0 - i} for i in range(12)],
}

# What the tests ask the page: the texts of a table's rows, of a tile, of a list.
HELPERS = """
window.rows = (id) => [...document.querySelectorAll(`#${id} tbody tr`)].map((row) =>
    [...row.children].map((cell) => cell.textContent));
window.column = (id, index) => rows(id).map((row) => row[index]);
window.tile = (name) => {
    const found = [...document.querySelectorAll(".tile")].find((each) => each.firstChild.textContent === name);
    return [...found.querySelectorAll(".value, .note")].map((each) => each.textContent);
};
window.lines = (id) => [...document.querySelectorAll(`#${id} li`)].map((line) =>
    [...line.children].map((each) => each.textContent).filter(Boolean));
window.head = (name) => [...document.querySelectorAll("#routes thead button")].find((each) => each.textContent === name);
window.state = () => document.querySelector("#state").textContent;
window.press = (id) => document.querySelector(id).click();
0
"""

# A feed beside that of the page, which counts the frames whose total is 5.
WATCH = """
window.watched = 0;
window.watch = new EventSource(feed);
watch.onmessage = ({data}) => { watched += JSON.parse(data).total.count === 5; };
0
"""


class Proxy(http.server.BaseHTTPRequestHandler):
    """Takes the prefix /ops away, as a reverse proxy may, and hides that it is one."""

    target = None

    def do_GET(self):
        if not self.path.startswith("/ops/"):
            self.send_error(404)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=PATIENCE)
        connection.request("GET", self.path[4:])
        answer = connection.getresponse()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Security-Policy"):
            self.send_header(name, answer.getheader(name) or "none")
        self.end_headers()
        try:
            while piece := answer.read1():
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            pass  # the browser has left
        connection.close()

    def log_message(self, *_):
        pass


def open_page(browser, url):
    browser.open("about:blank")
    browser.open(url)
    browser.run(HELPERS)
    until(lambda: browser.run("state()") == "live", "the first frame")


def write(path, frame):
    with open(path + ".new", "w") as file:
        json.dump(frame, file)
    os.rename(path + ".new", path)


def request(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def try_live(browser, server):
    open_page(browser, server.url + "/_sake")
    for _ in range(30):
        request(server.port, "/plain")
    for path in ("/users/1", "/bad", "/wait", "/work", "/nowhere/at/all"):
        request(server.port, path)
    count = "(rows('routes').find((row) => row[0] === 'GET /plain') ?? [])[5]"
    until(lambda: browser.run(count) == "30", "the requests")
    rows = {row[0]: row for row in browser.run("rows('routes')")}
    check("routes are there by their patterns, and what no route took is one line",
          {"GET /plain", "GET /users/:id", "GET /bad", "GET /wait", "GET /work", "unmatched"} <= set(rows), rows)
    check("the routes of the dashboard are not", not any("_sake" in name for name in rows), rows)
    check("an error is counted", rows["GET /bad"][4:] == ["1", "1"], rows["GET /bad"])
    check("a time is shown with its unit", rows["GET /wait"][2].endswith(" ms"), rows["GET /wait"])
    slow = browser.run("rows('slow')")
    check("the slowest request is the first of them", slow[0][0] == "GET /wait" and slow[0][2:4] == ["200", "handler"], slow)
    check("the pool of workers is there", browser.run("lines('pool')")[0][0] == "busy"
          and browser.run("!document.querySelector('#workers').hidden"), browser.run("lines('pool')"))
    check("and connections", ["streaming", "1"] in browser.run("lines('connections')"), browser.run("lines('connections')"))


def try_frames(browser, url, path):
    write(path, FRAME)
    open_page(browser, url + "/made")
    until(lambda: browser.run("tile('Server errors')[0]") == "0per s", "a second frame")
    for name, expected in (("Requests", ["12.3 kper s", "12.3 M in all"]), ("Latency p99", ["12ms", "p50 420 \u00b5s"]),
                           ("Server errors", ["0per s", "42 in all"]), ("Loop lag p99", ["1.5ms", "1 stall in all"]),
                           ("Connections", ["40open", "30 of them idle"]), ("Memory held", ["5.0MiB", "without a limit"])):
        seen = browser.run(f"tile({json.dumps(name)})")
        check(f"a tile shows {name}", seen == expected, seen)
    check("version and time are there", browser.run("document.querySelector('#about').textContent")
          == f"1.2.3{HOSTILE}, up 1 d 2 h", browser.run("document.querySelector('#about').textContent"))
    rows = browser.run("rows('routes')")
    check("routes are there with their figures, the most asked for first", rows == [
        [f"{HOSTILE} /b{HOSTILE}", "0", "1 min 1 s", "1 h 6 min", "3", "7000"], ["GET /a", "10", "2.0 ms", "1.00 s", "0", "500"],
        ["unmatched", "\u2013", "\u2013", "\u2013", "0", "30"]], rows)
    check("a limit that is none is not a number", browser.run("lines('pool')") == [["busy", "2 of 8"], ["waiting", "5"]], browser.run("lines('pool')"))
    check("what runs is there, with its time", browser.run("lines('running')") == [[f"GET /r{HOSTILE}", "1 min 15 s"], ["GET /s", "250 ms"]],
          browser.run("lines('running')"))
    check("connections are there by their states", browser.run("lines('connections')")[:2] == [["idle", "30"], ["reading", "4"]],
          browser.run("lines('connections')"))
    width = browser.run("(() => { const [fill, track] = ['.fill', '.track'].map((each) => document.querySelector(`#connections ${each}`)"
                        ".getBoundingClientRect().width); return fill / track; })()")
    check("a bar is as long as its share", abs(width - 0.75) < 0.02, width)
    check("ten slow requests are there", len(browser.run("rows('slow')")) == 10, browser.run("rows('slow')"))
    browser.run("press('#all')")
    slow = browser.run("rows('slow')")
    check("and all of them, in their order, if they are wanted", [row[1] for row in slow][:2] == ["20 s", "19 s"] and len(slow) == 12
          and slow[0][3] == "client closed", slow)
    browser.run("press('#all')")
    markup = browser.run("[document.title, document.images.length, document.scripts.length, document.querySelectorAll('iframe, main style').length]")
    check("no text of a frame is markup", markup == ["Sake dashboard", 0, 1, 0], markup)
    drawn = browser.run("document.querySelector('#tiles .line').getAttribute('d')")
    check("charts are drawn", drawn.count("L") > 0, drawn)

    later = copy.deepcopy(FRAME)
    later["routes"][0].update(rate=0.0, p50=None, p99=None)
    later["routes"][2].update(count=31)
    later["routes"].append({"method": "PUT", "pattern": "/new", "rate": 1.0, "count": 1, "errors": 1, "p50": 0.5, "p99": 0.5})
    later["total"]["errors"] = 43
    later["workers"] = {"threads": 0, "busy": 0, "queued": 0, "limit": 0, "running": []}
    later["slow"] = []
    write(path, later)
    until(lambda: browser.run("rows('routes').length") == 4, "the next frame")
    check("a second without requests leaves the last times where they are", browser.run("rows('routes')[1]")
          == ["GET /a", "0", "2.0 ms", "1.00 s", "0", "500"], browser.run("rows('routes')"))
    check("without workers, nothing is said of them", browser.run("document.querySelector('#workers').hidden"))
    check("without slow requests, there are none", browser.run("rows('slow')") == [], browser.run("rows('slow')"))
    write(path, FRAME)
    until(lambda: browser.run("rows('routes').length") == 3, "the first frame again")
    check("a route that is gone is gone", browser.run("rows('routes').length") == 3)


def try_sorting(browser):
    order = "column('routes', 0).map((text) => text.slice(-2))"
    head = "[...document.querySelectorAll('#routes th[aria-sort]')].map((each) => [each.textContent, each.getAttribute('aria-sort')])"
    check("the order is said", browser.run(head) == [["Requests", "descending"]], browser.run(head))
    for name, clicks, expected in (("per s", 1, "descending"), ("per s", 2, "ascending"), ("p50", 1, "descending"), ("Errors", 1, "descending"),
                                   ("Route", 1, "descending"), ("Route", 2, "ascending"), ("Requests", 1, "descending")):
        browser.run(f"head({json.dumps(name)}).click()")
        check(f"the table is sorted by {name}, {expected}", browser.run(head) == [[name, expected]], browser.run(head))
    browser.run("head('Requests').click()")
    first = browser.run("column('routes', 5)")
    check("rows stand in that order", first == ["30", "500", "7000"], first)
    for _ in range(2):
        before = browser.run("heard")
        until(lambda: browser.run("heard") > before, "the next frame")
    check("and stay there with the next frames", browser.run("column('routes', 5)") == first, browser.run(order))
    browser.run("head('Requests').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    check("the keyboard sorts as well", browser.run("column('routes', 5)") == ["7000", "500", "30"], browser.run("column('routes', 5)"))


def try_pausing(browser, path):
    browser.run("press('#pause')")
    check("it pauses", browser.run("[state(), document.querySelector('#pause').textContent]") == ["paused", "Resume"], browser.run("state()"))
    changed = copy.deepcopy(FRAME)
    changed["total"]["count"] = 5
    browser.run(WATCH)
    write(path, changed)
    until(lambda: browser.run("watched") > 1, "frames that the page would show")
    browser.run("watch.close()")
    check("what is shown stays", browser.run("tile('Requests')[1]") == "12.3 M in all", browser.run("tile('Requests')"))
    browser.run("press('#pause')")
    until(lambda: browser.run("tile('Requests')[1]") == "5 in all", "a frame after the pause")
    check("and it goes on", browser.run("[state(), document.querySelector('#pause').textContent]") == ["live", "Pause"], browser.run("state()"))
    gaps = browser.run("document.querySelector('#tiles .line').getAttribute('d').split('M').length")
    check("a pause is a gap in the charts", gaps == 3, gaps)
    write(path, FRAME)


def try_looks(browser, pictures):
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        least = browser.run(LEAST_CONTRAST)
        check(f"every text can be read: {scheme}", least[0] >= 4.5, least)
        for width in (360, 800, 1400):
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width == 360)
            seen, height = browser.run("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            check(f"nothing is wider than the window: {width}, {scheme}", seen <= width, seen)
            if not pictures:
                continue
            clip = {"x": 0, "y": 0, "width": width, "height": min(height, 3000), "scale": 1}
            picture = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
            with open(f"{pictures}/dashboard-{scheme}-{width}.png", "wb") as file:
                file.write(base64.b64decode(picture["data"]))
        browser.call("Emulation.clearDeviceMetricsOverride")
    check("the dark page is dark", browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)")
    browser.call("Emulation.setEmulatedMedia", features=[])
    unnamed = browser.run("[...document.querySelectorAll('button')].filter((each) => !each.textContent.trim()).length")
    check("each button has a name", unnamed == 0, unnamed)


def try_proxy(browser, port):
    Proxy.target = port
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    for path in ("/ops/_sake", "/ops/_sake/"):
        open_page(browser, f"http://127.0.0.1:{proxy.server_port}{path}")
        check(f"behind a proxy that takes a prefix away, frames come: {path}", browser.run("rows('routes').length") > 3)
    proxy.shutdown()


def try_policy(browser, url):
    open_page(browser, url + "/_sake")
    browser.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = \"hacked\"'}))")
    browser.run("document.body.append(Object.assign(document.createElement('img'), {src: '/plain'}))")
    check("a script that somebody puts in does not run", browser.run("document.title") == "Sake dashboard", browser.run("document.title"))
    refused = "fetch('http://localhost:1/').then(() => 'fetched', (error) => error.name)"
    check("no other server can be asked", browser.run(refused) == "TypeError", browser.run(refused))


def try_losing(browser, server, program, path):
    """The server ends, and a new one comes at the same place."""
    open_page(browser, server.url + "/_sake")
    status = server.end()
    check("a server ends with a viewer, with status 0", status == 0, status)
    until(lambda: browser.run("state()") == "no connection, trying again", "the loss")
    check("the page says that it has no connection", True)
    with Program(program, f"127.0.0.1:{server.port}", path) as again:
        until(lambda: browser.run("state()") == "live", "the new server")
        check("and comes back by itself", True)
        viewers = [http.client.HTTPConnection("127.0.0.1", again.port, timeout=PATIENCE) for _ in range(15)]
        for viewer in viewers:
            viewer.request("GET", "/_sake/events")
            viewer.getresponse()
        browser.run("press('#pause')")
        late = http.client.HTTPConnection("127.0.0.1", again.port, timeout=PATIENCE)
        until(lambda: full(late), "the sixteenth")
        browser.run("press('#pause')")
        until(lambda: browser.run("state()") == "too many viewers, trying again", "the refusal")
        check("the page says that there are too many viewers", True)
        for viewer in (*viewers, late):
            viewer.close()
        until(lambda: browser.run("state()") == "live", "a free place")
        check("and has a place when there is one", True)


def full(connection):
    """Whether this one got the last place."""
    connection.close()
    connection.request("GET", "/_sake/events")
    return connection.getresponse().status == 200


def main():
    program, pictures = (*sys.argv[1:], None)[:2]
    if pictures:
        os.makedirs(pictures, exist_ok=True)
    if not shutil.which("chromium"):
        report("skipped: chromium is not available\nok the dashboard (skipped)")
        return end()
    with scratch_directory() as directory, Browser(directory) as browser:
        path = os.path.join(directory, "frame.json")
        write(path, FRAME)
        with Program(program, "127.0.0.1:0", path) as server:
            browser.call("Log.enable")
            try_live(browser, server)
            try_frames(browser, server.url, path)
            try_sorting(browser)
            try_pausing(browser, path)
            try_looks(browser, pictures)
            check("the console has no complaint, and the policy is kept", not complaints(browser), complaints(browser))
            outside = [each for each in asked(browser) if not each.startswith((server.url + "/", "data:", "about:"))]
            check("no other server is asked", not outside, outside)
            try_proxy(browser, server.port)
            try_policy(browser, server.url)
            try_losing(browser, server, program, path)
    return end()


sys.exit(main())
