#!/usr/bin/env python3
"""Headless Chromium's WebSocket against websocket.cpp: what a page sends and gets, and what it sees of the end.

  websocket_page.py PROGRAM      the built websocket.cpp
"""

import json
import os
import shutil
import signal
import sys
import urllib.request

from browser import Browser, until
from peer import PATIENCE, Program, check, end, report, scratch_directory

# A connection with what has come of it. `next` gives undefined once it is closed.
TALK = """
window.Talk = class {
    constructor(target, protocols = []) {
        this.socket = new WebSocket(target, protocols);
        this.socket.binaryType = "arraybuffer";
        this.inbox = [];
        this.tell = () => {};
        this.socket.onmessage = ({data}) => { this.inbox.push(data); this.tell(); };
        this.closed = new Promise((resolve) => (this.socket.onclose = ({code, reason, wasClean}) => {
            this.end = {code, reason, wasClean};
            this.tell();
            resolve(this.end);
        }));
        this.opened = new Promise((resolve) => {
            this.socket.onopen = () => resolve(true);
            this.closed.then(() => resolve(false));
        });
    }
    async next() {
        while (this.inbox.length === 0 && !this.end) await new Promise((resolve) => (this.tell = resolve));
        return this.inbox.shift();
    }
    async echo(message) {
        this.socket.send(message);
        return this.next();
    }
    close(...how) {
        this.socket.close(...how);
        return this.closed;
    }
};
window.open_talk = async (...how) => {
    const talk = new Talk(...how);
    if (!await talk.opened) throw new Error(`no connection: ${JSON.stringify(talk.end)}`);
    return talk;
};
0
"""

# The sizes of what does not come back as it was sent.
ECHOES = """(async () => {
    const noise = new Uint8Array(1 << 20);
    let seed = 1;
    for (let i = 0; i < noise.length; ++i) noise[i] = (seed = (seed * 48271) % 0x7fffffff) & 255;
    const letters = Array.from(noise, (byte) => String.fromCharCode(33 + byte % 90)).join("");
    const same = (one, other) => typeof one === "string" ? one === other
        : one instanceof ArrayBuffer && one.byteLength === other.length && new Uint8Array(one).every((byte, i) => byte === other[i]);
    const talk = await open_talk(location.origin.replace("http", "ws") + ROUTE);
    const wrong = [];
    for (const size of [0, 1, 125, 126, 127, 65535, 65536, 1 << 20]) {
        const text = "\u9152 and more\\n".repeat(size / 13 + 1);
        const few = text.slice(0, Math.floor(size / 3));  // at most three bytes a character
        const zeros = new Uint8Array(size);
        const bytes = noise.subarray(0, size);
        const cases = [["text", few, few], ["letters", letters.slice(0, size), letters.slice(0, size)],
                       ["zeros", zeros, zeros], ["bytes", bytes, bytes], ["blob", new Blob([bytes]), bytes],
                       ["buffer", bytes.slice().buffer, bytes]];
        for (const [kind, sent, expected] of cases) {
            if (!same(await talk.echo(sent), expected)) wrong.push([kind, size]);
        }
    }
    const {extensions} = talk.socket;
    return {wrong, extensions, end: await talk.close(1000, "done")};
})()"""

ORDER = """(async () => {
    const talk = await open_talk(location.origin.replace("http", "ws") + ROUTE);
    const message = (i) => i % 10 ? `${i}` : `${i} ` + "and more ".repeat(150);
    for (let i = 0; i < 10000; ++i) talk.socket.send(message(i));
    let i = 0;
    while (i < 10000 && await talk.next() === message(i)) ++i;
    await talk.close();
    return i;
})()"""


