#!/usr/bin/env python3
"""Forms as real programs send them: curl, npm's form-data and undici, with npm's busboy as a second opinion.

  forms.py PROGRAM MODULES      the built forms.cpp beside this file; a directory with node_modules
"""

import base64
import json
import os
import subprocess
import sys

from peer import PATIENCE, Program, check, end, report, scratch_directory

PATHS = ("/whole", "/worker", "/streamed")


def text(base64_text):
    return base64.b64decode(base64_text).decode("utf-8", "surrogateescape")


def curl(port, directory, *arguments):
    """What the mirror saw, as (fields, files), or the status of a refusal."""
    asked = subprocess.run(
        ["curl", "--disable", "--silent", "--noproxy", "*", "--max-time", "30", *arguments, f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, timeout=PATIENCE, cwd=directory)
    answer = json.loads(asked.stdout)
    if "fields" not in answer:
        return answer["status"]
    return ([(text(name), text(value)) for name, value in answer["fields"]],
            [(text(file["field"]), text(file["filename"]), text(file["type"]), base64.b64decode(file["bytes"]))
             for file in answer["files"]])


def try_curl(port, directory):
    every_byte = bytes(range(256))
    large = b"\r\n--\r\n----" * 30_000
    for name, content in (("all.bin", every_byte), ("large.txt", large), ("empty", b""), ("a b;c.txt", b"x"), ("\u00e9.txt", b"y")):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(content)
    binary, plain = "application/octet-stream", "text/plain"
    for name, arguments, expected in (
        ("fields", ("-F", "a=1", "-F", "b=", "-F", "a=2"), ([("a", "1"), ("b", ""), ("a", "2")], [])),
        ("UTF-8", ("-F", "\u00fc=\u65e5\u672c"), ([("\u00fc", "\u65e5\u672c")], [])),
        ("line ends in a value", ("--form-string", "a=1\r\n--2\r\n"), ([("a", "1\r\n--2\r\n")], [])),
        ("a file", ("-F", "f=@all.bin"), ([], [("f", "all.bin", binary, every_byte)])),
        ("a large file", ("-F", "f=@large.txt"), ([], [("f", "large.txt", plain, large)])),
        ("an empty file", ("-F", "f=@empty"), ([], [("f", "empty", binary, b"")])),
        ("a type", ("-F", "f=@all.bin;type=image/png"), ([], [("f", "all.bin", "image/png", every_byte)])),
        ("a name with a semicolon", ("-F", 'f=@"a b;c.txt"'), ([], [("f", "a b;c.txt", plain, b"x")])),
        ("a name in UTF-8", ("-F", "f=@\u00e9.txt"), ([], [("f", "\u00e9.txt", plain, b"y")])),
        ("a name with quotes and backslashes", ("-F", 'f=@all.bin;filename="a\\"b\\\\c;d"'),
         ([], [("f", 'a"b\\c;d', binary, every_byte)])),
        ("the same, escaped by backslashes", ("--form-escape", "-F", 'f=@all.bin;filename="a\\"b\\\\c;d"'),
         ([], [("f", 'a"b\\c;d', binary, every_byte)])),
        ("a field from a file", ("-F", "a=<a b;c.txt",), None),
        ("a path as a name", ("-F", "f=@all.bin;filename=../../x"), ([], [("f", "../../x", binary, every_byte)])),
        ("a part with a type and headers", ("-F", "a=1;type=text/html;headers=\"X-A: b\""), ([("a", "1")], [])),
        ("files and fields", ("-F", "a=1", "-F", "f=@empty", "-F", "b=2", "-F", "f=@all.bin"),
         ([("a", "1"), ("b", "2")], [("f", "empty", binary, b""), ("f", "all.bin", binary, every_byte)])),
        ("8bit", ("-F", "a=1;encoder=8bit"), ([("a", "1")], [])),
        ("binary", ("-F", "a=1;encoder=binary"), ([("a", "1")], [])),
        ("base64 is refused", ("-F", "a=1;encoder=base64"), 400),
        ("chunked", ("-H", "Transfer-Encoding: chunked", "-F", "f=@large.txt"), ([], [("f", "large.txt", plain, large)])),
        ("pairs", ("-d", "a=1&b=&a=2"), ([("a", "1"), ("b", ""), ("a", "2")], [])),
        ("pairs that it escapes", ("--data-urlencode", "a=x y&z=+%", "--data-urlencode", "\u00fc"),
         ([("a", "x y&z=+%"), ("\u00fc", "")], [])),
        ("another type is refused", ("-d", "{}", "-H", "Content-Type: application/json"), 415),
    ):
        if expected is None:  # curl takes ';' in the name of the file for the end of it
            with open(os.path.join(directory, "plain"), "wb") as file:
                file.write(b"from a file\n")
            arguments, expected = ("-F", "a=<plain"), ([("a", "from a file\n")], [])
        for path in PATHS:
            seen = curl(port, directory, *arguments, "--request-target", path)
            check(f"curl: {name}: {path}", seen == expected, seen)


def main():
    program, modules = sys.argv[1:]
    with scratch_directory() as directory, Program(program) as sake:
        try_curl(sake.port, directory)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "forms.mjs")
        tried = subprocess.run(["node", script, modules, str(sake.port)], capture_output=True, text=True, timeout=PATIENCE)
        for line in tried.stdout.splitlines():
            report(line)
        check("node ends with status 0", tried.returncode == 0, tried.stderr)
        kept = [name for name in sake.open_files() if "deleted" in name]
        check("no temporary file is left", not kept, kept)
        status = sake.end()
        check("it ends with status 0", status == 0, status)
    return end()


sys.exit(main())
