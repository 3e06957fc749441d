#!/usr/bin/env python3
"""examples/chat.cpp in headless Chromium, in browsers that know nothing of each other: rooms, names, what a newcomer is
shown, hostile texts, limits, connections that are lost, stops and restarts of the server, the keyboard, and how it looks.

  chat.py PROGRAM SHOTS    the built example, and a directory for pictures of its pages
"""

import base64
import http.server
import json
import os
import shutil
import signal
import sys
import threading

from browser import LEAST_CONTRAST, Browser, Window
from peer import Program, Proxy, check, end, report, scratch_directory

HOSTILE = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title='hacked'\">'\"&amp; </li></ol> \u202e\u9152"
HOSTILE_NAME = "<b onclick=1>&\"'</b>"
KEYS = {"Enter": 13, "Tab": 9}

# What a page does that is not ours: messages of any kind over a connection of its own. What it has come to is the code, the
# reason, and what was received; without a `count` of those to wait for, it waits for the end.
HELPERS = """
window.converse = (path, messages, count = Infinity) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}${path}`), received = [];
    socket.onopen = () => messages.forEach((each) => socket.send(each));
    socket.onmessage = (event) => {
        received.push(JSON.parse(event.data));
        if (received.length === count) socket.close();
    };
    socket.onclose = ({code, reason}) => resolve({code, reason, received});
});
0
"""


class Visitor(Window):
    """A browser with the page of the chat."""

    def join(self, url, room, name):
        self.open("about:blank")
        self.open(f"{url}/#{room}")
        self.run(HELPERS)
        self.run(f"document.getElementById('name').value = {json.dumps(name)}; document.querySelector('#door button').click()")
        self.await_connection()

    def await_connection(self):
        self.await_("!document.getElementById('send').disabled && document.querySelectorAll('#people li').length", "a connection")

    def say(self, text):
        """Says it, and waits until this page shows it, as all others do by and by."""
        self.run(f"document.getElementById('text').value = {json.dumps(text)}; document.querySelector('#send').click()")
        self.await_text(text)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key], **text)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def focused(self):
        return self.run("document.activeElement.id || document.activeElement.textContent")

    def lines(self):
        """Of all lines that are shown: who has said what."""
        return [tuple(each) for each in self.run(
            "[...document.querySelectorAll('.line')].map((each) => [...each.querySelectorAll('b, p')].map((part) => part.textContent))")]

    def notes(self):
        return self.run("[...document.querySelectorAll('.note')].map((each) => each.textContent)")

    def people(self):
        return self.run("[...document.querySelectorAll('#people li')].map((each) => each.textContent)")

    def state(self):
        return self.run("document.getElementById('state').textContent")

    def await_text(self, text):
        self.await_(f"document.getElementById('log').textContent.includes({json.dumps(text)})", f"{text!r:.40} in a page")

    def await_state(self, words):
        self.await_(f"document.getElementById('state').textContent.includes({json.dumps(words)})", f"the state {words!r}")


def try_rooms(ann, ben, cleo, url):
    ann.join(url, "kitchen", "Ann")
    check("a visitor is there", ann.people() == ["Ann"] and ann.state() == "Connected", (ann.people(), ann.state()))
    ben.join(url, "kitchen", "Ben")
    cleo.join(url, "garden", "Cleo")
    ann.await_text("Ben joined")
    check("who joins is shown to those who are there", ann.people() == ["Ann", "Ben"], ann.people())
    check("and sees them", ben.people() == ["Ann", "Ben"] and not ben.notes(), (ben.people(), ben.notes()))
    ann.say("Is there tea?")
    ben.await_text("Is there tea?")
    ben.say("日本酒 🍶")
    ann.await_text("日本酒 🍶")
    said = [("Ann", "Is there tea?"), ("Ben", "日本酒 🍶")]
    check("each sees what the other has said, and its name", ann.lines() == ben.lines() == said, (ann.lines(), ben.lines()))
    check("one's own lines look different", ann.run("document.querySelectorAll('.mine').length") == 1)
    check("the time is that of now", ann.run("Math.abs(Date.now() - new Date(document.querySelector('time').dateTime)) < 60_000"))
    check("another room sees nothing of it", not cleo.lines() and not cleo.notes() and cleo.people() == ["Cleo"], cleo.notes())

    cleo.run("document.getElementById('leave').click()")
    check("who leaves is back at the door", cleo.run("!document.getElementById('door').hidden && document.title") == "Chat")
    cleo.run("location.hash = '#kitchen'")
    cleo.await_("document.getElementById('room').value === 'kitchen'", "the room of the address")
    cleo.run("document.querySelector('#door button').click()")
    ann.await_text("Cleo joined")
    cleo.await_text("日本酒 🍶")
    check("a third is shown what was said before it came", cleo.lines() == said, cleo.lines())
    cleo.open("about:blank")
    ann.await_text("Cleo left")
    check("and those who stay, that it has left", ann.people() == ["Ann", "Ben"], ann.people())
    cleo.run("history.back(); 0")
    cleo.await_("document.readyState === 'complete' && location.hash === '#kitchen'", "the page before")
    cleo.run("document.getElementById('door').hidden || document.querySelector('#door button').click()")  # if it was not kept
    cleo.await_connection()
    ann.await_("document.querySelectorAll('#people li').length === 3", "Cleo")
    cleo.await_text("日本酒 🍶")
    check("a page that is shown again comes again", cleo.lines() == said and cleo.people() == ["Ann", "Ben", "Cleo"], cleo.people())


