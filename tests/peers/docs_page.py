#!/usr/bin/env python3
"""The page of an API in headless Chromium: what it shows of docs_page.json, a document with hostile texts and broken
parts; requests that it sends; and that it neither breaks its policy nor asks another server.

  docs_page.py DOCS_PAGE        the built program docs_page.cpp
"""

import http.client
import http.server
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading

from browser import LEAST_CONTRAST, Browser, asked, complaints, until
from peer import PATIENCE, Program, check, end, report, scratch_directory

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "docs_page.json")

# What the tests ask the page: an operation by its method and path, opened; a control by its label; an answer.
HELPERS = """
window.line = (name) => [...document.querySelectorAll(".line")].find((each) =>
    [...each.querySelectorAll(".method, .path")].map((part) => part.textContent).join(" ") === name);
window.item = (name) => {
    if (line(name).getAttribute("aria-expanded") === "false") line(name).click();
    return line(name).closest("li");
};
window.control = (parent, label) => {
    const found = [...parent.querySelectorAll("label")].find((each) => each.textContent === label);
    return document.getElementById(found.htmlFor);
};
window.fill = (parent, label, value) => {
    control(parent, label).value = value;
    control(parent, label).dispatchEvent(new Event(control(parent, label).tagName === "SELECT" ? "change" : "input", {bubbles: true}));
};
window.press = (parent, label) => {
    [...parent.querySelectorAll("button")].find((each) => each.textContent === label).click();
};
window.answered = async (parent) => {
    press(parent, "Send");
    while ([...parent.querySelectorAll("button")].some((each) => each.textContent === "Stop"))
        await new Promise((resolve) => setTimeout(resolve, 5));
    const [fields, body] = [...parent.querySelectorAll(".answer pre")].map((each) => each.textContent);
    return {status: parent.querySelector(".answer p").textContent, fields, body};
};
window.command = (parent) => {
    if (!parent.querySelector("form pre[aria-label='Command']")) press(parent, "The request as a curl command");
    return parent.querySelector("form pre[aria-label='Command']").textContent;
};
0
"""


class StrippingProxy(http.server.BaseHTTPRequestHandler):
    """Takes the prefix /shop away, as a reverse proxy may."""

    target = None

    def do_GET(self):
        if not self.path.startswith("/shop/"):
            self.send_error(404)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=PATIENCE)
        connection.request("GET", self.path[5:], headers={"Accept": self.headers.get("Accept", "*/*")})
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Security-Policy", "X-Content-Type-Options", "ETag"):
            if answer.getheader(name):
                self.send_header(name, answer.getheader(name))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    def log_message(self, *_):
        pass


def open_page(browser, url):
    browser.open("about:blank")  # so that another "#" behind the same address is a new page as well
    browser.open(url)
    until(lambda: browser.run("document.querySelectorAll('.line, .problem, .filter').length"), "the page")
    browser.run(HELPERS)


def try_showing(browser, url):
    open_page(browser, url + "/docs")
    lines = browser.run("[...document.querySelectorAll('.line')].map((each) => each.textContent)")
    check("operations are listed, by tag, in the document's order", lines[:6] == [
        "GET/petsList pets", "POST/petsAdd a pet", "GET/pets/{id}One pet", "DELETE/pets/{id}Take a pet outdeprecated",
        "PUT/pets/{id}/pictureA picture of a pet", "POST/ordersBuy"], lines)
    groups = browser.run("[...document.querySelectorAll('h2')].map((each) => each.textContent)")
    hostile = "<img src=x onerror=\"document.title='hacked'\">"
    check("what has no tag is listed by its first segment",
          groups == ["pets", "orders", hostile, "events", "pets.example", "broken", "Webhooks", "Schemas"], groups)
    title = browser.run("[document.title, document.querySelector('h1').textContent]")
    check("titles are text", title == ["Pet shop <b>&amp;</b>", "Pet shop <b>&amp;</b> 1.4.2"], title)

    text = browser.run("item('POST /pets').innerText")
    for part in ("Authorization: token, or login", "X-Trace", "string (uuid)", "in header", "Comes back in the answer.",
                 "The pet without its number.", "application/json", "length at most 80", 'one of "cat", "dog", "bird"',
                 "string (date) or null", "more than 0", "a multiple of 0.01", "items at most 10", "no item twice", "Pet or null",
                 "map of string", "only in answers", "only in requests", "201 It is there now.", "422 What went wrong."):
        check(f"an opened operation shows: {part}", part in text, text)
    text = browser.run("item('GET /pets').innerText")
    for part in ("at least 1", "at most 100", "default 20", "pattern ^[a-z0-9]{8}$", "array of string", "X-Total",
                 "any other What went wrong.", "array of Pet", "string or null"):
        check(f"an opened operation shows: {part}", part in text, text)
    text = browser.run("item('POST /orders').innerText")
    for part in ("If it is Card:", "If it is Transfer:", 'always "card"', "map of integer", "default false"):
        check(f"an opened operation shows: {part}", part in text, text)
    check("a button says that it is open, and what it opens", browser.run(
        "line('GET /pets').getAttribute('aria-expanded') === 'true' && "
        "!document.getElementById(line('GET /pets').getAttribute('aria-controls')).hidden"))
    browser.run("line('GET /pets').click()")
    check("and closes it", browser.run("line('GET /pets').getAttribute('aria-expanded') === 'false' && "
                                       "document.getElementById(line('GET /pets').getAttribute('aria-controls')).hidden"))
    browser.run("press(item('POST /pets'), 'Members of Pet')")
    inner = browser.run("item('POST /pets').querySelectorAll('.fields .fields .name').length")
    check("a schema inside itself opens when it is asked for", inner == 10, inner)
    without_name = browser.run("""[...document.querySelectorAll("button, input, select, textarea")].filter((each) =>
        each.tagName === "BUTTON" ? !each.textContent.trim() : !each.labels.length).length""")
    check("each control has a name", without_name == 0, without_name)


