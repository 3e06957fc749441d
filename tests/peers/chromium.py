#!/usr/bin/env python3
"""Headless Chromium: its forms and uploads against forms.cpp, and the page of examples/events.cpp, whose EventSource
comes again over cut connections and restarts of the server and misses no event that the server still has.

  chromium.py FORMS EVENTS      the built programs
"""

import base64
import json
import os
import shutil
import signal
import sys
import urllib.request

from browser import Browser, until
from peer import PATIENCE, Program, Proxy, check, end, report, scratch_directory


# ---- forms

# Puts a form into the page, lets `fill` fill it, submits it into a frame, and gives what the mirror answers.
SUBMIT = """
window.make_form = (attributes, inner) => {
    document.body.innerHTML = `<iframe name="answer"></iframe><form method="post" target="answer" ${attributes}>${inner}</form>`;
};
window.put = (name, value) => {
    const input = document.createElement("textarea");
    [input.name, input.value] = [name, value];
    document.forms[0].append(input);
};
window.put_file = (name, bytes, filename, type) => {
    const input = document.createElement("input");
    const chosen = new DataTransfer();
    if (bytes !== null) chosen.items.add(new File([Uint8Array.from(bytes)], filename, {type}));
    [input.name, input.type, input.files] = [name, "file", chosen.files];
    document.forms[0].append(input);
};
window.submit_form = (action) => new Promise((resolve) => {
    const frame = document.querySelector("iframe");
    const form = document.forms[0];
    form.action = action;
    frame.onload = () => {
        if (frame.contentWindow.location.href !== "about:blank") {
            resolve(frame.contentDocument.querySelector("pre").textContent);
        }
    };
    form.submit();
});
0
"""


def text(in_base64):
    return base64.b64decode(in_base64).decode("utf-8", "surrogateescape")


def mirrored(answer):
    """What the mirror saw, as (fields, files)."""
    answer = json.loads(answer)
    if "fields" not in answer:
        return answer
    return ([(text(name), text(value)) for name, value in answer["fields"]],
            [(text(file["field"]), text(file["filename"]), text(file["type"]), base64.b64decode(file["bytes"]))
             for file in answer["files"]])


def try_forms(browser, sake, directory):
    multipart = 'enctype="multipart/form-data" accept-charset="utf-8"'
    every_byte = list(range(256))
    large = b"\r\n--\r\n----WebKitFormBoundary" * 10_000
    # Browsers send a quote as %22 and leave a percent sign as it is: "%22" in a name cannot be told from a quote.
    on_disk = ("\u00e9t\u00e9 \U0001f376.txt", 'q"uo\nte; 50 %.bin')
    for name in on_disk:
        with open(os.path.join(directory, name), "wb") as file:
            file.write(large)
    browser.open(sake.url + "/")
    browser.run(SUBMIT)

    # As a browser has it: line ends of a value are CRLF, and a file field where nothing was chosen is sent, empty.
    cases = (
        ("fields", multipart, 'put("a", "1"); put("b", ""); put("a", "2")', [("a", "1"), ("b", ""), ("a", "2")], []),
        ("UTF-8", multipart, 'put("\u00fc \U0001f376", "\u65e5\u672c\u9152")', [("\u00fc \U0001f376", "\u65e5\u672c\u9152")], []),
        ("line ends in a value", multipart, r'put("a", "1\n2\r\n--3--")', [("a", "1\r\n2\r\n--3--")], []),
        ("quotes and a line end in names", multipart,
         r'''put('a"b\nc', "1"); put_file("f\r\"", [1], 'q"r\\s\nt; filename="u".txt', "text/plain")''',
         [('a"b\r\nc', "1")], [('f\r\n"', 'q"r\\s\nt; filename="u".txt', "text/plain", b"\x01")]),
        ("a file whose name is in UTF-8", multipart,
         f'put_file("\u00e9", {every_byte}, "\u00e9t\u00e9 \U0001f376.bin", "")',
         [], [("\u00e9", "\u00e9t\u00e9 \U0001f376.bin", "application/octet-stream", bytes(every_byte))]),
        ("no file chosen", multipart, 'put("a", "1"); put_file("f", null)', [("a", "1")], []),
        ("an empty file", multipart, 'put_file("f", [], "empty.txt", "text/plain")',
         [], [("f", "empty.txt", "text/plain", b"")]),
        ("urlencoded", "", r'put("a", "1 2&=+%\n3"); put("\u00fc", "\u9152 \u{1f376}"); put("a", "")',
         [("a", "1 2&=+%\r\n3"), ("\u00fc", "\u9152 \U0001f376"), ("a", "")], []),
        ("urlencoded in another charset", 'accept-charset="windows-1252"',
         r'put("_charset_", ""); document.forms[0]._charset_.outerHTML = "<input type=hidden name=_charset_>"; put("a", "\u00e9 \u9152")',
         [("_charset_", "windows-1252"), ("a", "\udce9 &#37202;")], []),
    )
    for path in ("/whole", "/worker", "/streamed"):
        for name, attributes, fill, fields, files in cases:
            browser.run(f"make_form({json.dumps(attributes)}, ''); {fill}; 0")
            seen = mirrored(browser.run(f"submit_form({json.dumps(path)})"))
            check(f"Chromium's form: {name}: {path}", seen == (fields, files), seen)

        browser.run(f"make_form({json.dumps(multipart)}, '<input id=files name=f type=file multiple>')")
        browser.choose_files("#files", [os.path.join(directory, name) for name in on_disk])
        seen = mirrored(browser.run(f"submit_form({json.dumps(path)})"))
        expected = [("f", on_disk[0], "text/plain", large), ("f", on_disk[1], "application/octet-stream", large)]
        check(f"Chromium's form: files from the disk: {path}", seen == ([], expected), [each[:3] for each in seen[1]])

        for name, body, expected in (
            ("FormData", r"""(() => { const form = new FormData(); form.append('q"\n', "v\r\n\u9152");
                form.append("f", new Blob([Uint8Array.from([0, 13, 10, 45, 45, 255])], {type: "image/png"}), '\u9152"\n.png');
                form.append("f", new Blob([])); return form; })()""",
             ([('q"\r\n', "v\r\n\u9152")], [("f", '\u9152"\n.png', "image/png", b"\0\r\n--\xff"),
                                            ("f", "blob", "application/octet-stream", b"")])),
            ("URLSearchParams", r"new URLSearchParams([['a', '1 +&'], ['\u9152', '\u{1f376}\n'], ['a', '']])",
             ([("a", "1 +&"), ("\u9152", "\U0001f376\n"), ("a", "")], [])),
        ):
            seen = mirrored(browser.run(f"fetch('{path}', {{method: 'POST', body: {body}}}).then((answer) => answer.text())"))
            check(f"Chromium's fetch: {name}: {path}", seen == expected, seen)

    # A stream as a body needs HTTP/2: over HTTP/1.1 Chromium does not send it.
    stream = "new ReadableStream({start(to) { to.enqueue(new Uint8Array(9)); to.close(); }})"
    refused = browser.run(f"""fetch("/streamed", {{method: "POST", body: {stream}, duplex: "half",
        headers: {{"Content-Type": "application/x-www-form-urlencoded"}}}}).then((answer) => answer.status, (error) => error.name)""")
    check("Chromium's fetch of a stream fails in the browser, since it needs HTTP/2", refused == "TypeError", refused)
    kept = [name for name in sake.open_files() if "deleted" in name]
    check("no temporary file is left", not kept, kept)