def try_hostile(ann, ben, cleo, url):
    for name, room in ((HOSTILE_NAME, "%3Cb%3E%2F%22%3F%23%25"), ("\u202eeve \u9152", "kitchen")):
        cleo.join(url, room, name)
        cleo.say(HOSTILE)
        check(f"hostile text and name are text: {name}", cleo.lines()[-1] == (name, HOSTILE) and cleo.people()[-1] == name, cleo.lines())
    ben.await_text(HOSTILE)
    for window in (ann, ben, cleo):
        seen = window.run("[document.scripts.length, document.images.length, document.querySelectorAll('#log, #people, main').length,"
                          "document.querySelectorAll('#log b').length === document.querySelectorAll('.line').length]")
        check("no part of them is markup", seen == [1, 0, 3, True] and window.run("document.title") == "kitchen", seen)
    cleo.join(url, "%E0%A4%A", "Cleo")
    check("an address that does not decode to text leads to a room as well", cleo.run("document.title") == "kitchen" and "Cleo" in cleo.people())

    def outcome(path, messages, count=10**9):
        seen = cleo.run(f"converse({json.dumps(path)}, {messages}, {count})")
        return seen["code"], seen["reason"], seen["received"]
    longest = "'\\u00e9'.repeat(1024)"
    code, _, received = outcome("/rooms/limits?name=Eve", f"[{longest}]", 2)
    check("a message of 2,048 bytes is carried", code == 1005 and [len(each.get("text", "")) for each in received] == [0, 1024], received)
    check("one of 2,049 is not", outcome("/rooms/limits?name=Eve", f"[{longest} + '.']")[0] == 1009)
    check("nor one of bytes", outcome("/rooms/limits?name=Eve", "[new Uint8Array(3)]")[:2] == (1003, "messages are text"))
    for query, is_good in (("name=" + "x" * 20, True), ("name=" + "x" * 21, False), ("name=", False), ("", False),
                           ("name=" + "%E9%85%92" * 20, True), ("name=%FF", False)):
        code = outcome("/rooms/limits?" + query, "[]", 1)[0]
        check(f"a name has 1 to 20 characters: {query}", code == (1005 if is_good else 1006), code)
    for room, is_good in (("x" * 20, True), ("x" * 21, False)):
        code = outcome(f"/rooms/{room}?name=Eve", "[]", 1)[0]
        check(f"a room has at most 20 bytes: {room}", code == (1005 if is_good else 1006), code)

    seen = cleo.run("""(async () => {
        const all = [...Array(100).keys()].map((each) => new WebSocket(`ws://${location.host}/rooms/full?name=${each}`));
        await new Promise((resolve) => all.forEach((each) => {
            each.onmessage = ({data}) => JSON.parse(data).here.length === 100 && resolve();
        }));
        const {code, reason} = await converse("/rooms/full?name=late", []);
        all.forEach((each) => each.close());
        return [code, reason];
    })()""")
    check("a room has 100 visitors at most", seen == [1013, "this room is full"], seen)


def try_pace(ann, ben, url):
    """Ten messages in five seconds; then a warning, and then the end."""
    def outcome(count):
        return ben.run(f"converse('/rooms/pace-{count}?name=Eve', [...Array({count}).keys()].map(String), {count + 1})")
    ten, eleven, twelve = outcome(10), outcome(11), outcome(12)
    check("ten messages are carried", ten["code"] == 1005 and not any("warning" in each for each in ten["received"]), ten)
    warnings = [each["warning"] for each in eleven["received"] if "warning" in each]
    check("the eleventh is a warning", warnings == ["Not so fast: the last message was dropped."], eleven)
    check("the twelfth is the end", (twelve["code"], twelve["reason"]) == (1008, "more than 10 messages in 5 seconds"), twelve)

    ann.join(url, "pace", "Ann")
    ann.run("""for (let number = 0; number < 12; ++number) {
        document.getElementById('text').value = `number ${number}`;
        document.getElementById('send').click();
    }""")
    ann.await_state("Closed: more than 10 messages in 5 seconds.")
    check("the page says why", "Not so fast: the last message was dropped." in ann.notes(), ann.notes())
    check("and leaves it to its user to come again", "Trying" not in ann.state() and ann.run("!document.getElementById('again').hidden"))
    ann.run("document.getElementById('again').click()")
    ann.await_connection()
    ann.await_text("number 9")
    lines = [each for each in ann.lines() if each[0] == "Ann"]
    check("and shows each line once then", lines == [("Ann", f"number {number}") for number in range(10)], lines)