def try_everything(browser, url):
    """Opens all that opens."""
    open_page(browser, url + "/docs")
    for _ in range(3):
        browser.run("document.querySelectorAll('[aria-expanded=false]').forEach((each) => each.click())")
    count = browser.run("document.querySelectorAll('.panel:not([hidden])').length")
    check("everything can be opened, whatever is missing or turns in a circle", count > 60, count)
    titles = browser.run("[document.title, document.images.length, document.scripts.length, document.querySelectorAll('iframe, main style').length]")
    check("no text of the document is markup", titles == ["Pet shop <b>&amp;</b>", 0, 1, 0], titles)
    links = browser.run("[...document.links].map((each) => each.protocol).filter((each) => !/^https?:$/.test(each))")
    check("a link leads to a page of the web, and to nothing else", links == [], links)
    shown = browser.run("document.body.innerText")
    for part in ("<script>document.title='hacked'</script>", "<style>body{display:none}</style>", "</script><script>",
                 "#/components/parameters/absent is not in this document.", "https://pets.example/other.json#/x is not in this document."):
        check(f"hostile text is text: {part}", part in shown, shown)


def try_addresses(browser, url):
    open_page(browser, url + "/docs#getPet")
    opened = "[...document.querySelectorAll('.line[aria-expanded=true]')].map((each) => each.textContent)"
    check("an operation is opened by its id in the address", browser.run(opened) == ["GET/pets/{id}One pet"], browser.run(opened))
    browser.run("location.hash = encodeURIComponent('schema/Kind')")
    until(lambda: len(browser.run(opened)) == 2, "a second one")
    check("and a schema by its name", browser.run(opened)[1] == "Kind", browser.run(opened))
    browser.run("line('POST /orders').click()")
    check("what is opened is in the address", browser.run("location.hash") == "#placeOrder", browser.run("location.hash"))
    for bad in ("#%", "#__proto__", "#constructor", "#absent", "#part-1"):
        browser.run(f"location.hash = {json.dumps(bad)}")
    check("an address without an operation opens nothing", len(browser.run(opened)) == 3, browser.run(opened))

    def filtered(words):
        browser.run(f"fill(document.body, 'Filter', {json.dumps(words)})")
        return browser.run("[...document.querySelectorAll('section:not([hidden]) .item:not([hidden]) .method')].length + ' ' +"
                           " document.querySelector('.filter [role=status]').textContent")
    for words, expected in (("PICTURE put", "1 1 of 11 operations"), ("orders", "1 1 of 11 operations"),
                            ("listpets", "1 1 of 11 operations"), ("nothing like it", "0 0 of 11 operations"),
                            ("", "11 11 of 11 operations")):
        check(f"the list is filtered: {words!r}", filtered(words) == expected, filtered(words))


def mirrored(answer):
    return json.loads(answer["body"])


