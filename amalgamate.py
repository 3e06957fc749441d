#!/usr/bin/env python3
"""Makes single_include/sake.hpp, the one file that users take, from the parts in sake/.

The parts are visited depth-first over `#include "..."` from the umbrella sake.hpp, each once. Unconditional system
includes gather in one sorted set at the top; conditional ones stand only in sake/base/platform.hpp, and stay there.
That part stands before the set, with all its includes, so that an error about the compiler or the system is the first.
The umbrella includes the parts that have only definitions inside `#if` GUARD. Their text, and the system includes that
only they need, stand behind the same guard in the output. The output depends on the parts alone: no date, no hash, LF.

    amalgamate.py                    write single_include/sake.hpp
    amalgamate.py --split            write build/split/sake.hpp, the declarations, and sake.cpp, the definitions
    amalgamate.py --check            print a short diff and exit 1 if it is not what the parts make now
    amalgamate.py --bundle-json      write build/bundle/sake.hpp, with the installed nlohmann/json inside as well
"""

import argparse
import difflib
import os
import re
import subprocess
import sys

UMBRELLA = "sake.hpp"
VERSION_PART = "sake/base/version.hpp"
PLATFORM_PART = "sake/base/platform.hpp"
SINGLE_HEADER = "single_include/sake.hpp"
BUNDLE = "build/bundle/sake.hpp"
SPLIT = "build/split"
GUARD = "!defined(SAKE_SEPARATE) || defined(SAKE_IMPLEMENTATION) || defined(SAKE_MACHINERY)"
# A guard and no #pragma once, so that what is read a second time can say that it came too late.
OPEN = ["", "#ifndef SAKE_HPP\n#define SAKE_HPP"]
CLOSE = ["\n#endif  // SAKE_HPP"]
LATE = ["""
#if defined(SAKE_IMPLEMENTATION) && !defined(SAKE_DEFINES)
#error "SAKE_IMPLEMENTATION came too late: another header, a precompiled one or a unity build has included sake.hpp before"
#endif"""]
STOP = "stop: see the error above"  # a file that does not exist; any part may end the compilation by it
DIFF_LINES = 40

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
DIRECTIVE = re.compile(r"^\s*#\s*(\w+)")
PRAGMA_ONCE = re.compile(r"^\s*#\s*pragma\s+once\b")


class Trouble(Exception):
    """The parts cannot be joined; the text names file and line."""