def try_history(cleo, url):
    said = []
    cleo.join(url, "library", "Cleo")
    for speaker in range(6):
        words = [f"line {10 * speaker + number}" for number in range(10)]
        said += words
        # The first that it is sent is what was said before, and all is what it has said itself, too.
        before = min(50, 10 * speaker)
        cleo.run(f"converse('/rooms/library?name={speaker}', {json.dumps(words)}, {before + 10})")
        cleo.await_text(words[-1])
    check("who is there sees all lines", [text for _, text in cleo.lines()] == said, len(cleo.lines()))
    cleo.join(url, "library", "Cleo")
    cleo.await_text("line 59")
    check("a newcomer is shown the last 50", [text for _, text in cleo.lines()] == said[10:], [text for _, text in cleo.lines()][:3])


def try_other_sites(cleo, url):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_):
            pass
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    cleo.open(f"http://127.0.0.1:{site.server_port}/")
    code = cleo.run(f"""new Promise((resolve) => {{
        new WebSocket("{url.replace('http', 'ws')}/rooms/kitchen?name=Eve").onclose = (event) => resolve(event.code); }})""")
    check("a page of another site may not connect", code == 1006, code)
    site.shutdown()


def try_lost_connections(ann, ben, program):
    proxy = Proxy(program.port)
    ann.join(proxy.url, "kitchen", "Ann")
    ben.join(program.url, "kitchen", "Ben")
    ann.say("before")
    ben.await_text("before")
    for number in range(2):
        proxy.cut()
        ben.say(f"while Ann is away {number}")
        ann.await_text(f"while Ann is away {number}")
    texts = [text for _, text in ann.lines()]
    check("a page comes again by itself, and each line is there once", texts == [text for _, text in ben.lines()], texts)
    ben.await_("document.querySelectorAll('#people li').length === 2", "Ann")
    check("and is among those who are there", ben.people() == ["Ann", "Ben"] and ann.people() == ["Ann", "Ben"], ben.people())


def try_restarts(ann, ben, program):
    for window, name in ((ann, "Ann"), (ben, "Ben")):
        window.join(program.url, "kitchen", name)
        window.await_text("while Ann is away 1")
    before = ann.lines()
    # It lasts a quarter of a second: the page soon tries to connect again.
    ann.run("states = []; new MutationObserver(() => states.push(document.getElementById('state').textContent))"
            ".observe(document.getElementById('state'), {childList: true, characterData: true, subtree: true})")
    status = program.end()
    check("a stop does not wait for those who are there", status == 0, status)
    ann.await_("states.some((state) => state.includes('the server is stopping'))", "the state 'the server is stopping'")
    check("and the page says so", ann.run("document.getElementById('send').disabled"), ann.state())
    text = "document.getElementById('text')"
    ann.run(f"{text}.value = 'kept'; {text}.form.requestSubmit()")
    check("what is typed meanwhile is kept", ann.run(f"{text}.value") == "kept")
    ann.await_state("There is no connection. Trying again in")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with Program(PROGRAM, f"127.0.0.1:{program.port}") as program:
            for window in (ann, ben):
                window.run("document.getElementById('again').hidden || document.getElementById('again').click()")
                window.await_connection()
            for window in (ann, ben):
                window.await_("document.querySelectorAll('#people li').length === 2", "both")
            ann.say(f"back before {number.name}")
            ben.await_text(f"back before {number.name}")
            before.append(("Ann", f"back before {number.name}"))
            check("after a restart both are back, and no line is lost or doubled", ann.lines() == ben.lines() == before, ben.lines()[-5:])
            program.end(number)
            ann.await_state("There is no connection." if number == signal.SIGKILL else "Trying again")
    with Program(PROGRAM, f"127.0.0.1:{program.port}") as program:
        ann.await_connection()
        check("a page comes back by itself after a restart", True)
        status = program.end()
        check("it ends with status 0", status == 0, status)