def try_sending(browser, url):
    open_page(browser, url + "/docs")
    browser.run("fill(item('GET /pets'), 'limit (query)', '5'); fill(item('GET /pets'), 'kind (query)', 'dog');"
                "fill(item('GET /pets'), 'label (query)', 'a b\\nc&d=\\u9152'); fill(item('GET /pets'), 'X-Trace (header)', 'abc');"
                "fill(item('GET /pets'), 'More header fields', 'X-Other: 1\\nX-Empty:\\n nonsense')")
    answer = browser.run("answered(item('GET /pets'))")
    seen = mirrored(answer)
    check("a request has its parameters", (seen["method"], seen["path"], seen["query"], seen["fields"]["X-Trace"], seen["fields"]["X-Other"])
          == ("GET", "/pets", "limit=5&kind=dog&label=a+b&label=c%26d%3D%E9%85%92", "abc", "1"), seen)
    check("an answer has status, time and size", answer["status"].startswith("200 OK in ") and answer["status"].endswith(" bytes"), answer)
    check("an answer has its fields", "content-type: application/json" in answer["fields"], answer)
    check("JSON is indented, and numbers keep their digits", '\n  "large": 9007199254740993,\n' in answer["body"]
          and '\n  "empty": [],\n' in answer["body"], answer)

    # Parameters without a value are not sent; an example of the document is there already.
    seen = mirrored(browser.run("answered(item('GET /pets/{id}'))"))
    check("an example is there already", (seen["path"], seen["query"]) == ("/pets/7", ""), seen)
    browser.run("fill(item('GET /pets/{id}'), 'id (path, required)', 'a/..?#%')")
    seen = mirrored(browser.run("answered(item('GET /pets/{id}'))"))
    check("a value in the path is encoded", seen["path"] == "/pets/a/..?#%" or seen["path"].endswith("%2F..?#%"), seen)

    body = browser.run("control(item('POST /pets'), 'Body: application/json').value")
    pet = json.loads(body)
    check("the example of a body fits its schema", "id" not in pet and pet["kind"] == "cat" and pet["mother"] is None
          and 1 <= len(pet["name"]) <= 80 and pet["price"] > 0, body)
    browser.run("document.querySelector('main > div > div > .expander').click(); fill(document.body, 'token: bearer token', \"it's\")")
    browser.run("fill(item('POST /pets'), 'Body: application/json', '{\"name\": \"O\\'Neill \\u9152\"}')")
    seen = mirrored(browser.run("answered(item('POST /pets'))"))
    check("a body is sent with its type and the token", (seen["body"], seen["fields"]["Content-Type"], seen["fields"]["Authorization"])
          == ('{"name": "O\'Neill \u9152"}', "application/json", "Bearer it's"), seen)
    command = browser.run("command(item('POST /pets'))")
    done = subprocess.run(["curl", "-s", "--max-time", "20", *shlex.split(command.replace("\\\n", " "))[1:]], capture_output=True, text=True)
    same = json.loads(done.stdout or "{}")
    check("curl sends the same", all(same.get(key) == seen[key] for key in ("method", "path", "query", "body"))
          and same["fields"]["Authorization"] == "Bearer it's" and same["fields"]["Content-Type"] == "application/json", command)
    seen = mirrored(browser.run("answered(item('GET /pets'))"))
    check("the token is sent where the document asks for it, and nowhere else", "Authorization" not in seen["fields"], seen)
    browser.run("fill(document.body, 'token: bearer token', ''); fill(document.body, 'login: user', 'j\\u00fcrgen'); fill(document.body, 'login: password', 'a:b')")
    browser.run("fill(item('POST /pets'), 'Content-Type', 'application/x-www-form-urlencoded')")
    browser.run("fill(item('POST /pets'), 'name (required)', '1 & 2=\\u9152')")
    seen = mirrored(browser.run("answered(item('POST /pets'))"))
    check("a form is sent with user and password", seen["body"] == "name=1+%26+2%3D%E9%85%92"
          and seen["fields"]["Authorization"] == "Basic asO8cmdlbjphOmI=", seen)
    done = subprocess.run(["curl", "-s", "--max-time", "20", *shlex.split(browser.run("command(item('POST /pets'))").replace("\\\n", " "))[1:]],
                          capture_output=True, text=True)
    check("curl sends the same form", json.loads(done.stdout or "{}").get("body") in
          (seen["body"], "name=1%20%26%202%3D%E9%85%92"), done.stdout)

    browser.run("""(() => { const chosen = new DataTransfer(); chosen.items.add(new File(["bytes"], "a.png", {type: "image/png"}));
        control(item('PUT /pets/{id}/picture'), 'picture (required)').files = chosen.files;
        fill(item('PUT /pets/{id}/picture'), 'caption', 'Mia'); })()""")
    seen = mirrored(browser.run("answered(item('PUT /pets/{id}/picture'))"))
    check("a file is sent", seen["fields"]["Content-Type"].startswith("multipart/form-data; boundary=")
          and 'filename="a.png"' in seen["body"] and "\r\n\r\nMia\r\n" in seen["body"], seen)
    command = browser.run("command(item('PUT /pets/{id}/picture'))")
    check("and named in the command", "-F 'picture=@a.png'" in command and "--form-string 'caption=Mia'" in command, command)
    answer = browser.run("answered(item('DELETE /pets/{id}'))")
    check("DELETE is sent", mirrored(answer)["method"] == "DELETE", answer)

    browser.run("press(item('GET /events'), 'Send')")
    until(lambda: "tick 3" in browser.run("item('GET /events').innerText"), "events")
    browser.run("press(item('GET /events'), 'Stop')")
    until(lambda: "Stopped." in browser.run("item('GET /events').innerText"), "the end of a stream")
    check("a stream is shown while it comes, and stopped", True)
    browser.run("fill(item('GET /pets'), 'More header fields', 'b\\u00e4d: 1')")
    browser.run("press(item('GET /pets'), 'Send')")
    until(lambda: "The request failed:" in browser.run("item('GET /pets').innerText"), "the words for it")
    check("a request that cannot be sent says so", True)


