#!/usr/bin/env python3
"""What hello world costs to compile: seconds at -O0 and -O2 and stripped size, as ratios to nlohmann/json alone.

Rounds are interleaved, and the medians of user time shown; a program that cannot be compiled is skipped by name.
Debian's cpp-httplib is a header that declares and a library, built beforehand, that defines: it compiles quicker than
upstream's single header.
"""

import argparse
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from machine import children_user_seconds
from programs import BENCH, COMPILER, SAKE_FLAGS
from tables import number, table

LEVELS = ("-O0", "-O2")
BASE = "nlohmann"


@dataclass(frozen=True)
class Source:
    name: str
    path: Path
    flags: tuple = ()
    libraries: tuple = ()


SOURCES = [
    Source(BASE, BENCH / "compile/nlohmann.cpp"),
    Source("sake", BENCH / "compile/sake.cpp", SAKE_FLAGS),
    Source("httplib", BENCH / "compile/httplib.cpp", libraries=("-lcpp-httplib",)),
    Source("beast", BENCH / "peers/beast.cpp"),
]


class DoesNotCompile(Exception):
    """The text is what the compiler said."""


def run(*command):
    """User seconds of a compiler and all that it started."""
    before = children_user_seconds()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise DoesNotCompile(errors[0].strip())
    return children_user_seconds() - before


def compile_seconds(source, level, directory):
    output = str(Path(directory) / f"{source.name}.o")
    return run(COMPILER, "-std=c++20", level, "-pthread", *source.flags, "-c", str(source.path), "-o", output)


def stripped_bytes(source, directory):
    """The size of the program, linked from what was compiled last."""
    program = Path(directory) / source.name
    objects = str(program.with_suffix(".o"))
    run(COMPILER, "-pthread", "-s", objects, "-o", str(program), *source.libraries)
    return program.stat().st_size


def measure_compile(rounds):
    """found[name][level] is a list of seconds, found[name]["bytes"] the size; or found[name]["failed"] says why not."""
    found = {source.name: {level: [] for level in LEVELS} for source in SOURCES}
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(rounds):
            for level in LEVELS:  # -O2 last: its objects are linked
                for source in SOURCES:
                    if "failed" in found[source.name]:
                        continue
                    try:
                        found[source.name][level].append(compile_seconds(source, level, directory))
                    except DoesNotCompile as reason:
                        found[source.name] = {"failed": str(reason)}
        for source in SOURCES:
            if "failed" in found[source.name]:
                continue
            try:
                found[source.name]["bytes"] = stripped_bytes(source, directory)
            except DoesNotCompile as reason:
                found[source.name] = {"failed": str(reason)}
    return found


def ratio(found, name, level):
    """The median over the rounds of the time for one program to that for nlohmann/json alone."""
    pairs = zip(found[name][level], found[BASE][level])
    return statistics.median(time / base for time, base in pairs)


def compile_table(found):
    rows = []
    for name, figures in found.items():
        if "failed" in figures:
            rows.append([f"skipped: {name}: {figures['failed']}"] + [""] * 5)
            continue
        cells = [
            text
            for level in LEVELS
            for text in (number(statistics.median(figures[level]), 2), number(ratio(found, name, level), 2))
        ]
        rows.append([name, *cells, number(figures["bytes"] / 1000)])
    return table(["", "-O0, s", "to nlohmann", "-O2, s", "to nlohmann", "stripped, kB"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    options = parser.parse_args()
    print(compile_table(measure_compile(options.rounds)))


if __name__ == "__main__":
    main()
