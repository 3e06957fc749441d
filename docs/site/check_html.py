#!/usr/bin/env python3
"""Every link inside the built site leads to a page, and its #anchor to something there: check_html.py FOLDER."""

import glob
import os
import re
import sys
from html import unescape
from urllib.parse import unquote

root = sys.argv[1]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def file_of(address):
    """The file that an address is served by, as docs/site/serve.cpp does."""
    path = os.path.join(root, unquote(address).lstrip("/"))
    options = [path, path + ".html", os.path.join(path, "index.html")]
    return next((os.path.normpath(each) for each in options if os.path.isfile(each)), None)


pages = {os.path.normpath(path): read(path) for path in glob.glob(f"{root}/**/*.html", recursive=True)}
ids = {path: {unescape(each) for each in re.findall(r'\sid="([^"]+)"', text)} for path, text in pages.items()}
problems, count = [], 0
for path, text in pages.items():
    for link in set(re.findall(r'\s(?:href|src)="([^"]+)"', text)):
        link = unescape(link)
        if re.match(r"[a-z]+:|//", link):
            continue
        count += 1
        address, _, anchor = link.partition("#")
        found = file_of(address if address.startswith("/") else os.path.join("/", os.path.relpath(os.path.dirname(path), root), address)) if address else path
        if found is None:
            problems.append(f"{path}: {link}: there is no such page")
        elif anchor and found in ids and unquote(anchor) not in ids[found]:
            problems.append(f"{path}: {link}: there is no such anchor")
print("\n".join(sorted(problems)))
print(f"{len(pages)} pages, {count} links, {len(problems)} of them broken")
sys.exit(bool(problems) or not pages)