def try_keyboard(window, url):
    window.open("about:blank")
    window.open(url + "/#porch")
    window.go("localStorage.clear(); location.reload()")
    check("the first thing to type is a name", window.focused() == "name", window.focused())
    window.type("Dora")
    window.press("Enter")
    window.await_connection()
    check("by the keyboard alone: in", window.focused() == "text", window.focused())
    window.type("typed")
    window.press("Enter")
    window.await_text("typed")
    check("said", window.run("document.getElementById('text').value") == "" and window.focused() == "text")
    window.press("Tab")
    seen = (window.focused(), window.run("getComputedStyle(document.activeElement).outlineStyle"))
    check("and the focus is seen where it is", seen == ("send", "solid"), seen)
    nameless = window.run("""[...document.querySelectorAll("input, button, ol[tabindex]")].filter((each) =>
        !each.labels?.length && !each.textContent.trim() && !each.ariaLabel).length""")
    check("each control has a name", nameless == 0, nameless)
    window.go("location.reload()")
    check("a name is there again after a reload", window.run("document.getElementById('name').value") == "Dora"
          and window.focused() == "room", window.focused())

    window.run("document.querySelector('#door button').click()")
    window.await_connection()
    window.run(f"document.getElementById('text').value = '\u9152'.repeat(683); document.getElementById('text').dispatchEvent(new Event('input'))")
    window.run("document.getElementById('send').click()")
    check("a message that is too long is not sent, and kept", window.run("document.getElementById('text').validationMessage")
          == "A message has at most 2,048 bytes." and window.run("document.getElementById('text').value.length") == 683)


def take_picture(window, name, scheme):
    for width, height in ((360, 640), (1200, 800)):
        window.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width == 360)
        window.run("document.getElementById('log').scrollTop = 1e9")
        seen = window.run("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        check(f"all is within the window: {name}, {scheme}, {width}", seen[0] <= width and seen[1] <= height, seen)
        shot = window.call("Page.captureScreenshot")["data"]
        with open(os.path.join(SHOTS, f"chat-{name}-{scheme}-{width}.png"), "wb") as file:
            file.write(base64.b64decode(shot))
    window.call("Emulation.clearDeviceMetricsOverride")


def try_looks(ann, ben, url):
    os.makedirs(SHOTS, exist_ok=True)
    ann.open("about:blank")
    ann.open(url + "/#library")
    pages = [("door", lambda: None), ("room", lambda: fill(ann, ben, url))]
    for name, prepare in pages:
        prepare()
        for scheme in ("light", "dark"):
            ann.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            least = ann.run(LEAST_CONTRAST)
            check(f"every text can be read: {name}, {scheme}", least[0] >= 4.5, least)
            take_picture(ann, name, scheme)
    ann.call("Emulation.setEmulatedMedia", features=[])


def fill(ann, ben, url):
    ann.join(url, "The%20reading%20room", "Ann")
    ben.join(url, "The%20reading%20room", "Élodie, who reads")
    for who in ("Cem", "Dora", "Emil"):
        ben.run(f"window.{who} = new WebSocket('ws://' + location.host + '/rooms/The%20reading%20room?name={who}'); 0")
    ann.await_("document.querySelectorAll('#people li').length === 5", "all")
    for window, text in ((ann, "Has anybody seen the book about rice?"), (ben, "It was on the table this morning, next to the window."),
                         (ben, "A long word: " + "Donaudampfschifffahrt" * 6), (ann, "שלום, world: both directions"), (ann, "Thanks!")):
        window.say(text)
        ann.await_text(text)


def main():
    if not shutil.which("chromium"):
        report("skipped: chromium is not available\nok the chat in Chromium (skipped)")
        return end()
    with scratch_directory() as directory, Browser(directory) as browser, Program(PROGRAM, "127.0.0.1:0") as program:
        ann, ben, cleo = windows = Visitor(browser), Visitor(browser), Visitor(browser)
        try_rooms(ann, ben, cleo, program.url)
        found = [each for window in windows for each in window.complaints()]
        check("no console has a complaint, and the policy is kept", not found, found)
        try_hostile(ann, ben, cleo, program.url)
        try_keyboard(cleo, program.url)
        try_looks(ann, ben, program.url)
        try_history(cleo, program.url)
        try_pace(ann, ben, program.url)
        try_other_sites(cleo, program.url)
        try_lost_connections(ann, ben, program)
        try_restarts(ann, ben, program)
        found = [each for window in windows for each in window.complaints()
                 if "WebSocket connection to" not in str(each) and "net::ERR_CONNECTION_" not in str(each)]
        check("nothing but lost connections is complained about in the end", not found, found)
        with browser.changed:
            sent = {event["params"]["request"]["url"].split("/")[2] for event in browser.events
                    if event["method"] == "Network.requestWillBeSent" and event["params"]["request"]["url"].startswith("http")}
        check("no other server is asked", all(each.startswith("127.0.0.1:") for each in sent), sent)
    return end()


PROGRAM, SHOTS = sys.argv[1:]
sys.exit(main())
