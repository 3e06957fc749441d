"""Chromium for the scripts of this directory, told what to do by the DevTools protocol over two pipes."""

import contextlib
import json
import os
import subprocess
import threading
import time

from peer import PATIENCE


# The least contrast of a text with what is behind it, and the text (WCAG 2: AA demands 4.5).
LEAST_CONTRAST = """(() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (element) => {
        const colour = numbers(getComputedStyle(element).backgroundColor);
        return colour[3] === 0 && element.parentElement ? behind(element.parentElement) : colour;
    };
    const found = [...document.querySelectorAll("main *")].filter((element) => element.offsetParent &&
        [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())).map((element) => {
        const [one, other] = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
        return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), element.textContent.slice(0, 40)];
    });
    return found.sort((a, b) => a[0] - b[0])[0];
})()"""


class Browser:
    """Chromium, told what to do by the DevTools protocol over two pipes, with one page."""

    def __init__(self, directory):
        to_browser, self.out = os.pipe()
        self.replies, from_browser = os.pipe()
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--no-proxy-server", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-extensions", f"--user-data-dir={directory}/profile", "--remote-debugging-pipe")
        # The protocol reads descriptor 3 and writes 4.
        redirected = f'exec chromium "$@" 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(["bash", "-c", redirected, "bash", *flags, "about:blank"],
                                        env={**os.environ, "HOME": directory}, pass_fds=(to_browser, from_browser),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.last_id = 0
        self.answers = {}
        self.events = []
        self.changed = threading.Condition()
        self.has_ended = False
        threading.Thread(target=self._read, daemon=True).start()
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        os.close(self.out)

    def _read(self):
        rest = b""
        while received := os.read(self.replies, 1 << 16):
            *messages, rest = (rest + received).split(b"\0")
            with self.changed:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self.answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self.changed.notify_all()
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    def call(self, method, **parameters):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.out, text):]
        with self.changed:
            self.changed.wait_for(lambda: self.last_id in self.answers or self.has_ended, PATIENCE)
            answer = self.answers.pop(self.last_id, {"error": "no answer"})
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def run(self, script):
        """The value of an expression in the page; what it promises is waited for."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"].get("exception", {}).get("description", "a script failed"))
        return done["result"].get("value")

    def open(self, url):
        self.call("Page.navigate", url=url)
        until(lambda: self.run("document.readyState === 'complete' && location.href") == url, f"the page {url}")

    def choose_files(self, selector, paths):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=paths, nodeId=node)

    def sent_fields(self, path):
        """The header fields of each request for this path, with names in lower case."""
        with self.changed:
            fields = [event["params"]["headers"] for event in self.events
                      if event["method"] == "Network.requestWillBeSentExtraInfo"]
        fields = [{name.lower(): value for name, value in each.items()} for each in fields]
        return [each for each in fields if each.get(":path", each.get("path", path)) == path]


class Window:
    """A page of its own in a browser, with cookies of its own, as if it were another computer's."""

    def __init__(self, browser):
        self.browser = browser
        with self.at(None):
            context = browser.call("Target.createBrowserContext")["browserContextId"]
            target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
            self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.call(f"{domain}.enable")

    @contextlib.contextmanager
    def at(self, session):
        before, self.browser.session = self.browser.session, session
        try:
            yield
        finally:
            self.browser.session = before

    def call(self, method, **parameters):
        with self.at(self.session):
            return self.browser.call(method, **parameters)

    def run(self, script):
        with self.at(self.session):
            return self.browser.run(script)

    def open(self, url):
        self.go(f"location.href = {json.dumps(url)}")

    def go(self, script):
        """Runs what leads to another page, and waits for that."""
        self.run("window.is_old = true; 0")
        self.run(f"{script}; 0")
        self.await_("!window.is_old && document.readyState === 'complete'", f"the page after {script}")

    def await_(self, script, what):
        def is_so():
            try:
                return self.run(script)
            except RuntimeError:  # the page is on its way
                return False
        until(is_so, what)

    def complaints(self):
        """What the console has said, but for the answers that are asked for here on purpose."""
        with self.browser.changed:
            events = [event for event in self.browser.events if event.get("sessionId") == self.session]
        found = [event["params"] for event in events if event["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled")]
        return found + [event["params"]["entry"]["text"] for event in events if event["method"] == "Log.entryAdded"
                        and event["params"]["entry"]["level"] in ("warning", "error")
                        and "the server responded with a status of 4" not in event["params"]["entry"]["text"]]


def until(fact, what):
    deadline = time.monotonic() + PATIENCE / 2
    while not fact():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(0.02)


def complaints(browser):
    """What the console and the browser's log have said that is not for information."""
    with browser.changed:
        events = list(browser.events)
    found = [event["params"] for event in events if event["method"] == "Runtime.exceptionThrown"]
    found += [event["params"] for event in events if event["method"] == "Runtime.consoleAPICalled"]
    found += [event["params"]["entry"] for event in events if event["method"] == "Log.entryAdded"
              and event["params"]["entry"]["level"] in ("warning", "error")]
    return found


def asked(browser):
    """The addresses of all requests."""
    with browser.changed:
        return [event["params"]["request"]["url"] for event in browser.events
                if event["method"] == "Network.requestWillBeSent"]