def read_lines(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read().replace("\r\n", "\n").splitlines()


def without_comments(lines):
    """Each line with its comments blanked, so that an #include quoted in a comment is not taken for one."""
    inside = False
    for line in lines:
        code = ""
        while line:
            if inside:
                _, end, line = line.partition("*/")
                inside = not end
                continue
            # Text in quotes may hold // or /*; an unfinished quote runs to the end of the line.
            match = re.search(r'"(?:\\.|[^"\\])*"?|//|/\*', line)
            if not match or match.group() == "//":
                code += line[: match.start()] if match else line
                break
            if match.group() == "/*":
                code, line, inside = code + line[: match.start()], line[match.end() :], True
            else:
                code, line = code + line[: match.end()], line[match.end() :]
        yield code


class Amalgamation:
    """The walk over the parts: `declarations`, and `definitions`, which stand behind the guard."""

    class Side:
        def __init__(self):
            self.parts = []  # (name, text), in order
            self.system = set()  # the system includes for the top

    def __init__(self, root):
        self.root = root
        self.side = self.declarations = self.Side()
        self.definitions = self.Side()
        self.open = []  # the chain of parts being visited, to name a cycle
        self.done = set()

    def visit(self, name, included_at=UMBRELLA):
        if name in self.done:
            return
        if name in self.open:
            raise Trouble(f"{included_at}: include cycle {' -> '.join(self.open + [name])}")
        path = os.path.join(self.root, name)
        if not os.path.isfile(path):
            raise Trouble(f"{included_at}: no such part: {name}")
        self.open.append(name)
        text = self.take(name, read_lines(path))
        self.open.pop()
        self.done.add(name)
        self.side.parts.append((name, text))

    def take(self, name, lines):
        """The text of one part without its includes and its #pragma once; visits what it includes."""
        kept, depth, code_seen = [], 0, False
        for number, (line, code) in enumerate(zip(lines, without_comments(lines)), 1):
            place = f"{name}:{number}"
            directive = DIRECTIVE.match(code)
            word = directive.group(1) if directive else ""
            if name == UMBRELLA and word in ("if", "endif"):
                self.turn(place, word, code)
                continue
            depth += 1 if word in ("if", "ifdef", "ifndef") else -1 if word == "endif" else 0
            include = INCLUDE.match(code)
            if include and include.group(1):
                self.local(place, include.group(1), depth, code_seen)
            elif include and (name == PLATFORM_PART or include.group(2) == STOP):
                kept.append(line)
            elif include and depth:
                raise Trouble(f"{place}: conditional system include; these stand only in {PLATFORM_PART}")
            elif include:
                self.side.system.add(include.group(2))
            elif not PRAGMA_ONCE.match(code):
                code_seen = code_seen or bool(code.strip() and not directive)
                if line.strip() or (kept and kept[-1].strip()):  # what was taken out leaves one blank line
                    kept.append(line.rstrip())
        if depth:
            raise Trouble(f"{name}:{len(lines)}: #if without #endif")
        return "\n".join(kept).strip("\n")

    def turn(self, place, word, code):
        """The guard of the umbrella begins or ends."""
        if word == "if" and (code.split("#if ", 1)[1].strip() != GUARD or self.side is self.definitions):
            raise Trouble(f"{place}: the umbrella has one condition: #if {GUARD}")
        self.side = self.definitions if word == "if" else self.declarations

    def local(self, place, target, depth, code_seen):
        if depth:
            raise Trouble(f"{place}: local include inside #if")
        if code_seen:
            raise Trouble(f"{place}: local include after code; includes stand at the top of a part")
        self.visit(target, place)


def version_of(root):
    text = "\n".join(read_lines(os.path.join(root, VERSION_PART)))
    match = re.search(r'#define\s+SAKE_VERSION\s+"([^"]+)"', text)
    if not match:
        raise Trouble(f'{VERSION_PART}:1: no #define SAKE_VERSION "major.minor.patch"')
    return match.group(1)


def split_opening_comment(text):
    """The leading // lines of a part, and the rest."""
    lines = text.split("\n")
    count = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
    return "\n".join(lines[:count]), "\n".join(lines[count:]).strip("\n")


class Header:
    """The text of the header in pieces."""

    def __init__(self, root):
        walk = Amalgamation(root)
        walk.visit(UMBRELLA)
        opening, rest = split_opening_comment(walk.declarations.parts.pop()[1])
        if "".join(without_comments(rest.split("\n"))).strip():
            raise Trouble(f"{UMBRELLA}: the umbrella has includes only")
        parts = walk.declarations.parts
        self.title = [
            f"// Sake {version_of(root)}: a C++20 web framework in one header",
            "// SPDX-License-Identifier: MIT",
            "// SPDX-FileCopyrightText: The Sake authors",
            "//",
            "// Generated by amalgamate.py: change the parts, not this file.",
        ]
        self.opening = ["//", opening] if opening else []
        self.first = self.banners([part for part in parts if part[0] == PLATFORM_PART])
        self.declarations = self.includes(walk.declarations.system) + self.banners(
            [part for part in parts if part[0] != PLATFORM_PART])
        self.definitions = self.includes(walk.definitions.system - walk.declarations.system) + self.banners(
            walk.definitions.parts)
        self.declared = self.contents("Contents", parts)
        self.defined = self.contents("Definitions", walk.definitions.parts)

    @staticmethod
    def contents(title, parts):
        return ["//", f"// {title}:"] + [f"//   {name}" for name, _ in parts] if parts else []

    @staticmethod
    def includes(names):
        return ["\n" + "\n".join(f"#include <{name}>" for name in sorted(names))] if names else []

    @staticmethod
    def banners(parts):
        return [f"\n// ---- {name} ----\n\n{text}" for name, text in parts]

    def single(self):
        guarded = [f"\n#if {GUARD}\n#define SAKE_DEFINES"] + self.definitions + ["\n#endif"]
        return "\n".join(self.title + self.opening + self.declared + self.defined + OPEN + self.first
                         + self.declarations + guarded + CLOSE + LATE) + "\n"

    def split(self):
        """The header and the source of the separate form; a program that has both needs no macro."""
        macro = "\n#ifndef SAKE_SEPARATE\n#define SAKE_SEPARATE\n#endif"
        header = self.title + self.opening + self.declared + OPEN + [macro] + self.first
        source = self.title + self.defined + ["", "#define SAKE_IMPLEMENTATION", '#include "sake.hpp"']
        return "\n".join(header + self.declarations + CLOSE) + "\n", "\n".join(source + self.definitions) + "\n"


# ---- one file that needs nothing beside it: nlohmann/json inlined ----


def include_paths():
    """Where the compiler ($CXX, or c++) looks for <...>, with the places that are usual if it cannot be asked."""
    compiler = os.environ.get("CXX", "c++").split()
    try:
        asked = subprocess.run(compiler + ["-std=c++20", "-E", "-v", "-x", "c++", os.devnull], text=True,
                               capture_output=True, env={**os.environ, "LC_ALL": "C"}, check=True).stderr
        found = re.search(r"#include <\.\.\.> search starts here:\n(.*?)End of search list", asked, re.S)
        paths = [line.split(" (framework")[0].strip() for line in found.group(1).splitlines()]
    except (OSError, subprocess.CalledProcessError, AttributeError):
        paths = []
    return paths + ["/usr/include", "/usr/local/include", "/opt/homebrew/include"]


class JsonInliner:
    """nlohmann/json.hpp with its own <nlohmann/...> includes in place, each once, as #pragma once would do.

    Its includes of the standard library stay as they are, conditional or not.
    """

    def __init__(self, paths):
        self.paths = paths
        self.done = {}  # name -> chain of #if blocks where it stands; () when unconditional

    def inline(self, name, block=()):
        path = next((p for p in (os.path.join(d, name) for d in self.paths) if os.path.isfile(p)), None)
        if path is None:
            return None
        if name in self.done:
            # An earlier copy under some #if serves only what stands under the same #if.
            before = self.done[name]
            if block[: len(before)] != before:
                raise Trouble(f"{name}: included under different conditions; cannot be inlined once")
            return ""
        self.done[name] = block
        return "\n".join(self.lines(name, path, list(block)))

    def lines(self, name, path, block):
        lines = read_lines(path)
        for number, (line, code) in enumerate(zip(lines, without_comments(lines)), 1):
            directive = DIRECTIVE.match(code)
            word = directive.group(1) if directive else ""
            if word in ("if", "ifdef", "ifndef"):
                block.append(f"{name}:{number}")
            elif word in ("elif", "else"):
                block[-1] = f"{name}:{number}"
            elif word == "endif":
                block.pop()
            include = INCLUDE.match(code)
            target = include and (include.group(1) or include.group(2))
            inlined = self.inline(target, tuple(block)) if target and target.startswith("nlohmann/") else None
            if inlined is not None:
                if inlined:
                    yield inlined
            elif not PRAGMA_ONCE.match(code):
                yield line


def bundle_json(header, paths):
    line = "#include <nlohmann/json.hpp>\n"
    if line not in header:
        raise Trouble(f"{SINGLE_HEADER}: does not include <nlohmann/json.hpp>")
    text = JsonInliner(paths).inline("nlohmann/json.hpp")
    if text is None:
        raise Trouble("nlohmann/json.hpp is not installed (looked in " + ", ".join(paths) + ")")
    before, after = header.split(line)
    before = before.replace("#define SAKE_HPP\n", "#define SAKE_HPP\n#define SAKE_CONTAINS_JSON\n", 1)
    after = after.replace("\n// ---- ", f"\n// ---- nlohmann/json.hpp ----\n\n{text}\n\n// ---- ", 1)
    return before + after


# ---- command line ----


def write(path, text):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def check(path, text):
    """0 if the file at path holds text; otherwise a short diff on stdout, and 1."""
    old = read_lines(path) if os.path.isfile(path) else []
    if "\n".join(old) + "\n" == text:
        return 0
    diff = list(difflib.unified_diff(old, text.splitlines(), SINGLE_HEADER, "what the parts make", lineterm=""))
    print("\n".join(diff[:DIFF_LINES]))
    if len(diff) > DIFF_LINES:
        print(f"... and {len(diff) - DIFF_LINES} more lines")
    print(f"{SINGLE_HEADER} is stale: run `make header`")
    return 1


def main():
    parser = argparse.ArgumentParser(description="Makes the single header from the parts.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare only; exit 1 and print a diff if stale")
    what.add_argument("--bundle-json", action="store_true", help=f"inline nlohmann/json too, into {BUNDLE}")
    what.add_argument("--split", action="store_true", help=f"write declarations and definitions, into {SPLIT}")
    parser.add_argument("-o", "--output", help="write to this file, or with --split folder, instead")
    parser.add_argument("--root", default=os.path.dirname(os.path.abspath(__file__)), help="where sake.hpp stands")
    options = parser.parse_args()
    try:
        header = Header(options.root)
        if options.split:
            folder = options.output or os.path.join(options.root, SPLIT)
            for name, text in zip(("sake.hpp", "sake.cpp"), header.split()):
                write(os.path.join(folder, name), text)
            print(f"wrote sake.hpp and sake.cpp into {folder}")
            return 0
        text = header.single()
        if options.check:
            return check(options.output or os.path.join(options.root, SINGLE_HEADER), text)
        if options.bundle_json:
            text = bundle_json(text, include_paths())
        default = BUNDLE if options.bundle_json else SINGLE_HEADER
        write(options.output or os.path.join(options.root, default), text)
    except Trouble as trouble:
        print(f"amalgamate.py: {trouble}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
