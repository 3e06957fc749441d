#!/usr/bin/env python3
"""examples/guestbook in headless Chromium, in two browsers that know nothing of each other: signing, hostile texts,
pictures, the moderator, pages of other sites, a restart, and how it looks. Then without a browser, by curl.

  guestbook.py PROGRAM SHOTS    the built example, and a directory for pictures of its pages
"""

import base64
import concurrent.futures
import http.server
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
import zlib

from browser import LEAST_CONTRAST, Browser, Window
from peer import PATIENCE, Program, check, end, report, scratch_directory

PASSWORD = "correct horse <battery>"
HOSTILE = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title='hacked'\">'\"&amp; </li></ul>"


def png(width, height):
    """A picture: a sky above a field."""
    rows = b"".join(b"\0" + b"".join(bytes((60 + 150 * y // height, 120 + 100 * y // height, 230 - 160 * (y > height * 2 // 3)))
                                     for _ in range(width)) for y in range(height))

    def part(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return (b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b""))


class Visitor(Window):
    """A visitor of the guestbook, with a browser that nobody else uses."""

    def choose_file(self, path):
        with self.at(self.session):
            self.browser.choose_files("[name=picture]", [path])

    def sign(self, url, name, text, picture=None):
        self.open(url + "/")
        self.run(f"document.querySelector('[name=name]').value = {json.dumps(name)};"
                 f"document.querySelector('[name=text]').value = {json.dumps(text)}; 0")
        if picture:
            self.choose_file(picture)
        self.go("document.querySelector('main > form button').click()")

    def log_in(self, url, password):
        self.open(url + "/moderator")
        self.run(f"document.querySelector('[name=password]').value = {json.dumps(password)}; 0")
        self.go("document.querySelector('form button').click()")

    def texts(self):
        return self.run("[...document.querySelectorAll('#entries p')].map((each) => each.textContent)")

    def shown(self):
        return self.run("document.querySelector('main').innerText")


def curl(url, *arguments):
    """(status, fields, body)"""
    done = subprocess.run(["curl", "--disable", "-s", "-i", "--noproxy", "*", "--max-time", str(PATIENCE), *arguments, url],
                          capture_output=True, timeout=2 * PATIENCE)
    head, _, body = done.stdout.decode("utf-8", "replace").partition("\r\n\r\n")
    while body.startswith("HTTP/1.1 "):  # behind a 100
        head, _, body = body.partition("\r\n\r\n")
    lines = head.split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]) if lines[0] else 0, fields, body


def until_429(*request):
    """The answer to a request that is sent until it is one too many."""
    for _ in range(40):
        answer = curl(*request)
        if answer[0] == 429:
            break
    return answer


def start(directory, port=0):
    return Program("env", f"GUESTBOOK_PASSWORD={PASSWORD}", PROGRAM, f"127.0.0.1:{port}", os.path.join(directory, "data"))


def pictures(directory):
    return sorted(os.listdir(os.path.join(directory, "data", "pictures")))


def try_signing(visitor, other, url, directory):
    other.open(url + "/")
    check("an empty book says so", "Nobody has signed yet." in other.shown(), other.shown())
    visitor.sign(url, "Ann", "Hello\n\n日本酒 🍶")
    check("who has signed is sent to the entry", visitor.run("location.pathname + location.hash") == "/#entry-1")
    check("and sees it", visitor.texts() == ["Hello\n\n日本酒 🍶"], visitor.texts())
    other.await_("document.querySelectorAll('#entries p').length === 1", "the entry in the other browser")
    check("another browser shows it without being asked", other.texts() == ["Hello\n\n日本酒 🍶"], other.texts())
    visitor.go("location.reload()")
    check("a reload does not sign again", len(visitor.texts()) == 1, visitor.texts())

    visitor.sign(url, HOSTILE[:60], HOSTILE)
    check("a hostile text is shown as text", visitor.texts()[0] == HOSTILE, visitor.texts()[0])
    name = visitor.run("document.querySelector('#entries h2').textContent")
    check("a hostile name is shown as text", name == HOSTILE[:60], name)
    other.await_("document.querySelectorAll('#entries p').length === 2", "the hostile entry in the other browser")
    for window in (visitor, other):
        seen = window.run("[document.title, document.scripts.length, document.images.length, document.querySelectorAll('#entries').length]")
        check("and no part of it is markup", seen == ["Guestbook", 1, 0, 1], seen)

    visitor.run("document.querySelector('[name=text]').removeAttribute('required'); 0")
    visitor.run("document.querySelector('[name=name]').value = 'Ann'; 0")
    visitor.go("document.querySelector('main > form button').click()")
    check("an empty text is refused in words", "text must have 1 to 2000 characters" in visitor.shown(), visitor.shown())