class Page:
    """One page of a server, and what is asked of its scripts."""

    def __init__(self, browser, page_of, server):
        self.browser = browser
        self.server = server
        self.ws = server.url.replace("http", "ws")
        browser.open(page_of.url + "/")
        browser.run(TALK)

    def run(self, script, route="/echo"):
        return self.browser.run(script.replace("ROUTE", json.dumps(route)))

    def end_of(self, target, action="", protocols=()):
        """How a connection ends after an action."""
        return self.run(f"(async () => {{ const talk = await open_talk({json.dumps(self.ws + target)}, {json.dumps(protocols)});"
                        f"{action}; return talk.closed; }})()")

    def end_seen(self):
        """What the server saw of an end in /told."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.server.url + "/ends", timeout=PATIENCE) as answer:
            return answer.read().decode()


def try_echoes(page):
    for route in ("/echo", "/deflate-shared", "/deflate-dedicated-9", "/deflate-dedicated-12", "/deflate-dedicated-15"):
        seen = page.run(ECHOES, route)
        check(f"Chromium: {route}: what is sent comes back", not seen["wrong"], seen["wrong"])
        check(f"Chromium: {route}: it closes", seen["end"] == {"code": 1000, "reason": "", "wasClean": True}, seen["end"])
        is_compressed = seen["extensions"].startswith("permessage-deflate")
        check(f"Chromium: {route}: the compression", is_compressed == (route != "/echo"), seen["extensions"])
        count = page.run(ORDER, route)
        check(f"Chromium: {route}: 10,000 messages come back in order", count == 10_000, count)


def try_ends(page):
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999):
        seen = page.end_of(f"/close/{code}")
        expected = {"code": code, "reason": f"because of {code} \u9152", "wasClean": True}
        check(f"Chromium: the page sees that the server closes with {code}", seen == expected, seen)
    for code in (1000, 3000, 4999):
        for reason in ("", "\u9152 done", "x" * 123):
            seen = page.end_of("/told", f"talk.socket.close({code}, {json.dumps(reason)})")
            check(f"Chromium: the page closes with {code} and {len(reason)} characters",
                  seen == {"code": code, "reason": "", "wasClean": True}, seen)
            seen = page.end_seen()
            check("Chromium: and the server sees that", seen == f"{code} {reason}", seen)
    seen = page.end_of("/told", "talk.socket.close()")
    check("Chromium: the page closes without a code", seen == {"code": 1005, "reason": "", "wasClean": True}, seen)
    check("Chromium: and the server sees that", page.end_seen() == "1005 ")
    seen = page.end_of("/fails", "talk.socket.send('go')")
    check("Chromium: a handler that fails ends with 1011", seen["code"] == 1011, seen)
    for route in ("/echo", "/deflate-shared"):
        seen = page.end_of(route, "talk.socket.send('x'.repeat((1 << 20) + 1))")
        check(f"Chromium: {route}: a message that is too large ends with 1009", seen["code"] == 1009, seen)
    page.run(f"(window.kept = new Talk({json.dumps(page.ws + '/told')})).opened")
    page.browser.open(page.server.url + "/")  # the page with the connection closes
    page.run(TALK)
    seen = page.end_seen()
    check("Chromium: a page that is left ends with 1001", seen == "1001 ", seen)


def try_protocols(page):
    for offered, agreed in (([], ""), (["chat.v1"], "chat.v1"), (["chat.v1", "chat.v2"], "chat.v2")):
        seen = page.run(f"""open_talk({json.dumps(page.ws + "/proto")}, {json.dumps(offered)}).then(
            async (talk) => [talk.socket.protocol, await talk.next()])""")
        check(f"Chromium: of {offered}, both have '{agreed}'", seen == [agreed, agreed], seen)
    seen = page.run(f"(async () => {{ const talk = new Talk({json.dumps(page.ws + '/proto')}, ['soap']); return [await talk.opened, talk.end?.code]; }})()")
    check("Chromium: without a subprotocol that both speak, it refuses itself", seen == [False, 1006], seen)


def try_origins(page):
    for route, may in (("/echo", False), ("/open", True)):
        seen = page.run(f"new Talk({json.dumps(page.ws + route)}).opened")
        check(f"Chromium: a page of another port at {route}", seen == may, seen)


def try_stops(browser, program):
    for number, code, reason in ((signal.SIGTERM, 1001, "the server is stopping"), (signal.SIGKILL, 1006, "")):
        with Program(program) as server:
            page = Page(browser, server, server)
            target = json.dumps(page.ws + "/echo")
            page.run(f"(async () => {{ window.kept = await open_talk({target}); return kept.echo('in'); }})()")
            status = server.end(number)
            seen = page.run("kept.closed")
            expected = {"code": code, "reason": reason, "wasClean": code == 1001}
            check(f"Chromium: a server that ends by {number.name} is seen as {code}", seen == expected, seen)
            if number == signal.SIGTERM:
                check("the server ends with status 0", status == 0, status)


def main():
    program, = sys.argv[1:]
    if not shutil.which("chromium"):
        report("skipped: chromium is not available\nok Chromium's WebSocket (skipped)")
        return end()
    with scratch_directory() as directory, Browser(directory) as browser, Program(program) as elsewhere:
        with Program(program, elsewhere.url) as server:
            page = Page(browser, server, server)
            try_echoes(page)
            try_ends(page)
            try_protocols(page)
            try_origins(Page(browser, elsewhere, server))
            status = server.end()
            check("the server ends with status 0", status == 0, status)
            errors = [line for line in server.errors() if "as it should" not in line]
            check("it has logged no error", not errors, errors)
        try_stops(browser, program)
    return end()


sys.exit(main())