# ---- events


def try_events(browser, program):
    server = Program(program, "127.0.0.1:0")
    proxy = Proxy(server.port)
    published = []

    def publish(count):
        for _ in range(count):
            words = f"{len(published)}\nand a second line \u9152"
            asked = urllib.request.Request(server.url + "/messages", words.encode())
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=PATIENCE) as answer:
                assert answer.status == 202
            published.append(words)

    def shown():
        """The lines of the page, the oldest first."""
        return browser.run('[...document.querySelectorAll("#list li")].map((item) => item.textContent).reverse()')

    def seen():
        return [line for line in shown() if not line.startswith("(")]

    def lost():
        return len([line for line in shown() if line.startswith("(")])

    def wait_for_all():
        until(lambda: len(seen()) >= len(published), f"{len(published)} messages")

    try:
        browser.open(proxy.url + "/")
        until(lambda: browser.run("events.readyState") == 1, "the stream")
        publish(20)
        wait_for_all()
        check("Chromium's EventSource: messages arrive, in their order", seen() == published and not lost(), shown()[-5:])
        browser.run('document.getElementById("text").value = "typed"; document.getElementById("form").requestSubmit(); 0')
        published.append("typed")
        wait_for_all()
        check("Chromium's EventSource: what is sent from the page arrives in it", seen() == published, shown()[-5:])

        for _ in range(3):
            before = len(browser.sent_fields("/events"))
            proxy.cut()
            publish(20)  # while nobody listens
            wait_for_all()
            fields = browser.sent_fields("/events")
            check("Chromium's EventSource: it comes again with Last-Event-ID",
                  len(fields) > before and any("last-event-id" in each for each in fields[before:]), fields[before:])
        check("Chromium's EventSource: what was published while a connection was lost arrives",
              seen() == published and not lost(), shown()[-5:])

        for number in (signal.SIGTERM, signal.SIGKILL):
            stale = lost()
            status = server.end(number)
            server = Program(program, f"127.0.0.1:{server.port}")
            publish(20)  # some before the page has come again
            wait_for_all()
            publish(20)
            wait_for_all()
            check(f"Chromium's EventSource: after {number.name} and a new start, no message of the new run is missed",
                  seen() == published, shown()[-5:])
            check("Chromium's EventSource: and the page is told that some of the old may be", lost() == stale + 1, lost())
            if number == signal.SIGTERM:
                check("the server ended with status 0", status == 0, status)
    finally:
        server.__exit__()


def main():
    forms, events = sys.argv[1:]
    if not shutil.which("chromium"):
        report("skipped: chromium is not available\nok Chromium (skipped)")
        return end()
    with scratch_directory() as directory, Browser(directory) as browser:
        with Program(forms) as sake:
            try_forms(browser, sake, directory)
            status = sake.end()
            check("forms: it ends with status 0", status == 0, status)
        try_events(browser, events)
    return end()


sys.exit(main())