def try_pictures(visitor, other, url, directory):
    def file(name, content):
        path = os.path.join(directory, name)
        with open(path, "wb") as opened:
            opened.write(content)
        return path
    visitor.sign(url, "Cleo", "A picture", file("sky.png", png(320, 200)))
    other.await_("document.images.length === 1 && document.images[0].complete", "the picture in the other browser")
    seen = other.run("[document.images[0].naturalWidth, document.images[0].alt]")
    check("a picture is shown", seen == [320, "A picture from Cleo"], seen)
    path = other.run("new URL(document.images[0].src).pathname")
    status, fields, _ = curl(url + path)
    check("it has a name of the server's", len(path) == len("/pictures/.png") + 32 and path.endswith(".png"), path)
    check("and the type that its bytes have", (status, fields.get("content-type")) == (200, "image/png"), fields)
    check("which no browser doubts", fields.get("x-content-type-options") == "nosniff", fields)
    check("it is the only file", pictures(directory) == [os.path.basename(path)], pictures(directory))

    visitor.sign(url, "Mallory", "A page", file("page.png", b"<script>alert(1)</script>"))
    check("a page that is called a picture is refused in words", "must be a PNG, JPEG, GIF or WebP file" in visitor.shown(), visitor.shown())
    visitor.sign(url, "Mallory", "Large", file("large.png", png(8, 8) + bytes(6_000_000)))
    check("a picture that is too large is refused in words", "4194304 bytes" in visitor.shown(), visitor.shown())
    check("and the way back is a link", visitor.run("document.querySelector('main a').pathname") == "/")
    check("nothing is kept of what is refused", len(pictures(directory)) == 1, pictures(directory))


