#!/usr/bin/env python3
"""curl fetches files from Sake, and gets what nginx sends: whole, in parts, the rest of a cut download, compressed.

  files.py PROGRAM      the built files.cpp beside this file
"""

import gzip
import os
import re
import subprocess
import sys

from peer import PATIENCE, Program, check, end, scratch_directory, start_nginx


def curl(*arguments, cwd=None):
    """Exit status, output, and what it says of the answer."""
    done = subprocess.run(["curl", "--disable", "--silent", "--noproxy", "*", "--max-time", str(PATIENCE),
                           "--write-out", "%{stderr}%{http_code} %{size_download}", *arguments],
                          capture_output=True, timeout=PATIENCE * 2, cwd=cwd)
    status, _, size = done.stderr.decode().rpartition("\n")[2].partition(" ")
    return done.returncode, done.stdout, status, size


def try_downloads(url, content, scratch):
    check("the whole file", curl(f"{url}/large.bin")[1] == content)
    check("a file without content", curl(f"{url}/empty.txt")[:3] == (0, b"", "200"))
    target = os.path.join(scratch, "large.bin")
    for have in (0, 1, 1_000_000, len(content) - 1):
        with open(target, "wb") as file:
            file.write(content[:have])
        status = curl("-C", "-", "-o", target, f"{url}/large.bin")
        with open(target, "rb") as file:
            check(f"-C - goes on after {have} bytes", file.read() == content and status[2] in ("200", "206"), status)
    check("-I asks for the head", b"content-length: 5000000" in curl("-I", f"{url}/large.bin")[1].lower())

    text = b"a text that is compressed\n" * 100
    body = curl("--compressed", f"{url}/text.txt")
    check("--compressed takes the sibling", body[1] == text and int(body[3]) < len(text), body[2:])
    check("without it, the file comes as it is", curl(f"{url}/text.txt")[1] == text)
    check("-r and --compressed give the bytes of the file",
          curl("--compressed", "-r", "2-9", f"{url}/text.txt")[1] == text[2:10])

    tag = os.path.join(scratch, "tag")
    curl("--etag-save", tag, f"{url}/text.txt")
    check("--etag-compare", curl("--etag-compare", tag, f"{url}/text.txt")[2] == "304")
    curl("-R", "-o", target, f"{url}/text.txt")
    check("-z by the date of the copy", curl("-z", target, f"{url}/text.txt")[2] == "304")


def compare_ranges(url, mirror):
    """One range at a time: status, Content-Range and body as nginx has them."""
    for asked in ("0-0", "0-", "-1", "5-9", "4999999-", "4999999-6000000", "5000000-", "0-4999999", "-0", "-6000000",
                  "100-199,150-250"):
        answers = []
        for server in (url, mirror):
            _, out, status, _ = curl("-i", "-H", f"Range: bytes={asked}", f"{server}/large.bin")
            head, _, body = out.partition(b"\r\n\r\n")
            place = re.search(rb"(?im)^content-range: (.*?)\r?$", head)
            answers.append((status, place and place[1], body if status in ("200", "206") else b""))
        if asked == "100-199,150-250":  # nginx does not join what overlaps
            check("ranges that overlap are one", answers[0][:2] == ("206", b"bytes 100-250/5000000"), answers[0][:2])
            continue
        check(f"Range: bytes={asked} as nginx has it", answers[0] == answers[1], [each[:2] for each in answers])


def main():
    text = b"a text that is compressed\n" * 100
    with scratch_directory() as directory:
        files, scratch = (os.path.join(directory, name) for name in ("files", "scratch"))
        os.makedirs(files)
        os.makedirs(scratch)
        content = bytes(i * 7 % 251 for i in range(5_000_000))
        for name, bytes_of_it in (("large.bin", content), ("empty.txt", b""), ("text.txt", text),
                                  ("text.txt.gz", gzip.compress(text))):
            path = os.path.join(files, name)
            with open(path, "wb") as file:
                file.write(bytes_of_it)
            os.utime(path, (1_000_000_000, 1_000_000_000))
        with Program(sys.argv[1], files) as sake:
            mirror_port, stop_mirror = start_nginx(directory, "gzip_static on; default_type application/octet-stream;")
            try:
                try_downloads(sake.url, content, scratch)
                compare_ranges(sake.url, f"http://127.0.0.1:{mirror_port}")
            finally:
                stop_mirror()
            check("ends with status 0", sake.end() == 0)
    return end()


sys.exit(main())