def try_looks(browser, url):
    open_page(browser, url + "/docs")
    for _ in range(3):
        browser.run("document.querySelectorAll('[aria-expanded=false]').forEach((each) => each.click())")
    browser.run("answered(item('GET /pets'))")
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        least = browser.run(LEAST_CONTRAST)
        check(f"every text can be read: {scheme}", least[0] >= 4.5, least)
    backs = browser.run("getComputedStyle(document.body).backgroundColor")
    check("the dark page is dark", backs == "rgb(20, 23, 27)", backs)
    browser.call("Emulation.setEmulatedMedia", features=[])
    for width in (360, 800, 1600):
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width == 360)
        seen = browser.run("document.documentElement.scrollWidth")
        check(f"nothing is wider than the window: {width}", seen <= width, seen)
    browser.call("Emulation.clearDeviceMetricsOverride")

    # By the keyboard alone: to the filter, to the first operation, open it, and its first field.
    open_page(browser, url + "/docs")
    browser.run("document.querySelector('.filter input').focus()")

    def press(key, **more):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **more)
    press("Tab", windowsVirtualKeyCode=9)
    outline = browser.run("[document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]")
    check("the keyboard reaches an operation, and it is seen", outline == ["GET/petsList pets", "solid"], outline)
    press("Enter", windowsVirtualKeyCode=13, text="\r")
    check("and opens it", browser.run("document.activeElement.getAttribute('aria-expanded')") == "true")


def try_trouble(browser, url):
    for path, words in (("absent", "cannot be fetched: the answer is 404"), ("text", "is not JSON"),
                        ("other", 'is not of OpenAPI 3: its member "openapi" is not 3.x')):
        open_page(browser, f"{url}/{path}")
        seen = browser.run("document.querySelector('.problem').textContent")
        check(f"the page says that the document {words}", seen.startswith(f"The document at {url}/") and words in seen, seen)
    open_page(browser, url + "/bare")
    seen = browser.run("document.querySelector('main').innerText")
    check("a document with nothing in it is shown", "0 of 0 operations" in seen, seen)


def try_proxy(browser, port):
    StrippingProxy.target = port
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StrippingProxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{proxy.server_port}/shop"
    for path in ("/docs", "/docs/"):
        open_page(browser, url + path)
        seen = mirrored(browser.run("answered(item('GET /pets'))"))
        check(f"behind a proxy that takes a prefix away, all is found: {path}", seen["path"] == "/pets", seen)
        check(f"and the command has the prefix: {path}", f"'{url}/pets'" in browser.run("command(item('GET /pets'))"))
    proxy.shutdown()


def main():
    (program,) = sys.argv[1:]
    if not shutil.which("chromium"):
        report("skipped: chromium is not available\nok the page of an API (skipped)")
        return end()
    with scratch_directory() as directory, Browser(directory) as browser, Program(program, DOCUMENT) as shop:
        browser.call("Log.enable")
        try_showing(browser, shop.url)
        try_everything(browser, shop.url)
        try_addresses(browser, shop.url)
        try_sending(browser, shop.url)
        try_looks(browser, shop.url)
        check("the console has no complaint, and the policy is kept", not complaints(browser), complaints(browser))
        outside = [each for each in asked(browser) if not each.startswith((shop.url + "/", "data:", "about:"))]
        check("no other server is asked", not outside, outside)
        try_trouble(browser, shop.url)
        try_proxy(browser, shop.port)
        status = shop.end()
        check("it ends with status 0", status == 0, status)
    return end()


sys.exit(main())
