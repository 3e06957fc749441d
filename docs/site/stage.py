#!/usr/bin/env python3
"""Lays out what VitePress builds the site of: stage.py FOLDER.

The pages are docs/*.md and the Markdown files beside the README, and whatever they link to: other Markdown files, examples
as pages of code, folders as lists of them, pictures. Links become those of the site. The API reference is made here, and
names of it that docs write as code become links to it. What stands in docs/ stays as it is."""

import glob
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import markdown
import reference

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
OUT = sys.argv[1]
PAGES = os.path.join(OUT, "pages")
PROJECT = "docs/site"
NAMES = {"SECURITY.md": "security-policy", f"{PROJECT}/index.md": "index"}
PICTURE = re.compile(r"\.(svg|png|jpe?g|gif|webp)$")
LANGUAGES = {".hpp": "cpp", ".cpp": "cpp", ".py": "python", ".mjs": "js", ".sh": "sh", ".json": "json", ".yml": "yaml"}


def address(path):
    """Where a file or folder of the project is in the site, without a slash before it."""
    if path in NAMES:
        return NAMES[path]
    if path.endswith(".md"):
        return path.removeprefix("docs/")[:-3].lower()
    return "source/" + path.replace(".", "-")


def is_page(path):
    return path.endswith(".md")


class Stage:
    def __init__(self, links):
        self.links = links  # of the API reference
        self.labels = {page: text for pages in order().values() for page, text in pages.items()}
        self.waiting = []
        self.placed = set()

    def add(self, path):
        if path not in self.placed:
            self.placed.add(path)
            self.waiting.append(path)

    def run(self):
        while self.waiting:
            path = self.waiting.pop()
            if PICTURE.search(path):
                copy(path, os.path.join(PAGES, path))
            elif os.path.isdir(path):
                write(address(path), self.folder(path))
            elif is_page(path):
                write(address(path), self.page(path))
            else:
                write(address(path), source_page(path))

    def page(self, path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        edits = [(span, self.target(path, to)) for span, to in markdown.links(text)] + list(self.names(text))
        for (start, end), new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        return re.sub(r"\[([\w-]+)\.md\](?=\(/)", lambda match: f"[{self.labels.get(match[1], match[1] + '.md')}]", text)

    def target(self, path, to):
        """What a link of a page becomes."""
        file, hash_, heading = to.partition("#")
        found = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if to.startswith("/") or not file or not os.path.exists(found):
            return to
        self.add(found)
        if PICTURE.search(found):
            return to
        return "/" + address(found).removesuffix("index") + hash_ + heading

    def names(self, text):
        """Code in lines that is a name of the API reference, outside of links and headings."""
        plain = markdown.without_fences(text)
        for match in markdown.CODE.finditer(plain):
            name = re.sub(r"^sake::|\(\)$", "", match[2])
            line = plain[plain.rfind("\n", 0, match.start()) + 1 : match.start()]
            if name in self.links and re.search(r"[A-Z]|::", name) and line[:1] != "#" and line.count("[") == line.count("]"):
                yield match.span(), f"[{match[0]}]({self.links[name]})"

    def folder(self, path):
        files = sorted(glob.glob(f"{path}/**/*.[ch]pp", recursive=True))
        for file in files:
            self.add(file)
        lines = [f"- [{os.path.relpath(file, path)}](/{address(file)}): {first_comment(file)}" for file in files]
        return f"---\noutline: false\n---\n\n# {path}\n\n" + "\n".join(lines) + "\n"


def first_comment(path):
    """The first sentence of a file's comment."""
    with open(path, encoding="utf-8") as file:
        lines = re.match(r"(?://.*\n)*", file.read())[0]
    sentence = re.match(r".*?[.:](?=\s|$)|.*", " ".join(lines.replace("//", " ").split()))[0]
    return re.sub(r"([<>*_\[\]{}|])", r"\\\1", sentence).replace("\\<", "&lt;").rstrip(":")


def source_page(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    language = LANGUAGES.get(os.path.splitext(path)[1], "txt")
    return f"---\noutline: false\nsearch: false\n---\n\n# {path}\n\n````{language}\n{text.rstrip()}\n````\n"


def home():
    """The first page, with the program and the box of the README."""
    with open(f"{PROJECT}/index.md", encoding="utf-8") as file:
        text = file.read()
    with open("README.md", encoding="utf-8") as file:
        readme = file.read()
    pieces = {"first program": r"^```cpp\n.*?^```$", "not there yet": r"^> \*\*Not there yet.*?(?=\n\n)"}
    for name, pattern in pieces.items():
        found = re.search(pattern, readme, re.M | re.S)
        if not found:
            print(f"note: README.md has nothing for '{name}' of {PROJECT}/index.md")
        piece = found[0] if found else ""
        text = text.replace(f"<!-- README: {name} -->", re.sub(r"\]\(docs/([\w-]+)\.md", r"](/\1", piece))
    return text


def order():
    with open(f"{PROJECT}/sidebar.json", encoding="utf-8") as file:
        return json.load(file)


def guide():
    """The sidebar of all pages but the API's: those of sidebar.json that are there, and the files beside the README."""
    groups = [(group, {f"docs/{page}.md": text for page, text in pages.items()}) for group, pages in order().items()]
    groups[-1][1].update({"CONTRIBUTING.md": "Contributing", "SECURITY.md": "Security policy", "CHANGELOG.md": "Changelog"})
    sidebar = []
    for group, pages in groups:
        items = [{"text": text, "link": "/" + address(page)} for page, text in pages.items() if os.path.exists(page)]
        if group == "Start":
            items.insert(0, {"text": "Overview", "link": "/readme"})
        if group == "Reference":
            items.insert(0, {"text": "API", "link": "/api/"})
        sidebar.append({"text": group, "items": items})
    return sidebar


def write(name, text):
    path = os.path.join(PAGES, name + ".md")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def copy(path, to):
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copyfile(path, to)


def version():
    with open("sake/base/version.hpp", encoding="utf-8") as file:
        return re.search(r'SAKE_VERSION "(.*)"', file.read())[1]


def main():
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(f"{PROJECT}/vitepress", os.path.join(OUT, ".vitepress"), dirs_exist_ok=True)
    api, links, missed, unknown = reference.write(os.path.join(PAGES, "api"))
    for name in unknown:
        print(f"note: {name} stands in {PROJECT}/subjects.txt and is no public name")
    if missed:
        print(f"note: no comment or declaration was found for {len(missed)} public names: {', '.join(missed[:10])} ...")
    stage = Stage(links)
    for path in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", *glob.glob("docs/*.md")]:
        stage.add(path)
    stage.run()
    write("index", home())
    with open(os.path.join(OUT, "site.json"), "w", encoding="utf-8") as file:
        json.dump({"version": version(), "guide": guide(), "api": api}, file, indent=1)
    print(f"{len(stage.placed) + 1} pages and files, {len(links)} names in the API reference")


main()