def try_moderator(visitor, other, url, directory):
    visitor.log_in(url, "wrong")
    check("a wrong password is refused in words", "that is not the password" in visitor.shown(), visitor.shown())
    visitor.open(url + "/_sake")
    check("the dashboard is not for visitors", "only the moderator" in visitor.shown(), visitor.shown())
    planted = "A" * 22
    visitor.call("Network.setCookie", name="session", value=planted, url=url)
    visitor.log_in(url, PASSWORD)
    cookies = visitor.call("Network.getCookies", urls=[url])["cookies"]
    check("a login makes a session of its own", len(cookies) == 1 and cookies[0]["value"] != planted, cookies)
    check("that no script and no other site uses", cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Lax", cookies)
    buttons = "document.querySelectorAll('#entries button').length"
    check("the moderator has a button for each entry", visitor.run(buttons) == 3, visitor.run(buttons))
    check("nobody else has", other.run(buttons) == 0, other.run(buttons))
    visitor.go("document.querySelector('#entries .card:has(img) button').click()")
    check("it deletes the entry", len(visitor.texts()) == 2 and not visitor.run("document.images.length"), visitor.texts())
    other.await_("document.querySelectorAll('#entries p').length === 2", "the deletion in the other browser")
    check("in the other browser as well", not other.run("document.images.length"))
    check("and its picture", pictures(directory) == [], pictures(directory))
    visitor.open(url + "/_sake")
    visitor.await_("document.body.innerText.includes('/moderator/delete/:id')", "the dashboard")
    check("the moderator sees the dashboard", "/entries" in visitor.run("document.body.innerText"))

    session = f"session={cookies[0]['value']}"
    delete = [url + "/moderator/delete/1", "-X", "POST"]
    visitor.open(url + "/moderator")
    visitor.go("document.querySelector('form button').click()")
    check("after the logout there are no buttons", visitor.run(buttons) == 0, visitor.run(buttons))
    check("and the session is worth nothing", curl(*delete, "-b", session)[0] == 403)
    check("nor is no session", curl(*delete)[0] == 403)


class OtherSite(http.server.BaseHTTPRequestHandler):
    """A page of another origin, with forms that send to the guestbook."""

    target = None

    def do_GET(self):
        body = f"""<!doctype html><title>Other</title>
            <form method="post" action="{self.target}/entries"><input name="name" value="M"><input name="text" value="forged"></form>
            <form method="post" action="{self.target}/moderator/delete/1"></form>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def try_other_sites(visitor, url):
    OtherSite.target = url
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherSite)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    visitor.log_in(url, PASSWORD)
    for form in (0, 1):
        visitor.open(f"http://127.0.0.1:{site.server_port}/")
        visitor.go(f"document.forms[{form}].submit()")
        check("a form of another site is refused, also with a session", "a page of another site" in visitor.shown(), visitor.shown())
    site.shutdown()
    visitor.open(url + "/")
    check("and has changed nothing", len(visitor.texts()) == 2 and "forged" not in visitor.texts(), visitor.texts())
    status, _, _ = curl(url + "/entries", "-d", "name=M&text=forged", "-H", "Origin: https://evil.example")
    check("it is 403", status == 403, status)


def try_restart(visitor, other, program, directory):
    other.open(program.url + "/")
    before = other.texts()
    status = program.end()
    check("it ends with status 0", status == 0, status)
    with start(directory, program.port) as again:
        visitor.open(again.url + "/")
        check("a restart keeps the entries", visitor.texts() == before, visitor.texts())
        check("and no session", visitor.run("document.querySelectorAll('#entries button').length") == 0)
        visitor.sign(again.url, "Dora", "After the restart")
        other.await_("document.querySelector('#entries p').textContent === 'After the restart'", "the page to come again")
        check("a page that was open comes again by itself", len(other.texts()) == len(before) + 1, other.texts())
        ids = other.run("[...document.querySelectorAll('#entries > .card')].map((each) => each.id)")
        check("a number is never used twice", ids[0] == "entry-4", ids)
        try_looks(visitor, again.url, directory)
        status = again.end()
        check("it ends with status 0 after the restart", status == 0, status)


def try_looks(visitor, url, directory):
    os.makedirs(SHOTS, exist_ok=True)
    path = os.path.join(directory, "wide.png")
    with open(path, "wb") as file:
        file.write(png(1200, 500))
    visitor.sign(url, "Élodie", "A long word: " + "Donaudampfschifffahrt" * 6 + "\n\nAnd a view of the sea.", path)
    visitor.log_in(url, PASSWORD)
    for name, address in (("book", "/#entry-5"), ("moderator", "/moderator"), ("error", "/nowhere")):
        visitor.open("about:blank")
        visitor.open(url + address)
        for scheme in ("light", "dark"):
            visitor.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme},
                                                                 {"name": "prefers-reduced-motion", "value": "reduce"}])
            least = visitor.run(LEAST_CONTRAST)
            check(f"every text can be read: {name}, {scheme}", least[0] >= 4.5, least)
            for width in (360, 1200):
                visitor.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width == 360)
                seen = visitor.run("document.documentElement.scrollWidth")
                check(f"nothing is wider than the window: {name}, {scheme}, {width}", seen <= width, seen)
                shot = visitor.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
                with open(os.path.join(SHOTS, f"guestbook-{name}-{scheme}-{width}.png"), "wb") as file:
                    file.write(base64.b64decode(shot))
    visitor.call("Emulation.clearDeviceMetricsOverride")
    visitor.call("Emulation.setEmulatedMedia", features=[])
    nameless = visitor.run("document.querySelectorAll('input:not(label input), textarea:not(label textarea), img:not([alt])').length")
    check("each control and picture has a name", nameless == 0, nameless)


def try_without_browser(directory):
    with start(directory) as program:
        url = program.url
        status, fields, body = curl(url + "/")
        check("the page needs no script: its form", status == 200 and 'action="/entries"' in body, body)
        policy = fields.get("content-security-policy", "")
        check("it runs nothing within pages", "default-src 'none'" in policy and "unsafe" not in policy, policy)
        check("it is not kept for others", "private" in fields.get("cache-control", ""), fields)
        status, fields, _ = curl(url + "/entries", "-d", "name=Emil&text=by+curl")
        check("a urlencoded form signs", (status, fields.get("location", "")[:8]) == (303, "/#entry-"), fields)
        check("and the entry is there", "by curl" in curl(url + "/")[2])
        picture = os.path.join(directory, "sky.png")
        before = set(pictures(directory))
        status, fields, _ = curl(url + "/entries", "-F", "name=Fay", "-F", "text=up", "-F", f"picture=@{picture};filename=\"../../../x.html\"")
        check("a file name leads nowhere", status == 303 and all(name.endswith(".png") for name in pictures(directory))
              and not os.path.exists(os.path.join(directory, "x.html")), pictures(directory))
        number = fields.get("location", "").rpartition("-")[2]
        in_the_way = os.path.join(directory, "data", "pictures", *(set(pictures(directory)) - before))
        os.remove(in_the_way)
        os.makedirs(os.path.join(in_the_way, "full"))  # cannot be removed as a file is
        session = curl(url + "/moderator/login", "-d", f"password={PASSWORD}")[1].get("set-cookie", "").partition(";")[0]
        status, _, _ = curl(f"{url}/moderator/delete/{number}", "-X", "POST", "-b", session)
        check("an entry is deleted also if its picture cannot be", status == 303 and f"entry-{number}" not in curl(url + "/")[2], status)
        shutil.rmtree(in_the_way)
        status, _, body = curl(url + "/entries", "-d", f"name=Emil&text={'x' * 2001}")
        check("a program gets errors as JSON", status == 422 and json.loads(body)["errors"][0]["pointer"] == "/text", body)
        status, _, body = curl(url + "/entries", "-d", "name=Emil&text=+%0A")
        check("spaces are no text", status == 422, body)
        status, _, body = curl(url + "/entries", "-d", "name=Emil&text=" + "x" * 9, "-H", "Content-Type: application/json")
        check("what is no form is refused", status == 415, body)

        with sqlite3.connect(os.path.join(directory, "data", "guestbook.db")) as database:
            database.executemany("insert into entries (name, text, picture) values ('old', ?, '')", ((f"number {i}",) for i in range(45)))
        database.close()
        pages, path = [], "/"
        while path:
            body = curl(url + path)[2]
            pages.append(body.count("<h2"))
            path = body.partition('<a href="/?before=')[2].partition('"')[0]
            path = path and "/?before=" + path
        check("older entries are on more pages", pages[:2] == [20, 20] and sum(pages) > 45 and len(pages) == 3, pages)
        check("what is no number is refused", curl(url + "/?before=x")[0] == 400)

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            reads = [pool.submit(curl, url + "/") for _ in range(60)]
            writes = [pool.submit(curl, url + "/entries", "-d", f"name=P&text=parallel+{i}") for i in range(12)]
            read = [each.result()[0] for each in reads]
            written = [each.result() for each in writes]
        check("many read at a time", read == [200] * 60, read)
        statuses = sorted(each[0] for each in written)
        kept = statuses.count(303)
        check("many sign at a time, up to the limit", set(statuses) <= {303, 429} and kept >= 5, statuses)
        with sqlite3.connect(os.path.join(directory, "data", "guestbook.db")) as database:
            count = database.execute("select count(*) from entries where text like 'parallel%'").fetchone()[0]
        database.close()
        check("and each of them once", count == kept, (count, kept))
        status, fields, body = until_429(url + "/entries", "-d", "name=P&text=more", "-H", "Accept: text/html")
        check("who signs too much is told to wait", status == 429 and "retry-after" in fields and "<h2>Too Many Requests" in body, body)

        check("it is healthy", curl(url + "/health")[0] == 200 and curl(url + "/ready")[0] == 200)
        check("figures are not for everybody", curl(url + "/metrics")[0] == 401)
        status, _, body = curl(url + "/metrics", "-u", f"metrics:{PASSWORD}")
        check("but for Prometheus", status == 200 and 'http_route="/entries"' in body, body[:300])
        check("a wrong password is 403", curl(url + "/moderator/login", "-d", "password=x")[0] == 403)
        check("nobody guesses for long", until_429(url + "/moderator/login", "-d", "password=x")[0] == 429)
        check("nor by the other way", until_429(url + "/metrics", "-u", "metrics:x")[0] == 429)
        status = program.end()
        check("it ends with status 0 without a browser", status == 0, status)

    with subprocess.Popen([PROGRAM, "127.0.0.1:0", os.path.join(directory, "other")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={name: value for name, value in os.environ.items() if name != "GUESTBOOK_PASSWORD"}) as process:
        line = process.stdout.readline().decode()
        check("without a password it makes one", len(line.split()[-1]) == 32, line)
        process.terminate()


def main():
    with scratch_directory() as directory:
        if not shutil.which("chromium"):
            report("skipped: chromium is not available\nok the guestbook in Chromium (skipped)")
            with open(os.path.join(directory, "sky.png"), "wb") as file:
                file.write(png(320, 200))
        else:
            with Browser(directory) as browser, start(directory) as program:
                visitor, other = Visitor(browser), Visitor(browser)
                try_signing(visitor, other, program.url, directory)
                try_pictures(visitor, other, program.url, directory)
                try_moderator(visitor, other, program.url, directory)
                try_other_sites(visitor, program.url)
                check("no console has a complaint", not visitor.complaints() + other.complaints(), visitor.complaints() + other.complaints())
                try_restart(visitor, other, program, directory)
        try_without_browser(directory)
    return end()


PROGRAM, SHOTS = sys.argv[1:]
sys.exit(main())
